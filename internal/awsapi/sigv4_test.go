package awsapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hydrant-go/hydrant/wire"
)

// signing is how a test's request is signed, by the SDK's signer.
type signing struct {
	key, secret, service, region string // default: what is right
	target                       string // path and query, default /
	hash                         string // default: the body's
	skew                         time.Duration
	prepare                      func(*http.Request) // before signing
}

const listBody = `{"Limit":1}`

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func signed(t *testing.T, s signing) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost:4573"+cmp.Or(s.target, "/"), strings.NewReader(listBody))
	r.Header.Set("X-Amz-Target", wire.TargetPrefix+"ListDeliveryStreams")
	r.Header.Set("Content-Type", wire.ContentType)
	if s.prepare != nil {
		s.prepare(r)
	}
	creds := aws.Credentials{AccessKeyID: cmp.Or(s.key, testKey), SecretAccessKey: cmp.Or(s.secret, testSecret)}
	err := v4.NewSigner().SignHTTP(t.Context(), creds, r, cmp.Or(s.hash, hashOf(listBody)), cmp.Or(s.service, "firehose"), cmp.Or(s.region, "eu-west-1"), time.Now().Add(s.skew))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSignatures runs in a bubble, where the time is 2000-01-01.
func TestSignatures(t *testing.T) {
	const bad = "InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	edit := func(old, with string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, tt := range []struct {
		what    string
		signing signing
		after   func(*http.Request) // after signing
		want    string              // ok, or the failure's beginning
	}{
		{"good", signing{}, nil, "ok"},
		{"a query", signing{target: "/?b=2&a=1%2F&a=0&c&d=%7E+x%20y"}, nil, "ok"},
		{"a query in another order", signing{target: "/?a=1&b=2&b=1"}, func(r *http.Request) { r.URL.RawQuery = "b=2&a=1&b=1" }, "ok"},
		{"odd headers", signing{prepare: func(r *http.Request) {
			r.Header.Add("X-Amz-Meta", "  two   spaces ")
			r.Header.Add("X-Amz-Meta", "again")
		}}, nil, "ok"},
		{"a session token", signing{prepare: set("X-Amz-Security-Token", "tok/en==")}, nil, "ok"},
		{"the body's hash", signing{prepare: set("X-Amz-Content-Sha256", hashOf(listBody))}, nil, "ok"},
		{"another body's hash", signing{prepare: set("X-Amz-Content-Sha256", hashOf("other"))}, nil, bad},
		{"no body's hash", signing{hash: "UNSIGNED-PAYLOAD", prepare: set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")}, nil, "ok"},
		{"no spaces", signing{}, func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
		}, "ok"},
		{"14 minutes old", signing{skew: -14 * time.Minute}, nil, "ok"},
		{"14 minutes ahead", signing{skew: 14 * time.Minute}, nil, "ok"},
		{"the day before", signing{skew: -time.Minute}, nil, "ok"},
		{"expired", signing{skew: -16 * time.Minute}, nil, "InvalidSignatureException: Signature expired: 19991231T234400Z is now earlier than 19991231T234500Z (20000101T000000Z - 15 min.)"},
		{"not yet current", signing{skew: 16 * time.Minute}, nil, "InvalidSignatureException: Signature not yet current: 20000101T001600Z is still later than 20000101T001500Z (20000101T000000Z + 15 min.)"},
		{"unknown key", signing{key: "AKIDNOBODY"}, nil, "UnrecognizedClientException: The security token included in the request is invalid."},
		{"wrong secret", signing{secret: "wrong"}, nil, bad},
		{"another body", signing{hash: strings.Repeat("0", 64)}, nil, bad},
		{"another target", signing{}, set("X-Amz-Target", wire.TargetPrefix+"DeleteDeliveryStream"), bad},
		{"another query", signing{}, func(r *http.Request) { r.URL.RawQuery = "a=1" }, bad},
		{"another host", signing{}, func(r *http.Request) { r.Host = "other" }, bad},
		{"another region", signing{}, edit("eu-west-1", "eu-west-2"), bad},
		{"another time", signing{}, set("X-Amz-Date", "20000101T000001Z"), bad},
		{"another day in the scope", signing{}, edit("/20000101/", "/20000102/"), "InvalidSignatureException: Date in Credential scope does not match"},
		{"another service", signing{service: "kinesis"}, nil, "InvalidSignatureException: Credential should be scoped to correct service: 'firehose'."},
		{"no region", signing{}, edit("eu-west-1", ""), "InvalidSignatureException: Credential should be scoped to a valid region"},
		{"no terminator", signing{}, edit("aws4_request", "aws5"), "InvalidSignatureException: Credential should be scoped with a valid terminator"},
		{"host is not signed", signing{}, edit("host;", ""), "InvalidSignatureException: 'Host' must be a 'SignedHeader'"},
		{"date is not signed", signing{}, edit("x-amz-date;", ""), "InvalidSignatureException: 'X-Amz-Date' must be a 'SignedHeader'"},
		{"a date that is none", signing{}, set("X-Amz-Date", "today"), "IncompleteSignatureException: X-Amz-Date"},
		{"nothing", signing{}, func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException: Missing Authentication Token"},
		{"basic", signing{}, set("Authorization", "Basic YTpi"), "IncompleteSignatureException: "},
		{"no signature", signing{}, edit("Signature=", "Sig="), "IncompleteSignatureException: Authorization header requires 'Signature' parameter."},
		{"an empty signature", signing{}, set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature="), "IncompleteSignatureException: "},
		{"a short credential", signing{}, set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=s"), "IncompleteSignatureException: Credential must have"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := quiet(Config{Credentials: map[string]string{testKey: testSecret}})
			r := signed(t, tt.signing)
			if tt.after != nil {
				tt.after(r)
			}
			status, answer := do(h, r)
			got := "ok"
			if status != 200 {
				got = failure(t, answer)
			}
			if status != 200 && status != 400 || !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s: %d %s\nwant %s", tt.what, status, got, tt.want)
			}
		})
	}
}

