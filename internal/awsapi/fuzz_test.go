package awsapi

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzBodies: what is decoded of CBOR or JSON is also what is decoded of what says the
// same.
func FuzzBodies(f *testing.F) {
	for _, text := range []string{
		`{"name":"a","Count":1,"Size":-9223372036854775808,"Ratio":1e-7,"Flag":false,"When":1782864000.5,"Words":["x",""],"Pairs":[{"Name":"n"},{}],"Nested":{"Nested":{"name":"q"}},"Tags":{"k":"v"},"Unknown":[{"x":[null]}]}`,
		`{"When":1e400}`, `{"Words":null,"When":-62135596800}`, `[[[[{"name":`, "{\"name\":\"\\ud800\xff\"}",
	} {
		f.Add(true, []byte(text))
	}
	for _, v := range []any{
		shape{Name: "a", Size: -1 << 63, Ratio: 1e300, Words: []string{"x"}, Pairs: []pair{{}}, Tags: map[string]string{"k": "v"}, Nested: &shape{When: &Timestamp{}}},
		map[string]any{"When": time.Date(2026, 1, 1, 0, 0, 0, 5e8, time.UTC), "Unknown": []any{nil, map[any]any{1: "x"}}},
	} {
		f.Add(false, mustCBOR(v))
	}
	f.Add(false, []byte("\xbf\x64name\x7f\x61a\x61b\xff\x65Words\x9f\x61x\xff\xff"))
	f.Add(false, []byte("\xa1\x65Words\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(false, []byte("\xa1\x64When\xc1\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, json bool, body []byte) {
		p := cborProtocol
		if json {
			p = jsonProtocol(shapes)
		}
		var first, second shape
		if p.decode(body, &first) != nil {
			return
		}
		again := p.encode(nil, first)
		if err := p.decode(again, &second); err != nil {
			t.Fatalf("%q as %q: %v", body, again, err)
		}
		opts := cmp.Options{
			cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b }),
			// JSON has milliseconds, a float64 some microseconds.
			cmp.Comparer(func(a, b Timestamp) bool { return time.Time(a).Sub(time.Time(b)).Abs() <= time.Millisecond }),
		}
		if diff := cmp.Diff(first.normal(), second.normal(), opts); diff != "" {
			t.Errorf("%q as %q (-want +got):\n%s", body, again, diff)
		}
	})
}

// FuzzSignedS3: nothing that a call says of its signature gets it past, without the
// secret.
func FuzzSignedS3(f *testing.F) {
	now := time.Now().UTC().Format(isoTime)
	scope := "key/" + now[:8] + "/us-east-1/s3/aws4_request"
	signature := strings.Repeat("0", 64)
	f.Add("", "AWS4-HMAC-SHA256 Credential="+scope+", SignedHeaders=host;x-amz-date, Signature="+signature, now, streamSignedTrailer)
	f.Add("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="+url.QueryEscape(scope)+"&X-Amz-Date="+now+"&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="+signature, "", "", "")
	f.Add("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%zz&X-Amz-Date="+now+"&X-Amz-Expires=-1&X-Amz-SignedHeaders=;&X-Amz-Signature=%00", "", "2", unsignedPayload)
	f.Add("AWSAccessKeyId=key&Signature=x&Expires=1", "AWS key:signature", "20260101T000000", "e3")
	f.Fuzz(func(t *testing.T, query, authorization, date, payload string) {
		r := httptest.NewRequest("PUT", "/b/k", strings.NewReader("body"))
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": payload} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		isS3(r)
		fr := &front{Config: Config{Credentials: map[string]string{"key": testSecret}}, rooms: newRooms()}
		if err := fr.checkS3(r); err == nil || err.Status < 400 || err.Status >= 500 {
			t.Errorf("%q, %q, %q, %q: %v", query, authorization, date, payload, err)
		}
	})
}
