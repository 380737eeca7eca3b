package hydrant_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/wire"
)

// capture is an endpoint that keeps what it is sent. answer, if set, replaces
// its answer to the n-th call, from 0.
type capture struct {
	*httptest.Server
	mu       sync.Mutex // guards the fields below
	requests []*http.Request
	bodies   []string
	conns    int
	answer   func(n int, w http.ResponseWriter) bool
}

func newCapture(t *testing.T, overTLS bool) *capture {
	c := &capture{}
	c.Server = httptest.NewUnstartedServer(c)
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.conns++
		}
	}
	if overTLS {
		c.EnableHTTP2 = true // whoever wants it would get it
		c.StartTLS()
	} else {
		c.Start()
	}
	t.Cleanup(c.Close)
	return c
}

func (c *capture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeDeliveryStream") {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"AccessDeniedException"}`)
		return
	}
	c.mu.Lock()
	n, answer := len(c.requests), c.answer
	c.requests, c.bodies = append(c.requests, r), append(c.bodies, string(body))
	c.mu.Unlock()
	if answer != nil && answer(n, w) {
		return
	}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutRecord") {
		_, _ = io.WriteString(w, `{"RecordId":"id","Encrypted":false}`)
		return
	}
	in, err := wire.DecodePutRecordBatch(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	resp := wire.PutResponse{}
	for range in.Records {
		resp.Entries = append(resp.Entries, wire.PutEntry{RecordID: "id"})
	}
	_, _ = w.Write(wire.AppendPutRecordBatchResponse(nil, resp))
}

func (c *capture) aws() *aws.Config {
	return &aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(c.URL),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "token"),
	}
}

// producer sends to c, and puts what fails into the memory that it returns.
func (c *capture) producer(t *testing.T, cfg hydrant.Config) (*hydrant.Producer, *memory) {
	t.Helper()
	dead := &memory{}
	if cfg.AWS == nil {
		cfg.AWS = c.aws()
	}
	cfg.Stream, cfg.Linger, cfg.DeadLetter, cfg.Logger = stream, -1, dead, slog.New(slog.DiscardHandler)
	cfg.BackoffBase = time.Millisecond
	p, err := hydrant.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p, dead
}

