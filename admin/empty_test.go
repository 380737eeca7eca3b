package admin_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/local/objects"
)

// folder is S3 over a folder, with keys that it refuses to delete: the code for as
// many times, or for ever if that is negative.
type folder struct {
	*objects.Handler
	dir    string
	refuse map[string]refusal
	calls  map[string]int // by method and sub-resource
	sizes  []int          // of the calls that delete
}

type refusal struct {
	code  string
	times int
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	dir := t.TempDir()
	h, err := objects.New(objects.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &folder{h, dir, map[string]refusal{}, map[string]int{}, nil}
}

// fill makes a bucket of so many objects, 10 bytes each.
func (f *folder) fill(t *testing.T, bucket string, n int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(f.dir, bucket, "p"), 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(f.dir, bucket, "p", fmt.Sprintf("%05d", i)), []byte("0123456789"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

type deletion struct {
	Object []struct{ Key, VersionID string }
	Quiet  bool
}

func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sub := ""
	for _, name := range []string{"delete", "versions", "uploads", "uploadId"} {
		if r.URL.Query().Has(name) {
			sub = "?" + name
		}
	}
	f.calls[r.Method+sub]++
	if sub != "?delete" {
		f.Handler.ServeHTTP(w, r)
		return
	}
	var in deletion
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	f.sizes = append(f.sizes, len(in.Object))
	var pass, failed strings.Builder
	for _, o := range in.Object {
		if why := f.refuse[o.Key]; why.times != 0 {
			why.times--
			f.refuse[o.Key] = why
			fmt.Fprintf(&failed, "<Error><Key>%s</Key><VersionId>null</VersionId><Code>%s</Code><Message>not this one</Message></Error>", o.Key, why.code)
			continue
		}
		fmt.Fprintf(&pass, "<Object><Key>%s</Key></Object>", o.Key)
	}
	if pass.Len() > 0 {
		r.Body = io.NopCloser(strings.NewReader("<Delete>" + pass.String() + "</Delete>"))
		f.Handler.ServeHTTP(discard{}, r)
	}
	fmt.Fprintf(w, "<DeleteResult>%s</DeleteResult>", failed.String())
}

// discard is where an answer goes that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func TestEmptyBucket(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 2500} {
		f := newFolder(t)
		f.fill(t, "b", n)
		f.fill(t, "other", 1)
		c := s3Client(configFor(f))
		var told []int64
		got, err := admin.EmptyBucket(t.Context(), c, "b", "", func(e admin.Emptied) { told = append(told, e.Versions) })
		if want := (admin.Emptied{Versions: int64(n), Bytes: 10 * int64(n)}); err != nil || got != want {
			t.Errorf("%d objects: %+v, %v", n, got, err)
		}
		if want := (n + 999) / 1000; f.calls["POST?delete"] != want || f.calls["GET?versions"] != max(1, want) {
			t.Errorf("%d objects: calls %v, want %d", n, f.calls, want)
		}
		if n > 0 && told[len(told)-1] != int64(n) {
			t.Errorf("%d objects: told of %v", n, told)
		}
		if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("b")}); err != nil {
			t.Errorf("%d objects: %v", n, err)
		}
		// Not there any more: nothing to do.
		if got, err := admin.EmptyBucket(t.Context(), c, "b", "", nil); err != nil || got != (admin.Emptied{}) {
			t.Errorf("no bucket: %+v, %v", got, err)
		}
		if _, err := os.Stat(filepath.Join(f.dir, "other", "p", "00000")); err != nil {
			t.Error(err)
		}
	}
}

