package objects_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/objects"
)

const minPart = 5 << 20

// upload is a multipart upload to bucket b.
type upload struct {
	*fixture
	key, id *string
	parts   []types.CompletedPart
}

func (f *fixture) upload(key, encoding string) *upload {
	f.Helper()
	out, err := f.s3.CreateMultipartUpload(f.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: &key, ContentEncoding: &encoding})
	if err != nil {
		f.Fatal(err)
	}
	return &upload{f, &key, out.UploadId, nil}
}

func (u *upload) part(n int32, content []byte) error {
	out, err := u.s3.UploadPart(u.Context(), &s3.UploadPartInput{
		Bucket: aws.String("b"), Key: u.key, UploadId: u.id, PartNumber: &n, Body: bytes.NewReader(content),
	})
	if err == nil {
		u.parts = append(u.parts, types.CompletedPart{PartNumber: &n, ETag: out.ETag})
	}
	return err
}

func (u *upload) complete(parts ...types.CompletedPart) (etag string, err error) {
	out, err := u.s3.CompleteMultipartUpload(u.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String("b"), Key: u.key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return "", err
	}
	return *out.ETag, nil
}

func (u *upload) abort() error {
	_, err := u.s3.AbortMultipartUpload(u.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String("b"), Key: u.key, UploadId: u.id})
	return err
}

func TestMultipart(t *testing.T) {
	f := serve(t)
	f.write("other", "x")
	first, last := bytes.Repeat([]byte("first"), minPart/5+1), []byte("last")
	u := f.upload("2026/k.json", "gzip")
	for _, p := range []struct {
		n       int32
		content []byte
	}{{7, last}, {2, []byte("replaced")}, {2, first}, {5, []byte("never named")}} {
		if err := u.part(p.n, p.content); err != nil {
			t.Fatal(err)
		}
	}
	seven, old, two, five := u.parts[0], u.parts[1], u.parts[2], u.parts[3]

	list, err := f.s3.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("b"), Key: u.key, UploadId: u.id, MaxParts: aws.Int32(2)})
	if err != nil || len(list.Parts) != 2 || !*list.IsTruncated || *list.NextPartNumberMarker != "5" || *list.Parts[0].Size != int64(len(first)) || *list.Parts[0].ETag != *two.ETag {
		t.Errorf("ListParts: %+v, %v", list, err)
	}
	list, err = f.s3.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("b"), Key: u.key, UploadId: u.id, PartNumberMarker: aws.String("5")})
	if err != nil || len(list.Parts) != 1 || *list.IsTruncated || *list.Parts[0].PartNumber != 7 {
		t.Errorf("ListParts after 5: %+v, %v", list, err)
	}
	for want, parts := range map[string][]types.CompletedPart{
		"InvalidPartOrder": {two, two},
		"InvalidPart":      {old, seven},
		"EntityTooSmall":   {two, five, seven},
		"MalformedXML":     {},
	} {
		if _, err := u.complete(parts...); code(err) != want {
			t.Errorf("completed with bad parts: %v, want %s", err, want)
		}
	}
	if got := f.list2(ask{max: 10}); !slices.Equal(got, []string{"other"}) {
		t.Errorf("listed before the upload is complete: %q", got)
	}
	etag, err := u.complete(two, seven)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.get("2026/k.json"); f.read("2026/k.json") != string(first)+"last" || aws.ToString(got.ContentEncoding) != "gzip" || *got.ETag != etag {
		t.Errorf("the object has %d bytes, encoding %s, ETag %s, want %d, gzip, %s", *got.ContentLength, aws.ToString(got.ContentEncoding), *got.ETag, len(first)+4, etag)
	}
	if _, err := u.complete(two, seven); code(err) != "NoSuchUpload" {
		t.Errorf("completed twice: %v", err)
	}
	if err := u.part(1, last); code(err) != "NoSuchUpload" {
		t.Errorf("a part of a completed upload: %v", err)
	}
	f.leaves("b/2026/k.json", "b/other")
}

// leaves wants these files, and notes of encodings.
func (f *fixture) leaves(want ...string) {
	f.Helper()
	got := slices.DeleteFunc(f.files(), func(name string) bool { return strings.HasPrefix(name, ".encodings/") })
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestAbort(t *testing.T) {
	f := serve(t)
	f.write("other", "x")
	aborted, left := f.upload("z/aborted", ""), f.upload("a/left", "")
	for _, u := range []*upload{aborted, left} {
		for n := range int32(3) {
			if err := u.part(n+1, []byte("part")); err != nil {
				t.Fatal(err)
			}
		}
	}
	uploads := func(prefix string) (keys []string) {
		out, err := f.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("b"), Prefix: &prefix})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
		}
		return keys
	}
	if got := uploads(""); !slices.Equal(got, []string{"a/left", "z/aborted"}) {
		t.Errorf("uploads %q", got)
	}
	if err := aborted.abort(); err != nil {
		t.Error(err)
	}
	if err := aborted.abort(); code(err) != "NoSuchUpload" {
		t.Errorf("aborted twice: %v", err)
	}
	if err := aborted.part(1, nil); code(err) != "NoSuchUpload" {
		t.Errorf("a part of an aborted upload: %v", err)
	}
	if got := uploads("z"); got != nil {
		t.Errorf("uploads after the abort %q", got)
	}
	if got := len(f.files()); got != 4 {
		t.Errorf("%d files, want 4", got)
	}
	if err := f.handler.Close(); err != nil {
		t.Error(err)
	}
	f.leaves("b/other")
	if err := left.part(1, nil); code(err) != "NoSuchUpload" {
		t.Errorf("a part after Close: %v", err)
	}
}

// TestAbandonedUploads: those that nobody ends don't keep new ones out for ever, and
// those at work are left alone.
func TestAbandonedUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := objects.New(objects.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		call := func(method, path string) (int, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("part")))
			return w.Code, w.Body.String()
		}
		call("PUT", "/b")
		_, first := call("POST", "/b/first?uploads=")
		_, id, _ := strings.Cut(first, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		for range 999 {
			call("POST", "/b/k?uploads=")
		}
		if status, text := call("POST", "/b/k?uploads="); status != 503 || !strings.Contains(text, "SlowDown") {
			t.Errorf("one more: %d %s", status, text)
		}
		time.Sleep(5 * time.Minute)
		if status, text := call("PUT", "/b/first?partNumber=1&uploadId="+id); status != 200 {
			t.Errorf("a part: %d %s", status, text)
		}
		for range 999 {
			if status, text := call("POST", "/b/k?uploads="); status != 200 {
				t.Fatalf("one more, later: %d %s", status, text)
			}
		}
		if status, _ := call("POST", "/b/k?uploads="); status != 503 {
			t.Errorf("when all are new: %d", status)
		}
		if status, text := call("PUT", "/b/first?partNumber=2&uploadId="+id); status != 200 {
			t.Errorf("a part of the one at work: %d %s", status, text)
		}
	})
}

// TestCompleteFails: what can't become an object can still be aborted.
func TestCompleteFails(t *testing.T) {
	f := serve(t)
	f.write("k", "an object")
	u := f.upload("k/below", "")
	if err := u.part(1, []byte("part")); err != nil {
		t.Fatal(err)
	}
	if _, err := u.complete(u.parts...); code(err) != "InvalidArgument" {
		t.Errorf("an object below an object: %v", err)
	}
	if err := u.abort(); err != nil {
		t.Error(err)
	}
	f.leaves("b/k")
}
