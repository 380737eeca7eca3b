package local

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hydrant-go/hydrant/server"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// site serves a Backend with one delivered object, over TLS or not.
func site(t *testing.T, secure bool) *httptest.Server {
	t.Helper()
	b := backend(t, Config{}, 5, 900)
	put(t, b, "delivered\n")
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(b.Handler(server.Config{Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler)}))
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

// What was delivered can be read by S3's clients at the same address.
func TestS3BySDK(t *testing.T) {
	for _, secure := range []bool{false, true} {
		srv := site(t, secure)
		client := s3.New(s3.Options{
			BaseEndpoint: &srv.URL, Region: "us-east-1", UsePathStyle: true, HTTPClient: srv.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""), DisableLogOutputChecksumValidationSkipped: true,
		})
		list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
		if err != nil || len(list.Contents) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		read := func(key *string) string {
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: key})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			text, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if got := read(list.Contents[0].Key); got != "delivered\n" {
			t.Errorf("the object holds %q", got)
		}
		big := strings.Repeat("0123456789abcdef", 200_000)
		key := aws.String("odd name/é+%25/x")
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: key, Body: strings.NewReader(big)}); err != nil {
			t.Fatal(err)
		}
		if got := read(key); got != big {
			t.Errorf("%d bytes come back", len(got))
		}
		presigned, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Get(presigned.URL)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || string(text) != big {
			t.Errorf("presigned: %d, %d bytes", resp.StatusCode, len(text))
		}
		buckets, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err != nil || len(buckets.Buckets) != 1 {
			t.Errorf("buckets: %+v, %v", buckets, err)
		}
	}
}

// TestS3ByCLI copies 20 MiB there and back by the AWS CLI, which sends parts.
func TestS3ByCLI(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not on this machine: its S3 goes untested")
	}
	srv, dir := site(t, false), t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cli, append([]string{"--endpoint-url", srv.URL, "s3"}, args...)...)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NO_PROXY=*", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1",
			"AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret,
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws s3 %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	run("cp", "big", "s3://bucket/in/big")
	run("cp", "s3://bucket/in/big", "back")
	if got, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes come back, %v", len(got), err)
	}
	if got := run("ls", "--recursive", "s3://bucket/"); strings.Count(got, "\n") != 2 {
		t.Errorf("ls: %s", got)
	}
	run("rm", "--recursive", "s3://bucket/")
	if got := run("ls", "--recursive", "s3://bucket/"); got != "" {
		t.Errorf("after rm: %s", got)
	}
}

// The page, the admin calls and unsigned calls.
func TestOwnCalls(t *testing.T) {
	b := backend(t, Config{}, 5, 900)
	put(t, b, "x")
	srv := httptest.NewServer(b.Handler(server.Config{Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler)}))
	defer srv.Close()
	call := func(method, path, body string, header ...string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				r.Host = header[i+1]
			}
		}
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	for _, tt := range []struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		{"GET", "/_hydrant/state", "", nil, 200, `"name":"s"`},
		{"GET", "/_hydrant/state", "", []string{"Host", "evil.example"}, 403, "admin calls"},
		{"POST", "/_hydrant/flush", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "admin calls"},
		{"POST", "/_hydrant/flush", "", []string{"Origin", "http://evil.example"}, 403, "admin calls"},
		{"POST", "/_hydrant/flush?stream=none", "", nil, 400, `no delivery stream "none"`},
		{"POST", "/_hydrant/flush?stream=s", "", nil, 200, "{}"},
		{"GET", "/_hydrant/state", "", nil, 200, `"first":["x"]`},
		{"PUT", "/_hydrant/quota", `{"records":-1}`, nil, 400, "negative"},
		{"PUT", "/_hydrant/quota", `{"recs":1}`, nil, 400, "unknown field"},
		{"PUT", "/_hydrant/quota?stream=s", `{"records":5}`, nil, 200, "{}"},
		{"GET", "/_hydrant/state", "", nil, 200, `"quota":{"records":5,"calls":0,"bytes":0}`},
		{"DELETE", "/_hydrant/quota?stream=s", "", nil, 200, "{}"},
		{"PUT", "/_hydrant/faults", `{"refuse":2}`, nil, 400, "the share Refuse is 2"},
		{"PUT", "/_hydrant/faults", `{"refuse":0.5}`, nil, 200, "{}"},
		{"GET", "/_hydrant/state", "", nil, 200, `"faults":{"refuse":0.5}`},
		{"DELETE", "/_hydrant/faults", "", nil, 200, "{}"},
		{"POST", "/_hydrant/reset", "", nil, 200, "{}"},
		{"GET", "/_hydrant/state", "", nil, 200, `"streams":[]`},
		{"GET", "/bucket/key", "", nil, 404, ""},
	} {
		if status, text := call(tt.method, tt.path, tt.body, tt.header...); status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", tt.method, tt.path, tt.body, status, text, tt.status, tt.want)
		}
	}
}
