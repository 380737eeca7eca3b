package objects_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/local/objects"
)

// fixture is a served folder.
type fixture struct {
	*testing.T
	dir     string
	url     string
	handler *objects.Handler
	s3      *s3.Client
}

func serve(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	h, err := objects.New(objects.Config{Dir: dir, Region: "eu-west-1", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &fixture{t, dir, srv.URL, h, s3.New(s3.Options{
		BaseEndpoint: &srv.URL, UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		DisableLogOutputChecksumValidationSkipped: true,
	})}
}

// write makes a file of bucket b, as somebody else would.
func (f *fixture) write(key, content string) {
	f.Helper()
	path := filepath.Join(f.dir, "b", filepath.FromSlash(key))
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o666)
	}
	if err != nil {
		f.Fatal(err)
	}
}

// files lists what is in the folder, but for empty folders.
func (f *fixture) files() (names []string) {
	f.Helper()
	err := fs.WalkDir(os.DirFS(f.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return names
}

// do makes a call without an SDK. Headers are given as name: value.
func (f *fixture) do(method, path, body string, headers ...string) *http.Response {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ": ")
		if !ok {
			continue
		}
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (f *fixture) body(resp *http.Response) string {
	f.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}

// errorOf reads S3's error out of an answer.
func (f *fixture) errorOf(resp *http.Response) (code string) {
	f.Helper()
	text := f.body(resp)
	var e struct {
		XMLName                            xml.Name `xml:"Error"`
		Code, Message, Resource, RequestID string
	}
	if err := xml.Unmarshal([]byte(text), &e); err != nil {
		f.Fatalf("%v: %s", err, text)
	}
	if e.Message == "" || e.Resource == "" || e.RequestID == "" || e.RequestID != resp.Header.Get("X-Amz-Request-Id") {
		f.Errorf("an error lacks something: %s", text)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/xml" {
		f.Errorf("an error is of type %q", got)
	}
	return e.Code
}

func (f *fixture) get(key string) *s3.GetObjectOutput {
	f.Helper()
	out, err := f.s3.GetObject(f.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &key})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { out.Body.Close() })
	return out
}

func (f *fixture) read(key string) string {
	f.Helper()
	content, err := io.ReadAll(f.get(key).Body)
	if err != nil {
		f.Fatal(err)
	}
	return string(content)
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestBuckets(t *testing.T) {
	f := serve(t)
	ctx := t.Context()
	for _, name := range []string{"b", "other.bucket_-", "Old"} {
		if _, err := f.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Error(err)
		}
	}
	_, err := f.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("b")})
	if _, ok := errors.AsType[*types.BucketAlreadyOwnedByYou](err); !ok {
		t.Errorf("a bucket made twice: %v", err)
	}
	out, err := f.s3.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range out.Buckets {
		if b.CreationDate == nil {
			t.Errorf("bucket %s has no time", *b.Name)
		}
		names = append(names, *b.Name)
	}
	if want := []string{"Old", "b", "other.bucket_-"}; !slices.Equal(names, want) {
		t.Errorf("buckets %q, want %q", names, want)
	}
	where, err := f.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("b")})
	if err != nil || where.LocationConstraint != "eu-west-1" {
		t.Errorf("GetBucketLocation: %v, %v", where, err)
	}
	head, err := f.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("b")})
	if err != nil || aws.ToString(head.BucketRegion) != "eu-west-1" {
		t.Errorf("HeadBucket: %v, %v", head, err)
	}
	f.write("k", "x")
	if _, err := f.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("b")}); code(err) != "BucketNotEmpty" {
		t.Errorf("a bucket with an object deleted: %v", err)
	}
	for _, name := range []string{"other.bucket_-", "Old"} {
		if _, err := f.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Error(err)
		}
		if _, err := f.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name}); code(err) != "NotFound" {
			t.Errorf("HeadBucket of none: %v", err)
		}
	}
}

