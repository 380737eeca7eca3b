package awsapi

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hydrant-go/hydrant/wire"
)

// received keeps what came in whole, as encoding|body.
type received struct{ bodies []string }

func (rc *received) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	// No further than to its end, as a handler may.
	if _, err := io.CopyN(&body, r.Body, r.ContentLength); err != nil {
		e := refusalS3(err)
		w.WriteHeader(e.Status)
		fmt.Fprintf(w, "<Code>%s</Code>", e.Code)
		return
	}
	rc.bodies = append(rc.bodies, r.Header.Get("Content-Encoding")+"|"+body.String())
}

func s3Front(rc *received) http.Handler {
	return New(Config{Services: []*Service{echo}, S3: rc, Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler)})
}

func signer() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

var creds = aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}

// s3Request is a PUT that is signed after prepare, which may be nil.
func s3Request(t *testing.T, target, body, payload string, skew time.Duration, prepare func(*http.Request)) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPut, "http://localhost:4573"+target, strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if prepare != nil {
		prepare(r)
	}
	if err := signer().SignHTTP(t.Context(), creds, r, payload, "s3", "eu-west-1", time.Now().Add(skew)); err != nil {
		t.Fatal(err)
	}
	return r
}

// outcome is ok, or an error's status and code.
func outcome(h http.Handler, r *http.Request) string {
	status, answer := do(h, r)
	if status == http.StatusOK {
		return "ok"
	}
	_, code, _ := strings.Cut(answer, "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return fmt.Sprintf("%d %s", status, code)
}

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func edit(old, with string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
	}
}

