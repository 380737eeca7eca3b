package httpendpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
)

// receiver is an endpoint with what it got.
type receiver struct {
	answer func(n int, w http.ResponseWriter, r *http.Request, id string) // n counts from 1

	mu       sync.Mutex // guards the fields below
	requests []received
}

type received struct {
	header http.Header
	host   string
	uri    string
	text   []byte // as it came
	body   sent
	at     time.Time
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := received{header: r.Header.Clone(), host: r.Host, uri: r.Method + " " + r.RequestURI + " " + r.Proto, at: time.Now()}
	var err error
	if got.text, err = io.ReadAll(r.Body); err == nil {
		body := io.Reader(bytes.NewReader(got.text))
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, err = gzip.NewReader(body)
		}
		if err == nil {
			err = json.NewDecoder(body).Decode(&got.body)
		}
	}
	if err != nil {
		got.uri = err.Error()
	}
	rc.mu.Lock()
	rc.requests = append(rc.requests, got)
	n := len(rc.requests)
	rc.mu.Unlock()
	rc.answer(n, w, r, got.header.Get("X-Amz-Firehose-Request-Id"))
}

func (rc *receiver) all() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return slices.Clone(rc.requests)
}

// respond answers with a body of a known length.
func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func acknowledge(_ int, w http.ResponseWriter, _ *http.Request, id string) {
	respond(w, 200, fmt.Sprintf(`{"requestId":%q,"timestamp":%d}`, id, time.Now().UnixMilli()))
}

func trust(srv *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &tls.Config{RootCAs: pool}
}

