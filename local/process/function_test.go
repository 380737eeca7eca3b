package process

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hydrant-go/hydrant/internal/memnet"
)

// event is what a function gets, as aws-lambda-go has it.
type event struct {
	InvocationID      string        `json:"invocationId"`
	DeliveryStreamArn string        `json:"deliveryStreamArn"`
	Region            string        `json:"region"`
	Records           []eventRecord `json:"records"`
}

type eventRecord struct {
	RecordID string `json:"recordId"`
	Arrival  int64  `json:"approximateArrivalTimestamp"`
	Data     []byte `json:"data"`
}

// reply is what a function's service answers: JSON of body, or body if it is text.
type reply struct {
	status int // 0 is 200
	header http.Header
	body   any
}

func row(id, result, data string) map[string]any {
	return map[string]any{"recordId": id, "result": result, "data": []byte(data)}
}

func (e event) answer(each func(i int, r eventRecord) any) reply {
	rows := []any{}
	for i, r := range e.Records {
		rows = append(rows, each(i, r))
	}
	return reply{body: map[string]any{"records": rows}}
}

// echo returns records as they are.
func echo(e event) reply {
	return e.answer(func(_ int, r eventRecord) any { return row(r.RecordID, "Ok", string(r.Data)) })
}

// refused is an answer of Lambda's API.
func refused(status int, code, message string) reply {
	return reply{status, http.Header{"X-Amzn-Errortype": {code}}, map[string]any{"Type": "User", "Message": message}}
}

var crashed = reply{header: http.Header{"X-Amz-Function-Error": {"Unhandled"}}, body: map[string]any{"errorMessage": "Task timed out after 3.00 seconds"}}

var testCredentials = aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}

func (f *function) Retrieve(context.Context) (aws.Credentials, error) { return testCredentials, nil }

// function is a Lambda function behind Lambda's API on a real socket. It checks
// every request.
type function struct {
	t      *testing.T
	url    string
	answer func(event) reply

	mu     sync.Mutex // guards the fields below
	bodies [][]byte
}

func newFunction(t *testing.T, answer func(event) reply) *function {
	f := &function{t: t, answer: answer}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	f.bodies = append(f.bodies, body)
	f.mu.Unlock()
	if want := "/2015-03-31/functions/" + functionArn + "/invocations"; r.Method != "POST" || r.URL.Path != want || !strings.Contains(r.RequestURI, "arn%3Aaws%3Alambda") {
		f.t.Errorf("%s %s, want POST %s with its colons escaped", r.Method, r.RequestURI, want)
	}
	if got := r.Header.Get("X-Amz-Invocation-Type"); got != "RequestResponse" {
		f.t.Errorf("invocation type %q", got)
	}
	if err := checkSignature(r, body); err != nil {
		f.t.Error(err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var e event
	if err := dec.Decode(&e); err != nil {
		f.t.Error(err)
	}
	a := f.answer(e)
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(cmp.Or(a.status, 200))
	text, isText := a.body.(string)
	if !isText {
		b, _ := json.Marshal(a.body)
		text = string(b)
	}
	_, _ = io.WriteString(w, text)
}

// checkSignature has the SDK sign the request that came, and compares.
func checkSignature(r *http.Request, body []byte) error {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.RequestURI, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Content-Type", "X-Amz-Invocation-Type"} {
		again.Header.Set(name, r.Header.Get(name))
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return fmt.Errorf("the date of a signature: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), testCredentials, again, hex.EncodeToString(sum[:]), "lambda", "eu-west-2", at); err != nil {
		return err
	}
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("signature\n%s, want\n%s", got, want)
	}
	return nil
}

func (f *function) calls() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies
}

func (f *function) processor(namesAndValues ...string) Processor {
	return processor("Lambda", append([]string{"LambdaArn", functionArn}, namesAndValues...)...)
}

func (f *function) config(processors ...Processor) Config {
	return Config{
		Processors: processors, StreamARN: streamARN, Region: "eu-west-1", DynamicPartitioning: true,
		Lambda: LambdaConfig{Endpoint: f.url, Credentials: f, RetryWait: time.Nanosecond},
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (f *function) chain(t *testing.T, processors ...Processor) *Chain {
	t.Helper()
	c, err := New(f.config(processors...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inMemory serves a function in a synctest bubble.
func inMemory(t *testing.T, cfg *Config, h http.HandlerFunc) {
	l := memnet.Listen()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server looks whether the client is there
		h(w, r)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	transport := &http.Transport{DialContext: l.DialContext}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		wg.Wait()
	})
	cfg.Lambda = LambdaConfig{Endpoint: "http://lambda", HTTPClient: &http.Client{Transport: transport}}
}