// TestS3Signatures runs in a bubble, where the time is 2000-01-01.
func TestS3Signatures(t *testing.T) {
	const body = "hello"
	const bad = "403 SignatureDoesNotMatch"
	const malformed = "400 AuthorizationHeaderMalformed"
	for _, tt := range []struct {
		what, target, payload string // default /b/k and the body's hash
		skew                  time.Duration
		before, after         func(*http.Request) // signing
		want                  string
	}{
		{what: "a hash", want: "ok"},
		{what: "no hash", payload: unsignedPayload, want: "ok"},
		{what: "a key with a space, a plus and a percent sign", target: "/b/a%20b%2Bc%25d", want: "ok"},
		{what: "a key with all that must be encoded", target: "/b/%21%27%28%29%2A%3B%3A%40%26%3D%24%2C%3F%23%5B%5D~-_.", want: "ok"},
		{what: "Unicode", target: "/b/%E2%82%AC/%F0%9F%98%80", want: "ok"},
		{what: "a path that is not clean", target: "/b//x/.//../y/", want: "ok"},
		{what: "a query", target: "/b?list-type=2&prefix=a%2Fb+%20&delimiter=%2F&uploads", want: "ok"},
		{what: "a session token", before: set("X-Amz-Security-Token", "tok/en=="), want: "ok"},
		{what: "14 minutes old", skew: -14 * time.Minute, want: "ok"},
		{what: "14 minutes ahead", skew: 14 * time.Minute, want: "ok"},
		{what: "an unsigned header of no weight", after: set("User-Agent", "x"), want: "ok"},
		{what: "an unsigned header of AWS's trace", after: set("X-Amzn-Trace-Id", "x"), want: "ok"},
		{what: "the hash's header is not signed", before: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, after: set("X-Amz-Content-Sha256", hashOf(body)), want: "ok"},

		{what: "another body", payload: hashOf("other"), want: "400 XAmzContentSHA256Mismatch"},
		{what: "a hash that is none", payload: "abc", want: "400 InvalidArgument"},
		{what: "chunks signed another way", payload: "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", want: "400 InvalidArgument"},
		{what: "another path", after: func(r *http.Request) { r.URL.Path = "/b/l" }, want: bad},
		{what: "a cleaned path", target: "/b/x/../k", after: func(r *http.Request) { r.URL.Path = "/b/k" }, want: bad},
		{what: "another method", after: func(r *http.Request) { r.Method = http.MethodDelete }, want: bad},
		{what: "another query", after: func(r *http.Request) { r.URL.RawQuery = "uploads" }, want: bad},
		{what: "another host", after: func(r *http.Request) { r.Host = "other" }, want: bad},
		{what: "another hash", after: set("X-Amz-Content-Sha256", unsignedPayload), want: bad},
		{what: "another time", after: set("X-Amz-Date", "20000101T000001Z"), want: bad},
		{what: "another region", after: edit("eu-west-1", "eu-west-2"), want: bad},
		{what: "another signature", after: edit("Signature=", "Signature=0"), want: bad},
		{what: "no hash at all", after: func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, want: "400 InvalidRequest"},
		{what: "unknown key", after: edit(testKey, "AKIDNOBODY"), want: "403 InvalidAccessKeyId"},
		{what: "16 minutes old", skew: -16 * time.Minute, want: "403 RequestTimeTooSkewed"},
		{what: "16 minutes ahead", skew: 16 * time.Minute, want: "403 RequestTimeTooSkewed"},
		{what: "a date that is none", after: set("X-Amz-Date", "today"), want: "403 AccessDenied"},
		{what: "another day in the scope", after: edit("/20000101/", "/20000102/"), want: malformed},
		{what: "no region", after: edit("eu-west-1", ""), want: malformed},
		{what: "no terminator", after: edit("aws4_request", "aws5"), want: malformed},
		{what: "no signature", after: edit("Signature=", "Sig="), want: malformed},
		{what: "a second credential, of another service", after: func(r *http.Request) {
			edit("/s3/", "/firehose/")(r)
			edit("Credential=", "X=Credential=k/20000101/r/s3/t, Credential=")(r)
		}, want: malformed},
		{what: "version 2", after: set("Authorization", "AWS AKID:c2lnbmF0dXJl"), want: "400 InvalidRequest"},
		{what: "version 2 in the query", after: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "AWSAccessKeyId=AKID&Signature=c2lnbmF0dXJl&Expires=1"
		}, want: "400 InvalidRequest"},
		{what: "version 4a", after: edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), want: malformed},
		{what: "an x-amz header that is not signed", after: set("X-Amz-Copy-Source", "b/secret"), want: "403 AccessDenied"},
		{what: "in the query too", after: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Credential=a" }, want: "400 InvalidArgument"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var rc received
			r := s3Request(t, cmp.Or(tt.target, "/b/k"), body, cmp.Or(tt.payload, hashOf(body)), tt.skew, tt.before)
			if tt.after != nil {
				tt.after(r)
			}
			if got := outcome(s3Front(&rc), r); got != tt.want || (got == "ok") != (len(rc.bodies) == 1) {
				t.Errorf("%s: %s, want %s; taken: %q", tt.what, got, tt.want, rc.bodies)
			}
		})
	}
}

// No SDK leaves the host unsigned.
func TestS3HostMustBeSigned(t *testing.T) {
	r := s3Request(t, "/b/k", "", hashOf(""), 0, nil)
	auth, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		t.Fatal(err)
	}
	auth.signedHeaders = []string{"x-amz-content-sha256", "x-amz-date"}
	text := auth.canonical(r, "/b/k", "", hashOf(""))
	signature := auth.signText(auth.signingKey(testSecret), algorithm, r.Header.Get("X-Amz-Date"), hashHex(text))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s,SignedHeaders=x-amz-content-sha256;x-amz-date,Signature=%s", algorithm, testKey, auth.scope(), signature))
	if got := outcome(s3Front(&received{}), r); got != "403 AccessDenied" {
		t.Error(got)
	}
}