// open is an Endpoint for a test.
func open(t *testing.T, cfg Config) *Endpoint {
	t.Helper()
	cfg.AllowHTTP = true
	cfg.SourceARN = arn
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// quiet keeps a server's complaints about broken connections out of the output.
func quiet(srv *httptest.Server) *httptest.Server {
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	return srv
}

var two = [][]byte{[]byte("hello"), []byte("hello world")}

func TestRequest(t *testing.T) {
	rc := &receiver{answer: acknowledge}
	srv := httptest.NewTLSServer(rc)
	defer srv.Close()
	host := srv.Listener.Addr().String()
	plain := open(t, Config{URL: srv.URL + "/a%2Fb/?x=1&y=%20", TLS: trust(srv)})
	full := open(t, Config{
		URL: srv.URL, TLS: trust(srv), Gzip: true, AccessKey: `{"user": "a",  "password": "b"}`,
		CommonAttributes: []Attribute{{"b", "2"}, {"a", "1"}},
	})
	start := time.Now().UnixMilli()
	for _, e := range []*Endpoint{plain, full} {
		if f := e.Deliver(t.Context(), two); f != nil {
			t.Fatalf("Deliver = %+v", f)
		}
	}
	for i, want := range []received{
		{
			uri: "POST /a%2Fb/?x=1&y=%20 HTTP/1.1",
			header: http.Header{
				"Content-Type": {"application/json"}, "User-Agent": {"Amazon Kinesis Data Firehose Agent/1.0"},
				"X-Amz-Firehose-Protocol-Version": {"1.0"}, "X-Amz-Firehose-Source-Arn": {arn},
			},
		},
		{
			uri: "POST / HTTP/1.1",
			header: http.Header{
				"Content-Type": {"application/json"}, "User-Agent": {"Amazon Kinesis Data Firehose Agent/1.0"},
				"X-Amz-Firehose-Protocol-Version": {"1.0"}, "X-Amz-Firehose-Source-Arn": {arn},
				"Content-Encoding":                 {"gzip"},
				"X-Amz-Firehose-Access-Key":        {`{"user": "a",  "password": "b"}`},
				"X-Amz-Firehose-Common-Attributes": {`{"commonAttributes":{"b":"2","a":"1"}}`},
			},
		},
	} {
		got := rc.all()[i]
		want.header.Set("Content-Length", strconv.Itoa(len(got.text)))
		want.header.Set("X-Amz-Firehose-Request-Id", got.body.RequestID)
		if diff := cmp.Diff(want.header, got.header); diff != "" {
			t.Errorf("request %d: headers %s", i, diff)
		}
		if got.uri != want.uri || got.host != host {
			t.Errorf("request %d: %s to host %s, want %s to %s", i, got.uri, got.host, want.uri, host)
		}
		if diff := cmp.Diff(two, got.body.records()); diff != "" {
			t.Errorf("request %d: records %s", i, diff)
		}
		if at := got.body.Timestamp; at < start || at > time.Now().UnixMilli() {
			t.Errorf("request %d: timestamp %d", i, at)
		}
	}
	if a, b := rc.all()[0].body.RequestID, rc.all()[1].body.RequestID; a == b || len(a) != 36 {
		t.Errorf("request ids %q and %q", a, b)
	}
}

// TestAnswers is every answer that is no acknowledgement, and those that are one
// in spite of their looks.
func TestAnswers(t *testing.T) {
	body := func(status int, text string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, id string) { respond(w, status, strings.ReplaceAll(text, "ID", id)) }
	}
	header := func(name, value string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, id string) {
			text := fmt.Sprintf(`{"requestId":%q,"timestamp":1}`, id)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			w.Header()[name] = []string{value}
			if value == "" {
				w.Header()[name] = nil
			}
			_, _ = io.WriteString(w, text)
		}
	}
	raw := func(text string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, id string) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, strings.ReplaceAll(text, "ID", id))
			conn.Close()
		}
	}
	const ok = `{"requestId":"ID","timestamp":1578090903599}`
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	large := `{"requestId":"ID","timestamp":1,"errorMessage":"` // is filled to 1 MiB and more
	unknown := "is not recognized as valid JSON or has unexpected fields"
	for _, tt := range []struct {
		name    string
		answer  func(http.ResponseWriter, string)
		code    string // "" is an acknowledgement
		message string // part of it
	}{
		{"acknowledgement", body(200, ok), "", ""},
		{"spaces", body(200, " { \"timestamp\" : 1 , \"requestId\" : \"ID\" } \n"), "", ""},
		{"a fraction", body(200, `{"requestId":"ID","timestamp":1578090903599.25}`), "", ""},
		{"an error message beside it", body(200, `{"requestId":"ID","timestamp":1,"errorMessage":""}`), "", ""},
		{"with a charset", header("Content-Type", "application/json; charset=utf-8"), "", ""},

		{"other JSON", body(200, `{"code":200}`), CodeInvalidResponse, unknown},
		{"one field more", body(200, `{"requestId":"ID","timestamp":1,"ok":true}`), CodeInvalidResponse, unknown},
		{"names in another case", body(200, `{"requestID":"ID","Timestamp":1}`), CodeInvalidResponse, unknown},
		{"AWS's example", body(200, `{"requestId": null}`), CodeInvalidResponse, unknown + `. Raw response received: 200 {"requestId": null}`},
		{"no JSON", body(200, `OK`), CodeInvalidResponse, unknown},
		{"two", body(200, ok+ok), CodeInvalidResponse, unknown},
		{"a list", body(200, `[`+ok+`]`), CodeInvalidResponse, unknown},
		{"null", body(200, `null`), CodeInvalidResponse, unknown},
		{"nothing", body(200, ``), CodeInvalidResponse, unknown},
		{"an id that is a number", body(200, `{"requestId":1,"timestamp":1}`), CodeInvalidResponse, unknown},
		{"error message of another kind", body(200, `{"requestId":"ID","timestamp":1,"errorMessage":null}`), CodeInvalidResponse, unknown},
		{"error message too long", body(200, `{"requestId":"ID","timestamp":1,"errorMessage":"`+strings.Repeat("ü", 8193)+`"}`), CodeInvalidResponse, unknown},
		{"no id", body(200, `{"timestamp":1}`), CodeInvalidResponse, "does not contain a requestId"},
		{"another id", body(200, `{"requestId":"other","timestamp":1}`), CodeInvalidResponse, `contains another requestId, "other"`},
		{"no timestamp", body(200, `{"requestId":"ID"}`), CodeInvalidResponse, "does not contain a timestamp"},
		{"timestamp as text", body(200, `{"requestId":"ID","timestamp":"1578090903599"}`), CodeInvalidResponse, "timestamp that is not a number"},
		{"timestamp null", body(200, `{"requestId":"ID","timestamp":null}`), CodeInvalidResponse, "timestamp that is not a number"},
		{"no Content-Type", header("Content-Type", ""), CodeInvalidResponse, `has the Content-Type ""`},
		{"another Content-Type", header("Content-Type", "text/plain"), CodeInvalidResponse, `has the Content-Type "text/plain"`},
		{"a kind of JSON", header("Content-Type", "application/vnd.api+json"), CodeInvalidResponse, "application/vnd.api+json"},
		{"Content-Encoding", header("Content-Encoding", "identity"), CodeInvalidResponse, `has the Content-Encoding "identity"`},
		{"chunked", header("Transfer-Encoding", "chunked"), CodeInvalidResponse, "has no Content-Length"},
		{"until the end of the connection", raw(head + "\r\n" + ok), CodeInvalidResponse, "has no Content-Length"},
		{"not HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n\r\n"), CodeInvalidResponse, "It is not HTTP"},

		{"1 MiB", body(200, large+strings.Repeat("x", 1<<20-len(large)-36)+`"}`), CodeInvalidResponse, unknown},
		{"more than 1 MiB", body(200, large+strings.Repeat("x", 1<<20)+`"}`), CodeResponseTooLarge, "too large"},
		{"500 of more than 1 MiB", body(500, strings.Repeat("x", 1<<20+1)), CodeResponseTooLarge, "too large"},

		{"201", body(201, ok), CodeDestination, "Response received with status code. 201: {"},
		{"204", func(w http.ResponseWriter, _ string) { w.WriteHeader(204) }, CodeDestination, "status code. 204: "},
		{"302", func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/other"); w.WriteHeader(302) }, CodeDestination, "status code. 302: "},
		{"307", func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/other"); w.WriteHeader(307) }, CodeDestination, "status code. 307: "},
		{"401", body(401, `{"requestId":"ID","timestamp":1,"errorMessage":"Unauthorized"}`), CodeDestination, `"errorMessage":"Unauthorized"}`},
		{"429", body(429, ``), CodeDestination, "status code. 429: "},
		{"500 of any kind", func(w http.ResponseWriter, _ string) { w.WriteHeader(500); _, _ = io.WriteString(w, "<html>") }, CodeDestination, "status code. 500: <html>"},
		{"413", body(413, `{"requestId":"ID","timestamp":1,"errorMessage":"Payload too large"}`), CodeDestination, "status code. 413: {"},
		{"413 of any kind", func(w http.ResponseWriter, _ string) { w.WriteHeader(413); _, _ = io.WriteString(w, "<html>") }, CodeDestination, "status code. 413: <html>"},
		{"413 cut off", raw("HTTP/1.1 413 Too Large\r\nContent-Length: 10\r\n\r\nabc"), CodeDestination, "status code. 413: abc"},

		{"no answer", raw(""), CodeConnectionReset, "Unable to maintain connection"},
		{"half a head", raw(head), CodeConnectionReset, "Unable to maintain connection"},
		{"half a body", raw(head + "Content-Length: 100\r\n\r\n{"), CodeConnectionReset, "Unable to maintain connection"},
		{"reset", func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, CodeConnectionReset, "Unable to maintain connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rc := &receiver{answer: func(_ int, w http.ResponseWriter, _ *http.Request, id string) { tt.answer(w, id) }}
			srv := quiet(httptest.NewUnstartedServer(rc))
			srv.StartTLS()
			defer srv.Close()
			failures := open(t, Config{URL: srv.URL, TLS: trust(srv)}).Deliver(t.Context(), two)
			if n := len(rc.all()); n != 1 {
				t.Errorf("%d requests", n)
			}
			if tt.code == "" {
				if failures != nil {
					t.Errorf("Deliver = %+v", failures)
				}
				return
			}
			if len(failures) != 1 {
				t.Fatalf("Deliver = %+v, want a failure", failures)
			}
			f := failures[0]
			if f.Code != tt.code || !strings.Contains(f.Message, tt.message) {
				t.Errorf("%s: %s\nwant %s: … %s …", f.Code, f.Message, tt.code, tt.message)
			}
			if f.Permanent != strings.HasPrefix(tt.name, "413") || f.Attempts != 1 || f.From != 0 || f.To != 2 || f.Cancelled {
				t.Errorf("%+v", f)
			}
			if f.Code == CodeInvalidResponse && tt.name != "not HTTP" && !strings.Contains(f.Message, "Response for request "+rc.all()[0].body.RequestID+" ") {
				t.Errorf("%s does not name the request", f.Message)
			}
		})
	}
}