func TestNobodyMayCallWithoutCredentials(t *testing.T) {
	h := quiet(Config{})
	if status, answer := do(h, signed(t, signing{})); status != 400 || !strings.Contains(answer, wire.CodeUnrecognizedClient) {
		t.Errorf("%d %s", status, answer)
	}
}

func TestTheCallerComesFromTheScope(t *testing.T) {
	for _, tt := range []struct {
		what   string
		noAuth bool
		req    *http.Request
		want   Caller
	}{
		{"signed", false, signed(t, signing{region: "ap-northeast-1"}), Caller{"123456789012", "ap-northeast-1"}},
		{"not checked", true, signed(t, signing{key: "any", secret: "thing", region: "ap-northeast-1"}), Caller{"123456789012", "ap-northeast-1"}},
		{"not signed", true, request("ListDeliveryStreams", "{}"), Caller{"123456789012", "eu-north-1"}},
	} {
		s := &front{Config: Config{Account: "123456789012", Region: "eu-north-1", NoAuth: tt.noAuth, Credentials: map[string]string{testKey: testSecret}}}
		got, err := s.caller(tt.req, "firehose", []byte(listBody))
		if err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.what, got, err, tt.want)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=k/ey/20000101/us-east-1/firehose/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=;,Signature==")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		a, err := parseAuthorization(header)
		if err != nil {
			return
		}
		if a.key+"/"+a.scope() == "" || !strings.Contains(header, a.key+"/"+a.scope()) || a.signature == "" || len(a.signedHeaders) == 0 {
			t.Errorf("%q is parsed as %+v", header, a)
		}
		// Whatever was parsed, the rest must stand it.
		r := request("PutRecord", "{}")
		r.Header.Set("X-Amz-Date", "20000101T000000Z")
		if a.check(r, "firehose") == nil {
			t.Errorf("%q: a signature of 2000 is current", header)
		}
		a.sign("secret", r, nil)
	})
}