// TestGet reads in every way that ranges and conditions give.
func TestGet(t *testing.T) {
	f := serve(t)
	f.write("k", "0123456789")
	info := f.get("k")
	etag, date := *info.ETag, info.LastModified.Format(http.TimeFormat)
	for _, tt := range []struct {
		header       string
		status       int
		body         string // or the error's code
		contentRange string
	}{
		{"", 200, "0123456789", ""},
		{"Range: bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"Range: bytes=7-", 206, "789", "bytes 7-9/10"},
		{"Range: bytes=-3", 206, "789", "bytes 7-9/10"},
		{"Range: bytes=5-99", 206, "56789", "bytes 5-9/10"},
		{"Range: bytes=10-", 416, "InvalidRange", "bytes */10"},
		{"Range: bytes=0-1,4-5", 200, "0123456789", ""},
		{"Range: bytes=3-2", 200, "0123456789", ""},
		{"Range: items=0-1", 200, "0123456789", ""},
		{"Range: bytes=-", 200, "0123456789", ""},
		{"Range: bytes=-99", 206, "0123456789", "bytes 0-9/10"},
		{"If-Match: " + etag, 200, "0123456789", ""},
		{`If-Match: "other"`, 412, "PreconditionFailed", ""},
		{"If-None-Match: " + etag, 304, "", ""},
		{`If-None-Match: "other"`, 200, "0123456789", ""},
		{"If-Modified-Since: " + date, 304, "", ""},
		{"If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT", 200, "0123456789", ""},
		{"If-Unmodified-Since: " + date, 200, "0123456789", ""},
		{"If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT", 412, "PreconditionFailed", ""},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			resp := f.do(method, "/b/k", "", tt.header)
			body := ""
			switch {
			case method == "HEAD":
				body = tt.body // has none
			case tt.status >= 400:
				body = f.errorOf(resp)
			default:
				body = f.body(resp)
			}
			if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get("Content-Range") != tt.contentRange {
				t.Errorf("%s with %s: %d %q, Content-Range %q, want %d %q, %q", method, tt.header, resp.StatusCode, body, resp.Header.Get("Content-Range"), tt.status, tt.body, tt.contentRange)
			}
			if tt.status < 300 && (resp.ContentLength != int64(len(tt.body)) || resp.Header.Get("ETag") != etag || resp.Header.Get("Content-Type") != "application/octet-stream") {
				t.Errorf("%s with %s: length %d, header %v", method, tt.header, resp.ContentLength, resp.Header)
			}
		}
	}
	if resp := f.do("HEAD", "/b/k?partNumber=1", ""); resp.StatusCode != 206 || resp.Header.Get("Content-Range") != "bytes 0-9/10" {
		t.Errorf("the first part: %d, %v", resp.StatusCode, resp.Header)
	}
	resp := f.do("GET", "/b/k?response-content-type=text/plain&response-content-disposition=attachment", "")
	if got := resp.Header; got.Get("Content-Type") != "text/plain" || got.Get("Content-Disposition") != "attachment" {
		t.Errorf("the asked-for headers are %v", got)
	}
}

// TestDelivered: what local/deliver/file delivers comes back as it is, with the
// Content-Encoding that it had.
func TestDelivered(t *testing.T) {
	f := serve(t)
	d, err := file.New(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []*deliver.Object{
		{Key: "2026/07/plain", Body: [][]byte{[]byte("a"), []byte("b")}},
		{Key: "2026/07/x.gz", ContentEncoding: "gzip", Body: [][]byte{[]byte("compressed")}},
		{Key: "2026/07/x.json", ContentEncoding: "gzip", Body: [][]byte{[]byte("compressed too")}},
		{Key: "2026/07/x.snappy", ContentEncoding: "hadoop-snappy"},
		{Key: "with space/é/!'()*&$@=;:+,?%2e%2e/#", Body: [][]byte{{0, 255}}},
	} {
		o.Bucket = "b"
		if err := d.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		out := f.get(o.Key)
		got, err := io.ReadAll(out.Body)
		want := bytes.Join(o.Body, nil)
		if err != nil || !bytes.Equal(got, want) || aws.ToString(out.ContentEncoding) != o.ContentEncoding || aws.ToInt64(out.ContentLength) != int64(len(want)) {
			t.Errorf("%s: got %q, %v, encoding %q, length %d, want %q, %q", o.Key, got, err, aws.ToString(out.ContentEncoding), aws.ToInt64(out.ContentLength), want, o.ContentEncoding)
		}
		head, err := f.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key})
		if err != nil || aws.ToString(head.ContentEncoding) != o.ContentEncoding || *head.ETag != *out.ETag || *head.ContentLength != int64(len(want)) {
			t.Errorf("HeadObject %s: %+v, %v", o.Key, head, err)
		}
	}
}

