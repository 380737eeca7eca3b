package awsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hydrant-go/hydrant/wire"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// echo is a service with Firehose's names, whose one operation answers with what it
// was asked.
var echo = &Service{
	Name: "Firehose", Signing: "firehose", Target: wire.TargetPrefix, JSON: wire.ContentType, CBOR: "/service/Echo/operation/",
	Version: "2015-08-04", Namespace: "http://firehose.example/",
	Operations: map[string]Operation{
		"ListDeliveryStreams": func(_ context.Context, c *Call) (any, error) {
			var in struct {
				Limit int
				Until Timestamp
				Fail  string
			}
			if err := c.Decode(&in); err != nil {
				return nil, err
			}
			if in.Fail != "" {
				return nil, errors.New(in.Fail)
			}
			return in, nil
		},
		"DeleteDeliveryStream": nil,
		"PutRecord":            nil,
		"UpdateDestination":    nil,
	},
}

var quietLogger = slog.New(slog.DiscardHandler)

func quiet(cfg Config) http.Handler {
	cfg.Logger = quietLogger
	cfg.Services = []*Service{echo}
	return New(cfg)
}

func request(op, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", wire.TargetPrefix+op)
	r.Header.Set("Content-Type", wire.ContentType)
	return r
}

func do(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// failure words an error's body as code and message.
func failure(t *testing.T, answer string) string {
	t.Helper()
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(answer), &e); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return e.Type + ": " + e.Message
}

func TestRoutes(t *testing.T) {
	other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "other") })
	for _, tt := range []struct {
		method, path, target, contentType string
		status                            int
		want                              string // in the answer
		other                             string // the same, with a handler for what is no call
	}{
		{"GET", "/", "", "", 404, "nothing at GET /: ", "other"},
		{"PUT", "/", "", "", 404, "nothing at PUT /: ", "other"},
		{"POST", "/x", "Firehose_20150804.PutRecord", "", 404, "nothing at POST /x: ", "other"},
		{"POST", "/", "", "", 400, `"__type":"UnknownOperationException"`, "other"},
		{"POST", "/", "PutRecord", "", 400, `"__type":"UnknownOperationException"`, ""},
		{"POST", "/", "DynamoDB_20120810.ListTables", "", 400, `DynamoDB_20120810.ListTables`, ""},
		{"POST", "/", "Firehose_20150804.putRecord", "", 400, `"__type":"UnknownOperationException"`, ""},
		{"POST", "/", "Firehose_20150804.ListDeliveryStreams", "", 200, `{"Limit":0,`, ""},
		{"POST", "/", "Firehose_20150804.UpdateDestination", "", 501, `{"__type":"NotImplementedException","message":"The local Firehose does not support Firehose's UpdateDestination."}`, ""},
		{"POST", "/", "", "application/x-www-form-urlencoded; charset=utf-8", 400, "<Code>MissingAction</Code>", ""},
		{"POST", "/service/Echo/operation/ListDeliveryStreams", "", "application/cbor", 400, "Smithy-Protocol must be rpc-v2-cbor", ""},
	} {
		for _, cfg := range []Config{{NoAuth: true}, {NoAuth: true, Other: other}} {
			status, want := tt.status, tt.want
			if cfg.Other != nil && tt.other != "" {
				status, want = 200, tt.other
			}
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader("{}"))
			r.Header.Set("X-Amz-Target", tt.target)
			r.Header.Set("Content-Type", tt.contentType)
			if got, answer := do(quiet(cfg), r); got != status || !strings.Contains(answer, want) {
				t.Errorf("%s %s %q:\n%d %s\nwant %d …%s…", tt.method, tt.path, tt.target, got, answer, status, want)
			}
		}
	}
}

func TestBodies(t *testing.T) {
	h := quiet(Config{NoAuth: true})
	list := `{"Limit":1}`
	for _, tt := range []struct {
		what   string
		length int64 // as the client says; -1 is chunked
		body   io.Reader
		status int
	}{
		{"known length", int64(len(list)), strings.NewReader(list), 200},
		{"chunked", -1, strings.NewReader(list), 200},
		{"8 MiB", MaxBodyBytes, strings.NewReader(list + strings.Repeat(" ", MaxBodyBytes-len(list))), 200},
		{"8 MiB and a byte", MaxBodyBytes + 1, strings.NewReader(""), 413},
		{"chunked, 8 MiB", -1, strings.NewReader(list + strings.Repeat(" ", MaxBodyBytes-len(list))), 200},
		{"chunked, 8 MiB and a byte", -1, strings.NewReader(list + strings.Repeat(" ", MaxBodyBytes+1-len(list))), 413},
		{"cut short", int64(len(list)) + 1, strings.NewReader(list), 408},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", tt.body)
		r.ContentLength = tt.length
		r.Header.Set("X-Amz-Target", wire.TargetPrefix+"ListDeliveryStreams")
		if status, answer := do(h, r); status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.what, status, answer, tt.status)
		}
	}
}