func TestNoConnection(t *testing.T) {
	plain := quiet(httptest.NewUnstartedServer(&receiver{answer: acknowledge}))
	plain.Start()
	defer plain.Close()
	secure := quiet(httptest.NewUnstartedServer(&receiver{answer: acknowledge}))
	secure.StartTLS()
	defer secure.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	cut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	go func() {
		for {
			c, err := cut.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for name, tt := range map[string]struct {
		cfg  Config
		code string
	}{
		"nobody listens":              {Config{URL: closed.URL}, CodeConnectionFailed},
		"a certificate nobody trusts": {Config{URL: secure.URL}, CodeTLS},
		"another name":                {Config{URL: secure.URL, TLS: &tls.Config{RootCAs: trust(secure).RootCAs, ServerName: "other.example"}}, CodeTLS},
		"no TLS there":                {Config{URL: "https" + strings.TrimPrefix(plain.URL, "http")}, CodeTLS},
		"closed in the handshake":     {Config{URL: "https://" + cut.Addr().String()}, CodeTLS},
		"closed at once":              {Config{URL: "http://" + cut.Addr().String()}, CodeConnectionReset},
	} {
		var logged bytes.Buffer
		tt.cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		failures := open(t, tt.cfg).Deliver(t.Context(), two)
		if len(failures) != 1 || failures[0].Code != tt.code || failures[0].Message != messages[tt.code] {
			t.Errorf("%s: %+v, want %s", name, failures, tt.code)
		}
		if !strings.Contains(logged.String(), "code="+tt.code) || !strings.Contains(logged.String(), "error=") {
			t.Errorf("%s: logged %s", name, logged.String())
		}
	}
}

// TestSplit: 20,001 records are three requests, and a request that fails for good
// takes no other with it.
func TestSplit(t *testing.T) {
	records := make([][]byte, 20_001)
	for i := range records {
		records[i] = strconv.AppendInt(nil, int64(i), 10)
	}
	var conns sync.Map
	rc := &receiver{answer: func(n int, w http.ResponseWriter, r *http.Request, id string) {
		conns.Store(r.RemoteAddr, true)
		if n == 2 || n == 3 {
			respond(w, 413, "")
			return
		}
		acknowledge(n, w, r, id)
	}}
	srv := httptest.NewTLSServer(rc)
	defer srv.Close()
	e := open(t, Config{URL: srv.URL, TLS: trust(srv), RetryFor: time.Hour})
	failures := e.Deliver(t.Context(), records)
	if len(failures) != 2 || failures[0].From != 10_000 || failures[0].To != 20_000 || failures[1].From != 20_000 || failures[1].To != 20_001 {
		t.Errorf("failures %+v", failures)
	}
	for _, f := range failures {
		if !f.Permanent || f.Attempts != 1 || f.Ended.Before(f.Began) {
			t.Errorf("%+v", f)
		}
	}
	if f := e.Deliver(t.Context(), records); f != nil {
		t.Errorf("again: %+v", f)
	}
	var got [][]byte
	ids := map[string]bool{}
	for i, r := range rc.all() {
		if i >= 3 {
			got = append(got, r.body.records()...)
		}
		ids[r.body.RequestID] = true
	}
	if !slices.EqualFunc(records, got, bytes.Equal) || len(ids) != 6 {
		t.Errorf("%d records in 3 requests, %d request ids in 6", len(got), len(ids))
	}
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections for six requests", n)
	}
	if f := e.Deliver(t.Context(), nil); f != nil || len(rc.all()) != 6 {
		t.Errorf("no records: %+v and %d requests", f, len(rc.all()))
	}
}

// TestEarlyAnswer: an endpoint may answer before it has read the request; then
// nothing reads the records once Deliver has returned (the race detector sees it).
func TestEarlyAnswer(t *testing.T) {
	srv := quiet(httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond(w, 413, "") })))
	srv.StartTLS()
	defer srv.Close()
	records := repeat(make([]byte, 1_024_000), 20)
	e := open(t, Config{URL: srv.URL, TLS: trust(srv)})
	failures := e.Deliver(t.Context(), records)
	if len(failures) != 1 || !failures[0].Permanent {
		t.Errorf("Deliver = %+v", failures)
	}
	for i := range records[0] {
		records[0][i]++
	}
}

