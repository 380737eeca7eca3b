package awsapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/objects"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// oddKeys are such as clients are known to sign wrong.
var oddKeys = []string{"a b+c%25d", "é/€/😀", "~-_.!*'();:@&=$,?#[]", "%2F", "a=b/c&d"}

// store is a folder behind the front, as the local Firehose has it.
type store struct {
	*testing.T
	dir  string
	srv  *httptest.Server
	seen func(*http.Request) // gets each request before the front; nil: nobody does
}

func newStore(t *testing.T, secure bool) *store {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	st := &store{T: t, dir: t.TempDir()}
	h, err := objects.New(objects.Config{Dir: st.dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(st.dir, "b"), 0o777); err != nil {
		t.Fatal(err)
	}
	front := awsapi.New(awsapi.Config{
		Services: []*awsapi.Service{{Name: "Firehose", Signing: "firehose", Target: "Firehose_20150804."}},
		S3:       h, Credentials: map[string]string{testKey: testSecret}, Logger: logger,
	})
	st.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if st.seen != nil {
			st.seen(r)
		}
		front.ServeHTTP(w, r)
	}))
	st.srv.Config.ErrorLog = log.New(panics{t}, "", 0)
	if secure {
		st.srv.StartTLS()
	} else {
		st.srv.Start()
	}
	t.Cleanup(st.srv.Close)
	return st
}

// panics is the log of net/http, which no client sees.
type panics struct{ t *testing.T }

func (p panics) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte("panic")) {
		p.t.Errorf("the server: %.200s", text)
	}
	return len(text), nil
}

func (st *store) client(options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &st.srv.URL, Region: "us-east-1", UsePathStyle: true, HTTPClient: st.srv.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""), DisableLogOutputChecksumValidationSkipped: true,
	}, options...)
}

// files are the objects by bucket/key, and whatever else is in the folder.
func (st *store) files() map[string]string {
	st.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(st.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(st.dir, name))
		all[name] = string(text)
		return err
	})
	if err != nil {
		st.Fatal(err)
	}
	return all
}

