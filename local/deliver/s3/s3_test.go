package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/delivertest"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
	"github.com/hydrant-go/hydrant/local/objects"
)

const mib = 1 << 20

func awsConfig() aws.Config {
	return aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}
}

// open returns a destination at url, and what reads from there.
func open(t *testing.T, url string) (deliver.Destination, delivertest.Read) {
	t.Helper()
	cfg := awsConfig()
	d, err := s3.New(s3.Config{AWS: cfg, Endpoint: url, PathStyle: true, CreateBuckets: true, PartBytes: 5 * mib})
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(cfg, url)
	return d, func(bucket, key string) ([]byte, error) {
		out, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
		for range 5 { // moto may answer 500 while it replaces an object
			if e, ok := errors.AsType[*awshttp.ResponseError](err); !ok || e.HTTPStatusCode() < 500 {
				break
			}
			out, err = client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
		}
		if err != nil {
			return nil, err
		}
		defer out.Body.Close()
		return io.ReadAll(out.Body)
	}
}

func newClient(cfg aws.Config, url string) *awss3.Client {
	return awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = &url, true, true
		o.Retryer = aws.NopRetryer{}
	})
}

func newHandler(t *testing.T) *objects.Handler {
	t.Helper()
	h, err := objects.New(objects.Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestConformance(t *testing.T) {
	delivertest.Run(t, func(t *testing.T) (deliver.Destination, delivertest.Read) {
		srv := httptest.NewServer(newHandler(t))
		t.Cleanup(srv.Close)
		return open(t, srv.URL)
	})
}

// TestConformanceMoto is the same at another's S3.
func TestConformanceMoto(t *testing.T) {
	url := startMoto(t)
	bucket := 0
	delivertest.Run(t, func(t *testing.T) (deliver.Destination, delivertest.Read) {
		bucket++
		d, read := open(t, url)
		// moto takes no bucket's name that S3 would not take today. Each test has
		// buckets of its own.
		rename := func(name string) string {
			return fmt.Sprintf("%s-%d", strings.NewReplacer("_", "", ".", "").Replace("bucket-"+name+"x"), bucket)
		}
		return renamed{d, rename}, func(bucket, key string) ([]byte, error) { return read(rename(bucket), key) }
	})
	t.Run("Parts", func(t *testing.T) { parts(t, url, "parts") })
}

type renamed struct {
	deliver.Destination
	rename func(string) string
}

func (r renamed) Put(ctx context.Context, o *deliver.Object) error {
	other := *o
	other.Bucket = r.rename(o.Bucket)
	return r.Destination.Put(ctx, &other)
}

func startMoto(t *testing.T) (url string) {
	t.Helper()
	if testing.Short() {
		t.Skip("moto takes seconds to start")
	}
	return testkit.Moto(t)
}

func TestParts(t *testing.T) {
	srv := httptest.NewServer(newHandler(t))
	t.Cleanup(srv.Close)
	parts(t, srv.URL, "b")
}

// parts puts an object of several parts, whose pieces are no multiple of them.
func parts(t *testing.T, url, bucket string) {
	d, read := open(t, url)
	piece := bytes.Repeat([]byte("0123456789abcde"), 1000)
	o := &deliver.Object{Bucket: bucket, Key: "2026/07/large.json", ContentEncoding: "gzip"}
	for range 11 * mib / len(piece) {
		o.Body = append(o.Body, piece, nil)
	}
	o.Body = append(o.Body, []byte("end"))
	for range 2 {
		if err := d.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		got, err := read(o.Bucket, o.Key)
		if err != nil || !bytes.Equal(got, bytes.Join(o.Body, nil)) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	}
	client := newClient(awsConfig(), url)
	head, err := client.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &o.Bucket, Key: &o.Key})
	if err != nil || aws.ToString(head.ContentEncoding) != "gzip" || aws.ToString(head.ContentType) != "application/octet-stream" || !strings.Contains(*head.ETag, "-") {
		t.Errorf("encoding %q, type %q, ETag %s, %v", aws.ToString(head.ContentEncoding), aws.ToString(head.ContentType), aws.ToString(head.ETag), err)
	}
	small := &deliver.Object{Bucket: bucket, Key: "small", Body: [][]byte{[]byte("x")}}
	if err := d.Put(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	head, err = client.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: &o.Bucket, Key: &small.Key})
	if err != nil || head.ContentEncoding != nil || aws.ToString(head.ContentType) != "application/octet-stream" {
		t.Errorf("encoding %q, type %q, %v", aws.ToString(head.ContentEncoding), aws.ToString(head.ContentType), err)
	}
}

func TestConfig(t *testing.T) {
	_, err := s3.New(s3.Config{Endpoint: "localhost:4573", PartBytes: 4 * mib})
	for _, want := range []string{"region", `"localhost:4573"`, "4194304"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a bad configuration: %v, want a word on %s", err, want)
		}
	}
	if _, err := s3.New(s3.Config{AWS: awsConfig()}); err != nil {
		t.Error(err)
	}
}

// drain answers every call without a network.
type drain struct{}

func (drain) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	const body = "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"
	return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"x"`}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestMemory: an object is sent from where it is, be it in one part or in more,
// to AWS or another endpoint.
func TestMemory(t *testing.T) {
	const size = 24 * mib
	o := &deliver.Object{Bucket: "b", Key: "k", Body: slices.Repeat([][]byte{bytes.Repeat([]byte("r"), 1024)}, size/1024)}
	for _, part := range []int64{size, 6 * mib} {
		for _, endpoint := range []string{"", "http://localhost:4573"} {
			cfg := awsConfig()
			cfg.HTTPClient = drain{}
			d, err := s3.New(s3.Config{AWS: cfg, Endpoint: endpoint, PartBytes: part})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := d.Put(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 2*mib {
				t.Errorf("with parts of %d bytes to %q: %d bytes allocated for an object of %d", part, endpoint, got, size)
			}
		}
	}
}

func TestCode(t *testing.T) {
	api := func(code string) error {
		return fmt.Errorf("put: %w", &smithy.GenericAPIError{Code: code, Message: "m"})
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{context.Canceled, "InternalError"},
		{api("AccessDenied"), "S3.AccessDenied"},
		{api("NoSuchBucket"), "S3.NoSuchBucket"},
		{api("KMS.NotFoundException"), "S3.KMS.NotFoundException"},
		{api("KMS.RequestLimitExceeded"), "S3.KMS.RequestLimitExceeded"},
		{api("AccountProblem"), "S3.AccountProblem"},
		{api("AllAccessDisabled"), "S3.AllAccessDisabled"},
		{api("InvalidPayer"), "S3.InvalidPayer"},
		{api("NotSignedUp"), "S3.NotSignedUp"},
		{api("MethodNotAllowed"), "S3.MethodNotAllowed"},
		{api("InternalError"), "InternalError"},
		{api("SlowDown"), "InternalError"},
	} {
		if got := s3.Code(tt.err); got != tt.want {
			t.Errorf("Code(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
