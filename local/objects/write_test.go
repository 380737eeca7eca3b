package objects_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestPutAndDelete(t *testing.T) {
	f := serve(t)
	ctx := t.Context()
	bucket := aws.String("b")
	put := func(key, content, encoding string) error {
		_, err := f.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(content), ContentEncoding: &encoding})
		return err
	}
	if err := put("k", "x", ""); code(err) != "NoSuchBucket" {
		t.Errorf("put into no bucket: %v", err)
	}
	if _, err := f.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/b c/é+%2F", "a/x.json", "empty"} {
		content := strings.TrimPrefix(key, "empty")
		if err := put(key, content, "gzip"); err != nil {
			t.Fatal(err)
		}
		if got := f.get(key); f.read(key) != content || aws.ToString(got.ContentEncoding) != "gzip" {
			t.Errorf("%s holds %q, encoding %v", key, f.read(key), got.ContentEncoding)
		}
		copied, err := f.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String(key + ".copy"), CopySource: aws.String("b/" + escape(key))})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.get(key + ".copy"); f.read(key+".copy") != content || aws.ToString(got.ContentEncoding) != "gzip" || *got.ETag != *copied.CopyObjectResult.ETag {
			t.Errorf("the copy holds %q, encoding %v", f.read(key+".copy"), got.ContentEncoding)
		}
	}
	if _, err := f.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("empty")}); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"empty.copy", "a/x.json.copy"} {
		if _, err := f.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			t.Error(err)
		}
	}
	gone, err := f.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a/b c/é+%2F")},
		{Key: aws.String("a/x.json")},
		{Key: aws.String("a/b c/é+%2F.copy")},
		{Key: aws.String("never/was")},
		{Key: aws.String("k"), VersionId: aws.String("v1")},
	}}})
	if err != nil || len(gone.Deleted) != 4 || len(gone.Errors) != 1 || *gone.Errors[0].Code != "InvalidArgument" {
		t.Errorf("DeleteObjects: %+v, %v", gone, err)
	}
	if got := f.files(); len(got) > 0 {
		t.Errorf("left are %q", got)
	}
	if _, err := f.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Error(err)
	}
	if _, err := f.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("k")}); code(err) != "NoSuchBucket" {
		t.Errorf("deleted from no bucket: %v", err)
	}
}

func escape(key string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "é", "%C3%A9", "+", "%2B").Replace(key)
}