// TestCancel: the end of the context ends everything at once.
func TestCancel(t *testing.T) {
	entered := make(chan struct{})
	srv := quiet(httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})))
	srv.StartTLS()
	defer srv.Close()
	e := open(t, Config{URL: srv.URL, TLS: trust(srv), RetryFor: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	failures := e.Deliver(ctx, make([][]byte, 25_000))
	if len(failures) != 1 || !failures[0].Cancelled || failures[0].From != 0 || failures[0].To != 25_000 || failures[0].Attempts != 0 {
		t.Errorf("Deliver = %+v", failures)
	}
}

// TestMemory: a full request takes little memory beside its records, and
// compressed not more than it is long.
func TestMemory(t *testing.T) {
	var size int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ = io.Copy(io.Discard, r.Body)
		acknowledge(1, w, r, r.Header.Get("X-Amz-Firehose-Request-Id"))
	}))
	defer srv.Close()
	record := make([]byte, 1_024_000)
	for i := range record {
		record[i] = byte(i * i >> 8)
	}
	records := repeat(record, 49) // what a request holds
	for _, gz := range []bool{false, true} {
		if gz {
			records = records[:12] // compressing takes a while under the race detector
		}
		e := open(t, Config{URL: srv.URL, Gzip: gz})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if f := e.Deliver(t.Context(), records); f != nil {
			t.Fatal(f)
		}
		runtime.ReadMemStats(&after)
		took := int64(after.TotalAlloc - before.TotalAlloc)
		limit := int64(4 << 20)
		if gz {
			limit += size
		}
		if took > limit {
			t.Errorf("gzip %v: a request of %d bytes took %d bytes of memory, want at most %d", gz, size, took, limit)
		}
	}
}

