package httpendpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Codes of a failed attempt.
const (
	// CodeRequestTimeout is no answer within the timeout.
	CodeRequestTimeout = "HttpEndpoint.RequestTimeout"
	// CodeResponseTooLarge is an answer whose body has more than 1 MiB.
	CodeResponseTooLarge = "HttpEndpoint.ResponseTooLarge"
	// CodeInvalidResponse is an answer 200 that does not acknowledge.
	CodeInvalidResponse = "HttpEndpoint.InvalidResponseFromDestination"
	// CodeDestination is an answer with another status than 200.
	CodeDestination = "HttpEndpoint.DestinationException"
	// CodeConnectionFailed is no connection: name, address, port, or time.
	CodeConnectionFailed = "HttpEndpoint.ConnectionFailed"
	// CodeConnectionReset is a connection that ended before the answer did.
	CodeConnectionReset = "HttpEndpoint.ConnectionReset"
	// CodeTLS is no TLS handshake, as with a certificate that is not trusted.
	CodeTLS = "HttpEndpoint.SSLHandshakeFailure"
)

// messages are the developer guide's, but for CodeTLS, whose text it does not
// give. Those of the two others go on with what was answered.
var messages = map[string]string{
	CodeRequestTimeout:   "The delivery timed out before a response was received and will be retried. If this error persists, contact the AWS Firehose service team.",
	CodeResponseTooLarge: "The response received from the endpoint is too large. Contact the owner of the endpoint to resolve this issue.",
	CodeConnectionFailed: "Unable to connect to the destination endpoint. Contact the owner of the endpoint to resolve this issue.",
	CodeConnectionReset:  "Unable to maintain connection with the endpoint. Contact the owner of the endpoint to resolve this issue.",
	CodeTLS:              "Unable to complete an SSL handshake with the endpoint. Contact the owner of the endpoint to resolve this issue.",
}

const (
	// maxAnswer is the most bytes of an answer's body. The troubleshooting page
	// counts its headers as well, the specification does not.
	maxAnswer = 1 << 20
	// maxQuoted is how much of an answer a message quotes: AWS says that it
	// cuts it, but not where.
	maxQuoted = 1 << 10
	// maxErrorMessage is the most characters of errorMessage in an answer.
	maxErrorMessage = 8192
)

// outcome is what became of an attempt. Its zero value is an acknowledgement.
type outcome struct {
	code, message string
	cause         error         // in our words; may be nil
	permanent     bool          // no use to try again
	waited        time.Duration // for the answer, once all was sent
}

// attempt sends r once. When it returns nothing reads r's records any more.
func (e *Endpoint) attempt(ctx context.Context, r *request) outcome {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel() // before Wait: it makes net/http let go of a body that nobody reads
	var p progress
	resp, err := e.transport.RoundTrip(e.httpRequest(httptrace.WithClientTrace(ctx, p.trace()), r, &open))
	var text []byte
	if err == nil {
		defer resp.Body.Close()
		text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	var o outcome
	if err != nil && (resp == nil || resp.StatusCode != http.StatusRequestEntityTooLarge) {
		o = p.failed(ctx, err)
	} else {
		o = judge(r.id, resp, text)
	}
	if sent := p.sent.Load(); sent != nil {
		o.waited = time.Since(*sent)
	}
	return o
}

// progress is how far an attempt has come. net/http tells it from goroutines of
// its own, and may go on connecting after it has found a free connection.
type progress struct {
	stage atomic.Int32
	sent  atomic.Pointer[time.Time] // nil before
}

const (
	connecting = iota
	inHandshake
	connected
	answered // at least a byte
)

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { p.stage.CompareAndSwap(connecting, inHandshake) },
		GotConn:              func(httptrace.GotConnInfo) { p.stage.Store(connected) },
		GotFirstResponseByte: func() { p.stage.Store(answered) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			now := time.Now()
			p.sent.Store(&now)
		},
	}
}