// TestRefusals: what can't be done is said in S3's words, and changes nothing.
func TestRefusals(t *testing.T) {
	f := serve(t)
	f.write("k", "content")
	f.write("folder/k", "content")
	if err := os.MkdirAll(filepath.Join(f.dir, ".unfinished"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, ".unfinished", "half"), []byte("ha"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "secret"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	before := f.files()
	long := strings.Repeat("n/", 600)
	for _, tt := range []struct {
		method, path, body, header string
		status                     int
		code                       string
	}{
		{"GET", "/b/none", "", "", 404, "NoSuchKey"},
		{"GET", "/b/k/below", "", "", 404, "NoSuchKey"},
		{"GET", "/b/folder", "", "", 404, "NoSuchKey"},
		{"GET", "/b/folder/", "", "", 404, "NoSuchKey"},
		{"GET", "/b/../secret", "", "", 404, "NoSuchKey"},
		{"GET", "/b/..%2Fsecret", "", "", 404, "NoSuchKey"},
		{"GET", "/secret/x", "", "", 404, "NoSuchBucket"},
		{"GET", "/none/k", "", "", 404, "NoSuchBucket"},
		{"GET", "/none", "", "", 404, "NoSuchBucket"},
		{"GET", "/none?location", "", "", 404, "NoSuchBucket"},
		{"GET", "/..", "", "", 404, "NoSuchBucket"},
		{"GET", "/.unfinished", "", "", 404, "NoSuchBucket"},
		{"GET", "/.unfinished/half", "", "", 404, "NoSuchBucket"},
		{"GET", "/.encodings", "", "", 404, "NoSuchBucket"},
		{"DELETE", "/.unfinished", "", "", 404, "NoSuchBucket"},
		{"DELETE", "/.unfinished/half", "", "", 404, "NoSuchBucket"},
		{"PUT", "/.unfinished/half", "x", "", 404, "NoSuchBucket"},
		{"PUT", "/.unfinished", "", "", 400, "InvalidBucketName"},
		{"PUT", "/a%20b", "", "", 400, "InvalidBucketName"},
		{"PUT", "/" + strings.Repeat("b", 256), "", "", 400, "InvalidBucketName"},
		{"DELETE", "/none", "", "", 404, "NoSuchBucket"},
		{"PUT", "/b/../secret", "x", "", 400, "InvalidArgument"},
		{"PUT", "/b/a//b", "x", "", 400, "InvalidArgument"},
		{"PUT", "/b/folder/", "", "", 400, "InvalidArgument"},
		{"PUT", "/b/folder", "x", "", 400, "InvalidArgument"},
		{"PUT", "/b/k/below", "x", "", 400, "InvalidArgument"},
		{"PUT", "/b/" + strings.Repeat("n", 300), "x", "", 400, "InvalidArgument"},
		{"PUT", "/b/" + long, "x", "", 400, "KeyTooLongError"},
		{"PUT", "/b/k", "new", "If-None-Match: *", 501, "NotImplemented"},
		{"PUT", "/b/k", "1;chunk-signature=0\r\nx\r\n0;chunk-signature=0\r\n\r\n", "X-Amz-Decoded-Content-Length: 1", 501, "NotImplemented"},
		{"PUT", "/b/k", "", "X-Amz-Copy-Source: b/none", 404, "NoSuchKey"},
		{"PUT", "/b/k", "", "X-Amz-Copy-Source: none/k", 404, "NoSuchBucket"},
		{"PUT", "/b/k", "", "X-Amz-Copy-Source: k", 400, "InvalidArgument"},
		{"PUT", "/b/k?tagging", "<Tagging/>", "", 501, "NotImplemented"},
		{"PUT", "/b/k?acl=", "", "", 501, "NotImplemented"},
		{"PUT", "/b?versioning", "", "", 501, "NotImplemented"},
		{"GET", "/b?policy", "", "", 501, "NotImplemented"},
		{"DELETE", "/b?lifecycle", "", "", 501, "NotImplemented"},
		{"DELETE", "/b/k?versionId=x", "", "", 400, "InvalidArgument"},
		{"GET", "/b/k?partNumber=2", "", "", 416, "InvalidPartNumber"},
		{"PATCH", "/b/k", "", "", 405, "MethodNotAllowed"},
		{"POST", "/b", "", "", 405, "MethodNotAllowed"},
		{"POST", "/b?delete", "<Delete>", "", 400, "MalformedXML"},
		{"POST", "/b?delete", "<Other></Other>", "", 400, "MalformedXML"},
		{"POST", "/b?delete", "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1001) + "</Delete>", "", 400, "MalformedXML"},
		{"POST", "/b?delete", "<Delete><Object><Key>" + strings.Repeat("k", 9<<20), "", 400, "MalformedXML"},
		{"GET", "/b?max-keys=-1", "", "", 400, "InvalidArgument"},
		{"GET", "/none?versions", "", "", 404, "NoSuchBucket"},
		{"GET", "/b?versions&max-keys=x", "", "", 400, "InvalidArgument"},
		{"GET", "/b?versions&version-id-marker=null", "", "", 400, "InvalidArgument"},
		{"PUT", "/b?versions", "", "", 405, "MethodNotAllowed"},
		{"GET", "/b?list-type=2&continuation-token=%25", "", "", 400, "InvalidArgument"},
		{"GET", "/b?encoding-type=base64", "", "", 400, "InvalidArgument"},
		{"PUT", "/b/k?uploadId=none&partNumber=1", "x", "", 404, "NoSuchUpload"},
		{"POST", "/b/k?uploadId=none", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>", "", 404, "NoSuchUpload"},
		{"DELETE", "/b/k?uploadId=none", "", "", 404, "NoSuchUpload"},
		{"GET", "/b/k?uploadId=none", "", "", 404, "NoSuchUpload"},
	} {
		resp := f.do(tt.method, tt.path, tt.body, tt.header)
		if got := f.errorOf(resp); resp.StatusCode != tt.status || got != tt.code {
			t.Errorf("%s %.60s %s: %d %s, want %d %s", tt.method, tt.path, tt.header, resp.StatusCode, got, tt.status, tt.code)
		}
	}
	if diff := cmp.Diff(before, f.files()); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	if got := f.read("k"); got != "content" {
		t.Errorf("an object was changed to %q", got)
	}
}

// TestBrokenUpload: a body that ends too soon leaves what was there.
func TestBrokenUpload(t *testing.T) {
	f := serve(t)
	f.write("k", "old")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, "PUT", f.url+"/b/k", r)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 100
	var wg sync.WaitGroup
	wg.Go(func() {
		w.Write([]byte("a part of it"))
		cancel()
		w.Close()
	})
	if resp, err := http.DefaultClient.Do(req); err == nil {
		t.Errorf("the call got %d", resp.StatusCode)
		resp.Body.Close()
	}
	wg.Wait()
	recorded := httptest.NewRecorder()
	short := httptest.NewRequestWithContext(t.Context(), "PUT", "/b/k", strings.NewReader("short"))
	short.ContentLength = 6
	f.handler.ServeHTTP(recorded, short)
	if got := recorded.Body.String(); !strings.Contains(got, "<Code>IncompleteBody</Code>") {
		t.Errorf("a body that is too short: %s", got)
	}
	unknown := httptest.NewRequestWithContext(t.Context(), "PUT", "/b/k", strings.NewReader("x"))
	unknown.ContentLength = -1
	recorded = httptest.NewRecorder()
	f.handler.ServeHTTP(recorded, unknown)
	if got := recorded.Body.String(); !strings.Contains(got, "<Code>MissingContentLength</Code>") {
		t.Errorf("a body of no known length: %s", got)
	}
	if got := f.read("k"); got != "old" {
		t.Errorf("the object holds %q", got)
	}
}