// What S3 refuses to delete is told with its reason, and the rest deleted.
func TestEmptyBucketRefused(t *testing.T) {
	for _, tc := range []struct {
		name    string
		objects int
		refuse  map[string]refusal
		removed int64
		sizes   string // of the calls
		cause   string
		remedy  string
	}{
		{
			"two", 1010,
			map[string]refusal{"p/00003": {"AccessDenied", -1}, "p/01005": {"AccessDenied", -1}},
			1008, "[1000 10]",
			"empty bucket b: 2 objects could not be removed, such as p/00003: AccessDenied: not this one", "allow s3:DeleteObject and s3:DeleteObjectVersion",
		},
		{"busy, then not", 10, map[string]refusal{"p/00003": {"SlowDown", 2}, "p/00005": {"InternalError", 1}}, 10, "[10 2 1]", "", ""},
		{
			"busy for ever", 10,
			map[string]refusal{"p/00003": {"SlowDown", -1}},
			9, "[10 1 1 1 1]",
			"empty bucket b: 1 objects could not be removed, such as p/00003: SlowDown: not this one", "try again",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFolder(t)
				f.fill(t, "b", tc.objects)
				f.refuse = tc.refuse
				got, err := admin.EmptyBucket(t.Context(), s3Client(configFor(f)), "b", "", nil)
				if got.Versions != tc.removed || fmt.Sprint(f.sizes) != tc.sizes {
					t.Errorf("%+v by calls of %v, want %d by %s", got, f.sizes, tc.removed, tc.sizes)
				}
				if tc.cause == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				checkExplained(t, err, tc.cause, tc.remedy)
			})
		})
	}
}

// Where nothing may be deleted, one call shows it.
func TestEmptyBucketDenied(t *testing.T) {
	f := newFolder(t)
	f.fill(t, "b", 1001)
	for i := range 1001 {
		f.refuse[fmt.Sprintf("p/%05d", i)] = refusal{"AccessDenied", -1}
	}
	got, err := admin.EmptyBucket(t.Context(), s3Client(configFor(f)), "b", "", nil)
	if err == nil || !strings.Contains(err.Error(), "1000 objects could not be removed") || got != (admin.Emptied{}) || len(f.sizes) != 1 {
		t.Errorf("%+v by calls of %v, %v", got, f.sizes, err)
	}
}

func TestEmptyBucketCancelled(t *testing.T) {
	f := newFolder(t)
	f.fill(t, "b", 1010)
	c := s3Client(configFor(f))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, err := admin.EmptyBucket(ctx, c, "b", "", func(admin.Emptied) { cancel() })
	if !errors.Is(err, context.Canceled) || got.Versions != 1000 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := admin.EmptyBucket(t.Context(), c, "b", "", nil); err != nil || got.Versions != 10 {
		t.Errorf("the rest: %+v, %v", got, err)
	}
}

func TestEmptyBucketUploads(t *testing.T) {
	f := newFolder(t)
	f.fill(t, "b", 1)
	c := s3Client(configFor(f))
	for i := range 3 {
		key := aws.String(fmt.Sprintf("half/%d", i))
		u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("b"), Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte("x")),
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := admin.EmptyBucket(t.Context(), c, "b", "", nil)
	if want := (admin.Emptied{Versions: 1, Uploads: 3, Bytes: 10}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for u, err := range admin.Uploads(t.Context(), c, "b", "") {
		t.Errorf("left is %v, %v", u, err)
	}
}

// testEmptyVersions has versions and delete markers, which only others' S3 has.
func testEmptyVersions(t *testing.T, c *s3.Client) {
	b := aws.String("versioned")
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: b, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: aws.String(fmt.Sprintf("k%d", i%4)), Body: strings.NewReader("12345")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"k1", "k2"} {
		if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: b}); codeOf(err) != "BucketNotEmpty" {
		t.Errorf("moto deletes a bucket that is not empty: %v", err)
	}
	// 123456789012 is moto's account.
	got, err := admin.EmptyBucket(t.Context(), c, *b, "123456789012", nil)
	if want := (admin.Emptied{Versions: 10, Markers: 2, Bytes: 50}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: b}); err != nil {
		t.Error(err)
	}
}