func putAll(t *testing.T, p *hydrant.Producer, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := p.Put(t.Context(), []byte(r)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

func closeNow(t *testing.T, p *hydrant.Producer) {
	t.Helper()
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What the producer sends is what the SDK would: body, path, and every header
// that the service reads or the signature covers.
func TestSameRequestAsTheSDK(t *testing.T) {
	for _, single := range []bool{false, true} {
		c := newCapture(t, false)
		data := []byte(strings.Repeat("<é\x00\"\\&>", 40) + "\n")
		sdk := firehose.NewFromConfig(*c.aws())
		cfg := hydrant.Config{}
		var err error
		if single {
			cfg.BatchRecords = 1
			_, err = sdk.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String(stream), Record: &types.Record{Data: data}})
		} else {
			_, err = sdk.PutRecordBatch(t.Context(), &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(stream), Records: []types.Record{{Data: data}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		p, _ := c.producer(t, cfg)
		putAll(t, p, string(data))
		closeNow(t, p)
		if len(c.bodies) != 2 {
			t.Fatalf("%d requests, want 2", len(c.bodies))
		}
		if c.bodies[0] != c.bodies[1] {
			t.Errorf("the SDK sent %s\nthe producer  %s", c.bodies[0], c.bodies[1])
		}
		shape := func(r *http.Request) map[string]string {
			m := map[string]string{"": fmt.Sprintf("%s %s %s %s %d", r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength)}
			for name, values := range r.Header {
				switch name {
				case "User-Agent", "Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request":
				case "X-Amz-Date":
					m[name] = fmt.Sprint(len(values[0]))
				case "Authorization": // "… Credential=AKID/DATE/…, SignedHeaders=…, Signature=…"
					m[name], _, _ = strings.Cut(values[0], "SignedHeaders=")
				default:
					m[name] = values[0]
				}
			}
			return m
		}
		if diff := gocmp.Diff(shape(c.requests[0]), shape(c.requests[1])); diff != "" {
			t.Errorf("from the SDK's request to the producer's:\n%s", diff)
		}
		for _, header := range []string{"content-length;", "content-type;", "host;", "x-amz-date;", "x-amz-security-token;", "x-amz-target"} {
			if auth := c.requests[1].Header.Get("Authorization"); !strings.Contains(auth, header) {
				t.Errorf("%s is not signed: %s", header, auth)
			}
		}
	}
}

// Who hooks into the SDK's calls, or brings a client, gets the SDK's calls.
func TestHooksGetTheSDKsCalls(t *testing.T) {
	hooks := map[string]func(*hydrant.Config, *capture){
		"APIOptions": func(cfg *hydrant.Config, _ *capture) {
			cfg.AWS.APIOptions = append(cfg.AWS.APIOptions, func(*middleware.Stack) error { return nil })
		},
		"Interceptors": func(cfg *hydrant.Config, _ *capture) {
			cfg.AWS.Interceptors.BeforeTransmit = append(cfg.AWS.Interceptors.BeforeTransmit, nothing{})
		},
		"ClientLogMode": func(cfg *hydrant.Config, _ *capture) { cfg.AWS.ClientLogMode = aws.LogRetries },
		"Client":        func(cfg *hydrant.Config, c *capture) { cfg.Client = firehose.NewFromConfig(*c.aws()) },
		"none":          func(*hydrant.Config, *capture) {},
		"none, from the environment": func(cfg *hydrant.Config, c *capture) {
			found, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(c.URL),
				config.WithCredentialsProvider(c.aws().Credentials))
			if err != nil {
				t.Fatal(err)
			}
			cfg.AWS = &found
		},
	}
	for name, hook := range hooks {
		c := newCapture(t, false)
		cfg := hydrant.Config{AWS: c.aws()}
		hook(&cfg, c)
		p, _ := c.producer(t, cfg)
		putAll(t, p, "a")
		closeNow(t, p)
		agent := c.requests[0].Header.Get("User-Agent")
		if sdk := strings.HasPrefix(agent, "aws-sdk-go-v2/"); sdk == strings.HasPrefix(name, "none") {
			t.Errorf("%s: the request comes from %q", name, agent)
		}
	}
}

type nothing struct{}

func (nothing) BeforeTransmit(context.Context, *smithyhttp.InterceptorContext) error { return nil }

// Region, endpoint and switches are found as the SDK finds them.
func TestEndpoint(t *testing.T) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "config")
	if err := os.WriteFile(profile, []byte("[default]\nservices = s\n[services s]\nfirehose =\n  endpoint_url = http://from.file:1234/base\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"region", nil, "https://firehose.eu-west-1.amazonaws.com/"},
		{"China", map[string]string{"AWS_REGION": "cn-north-1"}, "https://firehose.cn-north-1.amazonaws.com.cn/"},
		{"FIPS", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://firehose-fips.eu-west-1.amazonaws.com/"},
		{"dual stack", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://firehose.eu-west-1.api.aws/"},
		{"variable", map[string]string{"AWS_ENDPOINT_URL": "http://any:1", "AWS_ENDPOINT_URL_FIREHOSE": "http://for.firehose:2"}, "http://for.firehose:2/"},
		{"file", map[string]string{"AWS_CONFIG_FILE": profile}, "http://from.file:1234/base/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
			t.Setenv("AWS_REGION", "eu-west-1")
			t.Setenv("AWS_CA_BUNDLE", "")
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			asked := make(chan string, 100)
			cfg, err := config.LoadDefaultConfig(t.Context(),
				config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("a", "b", "")),
				config.WithHTTPClient(doFunc(func(req *http.Request) (*http.Response, error) {
					if !strings.HasSuffix(req.Header.Get("X-Amz-Target"), ".DescribeDeliveryStream") {
						asked <- req.URL.String()
					}
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}`))}, nil
				})))
			if err != nil {
				t.Fatal(err)
			}
			p, err := hydrant.New(t.Context(), hydrant.Config{Stream: stream, AWS: &cfg, Linger: -1})
			if err != nil {
				t.Fatal(err)
			}
			putAll(t, p, "a")
			closeNow(t, p)
			if got := <-asked; got != tt.want {
				t.Errorf("sent to %s, want %s", got, tt.want)
			}
		})
	}

	for name, cfg := range map[string]aws.Config{
		"a region": {Region: "not a region", Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
		"a host":   {Region: "us-east-1", BaseEndpoint: aws.String("localhost"), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
	} {
		if _, err := hydrant.New(t.Context(), hydrant.Config{Stream: stream, AWS: &cfg}); err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("what is not %s: %v, want an error about the endpoint", name, err)
		}
	}
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// A wrong clock is put right by the service's own, but not by the date of any
// other failure.
func TestClockIsCorrected(t *testing.T) {
	const ahead = 40 * time.Minute
	failures := []string{
		`{"__type":"InternalFailure"}`,
		`{"__type":"InvalidSignatureException","message":"Signature expired: 20260101T000000Z is now earlier than …"}`,
	}
	c := newCapture(t, false)
	c.answer = func(n int, w http.ResponseWriter) bool {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		if n < len(failures) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, failures[n])
		}
		return n < len(failures)
	}
	p, dead := c.producer(t, hydrant.Config{})
	putAll(t, p, "a")
	closeNow(t, p)
	if len(dead.records) > 0 || len(c.requests) != 3 {
		t.Fatalf("%d calls, dead: %+v", len(c.requests), dead.records)
	}
	for i, want := range []time.Duration{0, 0, ahead} {
		at, err := time.Parse("20060102T150405Z", c.requests[i].Header.Get("X-Amz-Date"))
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(at) - want; off.Abs() > time.Minute {
			t.Errorf("call %d is signed for %v, %v off", i, at, off)
		}
	}
}

// What is no answer of Firehose is a failed call like any other.
func TestOddAnswers(t *testing.T) {
	const good = `{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"1"}]}`
	write := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter)
		failed int64
		dead   string // its code and message, if the record dies
	}{
		"a proxy's page":   {write(502, "<html>\n\t<h1>Bad Gateway</h1>"), 1, ""},
		"nothing":          {write(200, ""), 1, ""},
		"not JSON":         {write(200, "OK"), 1, ""},
		"cut short":        {write(200, good[:40]), 1, ""},
		"a redirect":       {func(w http.ResponseWriter) { w.Header().Set("Location", "/"); write(307, "")(w) }, 1, ""},
		"endless":          {func(w http.ResponseWriter) { _, _ = w.Write(append(bytes.Repeat([]byte{' '}, 5<<20), good...)) }, 1, ""},
		"without a length": {func(w http.ResponseWriter) { w.(http.Flusher).Flush(); _, _ = io.WriteString(w, good) }, 0, ""},
		"a type in the header": {func(w http.ResponseWriter) {
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException:http://x/")
			write(400, `{"message":"Firehose logs not found"}`)(w)
		}, 1, "ResourceNotFoundException Firehose logs not found"},
		"a page that forbids it": {write(403, "<html><b>Blocked</b> by  policy</html>"), 1, " <html><b>Blocked</b> by policy</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCapture(t, false)
			c.answer = func(n int, w http.ResponseWriter) bool {
				if n == 0 {
					tt.answer(w)
				}
				return n == 0
			}
			p, dead := c.producer(t, hydrant.Config{})
			putAll(t, p, "a")
			closeNow(t, p)
			s := p.Stats()
			if s.FailedCalls != tt.failed || s.Delivered+s.DeadLettered != 1 {
				t.Errorf("%+v", s)
			}
			got := ""
			for _, d := range dead.records {
				got += d.Code + " " + d.Message
			}
			if got != tt.dead {
				t.Errorf("dead: %q, want %q", got, tt.dead)
			}
		})
	}
}

// Calls one after the other take one connection, HTTP/1.1; a new one resumes the
// TLS session.
func TestConnectionsAreKept(t *testing.T) {
	c := newCapture(t, true)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	if err := os.WriteFile(bundle, block, 0o600); err != nil || !x509.NewCertPool().AppendCertsFromPEM(block) {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(c.URL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("a", "b", "")))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := c.producer(t, hydrant.Config{AWS: &cfg, Packing: hydrant.PackOff, BatchBytes: 4 << 20})
	putAll(t, p, "a")
	warm := c.conns // one, or two if New's was still busy with its answer
	putAll(t, p, "b", "c")
	if c.conns != warm || warm > 2 {
		t.Errorf("%d connections for the first call, %d after three", warm, c.conns)
	}
	large := make([]byte, 1_000_000) // many writes of TLS
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	large[len(large)-1] = '\n'
	putAll(t, p, string(large))
	if in, err := wire.DecodePutRecordBatch([]byte(c.bodies[len(c.bodies)-1])); err != nil || !bytes.Equal(in.Records[0], large) {
		t.Errorf("a large record came as %d bytes, error %v", len(c.bodies[len(c.bodies)-1]), err)
	}
	c.CloseClientConnections()
	putAll(t, p, "d")
	closeNow(t, p)
	for i, r := range c.requests {
		if r.Proto != "HTTP/1.1" || r.TLS.Version < tls.VersionTLS12 {
			t.Errorf("request %d by %s, TLS %x", i, r.Proto, r.TLS.Version)
		}
	}
	if last := c.requests[len(c.requests)-1]; c.conns > 2*warm || c.conns == warm || !last.TLS.DidResume {
		t.Errorf("%d connections, resumed: %v", c.conns, last.TLS.DidResume)
	}
}

// A server that is not the one to be trusted gets no record, and none counts as
// maybe stored; nor does one that never answers the handshake.
func TestHandshakeFails(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, tt := range map[string]struct{ url, want string }{
		"untrusted": {newCapture(t, true).URL, "certificate"},
		"silent":    {"https://" + silent.Addr().String(), "no TLS handshake within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &aws.Config{
				Region: "us-east-1", BaseEndpoint: &tt.url, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSHandshakeTimeout = 50 * time.Millisecond }),
			}
			p, err := hydrant.New(t.Context(), hydrant.Config{Stream: stream, AWS: cfg, MaxAttempts: 2, BackoffBase: time.Millisecond, DeadLetter: &memory{}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			var fate hydrant.Ack
			if err := p.PutFunc(t.Context(), []byte("secret"), func(a hydrant.Ack) { fate = a }); err != nil {
				t.Fatal(err)
			}
			closeNow(t, p)
			if fate.Err == nil || fate.MaybeDuplicate || !strings.Contains(fate.Err.Error(), tt.want) {
				t.Errorf("%+v", fate)
			}
		})
	}
}

// The memory of a request is not used again while net/http may read it.
func TestBodyIsNotReusedWhileItIsRead(t *testing.T) {
	var kept []io.Reader
	var want []string
	p, err := hydrant.New(t.Context(), hydrant.Config{Stream: stream, Linger: -1, AWS: &aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient: doFunc(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.Header.Get("X-Amz-Target"), ".PutRecordBatch") {
				kept = append(kept, req.Body) // and does not close it, like a transport that is behind
			}
			answer := `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}`
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer))}, nil
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		data := fmt.Sprintf("record %d\n", i)
		putAll(t, p, data)
		want = append(want, string(wire.AppendPutRecordBatch(nil, stream, [][]byte{[]byte(data)})))
	}
	closeNow(t, p)
	for i, r := range kept {
		if got, _ := io.ReadAll(r); string(got) != want[i] {
			t.Fatalf("request %d read late is %s, want %s", i, got, want[i])
		}
	}
}

// A call that never left is no reason to call a record a possible duplicate.
func TestFailureBeforeSending(t *testing.T) {
	c := newCapture(t, false)
	cfg := hydrant.Config{AWS: c.aws()}
	fails := 0
	cfg.AWS.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		if fails++; fails == 3 { // New asks, and its DescribeDeliveryStream
			return aws.Credentials{}, errors.New("no role today")
		}
		return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
	})
	p, _ := c.producer(t, cfg)
	putAll(t, p, "a")
	closeNow(t, p)
	if s := p.Stats(); s.FailedCalls != 1 || s.Delivered != 1 || s.MaybeDuplicate != 0 {
		t.Errorf("%+v", s)
	}
}