// send makes a call with the signature that a body of that payload would have.
// Headers are name, value and so on.
func (st *store) send(method, target, body, payload string, headers ...string) (status int, answer string) {
	st.Helper()
	r, err := http.NewRequestWithContext(st.Context(), method, st.srv.URL+target, strings.NewReader(body))
	if err != nil {
		st.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := signer.SignHTTP(st.Context(), creds, r, payload, "s3", "us-east-1", time.Now()); err != nil {
		st.Fatal(err)
	}
	resp, err := st.srv.Client().Do(r)
	if err != nil {
		st.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		st.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Nothing is stored of a body that is not the one that was signed.
func TestAnotherBodyLeavesNoObject(t *testing.T) {
	const signed, unsigned, length = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length"
	st := newStore(t, false)
	wrong := hexOf("")
	for _, tt := range []struct {
		what, body, payload string
		headers             []string
		want                string
	}{
		{"a short one", "hello", hexOf("hellO"), nil, "XAmzContentSHA256Mismatch"},
		{"a long one", strings.Repeat("hello", 300_000), hexOf("hello"), nil, "XAmzContentSHA256Mismatch"},
		{"an empty one", "", hexOf("hello"), nil, "XAmzContentSHA256Mismatch"},
		{"a chunk's signature", "5;chunk-signature=" + wrong + "\r\nhello\r\n0;chunk-signature=" + wrong + "\r\n\r\n", signed, []string{length, "5"}, "SignatureDoesNotMatch"},
		{"the last chunk's signature", "0;chunk-signature=" + wrong + "\r\n\r\n", signed, []string{length, "0"}, "SignatureDoesNotMatch"},
		{"too few bytes", "2\r\nhe\r\n0\r\n\r\n", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"no end", "5\r\nhello\r\n0\r\n", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"no last chunk", "5\r\nhello\r\n", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"too many bytes", "6\r\nhello!\r\n0\r\n\r\n", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"a chunk too many", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"no chunks", "hello", unsigned, []string{length, "5"}, "IncompleteBody"},
		{"nothing", "", unsigned, []string{length, "0"}, "IncompleteBody"},
		{"more than 5 GiB", "x", unsigned, []string{length, fmt.Sprint(5<<30 + 1)}, "EntityTooLarge"},
		{"no length", "5\r\nhello\r\n0\r\n\r\n", unsigned, nil, "MissingContentLength"},
	} {
		status, answer := st.send(http.MethodPut, "/b/k", tt.body, tt.payload, tt.headers...)
		if !strings.Contains(answer, "<Code>"+tt.want+"</Code>") || !strings.Contains(answer, "<RequestId>") {
			t.Errorf("%s: %d %s, want %s", tt.what, status, answer, tt.want)
		}
		if files := st.files(); len(files) != 0 {
			t.Fatalf("%s: this is left: %.200q", tt.what, files)
		}
	}
	if status, answer := st.send(http.MethodPut, "/b/k", "hello", hexOf("hello")); status != 200 || st.files()["b/k"] != "hello" {
		t.Errorf("the right one: %d %s %q", status, answer, st.files())
	}
}

// A part of an upload is as much a body as an object is.
func TestAnotherPartIsNotTaken(t *testing.T) {
	st := newStore(t, false)
	client := st.client()
	up, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := st.send(http.MethodPut, "/b/k?partNumber=1&uploadId="+*up.UploadId, "hello", hexOf("hellO"))
	if status != 400 || !strings.Contains(answer, "XAmzContentSHA256Mismatch") {
		t.Errorf("%d %s", status, answer)
	}
	parts, err := client.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("b"), Key: aws.String("k"), UploadId: up.UploadId})
	if err != nil || len(parts.Parts) != 0 {
		t.Errorf("%+v, %v", parts, err)
	}
}

// The end of the XML is not the end of the body, so not what its hash is of.
func TestAnotherListIsNotDeleted(t *testing.T) {
	st := newStore(t, false)
	list := "<Delete><Object><Key>k</Key></Object></Delete>"
	if status, answer := st.send(http.MethodPut, "/b/k", "hello", hexOf("hello")); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	for _, pad := range []int{0, 100_000} {
		body := list + strings.Repeat("\n", pad)
		status, answer := st.send(http.MethodPost, "/b?delete", body, hexOf("another list"))
		if status != 400 || !strings.Contains(answer, "XAmzContentSHA256Mismatch") || st.files()["b/k"] != "hello" {
			t.Errorf("%d bytes behind the list: %d %s, left are %q", pad, status, answer, st.files())
		}
	}
	if status, answer := st.send(http.MethodPost, "/b?delete", list, hexOf(list)); status != 200 || len(st.files()) != 0 {
		t.Errorf("the right one: %d %s, left are %q", status, answer, st.files())
	}
}

// TestPayloads puts by the Go SDK in each way that it can send a body.
func TestPayloads(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 20<<16) // 20 MiB
	const chunks = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	for _, tt := range []struct {
		secure    bool
		checksums aws.RequestChecksumCalculation
		unsigned  bool
		want      string
	}{
		{false, aws.RequestChecksumCalculationWhenRequired, false, "hash"},
		{false, aws.RequestChecksumCalculationWhenSupported, false, "hash"},
		{false, aws.RequestChecksumCalculationWhenRequired, true, "UNSIGNED-PAYLOAD"},
		{true, aws.RequestChecksumCalculationWhenRequired, false, "UNSIGNED-PAYLOAD"},
		{true, aws.RequestChecksumCalculationWhenSupported, false, chunks},
	} {
		st := newStore(t, tt.secure)
		var seen string
		st.seen = func(r *http.Request) { seen = r.Header.Get("X-Amz-Content-Sha256") }
		client := st.client(func(o *s3.Options) {
			o.RequestChecksumCalculation = tt.checksums
			if tt.unsigned {
				o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
			}
		})
		for _, body := range []string{"hello", big, ""} {
			in := &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader(body), ContentEncoding: aws.String("gzip")}
			if _, err := client.PutObject(t.Context(), in); err != nil {
				t.Errorf("%+v, %d bytes: %v", tt, len(body), err)
				continue
			}
			if len(seen) == 64 {
				seen = "hash"
			}
			// The SDK sends no chunks of nothing.
			if got := st.files()["b/k"]; got != body || seen != tt.want && body != "" {
				t.Errorf("%+v, %d bytes: sent as %s, stored are %d", tt, len(body), seen, len(got))
			}
			head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			if err != nil || aws.ToString(head.ContentEncoding) != "gzip" {
				t.Errorf("%+v, %d bytes: %+v, %v", tt, len(body), head, err)
			}
		}
	}
}

