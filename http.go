package hydrant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/hydrant-go/hydrant/wire"
)

// httpSender makes put calls with an encoder of its own, on the SDK's endpoint,
// credentials and signer. A record's bytes are read once, for base64, and their
// text twice, for the hash that the signature needs and to be written.
type httpSender struct {
	single   bool // every call is a PutRecord
	endpoint string
	headers  http.Header // of the endpoint
	region   string
	creds    aws.CredentialsProvider
	signer   *v4.Signer
	client   aws.HTTPClient
	skew     atomic.Int64 // nanoseconds that the service's clock is ahead of ours
}

// maxAnswer bounds the memory of an answer. One to 500 records is some 120 KB
// long, and twice that if all are refused at length.
const maxAnswer = 4 << 20

var userAgent = fmt.Sprintf("hydrant lang/go#%s os/%s", strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS)

// newHTTPSender takes from an SDK client what it has resolved from settings,
// environment and files.
func newHTTPSender(ctx context.Context, o firehose.Options, single bool) (*httpSender, error) {
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, firehose.EndpointParameters{
		Region:       &o.Region,
		Endpoint:     o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return nil, fmt.Errorf("hydrant: find the endpoint of region %q: %w", o.Region, err)
	}
	if e.URI.Host == "" {
		return nil, fmt.Errorf("hydrant: the endpoint %q has no host: write it as http://HOST:PORT or https://HOST", e.URI.String())
	}
	return &httpSender{
		single:   single,
		endpoint: e.URI.JoinPath("/").String(), headers: e.Headers, region: o.Region,
		creds: o.Credentials, signer: v4.NewSigner(), client: tuned(o.HTTPClient),
	}, nil
}

func (s *httpSender) send(ctx context.Context, stream string, records [][]byte, a *answer) error {
	body := newBody()
	defer body.free()
	operation := "PutRecordBatch"
	if s.single {
		operation = "PutRecord"
		body.text = wire.AppendPutRecord(body.text, stream, records[0])
	} else {
		body.text = wire.AppendPutRecordBatch(body.text, stream, records)
	}
	req, err := s.request(ctx, operation, body)
	if err != nil {
		return &unsentError{err}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a.requestID = resp.Header.Get("X-Amzn-Requestid")
	buf := answers.Get().(*[]byte)
	defer answers.Put(buf)
	text, err := readAnswer(resp, *buf)
	*buf = text[:0]
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		e := wire.DecodeError(resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), text)
		s.learnClock(e, resp.Header.Get("Date"))
		return e
	}
	a.entries, err = s.decode(text, a.entries)
	return err
}

// request is a signed call.
func (s *httpSender) request(ctx context.Context, operation string, body *body) (*http.Request, error) {
	creds, err := s.creds.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get AWS credentials: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, body.reader())
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(body.text))
	// For a kept connection that turns out closed before a byte was written.
	req.GetBody = func() (io.ReadCloser, error) { return body.reader(), nil }
	maps.Copy(req.Header, s.headers)
	req.Header.Set("Content-Type", wire.ContentType)
	req.Header.Set("X-Amz-Target", wire.TargetPrefix+operation)
	req.Header.Set("User-Agent", userAgent)
	sum := sha256.Sum256(body.text)
	now := time.Now().Add(time.Duration(s.skew.Load()))
	if err := s.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), wire.SigningName, s.region, now); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return req, nil
}

func (s *httpSender) decode(text []byte, entries []wire.PutEntry) ([]wire.PutEntry, error) {
	if s.single {
		id, _, err := wire.DecodePutRecordResponse(text)
		if err != nil {
			return nil, err
		}
		return append(entries, wire.PutEntry{RecordID: id}), nil
	}
	resp, err := wire.DecodePutRecordBatchResponse(text, entries)
	return resp.Entries, err
}

// learnClock corrects the time of later signatures by the service's own clock,
// when that is why the call was refused.
func (s *httpSender) learnClock(e *wire.Error, date string) {
	there, err := http.ParseTime(date)
	if err == nil && e.ClockSkewed() {
		s.skew.Store(int64(time.Until(there)))
	}
}

// answers keeps the memory of answers; what is decoded does not share it.
var answers = sync.Pool{New: func() any { return new([]byte) }}

// readAnswer reads an answer into buf, or into more memory if need be.
func readAnswer(resp *http.Response, buf []byte) ([]byte, error) {
	if resp.ContentLength > maxAnswer {
		return buf, fmt.Errorf("it has %d bytes, more than %d", resp.ContentLength, maxAnswer)
	}
	if resp.ContentLength > 0 { // 0 is unknown too, where the client is somebody's own
		buf = slices.Grow(buf, int(resp.ContentLength))[:resp.ContentLength]
		_, err := io.ReadFull(resp.Body, buf)
		return buf, err
	}
	w := bytes.NewBuffer(buf)
	_, err := w.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && w.Len() > maxAnswer {
		err = fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	return w.Bytes(), err
}

// unsentError is a call that failed before a byte of it was sent.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// body is the text of a request. Its memory is used again, but never while
// net/http might still read it: that may be after the answer has come, until it
// has closed the body.
type body struct {
	text []byte
	open atomic.Int32 // readers that net/http has not closed
}

var bodies = sync.Pool{New: func() any { return &body{} }}

func newBody() *body {
	b := bodies.Get().(*body)
	b.text = b.text[:0]
	return b
}

func (b *body) free() {
	if b.open.Load() == 0 {
		bodies.Put(b)
	}
}

func (b *body) reader() io.ReadCloser {
	b.open.Add(1)
	r := &bodyReader{body: b}
	r.Reset(b.text)
	return r
}

type bodyReader struct {
	bytes.Reader
	body *body
	once sync.Once
}

func (r *bodyReader) Close() error {
	r.once.Do(func() { r.body.open.Add(-1) })
	return nil
}

// tuned is client with connections fit for put calls, if it is the SDK's kind;
// somebody's own is left as it is.
func tuned(client aws.HTTPClient) aws.HTTPClient {
	b, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return client
	}
	t := b.GetTransport()
	// HTTP/1.1 only: a few warm connections, each with a call at a time. A copied
	// transport has HTTP/2 on the list that it offers in the handshake already.
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	t.DisableCompression = true // record ids don't shrink
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	if t.TLSClientConfig.ClientSessionCache == nil {
		t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	if dial := t.DialContext; dial != nil {
		t.DialContext = wholeDial(dial)
		if t.DialTLSContext == nil {
			t.DialTLSContext = secureDial(dial, t.TLSClientConfig, t.TLSHandshakeTimeout)
		}
	}
	return &http.Client{
		Transport: t, Timeout: b.GetTimeout(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// hooked tells whether somebody looks into the SDK's calls or changes them:
// such calls must stay the SDK's own.
func hooked(cfg *aws.Config, o firehose.Options) bool {
	for _, list := range reflect.ValueOf(cfg.Interceptors).Fields() {
		if list.Len() > 0 {
			return true
		}
	}
	//lint:ignore SA1019 deprecated, but whoever still sets one means it
	return len(o.APIOptions) > 0 || o.ClientLogMode != 0 || o.EndpointResolver != nil
}