// failed is the outcome of an attempt that ended without a whole answer.
func (p *progress) failed(ctx context.Context, err error) outcome {
	code := CodeConnectionReset
	switch stage := p.stage.Load(); {
	case stage == connecting:
		code = CodeConnectionFailed
	case stage == inHandshake:
		code = CodeTLS
	case ctx.Err() != nil:
		code = CodeRequestTimeout
	case stage == answered && !cutOff(err):
		return outcome{
			code: CodeInvalidResponse, cause: err,
			message: "The response received from the specified endpoint is invalid. Contact the owner of the endpoint to resolve the issue. It is not HTTP.",
		}
	}
	return outcome{code: code, message: messages[code], cause: err}
}

// cutOff tells whether the connection broke.
func cutOff(err error) bool {
	_, broken := errors.AsType[*net.OpError](err)
	return broken || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// judge decides on a whole answer; text may be cut off, one byte beyond what is
// allowed.
//
// 413 is permanent whatever the answer looks like. The specification says so,
// but also that an answer of a wrong form counts as a 500; which of the two
// holds for, say, a proxy's page in HTML is not known.
func judge(id string, resp *http.Response, text []byte) outcome {
	switch {
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		o := destinationException(resp.StatusCode, text)
		o.permanent = true
		return o
	case len(text) > maxAnswer:
		return outcome{code: CodeResponseTooLarge, message: messages[CodeResponseTooLarge]}
	case resp.StatusCode != http.StatusOK:
		return destinationException(resp.StatusCode, text)
	}
	fault := formFault(resp)
	if fault == "" {
		fault = acknowledgementFault(id, text)
	}
	if fault == "" {
		return outcome{}
	}
	return outcome{
		code: CodeInvalidResponse,
		message: fmt.Sprintf("The response received from the specified endpoint is invalid. Contact the owner of the endpoint to resolve the issue. "+
			"Response for request %s %s. Raw response received: %d %s", id, fault, resp.StatusCode, quoted(text)),
	}
}

// destinationException has the text that AWS was seen to write in 2025. Its
// documents have older ones: "The following response was received from the
// endpoint destination. 413: …".
func destinationException(status int, text []byte) outcome {
	return outcome{
		code: CodeDestination,
		message: fmt.Sprintf("Delivery to the endpoint was unsuccessful. See Troubleshooting HTTP Endpoints in the Firehose documentation for more information. "+
			"Response received with status code. %d: %s", status, quoted(text)),
	}
}

// quoted is the beginning of an answer as text.
func quoted(text []byte) string {
	if len(text) > maxQuoted {
		cut := maxQuoted
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return string(text)
}

// formFault says what is wrong with the headers of an acknowledgement, or "".
// AWS names these faults; the texts here are ours. Whether it takes a
// Content-Type with parameters is not known: many servers can't but send a
// charset, and nobody was found to complain.
func formFault(resp *http.Response) string {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil || media != "application/json":
		return fmt.Sprintf("has the Content-Type %q and not application/json", resp.Header.Get("Content-Type"))
	case len(resp.Header.Values("Content-Encoding")) > 0:
		return fmt.Sprintf("has the Content-Encoding %q, it must have none", resp.Header.Get("Content-Encoding"))
	case resp.ContentLength < 0:
		return "has no Content-Length"
	}
	return ""
}

// acknowledgementFault says what is wrong with the body of an acknowledgement,
// or "". The first text is AWS's.
func acknowledgementFault(id string, text []byte) string {
	const unknown = "is not recognized as valid JSON or has unexpected fields"
	var fields map[string]json.RawMessage // in a struct, names in another case would do
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return unknown
	}
	for name, value := range fields {
		switch name {
		case "timestamp":
		case "requestId", "errorMessage":
			if s, ok := asString(value); !ok || name == "errorMessage" && utf8.RuneCountInString(s) > maxErrorMessage {
				return unknown
			}
		default:
			return unknown
		}
	}
	got, ok := asString(fields["requestId"])
	switch {
	case !ok:
		return "does not contain a requestId"
	case got != id:
		return fmt.Sprintf("contains another requestId, %q", got)
	case fields["timestamp"] == nil:
		return "does not contain a timestamp"
	}
	if c := fields["timestamp"][0]; c != '-' && (c < '0' || c > '9') {
		return "contains a timestamp that is not a number"
	}
	return ""
}

func asString(value json.RawMessage) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(value, &s) == nil
}