// TestETag: each content of a key has another ETag, which lists, reads and writes
// agree on.
func TestETag(t *testing.T) {
	f := serve(t)
	f.write("other", "x") // makes the bucket
	seen := map[string]bool{}
	for i := range 20 { // of one size, within a tick of the clock of most file systems
		put, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader(fmt.Sprint(i % 10))})
		if err != nil {
			t.Fatal(err)
		}
		list, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: aws.String("k")})
		if err != nil {
			t.Fatal(err)
		}
		get := *f.get("k").ETag
		if *put.ETag != get || *list.Contents[0].ETag != get || seen[get] || !strings.HasSuffix(get, `-1"`) {
			t.Errorf("ETags %s, %s, %s; seen before: %v", *put.ETag, get, *list.Contents[0].ETag, seen[get])
		}
		seen[get] = true
	}
}

// TestETagSameTime: the clock of a file system may not tell two contents apart.
func TestETagSameTime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows tells no inode with a file's description")
	}
	f := serve(t)
	seen := map[string]bool{}
	for _, content := range []string{"1", "2"} {
		f.write("new", content)
		path := filepath.Join(f.dir, "b", "new")
		if err := errors.Join(os.Chtimes(path, time.Time{}, time.Unix(1, 0)), os.Rename(path, filepath.Join(f.dir, "b", "k"))); err != nil {
			t.Fatal(err)
		}
		seen[*f.get("k").ETag] = true
	}
	if len(seen) != 2 {
		t.Errorf("two contents have the ETags %v", seen)
	}
}

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

// TestContinue: a client that waits for "100 Continue" gets it also where there is
// no body to be sent. Without it the AWS CLI hangs in what it puts next.
func TestContinue(t *testing.T) {
	f := serve(t)
	f.write("other", "x")
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for _, key := range []string{"a", "b"} {
		fmt.Fprintf(conn, "PUT /b/%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", key)
		for _, want := range []int{100, 200} {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != want {
				t.Errorf("an answer is %s, want %d", resp.Status, want)
			}
		}
	}
}

func TestVirtualHost(t *testing.T) {
	f := serve(t)
	f.write("folder/k", "content")
	resp := f.do("GET", "/folder/k", "", "Host: b.localhost:4573")
	if body := f.body(resp); body != "content" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	if got := f.errorOf(f.do("GET", "/", "", "Host: none.localhost")); got != "NoSuchBucket" {
		t.Errorf("no bucket in the host's name: %s", got)
	}
}

// TestAtOnce: many calls at once, on the same keys, under the race detector.
func TestAtOnce(t *testing.T) {
	f := serve(t)
	f.write("other", "x")
	bucket := aws.String("b")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := aws.String(fmt.Sprintf("2026/07/%d", i%3))
			for n := range 10 {
				body := strings.Repeat(fmt.Sprint(i), 1000+n)
				_, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(body)})
				if err != nil {
					t.Error(err)
				}
				got, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
				if code(err) == "NoSuchKey" {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				content, err := io.ReadAll(got.Body)
				if err != nil || len(content) < 1000 || bytes.Count(content, content[:1]) != len(content) {
					t.Errorf("read %d bytes, %v, want one version", len(content), err)
				}
				got.Body.Close()
				if _, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket}); err != nil {
					t.Error(err)
				}
				if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := f.files(); !slices.Equal(got, []string{"b/other"}) {
		t.Errorf("left are %q", got)
	}
}
