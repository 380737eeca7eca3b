// Package server is an http.Handler that speaks the API of Amazon Data Firehose
// (awsJson1_1, service 2015-08-04) and the part of CloudWatch that reads a
// stream's metrics. It checks signatures, forms and constraints, and words
// errors as AWS does; what the calls do is a [Backend]'s matter.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/hydrant-go/hydrant/wire"
)

// maxBodyBytes is the largest body that is read. The largest sensible call, 4
// MiB of records in base64, needs some 5.6 million bytes.
const maxBodyBytes = 8 << 20

// Config sets a server up.
type Config struct {
	// Backend does what the calls ask for. Required.
	Backend Backend
	// Metrics answers CloudWatch's GetMetricStatistics. Nil: the operation is
	// refused.
	Metrics Metrics
	// Credentials holds the secret access key of every access key id that may
	// call. With none of them, and without NoAuth, every call is refused.
	Credentials map[string]string
	// NoAuth lets everybody call. Signatures are not checked; the region still
	// comes from the signature's scope where there is one.
	NoAuth bool
	// Account is the account of every caller: 12 digits, default 000000000000.
	Account string
	// Region is the caller's when NoAuth is set and the call names none.
	// Default us-east-1.
	Region string
	// Logger gets refused calls (debug) and failures of the backend (error),
	// never a key, a signature or a record. Default slog.Default().
	Logger *slog.Logger
}

// New returns a handler, for any [http.Server]. It keeps no state between calls
// and may serve any number of them at once. It sets no timeouts: those are the
// http.Server's.
func New(cfg Config) http.Handler {
	cfg.Account = cmp.Or(cfg.Account, "000000000000")
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &server{cfg}
}

type server struct{ Config }

// operation runs one checked call and returns the answer's body.
type operation func(s *server, ctx context.Context, c Caller, body []byte) ([]byte, error)

// operations is every operation of Firehose's API.
var operations = map[string]operation{
	"CreateDeliveryStream":          (*server).createDeliveryStream,
	"DeleteDeliveryStream":          (*server).deleteDeliveryStream,
	"DescribeDeliveryStream":        (*server).describeDeliveryStream,
	"ListDeliveryStreams":           (*server).listDeliveryStreams,
	"ListTagsForDeliveryStream":     unbuilt("ListTagsForDeliveryStream"),
	"PutRecord":                     (*server).putRecord,
	"PutRecordBatch":                (*server).putRecordBatch,
	"StartDeliveryStreamEncryption": unbuilt("StartDeliveryStreamEncryption"),
	"StopDeliveryStreamEncryption":  unbuilt("StopDeliveryStreamEncryption"),
	"TagDeliveryStream":             unbuilt("TagDeliveryStream"),
	"UntagDeliveryStream":           unbuilt("UntagDeliveryStream"),
	"UpdateDestination":             unbuilt("UpdateDestination"),
}

// protocol is how a service's calls are signed and its answers are worded.
type protocol struct {
	service     string // in the scope of a signature
	contentType string
	// failure words an error.
	failure func(id string, e *wire.Error) []byte
}

var firehoseJSON = &protocol{wire.SigningName, wire.ContentType, failureJSON}

// failureJSON words an error by __type, which every SDK reads. AWS sends no
// other member with the errors that are used here.
func failureJSON(_ string, e *wire.Error) []byte {
	return mustJSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.Code, e.Message})
}

// mustJSON is for our own shapes, which hold nothing that JSON cannot.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("server: an answer that cannot be JSON: " + err.Error())
	}
	return text
}

// call is one request on its way through the server.
type call struct {
	*protocol
	w    http.ResponseWriter
	r    *http.Request
	name string // of the operation
	id   string // of the request
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{protocol: firehoseJSON, w: w, r: r, id: newRequestID()}
	w.Header().Set("X-Amzn-Requestid", c.id)
	w.Header().Set("X-Amz-Id-2", newID2())
	path := r.URL.Path
	switch {
	case r.Method == http.MethodPost && path == "/":
		s.serveTarget(c)
	case r.Method == http.MethodPost && strings.HasPrefix(path, cloudWatchPath):
		s.serveCBOR(c, strings.TrimPrefix(path, cloudWatchPath))
	case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "A local Amazon Data Firehose by Hydrant. Point an AWS SDK's endpoint for firehose and cloudwatch here.\n")
	default:
		s.fail(c, &wire.Error{
			Status: http.StatusNotFound, Code: wire.CodeUnknownOperation,
			Message: fmt.Sprintf("The local Firehose has nothing at %s %s: the operations are called by POST / with X-Amz-Target.", r.Method, path),
		})
	}
}