func TestOddKeysByTheGoSDK(t *testing.T) {
	st := newStore(t, false)
	client := st.client()
	presign := s3.NewPresignClient(client)
	for _, key := range oddKeys {
		in := &s3.PutObjectInput{Bucket: aws.String("b"), Key: &key, Body: strings.NewReader(key)}
		if _, err := client.PutObject(t.Context(), in); err != nil || st.files()["b/"+key] != key {
			t.Errorf("%q: %v, stored are %q", key, err, st.files())
		}
		get, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if status, text := st.bare(http.MethodGet, get.URL, ""); status != 200 || text != key {
			t.Errorf("%q by GET %s: %d %s", key, get.URL, status, text)
		}
		put, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if status, text := st.bare(http.MethodPut, put.URL, "new"); status != 200 || st.files()["b/"+key] != "new" {
			t.Errorf("%q by PUT %s: %d %s, stored are %q", key, put.URL, status, text, st.files())
		}
	}
	// A folder can't hold such; that their signature is right shows the refusal.
	for _, key := range []string{"a//b", "a/../b", "./a", ".."} {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: &key, Body: strings.NewReader("x")})
		if err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// bare makes a call with nothing but a URL.
func (st *store) bare(method, url, body string) (int, string) {
	st.Helper()
	r, err := http.NewRequestWithContext(st.Context(), method, url, strings.NewReader(body))
	if err != nil {
		st.Fatal(err)
	}
	resp, err := st.srv.Client().Do(r)
	if err != nil {
		st.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// run runs a client that may be missing, and returns what it writes. {URL} in an
// argument is the store's.
func (st *store) run(name string, args ...string) string {
	st.Helper()
	if testing.Short() {
		st.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		st.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(st.Context(), time.Minute)
	defer cancel()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{URL}", st.srv.URL)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGABRT) } // python tells where it is
	cmd.WaitDelay = time.Second
	home := st.TempDir()
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte("[default]\ns3 =\n  signature_version = s3v4\n"), 0o600); err != nil {
		st.Fatal(err)
	}
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_CONFIG_FILE=" + config, "LANG=C.UTF-8", "NO_PROXY=*", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "PYTHONFAULTHANDLER=1",
		"AWS_ENDPOINT_URL_S3=" + st.srv.URL, "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret, "AWS_DEFAULT_REGION=eu-west-1",
		"PYTHONUSERBASE=" + filepath.Join(os.Getenv("HOME"), ".local"), // pip install --user puts packages there
	}
	if cert := st.srv.Certificate(); cert != nil {
		bundle := filepath.Join(home, "bundle")
		if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
			st.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "AWS_CA_BUNDLE="+bundle)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		st.Skipf("%s: %s", name, out)
	}
	if err != nil {
		st.Fatalf("%s %q: %v\n%s%s", name, args, err, out, &stderr)
	}
	return string(out)
}

