package admin_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/testkit"
)

func s3Client(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func zip(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(m))
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestReadObject(t *testing.T) {
	packed := zip(t, "one\n", "two\n")
	for _, tc := range []struct {
		name, key, encoding string
		stored              []byte
		want                string
		err                 string
	}{
		{"plain", "k", "", []byte("one\n"), "one\n", ""},
		{"empty", "k", "", nil, "", ""},
		{"gzip by header and key, two members", "k.gz", "gzip", packed, "one\ntwo\n", ""},
		{"gzip by header alone", "k.ndjson", "gzip", packed, "one\ntwo\n", ""},
		{"gzip by header in a list", "k", "aws-chunked,gzip", packed, "one\ntwo\n", ""},
		{"gzip by key alone", "k.gz", "", packed, "one\ntwo\n", ""},
		{"plain records that are gzip", "k", "", packed, string(packed), ""},
		{"gzip records in gzip", "k.gz", "gzip", zip(t, string(packed)), string(packed), ""},
		{"unpacked on the way", "k.gz", "", []byte("one\n"), "one\n", ""},
		{"one byte", "k.gz", "", []byte("\n"), "\n", ""},
		{"nothing in gzip's place", "k.gz", "gzip", nil, "", ""},
		{"cut short", "k.gz", "gzip", packed[:len(packed)-3], "", "unexpected EOF"},
		{"cut in the header", "k.gz", "gzip", packed[:5], "", "decompress s3://b/k.gz"},
		{"broken", "k.gz", "gzip", append([]byte{0x1f, 0x8b}, "nonsense"...), "", "decompress s3://b/k.gz"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := s3Client(configFor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tc.encoding != "" {
					w.Header().Set("Content-Encoding", tc.encoding)
				}
				_, _ = w.Write(tc.stored)
			})))
			r, err := admin.ReadObject(t.Context(), c, "b", tc.key)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				err = errors.Join(err, r.Close())
			}
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || string(got) != tc.want {
				t.Errorf("%q (%v), want %q", got, err, tc.want)
			}
		})
	}
}

// bucket answers ListObjectsV2 in pages of 3 with the keys 000, 001 and so on,
// and any other call with an error.
type bucket struct {
	keys  int
	calls int
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.calls++
	if r.URL.Query().Get("list-type") != "2" || r.URL.Query().Get("prefix") != "p/" {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	type content struct {
		Key          string
		Size         int
		LastModified string
	}
	page := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}{}
	from, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
	for i := from; i < min(b.keys, from+3); i++ {
		page.Contents = append(page.Contents, content{fmt.Sprintf("p/%03d", i), i, "2026-01-02T03:04:05.000Z"})
	}
	if page.IsTruncated = from+3 < b.keys; page.IsTruncated {
		page.NextContinuationToken = strconv.Itoa(from + 3)
	}
	if err := xml.NewEncoder(w).Encode(page); err != nil {
		panic(err)
	}
}

func TestObjectsPages(t *testing.T) {
	for _, tc := range []struct{ keys, calls int }{{0, 1}, {1, 1}, {3, 1}, {4, 2}, {6, 2}, {7, 3}} {
		b := &bucket{keys: tc.keys}
		want := []admin.Object{}
		for i := range tc.keys {
			want = append(want, admin.Object{
				Key: fmt.Sprintf("p/%03d", i), Size: int64(i), LastModified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			})
		}
		c := s3Client(configFor(b))
		if diff := cmp.Diff(want, collect(t, admin.Objects(t.Context(), c, "b", "p/"))); diff != "" {
			t.Errorf("%d keys (-want +got):\n%s", tc.keys, diff)
		}
		if b.calls != tc.calls {
			t.Errorf("%d keys: %d calls, want %d", tc.keys, b.calls, tc.calls)
		}
		var errs int
		for _, err := range admin.Objects(t.Context(), c, "b", "elsewhere/") {
			if err != nil {
				errs++
			}
		}
		if errs != 1 {
			t.Errorf("%d errors of a refused call, want 1", errs)
		}
	}
}

// TestMoto has S3 as others have built it.
func TestMoto(t *testing.T) {
	c := startMoto(t)
	t.Run("EmptyBucket", func(t *testing.T) { testEmptyVersions(t, c) })
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("records")}); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string][]byte{"p/1": []byte("one\n"), "p/2.gz": zip(t, "two\n"), "q/3": []byte("three\n")} {
		in := &s3.PutObjectInput{Bucket: aws.String("records"), Key: aws.String(key), Body: bytes.NewReader(body)}
		if strings.HasSuffix(key, ".gz") {
			in.ContentEncoding = aws.String("gzip")
		}
		if _, err := c.PutObject(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	var keys, bodies []string
	for _, o := range collect(t, admin.Objects(t.Context(), c, "records", "p/")) {
		r, err := admin.ReadObject(t.Context(), c, "records", o.Key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		keys, bodies = append(keys, o.Key), append(bodies, string(body))
	}
	if !slices.Equal(keys, []string{"p/1", "p/2.gz"}) || !slices.Equal(bodies, []string{"one\n", "two\n"}) {
		t.Errorf("objects %q hold %q", keys, bodies)
	}
	if _, err := admin.ReadObject(t.Context(), c, "records", "none"); !isA[*types.NoSuchKey](err) {
		t.Errorf("an unknown key: %v", err)
	}
	for _, err := range admin.Objects(t.Context(), c, "no-such-bucket", "") {
		if text := admin.Explain(err).Error(); !strings.Contains(text, "NoSuchBucket: ") || !strings.Contains(text, "\nhint: check the bucket") {
			t.Errorf("an unknown bucket: %s", text)
		}
	}
}

// startMoto is S3's client at moto.
func startMoto(t *testing.T) *s3.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("moto takes a second to start")
	}
	return s3.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(testkit.Moto(t)),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	}, func(o *s3.Options) { o.UsePathStyle = true })
}
