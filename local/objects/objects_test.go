package objects_test

import (
	"bufio"
	"bytes"
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
		switch {
		case name == ".removed": // what tells of buckets that were removed
			return fs.SkipDir
		case err == nil && !e.IsDir():
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
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
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