// serveTarget finds a JSON call's operation by X-Amz-Target.
func (s *server) serveTarget(c *call) {
	target := c.r.Header.Get("X-Amz-Target")
	if name, ok := strings.CutPrefix(target, cloudWatchTarget); ok {
		s.serveCloudWatchJSON(c, name)
		return
	}
	if target == "" && strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		s.refuseQuery(c)
		return
	}
	c.name = strings.TrimPrefix(target, wire.TargetPrefix)
	op := operations[c.name]
	if op == nil || c.name == target {
		s.fail(c, wire.Errorf(wire.CodeUnknownOperation, "Firehose has no operation X-Amz-Target: %q; one begins with %s", target, wire.TargetPrefix))
		return
	}
	s.serve(c, op)
}

// serve takes a call in, runs its operation and answers.
func (s *server) serve(c *call, op operation) {
	answer, err := s.run(c, op)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.answer(http.StatusOK, answer)
}

func (s *server) run(c *call, op operation) ([]byte, error) {
	body, err := readBody(c.r)
	if err != nil {
		return nil, err
	}
	caller, err := s.caller(c.r, c.service, body)
	if err != nil {
		return nil, err
	}
	return op(s, c.r.Context(), caller, body)
}

// readBody reads a request's body, into one piece of memory where its length is
// known. How AWS words the two errors is not known.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBodyBytes {
		return nil, errTooLarge
	}
	var body []byte
	var err error
	if n := r.ContentLength; n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, maxBodyBytes+1))
	}
	switch {
	case err != nil:
		return nil, &wire.Error{
			Status: http.StatusRequestTimeout, Code: "RequestTimeoutException",
			Message: "The request's body came too slowly or broke off: " + err.Error(),
		}
	case len(body) > maxBodyBytes:
		return nil, errTooLarge
	}
	return body, nil
}

var errTooLarge = &wire.Error{
	Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
	Message: fmt.Sprintf("The request's body is larger than %d bytes.", maxBodyBytes),
}

// fail answers with an error, as [Backend] says.
func (s *server) fail(c *call, err error) {
	if errors.Is(err, ErrReset) {
		reset(c.w)
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	level := slog.LevelDebug
	if !ok {
		e = &wire.Error{Status: http.StatusInternalServerError, Code: wire.CodeInternalFailure, Message: "The request processing has failed because of an unknown error, exception or failure."}
		if c.r.Context().Err() == nil { // else nobody is there to read it, and err says only that
			level = slog.LevelError
		}
	}
	s.Logger.LogAttrs(c.r.Context(), level, "call refused", slog.String("operation", c.name), slog.String("code", e.Code),
		slog.Any("error", err), slog.String("request_id", c.id))
	status := cmp.Or(e.Status, http.StatusBadRequest)
	if c.r.Header.Get("X-Amzn-Query-Mode") == "true" {
		c.w.Header().Set("X-Amzn-Query-Error", queryError(status, e.Code))
	}
	c.answer(status, c.failure(c.id, e))
}

func (c *call) answer(status int, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", c.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	c.w.Write(body) // an error means that nobody is there to be told
}

// reset breaks the connection off: the peer of a TCP connection gets a reset
// instead of an orderly end, as when a host goes down.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the server resets the call's stream
	}
	under := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn() // of a TLS connection
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // failing, it closes in the ordinary way
	}
	_ = under.Close()
}

// newRequestID returns a random UUID (version 4), the form of AWS's request ids.
func newRequestID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// newID2 returns what stands in x-amz-id-2, which is opaque.
func newID2() string {
	var b [48]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
