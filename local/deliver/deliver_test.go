package deliver

import (
	"bytes"
	"io"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

func prefix(t *testing.T, text string) *Prefix {
	t.Helper()
	p, err := ParsePrefix("Prefix", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKey(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*60*60)
	// Nine o'clock in the key that AWS was seen to write.
	at := time.Date(2019, 10, 1, 9, 20, 18, 999, time.UTC)
	const uuid = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`
	for _, tt := range []struct {
		prefix string
		spec   Spec
		at     time.Time
		want   string
	}{
		{"", Spec{}, at, `2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid},
		{"legacy", Spec{}, at, `legacy2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid},
		{"a/b/", Spec{}, at, `a/b/2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid},
		{"", Spec{Compression: "GZIP"}, at, `2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid + `\.gz`},
		{"", Spec{Compression: "GZIP", Extension: ".json"}, at, `2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid + `\.json`},
		{"", Spec{}, at.In(berlin), `2019/10/01/09/s-1-2019-10-01-09-20-18-` + uuid}, // UTC wherever it runs
		{"", Spec{Zone: berlin}, at.Add(13 * time.Hour), `2019/10/02/00/s-1-2019-10-02-00-20-18-` + uuid},
		{"y=!{timestamp:yyyy}/", Spec{Zone: berlin}, at, `y=2019/s-1-2019-10-01-11-20-18-` + uuid},
		{"k=!{partitionKeyFromQuery:k}/", Spec{Partitioned: true}, at, `k=v/s-1-2019-10-01-09-20-18-` + uuid},
		{"e/!{firehose:error-output-type}/", Spec{Errors: true}, at, `e/processing-failed/s-1-2019-10-01-09-20-18-` + uuid},
		{"e/", Spec{Errors: true}, at, `e/s-1-2019-10-01-09-20-18-` + uuid},
	} {
		tt.spec.Prefix = prefix(t, tt.prefix)
		tt.spec.Stream, tt.spec.Version = "s", "1"
		v := Values{Time: tt.at, FromQuery: map[string]string{"k": "v"}, ErrorType: "processing-failed"}
		if got, err := tt.spec.Key(v); err != nil || !regexp.MustCompile("^"+tt.want+"$").MatchString(got) {
			t.Errorf("%+v: key %s, %v\nwant %s", tt.spec, got, err, tt.want)
		}
	}
	s := Spec{Prefix: prefix(t, "!{partitionKeyFromQuery:k}"), Partitioned: true}
	if key, err := s.Key(Values{Time: at}); err == nil {
		t.Errorf("without its partition key: %s", key)
	}
}

// TestErrorPrefix: what no ErrorOutputPrefix stands for, and that one that is given
// stands for itself.
func TestErrorPrefix(t *testing.T) {
	v := Values{Time: time.Date(2025, 3, 4, 11, 48, 32, 0, time.UTC), ErrorType: "processing-failed"}
	for _, tt := range []struct{ prefix, errorPrefix, want string }{
		{"retries/", "", "retries/processing-failed/2025/03/04/11/"}, // as AWS was seen to
		{"", "", "processing-failed/2025/03/04/11/"},
		{"p", "", "pprocessing-failed/2025/03/04/11/"},
		{"p!", "", "p!processing-failed/2025/03/04/11/"},
		{"p/", "plain/", "plain/"},
		{"p/", "myFirehoseFailures/!{firehose:error-output-type}/", "myFirehoseFailures/processing-failed/"}, // the developer guide's
		{"!{timestamp:yyyy}/", "e/!{firehose:error-output-type}/!{timestamp:MM}/", "e/processing-failed/03/"},
	} {
		p := ErrorPrefix(prefix(t, tt.prefix), mustParsePrefix(t, "ErrorOutputPrefix", tt.errorPrefix))
		if got, err := (&Spec{Prefix: p, Errors: true}).prefix(v); err != nil || got != tt.want {
			t.Errorf("prefixes %q and %q: errors go to %q, %v, want %q", tt.prefix, tt.errorPrefix, got, err, tt.want)
		}
	}
}

func TestObject(t *testing.T) {
	records := [][]byte{[]byte("abc"), {}, []byte("abc"), []byte("\n\x00")}
	for compression, encoding := range map[string]string{"UNCOMPRESSED": "", "GZIP": "gzip"} {
		o, err := (&Spec{Bucket: "b", Prefix: &Prefix{}, Compression: compression}).Object(Values{Time: time.Now()}, records)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if n, err := o.WriteTo(&body); err != nil || n != int64(body.Len()) {
			t.Errorf("WriteTo = %d, %v, want %d", n, err, body.Len())
		}
		if compression == "GZIP" {
			zr, err := gzip.NewReader(&body)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(zr)
			if err != nil {
				t.Fatal(err)
			}
			body = *bytes.NewBuffer(plain)
		}
		if diff := cmp.Diff("abcabc\n\x00", body.String()); diff != "" || o.ContentEncoding != encoding || o.Bucket != "b" {
			t.Errorf("%s: encoding %q, body %s", compression, o.ContentEncoding, diff)
		}
	}
}

// What is encoded already is labelled as it is, and its bytes stay.
func TestObjectEncoded(t *testing.T) {
	o, err := (&Spec{Bucket: "b", Prefix: &Prefix{}, Compression: "UNCOMPRESSED", Encoding: "hadoop-snappy"}).Object(Values{Time: time.Now()}, [][]byte{[]byte("abc")})
	if err != nil || o.ContentEncoding != "hadoop-snappy" || string(o.Body[0]) != "abc" {
		t.Errorf("Content-Encoding %q, body %q, %v", o.ContentEncoding, o.Body, err)
	}
}

func TestSpecValidate(t *testing.T) {
	for compression, ok := range map[string]bool{"UNCOMPRESSED": true, "GZIP": true, "ZIP": true, "Snappy": true, "HADOOP_SNAPPY": true, "gzip": false, "": false} {
		if err := (&Spec{Compression: compression}).Validate(); (err == nil) != ok {
			t.Errorf("Validate with compression %q: %v", compression, err)
		}
	}
}
