package objects_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// ask is what a list is asked for.
type ask struct {
	prefix, delimiter, after string
	max                      int32
}

// model is what a list is: keys and groups, as the documentation of
// ListObjectsV2 says it.
func model(keys []string, a ask) (list []string) {
	for _, key := range slices.Sorted(slices.Values(keys)) {
		item := key
		if rest, ok := strings.CutPrefix(key, a.prefix); !ok {
			continue
		} else if i := strings.Index(rest, a.delimiter); a.delimiter != "" && i >= 0 {
			item = a.prefix + rest[:i] + a.delimiter
		}
		// What follows a group follows all of its keys.
		if key > a.after && item != a.after && !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}

func items(contents []types.Object, groups []types.CommonPrefix) (list []string) {
	for _, o := range contents {
		list = append(list, *o.Key)
	}
	for _, g := range groups {
		list = append(list, *g.Prefix)
	}
	slices.Sort(list)
	return list
}

// list2 goes through the pages of ListObjectsV2.
func (f *fixture) list2(a ask) (list []string) {
	f.Helper()
	pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{
		Bucket: aws.String("b"), Prefix: &a.prefix, Delimiter: &a.delimiter, StartAfter: &a.after, MaxKeys: &a.max,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		got := items(page.Contents, page.CommonPrefixes)
		if len(got) != int(*page.KeyCount) || *page.IsTruncated && len(got) != int(a.max) {
			f.Errorf("%+v: a page of %d, KeyCount %d, truncated %v", a, len(got), *page.KeyCount, *page.IsTruncated)
		}
		list = append(list, got...)
	}
	return list
}

// list1 goes through the pages of ListObjects.
func (f *fixture) list1(a ask) (list []string) {
	f.Helper()
	for {
		page, err := f.s3.ListObjects(f.Context(), &s3.ListObjectsInput{
			Bucket: aws.String("b"), Prefix: &a.prefix, Delimiter: &a.delimiter, Marker: &a.after, MaxKeys: &a.max,
		})
		if err != nil {
			f.Fatal(err)
		}
		got := items(page.Contents, page.CommonPrefixes)
		list = append(list, got...)
		if !*page.IsTruncated {
			return list
		}
		a.after = got[len(got)-1]
		if next := aws.ToString(page.NextMarker); a.delimiter != "" && next != a.after || a.delimiter == "" && next != "" {
			f.Errorf("%+v: NextMarker %q after %q", a, next, a.after)
		}
	}
}

// listVersions goes through the pages of ListObjectVersions.
func (f *fixture) listVersions(a ask) (list []string) {
	f.Helper()
	pages := s3.NewListObjectVersionsPaginator(f.s3, &s3.ListObjectVersionsInput{
		Bucket: aws.String("b"), Prefix: &a.prefix, Delimiter: &a.delimiter, KeyMarker: &a.after, MaxKeys: &a.max,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		var keys []string
		for _, v := range page.Versions {
			keys = append(keys, *v.Key)
			if *v.VersionId != "null" || !*v.IsLatest || *v.Size != 1 || aws.ToString(v.ETag) == "" || v.LastModified.IsZero() {
				f.Errorf("%+v: version %+v", a, v)
			}
		}
		for _, g := range page.CommonPrefixes {
			keys = append(keys, *g.Prefix)
		}
		slices.Sort(keys)
		list = append(list, keys...)
	}
	return list
}

// TestListLikeModel lists random buckets in random ways.
func TestListLikeModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	word := func() string {
		const letters = "ab-.0/é"
		var w strings.Builder
		for range rng.IntN(6) {
			r := []rune(letters)
			w.WriteRune(r[rng.IntN(len(r))])
		}
		return w.String()
	}
	for range 3 {
		f := serve(t)
		folders := []string{"", "a", "a-", "é/0/b", word(), word()}
		var keys []string
		for range 40 {
			key := strings.Trim(folders[rng.IntN(len(folders))]+"/"+word(), "/")
			usable := !slices.ContainsFunc(strings.Split(key, "/"), func(s string) bool { return strings.Trim(s, ".") == "" })
			clash := slices.ContainsFunc(keys, func(k string) bool {
				return k == key || strings.HasPrefix(k, key+"/") || strings.HasPrefix(key, k+"/")
			})
			if usable && !clash {
				f.write(key, "x")
				keys = append(keys, key)
			}
		}
		for range 25 {
			a := ask{max: int32(1 + rng.IntN(9))}
			if rng.IntN(2) == 0 {
				a.delimiter = []string{"/", "/", "a", "-.", "é"}[rng.IntN(5)]
			}
			some := func() string {
				key := keys[rng.IntN(len(keys))]
				return []string{"", word(), strings.ToValidUTF8(key[:rng.IntN(len(key)+1)], "")}[rng.IntN(3)]
			}
			a.prefix, a.after = some(), some()
			want := model(keys, a)
			if diff := cmp.Diff(want, f.list2(a)); diff != "" {
				t.Errorf("ListObjectsV2 %+v of %q (-want +got):\n%s", a, keys, diff)
			}
			if diff := cmp.Diff(want, f.list1(a)); diff != "" {
				t.Errorf("ListObjects %+v of %q (-want +got):\n%s", a, keys, diff)
			}
			if diff := cmp.Diff(want, f.listVersions(a)); diff != "" {
				t.Errorf("ListObjectVersions %+v of %q (-want +got):\n%s", a, keys, diff)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestListEncoding: keys that XML can't hold come url-encoded on demand, as boto3
// and the AWS CLI want all of them.
func TestListEncoding(t *testing.T) {
	f := serve(t)
	key := "a b+c/\x01<&>\n é%41"
	f.write(key, "x")
	out := f.body(f.do("GET", "/b?encoding-type=url&prefix=a+b%2B&delimiter=%01", ""))
	for _, want := range []string{"<Prefix>a+b%2B</Prefix>", "<Delimiter>%01</Delimiter>", "<CommonPrefixes><Prefix>a+b%2Bc/%01</Prefix></CommonPrefixes>"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %s:\n%s", want, out)
		}
	}
	if got, want := f.body(f.do("GET", "/b?encoding-type=url", "")), "<Key>a+b%2Bc/%01%3C%26%3E%0A+%C3%A9%2541</Key>"; !strings.Contains(got, want) {
		t.Errorf("the list lacks %s:\n%s", want, got)
	}
}

// TestUnfinishedUnseen: what is being written is in no list, and no bucket.
func TestUnfinishedUnseen(t *testing.T) {
	f := serve(t)
	f.write("k", "x")
	_, err := f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("half")})
	if err != nil {
		t.Fatal(err)
	}
	buckets, err := f.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(buckets.Buckets) != 1 {
		t.Errorf("buckets %+v, %v", buckets, err)
	}
	if got := f.list2(ask{max: 10}); !slices.Equal(got, []string{"k"}) {
		t.Errorf("listed are %q", got)
	}
	if got := f.body(f.do("GET", "/b?max-keys=0", "")); !strings.Contains(got, "<IsTruncated>false</IsTruncated></ListBucketResult>") {
		t.Errorf("a page of no keys: %s", got)
	}
}
