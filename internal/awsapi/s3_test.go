package awsapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// received keeps what came in whole.
type received struct{ bodies []string }

func (rc *received) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength)) // no further than to its end, as a handler may
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rc.bodies = append(rc.bodies, r.Header.Get("Content-Encoding")+"|"+string(body))
}

func s3Front(rc *received) http.Handler {
	return New(Config{Services: []*Service{echo}, S3: rc, Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler)})
}

func signer() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

var creds = aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}

func s3Request(t *testing.T, method, target, body, payload string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:4573"+target, strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if err := signer().SignHTTP(t.Context(), creds, r, payload, "s3", "eu-west-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestS3Signatures(t *testing.T) {
	const body = "hello"
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tt := range []struct {
		what, target, payload string
		after                 func(*http.Request)
		want                  string // ok, or the status and the error's code
	}{
		{"a hash", "/b/k", hashOf(body), nil, "ok"},
		{"no hash", "/b/k", unsignedPayload, nil, "ok"},
		{"odd names", "/b/a%20b%2Bc/%E2%82%AC//./x%25y", hashOf(body), nil, "ok"},
		{"a query", "/b?list-type=2&prefix=a%2Fb&delimiter=%2F", hashOf(body), nil, "ok"},
		{"another body", "/b/k", hashOf("other"), nil, "400 "},
		{"another path", "/b/k", hashOf(body), func(r *http.Request) { r.URL.Path = "/b/l" }, "403 SignatureDoesNotMatch"},
		{"another hash", "/b/k", hashOf(body), set("X-Amz-Content-Sha256", unsignedPayload), "403 SignatureDoesNotMatch"},
		{"no hash at all", "/b/k", hashOf(body), func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, "400 InvalidRequest"},
		{"unknown key", "/b/k", hashOf(body), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testKey, "AKIDNOBODY", 1))
		}, "403 InvalidAccessKeyId"},
		{"another time", "/b/k", hashOf(body), set("X-Amz-Date", "20000101T003000Z"), "403 RequestTimeTooSkewed"},
		{"another region", "/b/k", hashOf(body), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "eu-west-1", "", 1))
		}, "400 AuthorizationHeaderMalformed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var rc received
			r := s3Request(t, "PUT", tt.target, body, tt.payload)
			if tt.after != nil {
				tt.after(r)
			}
			w := httptest.NewRecorder()
			s3Front(&rc).ServeHTTP(w, r)
			got := "ok"
			if w.Code != 200 {
				_, code, _ := strings.Cut(w.Body.String(), "<Code>")
				code, _, _ = strings.Cut(code, "</Code>")
				got = fmt.Sprintf("%d %s", w.Code, code)
			}
			if got != tt.want || (got == "ok") != (len(rc.bodies) == 1) {
				t.Errorf("%s: %s %s, want %s; taken: %q", tt.what, got, w.Body, tt.want, rc.bodies)
			}
		})
	}
}

func TestPresigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		presign := func(expires string) *http.Request {
			r := httptest.NewRequest("GET", "http://localhost:4573/b/a%20b?X-Amz-Expires="+expires, nil)
			uri, _, err := signer().PresignHTTP(t.Context(), creds, r, unsignedPayload, "s3", "eu-west-1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return httptest.NewRequest("GET", uri, nil)
		}
		for _, tt := range []struct {
			expires string
			wait    time.Duration
			status  int
		}{{"60", 0, 200}, {"60", 59 * time.Second, 200}, {"60", 61 * time.Second, 403}, {"0", 0, 400}, {"604801", 0, 400}, {"x", 0, 400}} {
			r := presign(tt.expires)
			time.Sleep(tt.wait)
			if status, text := do(s3Front(&received{}), r); status != tt.status {
				t.Errorf("%+v: %d %s", tt, status, text)
			}
		}
		r := presign("60")
		r.URL.Path = "/b/other"
		if status, text := do(s3Front(&received{}), r); status != 403 || !strings.Contains(text, "SignatureDoesNotMatch") {
			t.Errorf("another path: %d %s", status, text)
		}
	})
}

// inChunks signs a body in chunks as the AWS SDK for Java does.
func inChunks(t *testing.T, body string, size int) (*http.Request, []byte) {
	t.Helper()
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	r := httptest.NewRequest("PUT", "http://localhost:4573/b/k", nil)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(body)))
	r.Header.Set("Content-Encoding", "aws-chunked,gzip")
	if err := signer().SignHTTP(t.Context(), creds, r, payload, "s3", "eu-west-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	_, seed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	auth, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		t.Fatal(err)
	}
	s := chunkSigner{auth, auth.signingKey(testSecret), r.Header.Get("X-Amz-Date"), seed}
	var b bytes.Buffer
	for from := 0; ; from += size {
		chunk := []byte(body[min(from, len(body)):min(from+size, len(body))])
		_ = s.check(chunk, "")
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s\r\n", len(chunk), s.last, chunk)
		if len(chunk) == 0 {
			return r, b.Bytes()
		}
	}
}

func TestChunks(t *testing.T) {
	body := strings.Repeat("0123456789", 10)
	send := func(r *http.Request, raw []byte) (int, *received) {
		rc := &received{}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		w := httptest.NewRecorder()
		s3Front(rc).ServeHTTP(w, r)
		return w.Code, rc
	}
	for _, size := range []int{1, 7, 100, 1000} {
		r, raw := inChunks(t, body, size)
		if status, rc := send(r, raw); status != 200 || len(rc.bodies) != 1 || rc.bodies[0] != "gzip|"+body {
			t.Errorf("chunks of %d: %d %q", size, status, rc.bodies)
		}
	}
	for i := range 40 { // no byte may be another
		r, raw := inChunks(t, body, 30)
		raw[i*len(raw)/40] ^= 1
		if status, rc := send(r, raw); status == 200 && (len(rc.bodies) != 1 || rc.bodies[0] != "gzip|"+body) {
			t.Errorf("byte %d of %d changed: %q", i*len(raw)/40, len(raw), rc.bodies)
		}
	}
	r, raw := inChunks(t, body, 30)
	if status, rc := send(r, raw[:len(raw)/2]); status == 200 {
		t.Errorf("half of it: %q", rc.bodies)
	}
}

func TestUnsignedChunks(t *testing.T) {
	for text, want := range map[string]string{
		"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n": "hello",
		"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n":                         "hello",
		"5\r\nhello\r\n0\r\n":                                      "hello",
		"0\r\n\r\n":                                                "error",
		"6\r\nhello!\r\n0\r\n\r\n":                                 "error",
		"5\r\nhello":                                               "error",
		"5\r\nhelloXX0\r\n\r\n":                                    "error",
		"-1\r\n":                                                   "error",
		"zz\r\n":                                                   "error",
	} {
		r := s3Request(t, "PUT", "/b/k", text, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Decoded-Content-Length", "5")
		var rc received
		w := httptest.NewRecorder()
		s3Front(&rc).ServeHTTP(w, r)
		got := "error"
		if len(rc.bodies) == 1 {
			got = strings.TrimPrefix(rc.bodies[0], "|")
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), int64(5))
	f.Fuzz(func(t *testing.T, raw []byte, left int64) {
		r := httptest.NewRequest("PUT", "/", bytes.NewReader(raw))
		r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(left))
		if readyBody(r, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", nil) != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err == nil && int64(len(body)) != left {
			t.Errorf("%d bytes of %d without an error", len(body), left)
		}
		if errors.Is(err, io.EOF) {
			t.Error("ReadAll passes io.EOF on")
		}
	})
}