func TestCBOR(t *testing.T) {
	h := quiet(Config{NoAuth: true})
	body := mustCBOR(map[string]any{"Limit": 60, "Until": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	var packed, bomb bytes.Buffer
	for w, text := range map[*bytes.Buffer][]byte{&packed: body, &bomb: make([]byte, MaxBodyBytes+1)} {
		z := gzip.NewWriter(w)
		_, _ = z.Write(text)
		_ = z.Close()
	}
	without := func(old, with string) []byte { return bytes.Replace(body, []byte(old), []byte(with), 1) }
	for _, tt := range []struct {
		what, encoding string
		body           []byte
		status         int
		want           string // in the answer
	}{
		{"plain", "", body, 200, "Limit\x18\x3c"},
		{"gzip", "gzip", packed.Bytes(), 200, "Limit\x18\x3c"},
		{"half a gzip", "gzip", packed.Bytes()[:20], 400, "SerializationException"},
		{"no gzip", "gzip", body, 400, "SerializationException"},
		{"a gzip bomb", "gzip", bomb.Bytes(), 413, "RequestEntityTooLargeException"},
		{"zstd", "zstd", body, 400, `Content-Encoding "zstd" is not supported`},
		{"JSON", "", []byte("{}"), 400, "SerializationException"},
		{"nothing", "", nil, 400, "SerializationException"},
		{"a list", "", []byte{0x80}, 400, "SerializationException"},
		{"a time without its tag", "", without("Until\xc1", "Until\xc2"), 400, "SerializationException"},
		{"a failure", "", mustCBOR(map[string]string{"Fail": "fire"}), 500, "InternalFailure"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/service/Echo/operation/ListDeliveryStreams", bytes.NewReader(tt.body))
		r.Header.Set("Smithy-Protocol", rpcCBOR)
		r.Header.Set("Content-Encoding", tt.encoding)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %q\nwant %d …%s…", tt.what, w.Code, w.Body, tt.status, tt.want)
		}
		if got := w.Header(); got.Get("Content-Type") != "application/cbor" || got.Get("Smithy-Protocol") != rpcCBOR {
			t.Errorf("%s: headers %v", tt.what, got)
		}
		if err := cbor.Wellformed(w.Body.Bytes()); err != nil {
			t.Errorf("%s: the answer: %v", tt.what, err)
		}
	}
}

func TestTimestamps(t *testing.T) {
	for _, want := range []time.Time{
		time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 24, 4, 0, 0, 123e6, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 500e6, time.UTC),
	} {
		for name, c := range map[string]*protocol{"JSON": jsonProtocol(echo), "CBOR": cborProtocol} {
			var got Timestamp
			if err := c.decode(c.encode(nil, Timestamp(want)), &got); err != nil || !time.Time(got).Equal(want) {
				t.Errorf("%s: %v became %v, %v", name, want, time.Time(got), err)
			}
		}
	}
	for _, text := range []string{"1e300", "-1e12", `"2026-01-01"`, "253402300800"} {
		if err := new(Timestamp).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	for _, v := range []any{cbor.Tag{Number: 1, Content: "0"}, cbor.Tag{Number: 99, Content: 1}, cbor.Tag{Number: 1, Content: uint64(1 << 63)}, 1} {
		if err := new(Timestamp).UnmarshalCBOR(mustCBOR(v)); err == nil {
			t.Errorf("%v is accepted", v)
		}
	}
}

func TestARN(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "arn:aws:logs:eu-west-1:123456789012:x", "cn-north-1": "arn:aws-cn:logs:cn-north-1:123456789012:x", "us-gov-east-1": "arn:aws-us-gov:logs:us-gov-east-1:123456789012:x",
	} {
		if got := (Caller{"123456789012", region}).ARN("logs", "x"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