func TestErrorLine(t *testing.T) {
	f := Failure{
		Attempts: 5, Code: CodeDestination, Ended: time.UnixMilli(1594266081318),
		Message: `Received the following response from the endpoint destination. {"requestId": "109777ac-8f9b-4082-8e8d-b4f12b5fc17b"} <ü>`,
	}
	// The developer guide's example, in which the quotes of the message are not escaped.
	const want = `{"attemptsMade":5,"arrivalTimestamp":1594265943615,"errorCode":"HttpEndpoint.DestinationException",` +
		`"errorMessage":"Received the following response from the endpoint destination. {\"requestId\": \"109777ac-8f9b-4082-8e8d-b4f12b5fc17b\"} <ü>",` +
		`"attemptEndingTimestamp":1594266081318,"rawData":"c2FtcGxlIHJhdyBkYXRh","subsequenceNumber":0,` +
		`"dataId":"49607357361271740811418664280693044274821622880012337186.0"}` + "\n"
	got := f.AppendErrorLine([]byte("before"), []byte("sample raw data"), time.UnixMilli(1594265943615), "49607357361271740811418664280693044274821622880012337186")
	if diff := cmp.Diff("before"+want, string(got)); diff != "" {
		t.Error(diff)
	}
	f.Message = "a\xffb\nc" // what an endpoint answers may be anything
	if line := f.AppendErrorLine(nil, nil, time.Now(), ""); !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("%q is no line of JSON", line)
	}
}

func TestQuoted(t *testing.T) {
	if got := quoted([]byte(strings.Repeat("x", 1023) + "üü")); got != strings.Repeat("x", 1023) {
		t.Errorf("cut within a character: %q", got[1000:])
	}
}

// FuzzAcknowledgement: what is taken for an acknowledgement is one to another
// reader as well.
func FuzzAcknowledgement(f *testing.F) {
	for _, s := range []string{`{"requestId":"a","timestamp":1}`, `{"requestId":"a","timestamp":-1e9,"errorMessage":"x"}`, `{"requestId":null}`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if acknowledgementFault("a", text) != "" {
			return
		}
		var got map[string]any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		_, number := got["timestamp"].(json.Number)
		if got["requestId"] != "a" || !number {
			t.Errorf("%q was taken for an acknowledgement", text)
		}
		delete(got, "errorMessage")
		if len(got) != 2 {
			t.Errorf("%q was taken for an acknowledgement, with more fields", text)
		}
	})
}