func TestCurl(t *testing.T) {
	st := newStore(t, false)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) string {
		t.Helper()
		return st.run("curl", append([]string{"-sS", "--path-as-is", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", testKey + ":" + testSecret, "-w", "%{http_code}"}, args...)...)
	}
	// curl up to 7.86 knows nothing of S3's header.
	hash := []string{"-H", "x-amz-content-sha256: " + hexOf("hello")}
	if got := curl(append(hash, "-T", file, "{URL}/b/a%20b%2Bc")...); got != "200" || st.files()["b/a b+c"] != "hello" {
		t.Errorf("PUT: %s, stored are %q", got, st.files())
	}
	if got := curl("-H", "x-amz-content-sha256: "+hexOf(""), "{URL}/b/a%20b%2Bc"); got != "hello200" {
		t.Errorf("GET: %s", got)
	}
	if got := curl(append(hash, "-u", testKey+":wrong", "-T", file, "{URL}/b/x")...); !strings.Contains(got, "SignatureDoesNotMatch") || !strings.HasSuffix(got, "403") {
		t.Errorf("a wrong secret: %s", got)
	}
}

const boto3Script = `
import os, ssl, sys, urllib.request
try:
    import boto3
    from botocore.config import Config
except ImportError:
    print("boto3 is not installed: python3 -m pip install boto3")
    sys.exit(77)
url, keys = sys.argv[1], sys.argv[2:]
tls = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if url.startswith("https:") else None
for config in Config(), Config(s3={"payload_signing_enabled": True}), Config(request_checksum_calculation="when_required"):
    s3 = boto3.client("s3", endpoint_url=url, config=config.merge(Config(s3={**(config.s3 or {}), "addressing_style": "path"}, signature_version="s3v4", retries={"total_max_attempts": 1})))
    for key in keys:
        s3.put_object(Bucket="b", Key=key, Body=key.encode())
        assert s3.get_object(Bucket="b", Key=key)["Body"].read().decode() == key, key
        s3.put_object(Bucket="b", Key=key, Body=b"")
        at = s3.generate_presigned_url("put_object", Params={"Bucket": "b", "Key": key})
        urllib.request.urlopen(urllib.request.Request(at, data=b"new", method="PUT", headers={"Content-Type": ""}), context=tls).read()
        at = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": key})
        assert urllib.request.urlopen(at, context=tls).read() == b"new", key
    s3.delete_objects(Bucket="b", Delete={"Objects": [{"Key": k} for k in keys]})
print("ok")
`

func TestBoto3(t *testing.T) {
	for _, tt := range []struct {
		secure bool
		want   []string // of x-amz-content-sha256
	}{
		{false, []string{"hash"}},
		{true, []string{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "hash"}},
	} {
		st := newStore(t, tt.secure)
		kinds := map[string]bool{} // one call at a time
		st.seen = func(r *http.Request) {
			kind := r.Header.Get("X-Amz-Content-Sha256")
			if len(kind) == 64 {
				kind = "hash"
			}
			if kind != "" { // a presigned call has none
				kinds[kind] = true
			}
		}
		if got := st.run("python3", append([]string{"-c", boto3Script, "{URL}"}, oddKeys...)...); got != "ok\n" || len(st.files()) != 0 {
			t.Errorf("%s, left are %q", got, st.files())
		}
		if diff := gocmp.Diff(tt.want, slices.Sorted(maps.Keys(kinds))); diff != "" {
			t.Errorf("over TLS %v, what boto3 sends (-want +got):\n%s", tt.secure, diff)
		}
	}
}

func TestAWSCLI(t *testing.T) {
	st := newStore(t, false)
	file := filepath.Join(t.TempDir(), "file")
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB
	if err := os.WriteFile(file, big, 0o600); err != nil {
		t.Fatal(err)
	}
	st.run("aws", "s3", "cp", "--quiet", file, "s3://b/é +%/k")
	if got := st.files()["b/é +%/k"]; got != string(big) {
		t.Errorf("%d bytes are stored", len(got))
	}
	url := strings.TrimSpace(st.run("aws", "s3", "presign", "--expires-in", "60", "s3://b/é +%/k"))
	if status, text := st.bare(http.MethodGet, url, ""); status != 200 || text != string(big) {
		t.Errorf("%s: %d, %d bytes", url, status, len(text))
	}
	if status, text := st.bare(http.MethodGet, strings.Replace(url, "Expires=60", "Expires=61", 1), ""); status != 403 {
		t.Errorf("another life: %d %.200s", status, text)
	}
}