// Credentials for Firehose do not open S3, nor the other way round, and an error is
// in the words of whom the call is for.
func TestS3Errors(t *testing.T) {
	h := s3Front(&received{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, s3Request(t, "/b/<k>", "", hashOf(""), time.Hour, nil))
	if w.Header().Get("X-Amz-Request-Id") == "" || w.Header().Get("X-Amz-Id-2") == "" || w.Header().Get("X-Amzn-Requestid") != "" || w.Header().Get("Content-Type") != "application/xml" {
		t.Errorf("headers %v", w.Header())
	}
	want := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message><Resource>/b/&lt;k&gt;</Resource><RequestId>%s</RequestId><HostId>%s</HostId></Error>`,
		w.Header().Get("X-Amz-Request-Id"), w.Header().Get("X-Amz-Id-2"))
	if w.Code != 403 || w.Body.String() != want {
		t.Errorf("%d %s\nwant %s", w.Code, w.Body, want)
	}
	if got := outcome(h, signed(t, signing{service: "s3"})); got != "400 InvalidRequest" {
		t.Errorf("a call of Firehose that is signed for S3: %s", got)
	}
	r := s3Request(t, "/", "", hashOf(""), 0, nil)
	edit("/s3/", "/firehose/")(r)
	if status, answer := do(h, r); status != 400 && status != 404 || strings.Contains(answer, "<") {
		t.Errorf("a call of S3 that is signed for Firehose: %d %s", status, answer)
	}
}

// TestS3Routes tells who gets what is not signed.
func TestS3Routes(t *testing.T) {
	name := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	mine := func(r *http.Request) bool { return r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/_hydrant/") }
	open, closed := Config{NoAuth: true, S3: name("s3"), Other: name("other"), Mine: mine}, Config{S3: name("s3"), Other: name("other"), Mine: mine}
	alone := Config{NoAuth: true, S3: name("s3")}
	for _, tt := range []struct {
		cfg            Config
		method, target string
		want           string
	}{
		{open, "GET", "/", "other"},
		{open, "GET", "/_hydrant/state", "other"},
		{open, "GET", "/b", "s3"},
		{open, "PUT", "/b/k", "s3"},
		{open, "POST", "/b?delete", "s3"},
		{open, "GET", "/b/k?X-Amz-Credential=a/b/c/s3/d", "s3"},
		{open, "GET", "/?X-Amz-Credential=a/b/c/s3/d", "s3"},
		{closed, "GET", "/", "other"},
		{closed, "PUT", "/b/k", "other"},
		{closed, "GET", "/b/k?X-Amz-Credential=a/b/c/s3/d", "AuthorizationQueryParametersError"},
		{closed, "GET", "/b/k?X-Amz-Credential=a/b/c/kinesis/d", "other"},
		{alone, "GET", "/", "s3"},
		{alone, "PUT", "/b/k", "s3"},
		{Config{S3: name("s3")}, "PUT", "/b/k", "UnknownOperationException"},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		if status, answer := do(quiet(tt.cfg), r); !strings.Contains(answer, tt.want) {
			t.Errorf("%s %s, NoAuth %v: %d %s, want %s", tt.method, tt.target, tt.cfg.NoAuth, status, answer, tt.want)
		}
		r = request("ListDeliveryStreams", "{}")
		if _, answer := do(quiet(tt.cfg), r); !strings.Contains(answer, "Limit") && !strings.Contains(answer, wire.CodeMissingAuthToken) {
			t.Errorf("a call of Firehose gets %s", answer)
		}
	}
}

func TestPresigned(t *testing.T) {
	const bad = "403 SignatureDoesNotMatch"
	const parameters = "400 AuthorizationQueryParametersError"
	change := func(old, with string) func(*http.Request) {
		return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, with, 1) }
	}
	for _, tt := range []struct {
		what, expires string
		wait          time.Duration
		after         func(*http.Request)
		want          string
	}{
		{"at once", "60", 0, nil, "ok"},
		{"in time", "60", 60 * time.Second, nil, "ok"},
		{"late", "60", 61 * time.Second, nil, "403 AccessDenied"},
		{"a week", "604800", 7 * 24 * time.Hour, nil, "ok"},
		{"from a clock that goes wrong", "60", -14 * time.Minute, nil, "ok"},
		{"early", "60", -16 * time.Minute, nil, "403 AccessDenied"},
		{"never good", "0", 0, nil, parameters},
		{"good for too long", "604801", 0, nil, parameters},
		{"good for a word", "x", 0, nil, parameters},
		{"good for less than no time", "-1", 0, nil, parameters},
		{"another life", "60", 0, change("Expires=60", "Expires=61"), bad},
		{"no life", "60", 0, change("X-Amz-Expires=60", "a=b"), parameters},
		{"two lives", "60", 0, change("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"), parameters},
		{"another path", "60", 0, func(r *http.Request) { r.URL.Path = "/b/l" }, bad},
		{"another method", "60", 0, func(r *http.Request) { r.Method = http.MethodDelete }, bad},
		{"another parameter", "60", 0, change("X-Amz-Expires", "a=b&X-Amz-Expires"), bad},
		{"another algorithm", "60", 0, change("SHA256", "SHA512"), parameters},
		{"another day", "60", 0, change("20000101%2F", "20000102%2F"), parameters},
		{"no date", "60", 0, change("X-Amz-Date=2", "X-Amz-Date=x"), parameters},
		{"unknown key", "60", 0, change(testKey, "AKIDNOBODY"), "403 InvalidAccessKeyId"},
		{"a copy", "60", 0, set("X-Amz-Copy-Source", "b/secret"), "403 AccessDenied"},
		{"a header, too", "60", 0, set("Authorization", "Basic YTpi"), "400 InvalidArgument"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPut, "http://localhost:4573/b/a%20b?X-Amz-Expires="+tt.expires, nil)
			uri, _, err := signer().PresignHTTP(t.Context(), creds, r, unsignedPayload, "s3", "eu-west-1", time.Now().Add(-tt.wait))
			if err != nil {
				t.Fatal(err)
			}
			r = httptest.NewRequest(http.MethodPut, uri, strings.NewReader("hello"))
			if tt.after != nil {
				tt.after(r)
			}
			if got := outcome(s3Front(&received{}), r); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
			}
		})
	}
}

// awsExample is the body of AWS's example of a signature in chunks (user guide,
// signature calculations for chunked uploads), 65 KiB of the letter a. With trailer
// it is the one of the chapter on trailing headers, whose lines end otherwise there.
func awsExample(trailer bool) (*http.Request, string) {
	hashes, headers, chunks := streamSigned, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class", []string{
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	}
	end := ""
	if trailer {
		hashes, headers, chunks = streamSignedTrailer, "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer", []string{
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
		}
		end = "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
	}
	body := fmt.Sprintf("10000;chunk-signature=%s\r\n%s\r\n400;chunk-signature=%s\r\n%s\r\n0;chunk-signature=%s\r\n%s\r\n",
		chunks[1], strings.Repeat("a", 65536), chunks[2], strings.Repeat("a", 1024), chunks[3], end)
	r := httptest.NewRequest(http.MethodPut, "http://s3.amazonaws.com/examplebucket/chunkObject.txt", nil)
	r.ContentLength = 66824 // of the example, which is what was signed
	for name, value := range map[string]string{
		"X-Amz-Content-Sha256": hashes, "X-Amz-Date": "20130524T000000Z", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "66560",
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + headers + ",Signature=" + chunks[0],
	} {
		r.Header.Set(name, value)
	}
	if trailer {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	}
	return r, body
}

// TestChunks sends AWS's examples, whole and with one byte changed.
func TestChunks(t *testing.T) {
	want := "|" + strings.Repeat("a", 66560)
	for _, trailer := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)))
			send := func(raw string) (string, *received) {
				rc := new(received)
				r, _ := awsExample(trailer)
				r.Body = io.NopCloser(strings.NewReader(raw))
				h := New(Config{Services: []*Service{echo}, S3: rc, Credentials: map[string]string{testKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, Logger: slog.New(slog.DiscardHandler)})
				return outcome(h, r), rc
			}
			_, raw := awsExample(trailer)
			if got, rc := send(raw); got != "ok" || rc.bodies[0] != want {
				t.Errorf("AWS's example, trailer %v: %s", trailer, got)
			}
			// Each byte outside the data, and some of the data.
			for i := range raw {
				if raw[i] == 'a' && strings.HasPrefix(raw[i:], "aa") && i%5000 != 0 {
					continue
				}
				wrong := []byte(raw)
				wrong[i] ^= 1
				if got, rc := send(string(wrong)); len(rc.bodies) > 0 && rc.bodies[0] != want || got == "ok" && raw[i] != '\r' {
					t.Errorf("trailer %v, byte %d, %q, changed: %s", trailer, i, raw[max(0, i-10):i+1], got)
				}
			}
			for _, n := range []int{0, 10, 90, 65000, len(raw) - 300, len(raw) - 100, len(raw) - 2, len(raw) - 1} {
				if got, rc := send(raw[:n]); got != "400 IncompleteBody" || len(rc.bodies) > 0 {
					t.Errorf("trailer %v, only %d bytes: %s", trailer, n, got)
				}
			}
		})
	}
}

func TestUnsignedChunks(t *testing.T) {
	for text, want := range map[string]string{
		"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n":        "ok",
		"5;x=y\r\nhello\r\n0\r\n\r\n":                                     "ok",
		"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n":                                "ok",
		"00005\nhello\n0\n\n":                                             "ok",
		"5\r\nhello\r\n0\r\n":                                             "400 IncompleteBody",
		"5\r\nhello\r\n0":                                                 "400 IncompleteBody",
		"5\r\nhello\r\n":                                                  "400 IncompleteBody",
		"5\r\nhello\r\n0\r\nno trailer\r\n\r\n":                           "400 IncompleteBody",
		"5\r\nhello\r\n0\r\na:" + strings.Repeat("b", 1<<16) + "\r\n\r\n": "400 IncompleteBody",
		"5\r\nhello\r\n0\r\n" + strings.Repeat("a:b\r\n", 10000) + "\r\n": "400 IncompleteBody",
		"0\r\n\r\n":                   "400 IncompleteBody",
		"6\r\nhello!\r\n0\r\n\r\n":    "400 IncompleteBody",
		"5\r\nhello":                  "400 IncompleteBody",
		"5\r\nhel":                    "400 IncompleteBody",
		"5\r\nhelloXX0\r\n\r\n":       "400 IncompleteBody",
		"4\r\nhello\r\n0\r\n\r\n":     "400 IncompleteBody",
		"+5\r\nhello\r\n0\r\n\r\n":    "400 IncompleteBody",
		"0x5\r\nhello\r\n0\r\n\r\n":   "400 IncompleteBody",
		"-1\r\n":                      "400 IncompleteBody",
		"zz\r\n":                      "400 IncompleteBody",
		"":                            "400 IncompleteBody",
		"fffffffffffffffff\r\nhello":  "400 IncompleteBody",
		"7fffffffffffffff\r\nhello":   "400 IncompleteBody",
		strings.Repeat("0", 1<<16):    "400 IncompleteBody",
		"5\r\nhello\r\n1\r\n!\r\n0\r": "400 IncompleteBody",
	} {
		var rc received
		r := s3Request(t, "/b/k", text, streamTrailer, 0, func(r *http.Request) {
			r.Header.Set("X-Amz-Decoded-Content-Length", "5")
			r.Header.Add("Content-Encoding", "aws-chunked, gzip")
			r.Header.Add("Content-Encoding", "br")
		})
		got := outcome(s3Front(&rc), r)
		if got != want || got == "ok" && rc.bodies[0] != "gzip,br|hello" {
			t.Errorf("%.40q: %s %q, want %s", text, got, rc.bodies, want)
		}
	}
}

// FuzzChunks has no body pass that is longer or shorter than its length says, nor a
// different one when it comes byte by byte.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), int64(5))
	f.Add([]byte("2;chunk-signature=00\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n"), int64(5))
	f.Add([]byte("0\r\n\r\n"), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, length int64) {
		read := func(body io.Reader) (string, error) {
			r := httptest.NewRequest("PUT", "/", body)
			r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(length))
			if err := readyBody(r, streamTrailer, nil); err != nil {
				return "", err
			}
			var got bytes.Buffer
			n, err := io.CopyN(&got, r.Body, length)
			if err == nil && n != length {
				t.Errorf("%d bytes of %d without an error", n, length)
			}
			return got.String(), err
		}
		got, err := read(bytes.NewReader(raw))
		again, errAgain := read(iotest.OneByteReader(bytes.NewReader(raw)))
		if (err == nil) != (errAgain == nil) || err == nil && got != again {
			t.Errorf("%q, %v; byte by byte %q, %v", got, err, again, errAgain)
		}
		if err != nil && int64(len(got)) >= max(length, 1) {
			t.Errorf("all of a bad body is given out: %q, %v", got, err)
		}
	})
}
