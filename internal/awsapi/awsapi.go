// Package awsapi is what the APIs of AWS have in common, seen from the server:
// signatures, finding the operation that is called, the protocols that bodies
// are written in, the wording of errors, and bodies of bounded size. What the
// operations do is the matter of the [Service]s behind it.
package awsapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/hydrant-go/hydrant/wire"
)

// ErrReset is what an operation returns to break the connection off without an
// answer, by a TCP reset where there is TCP.
var ErrReset = errors.New("awsapi: reset the connection")

// Caller is who makes a call, as its credentials say.
type Caller struct {
	Account string // 12 digits
	Region  string // of the signature's scope
}

// ARN names a resource of the caller's: resource is what follows the account.
func (c Caller) ARN(service, resource string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(c.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(c.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return strings.Join([]string{"arn", partition, service, c.Region, c.Account, resource}, ":")
}

// Service is an API: a set of operations in the protocols that it is known to
// speak.
type Service struct {
	Name    string // for people: Firehose
	Signing string // in the scope of a signature: firehose
	// Target is what X-Amz-Target begins with, in front of the operation's name;
	// JSON is the content type of those calls.
	Target, JSON string
	// CBOR is the path in front of the operation's name in rpc-v2-cbor; empty if
	// it is not spoken.
	CBOR string
	// Version is the API's in the Query protocol, such as 2010-08-01, and finds the
	// service there; empty if Query is not spoken. Namespace is that of its XML.
	Version, Namespace string
	// Operations by name. One that is nil is known and not supported.
	Operations map[string]Operation
	// QueryError gives an error's code in the Query protocol where it is another
	// than in the others; nil if it never is.
	QueryError func(code string) string
}

// Operation runs one call whose signature is checked. It returns what the answer
// holds: a struct that the call's protocol encodes by the names of its members, as
// encoding/json does with its tags; nil if the operation has no output; or a []byte,
// which is sent as it is. An error is a [*wire.Error], which the client gets as it
// is; [ErrReset]; or any other, which the client sees as InternalFailure (HTTP 500).
type Operation func(context.Context, *Call) (any, error)

// Input is an operation whose input is decoded into an In.
func Input[In any](op func(context.Context, *Call, *In) (any, error)) Operation {
	return func(ctx context.Context, c *Call) (any, error) {
		in := new(In)
		if err := c.Decode(in); err != nil {
			return nil, err
		}
		return op(ctx, c, in)
	}
}

// Unsupported adds operations that are known and refused by name. Spaces separate the
// names.
func (s *Service) Unsupported(names string) {
	for name := range strings.FieldsSeq(names) {
		s.Operations[name] = nil
	}
}

// Call is what an operation is called with.
type Call struct {
	Caller
	Name string // of the operation
	// Body is the input, decompressed. Its memory is used again when the operation
	// returns.
	Body []byte
	// Sent is the length of the body as it travelled, compressed or not.
	Sent int

	service  *Service
	protocol *protocol
	w        http.ResponseWriter
	r        *http.Request
	id       string // of the request
	holding
}

// Decode reads the body into v, a pointer to a struct. Members are found by name, as
// encoding/json finds them; those that v has not are passed over.
func (c *Call) Decode(v any) error {
	if err := c.Admit(); err != nil {
		return err
	}
	if err := c.protocol.decode(c.Body, v); err != nil {
		return wire.Errorf(wire.CodeSerialization, "the body is not valid for %s: %v", c.Name, err)
	}
	return nil
}

// Config sets a handler up.
type Config struct {
	Services []*Service
	// Other gets what is no call of a service. Nil: it is refused.
	Other http.Handler
	// S3 gets calls that are signed for S3, once their signatures are checked, with
	// their bodies decoded. With NoAuth it also gets what is no call of a service
	// and not Mine, which then is Other's.
	S3   http.Handler
	Mine func(*http.Request) bool
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
	// Logger gets refused calls (debug) and failures of operations (error), never
	// a key, a signature or a body. Default slog.Default().
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
	return &front{cfg, newRooms()}
}

type front struct {
	Config
	rooms
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &Call{w: w, r: r, id: uuid.NewString(), service: f.Services[0], holding: holding{rooms: f.rooms}}
	defer c.free()
	c.protocol = jsonProtocol(c.service)
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{c.id}
	h["X-Amz-Id-2"] = []string{newID2()}
	if f.S3 != nil && isS3(r) {
		f.serveS3(c)
		return
	}
	ours, err := f.route(c)
	switch {
	case err != nil:
		f.fail(c, err)
	case ours:
		f.serve(c)
	case f.takesS3(r):
		f.serveS3(c)
	default:
		f.Other.ServeHTTP(w, r)
	}
}

// route finds the protocol and, where the body need not be read for it, the service
// and the operation. It tells whether this is a call of a service at all.
func (f *front) route(c *Call) (ours bool, err error) {
	path, target := c.r.URL.Path, c.r.Header.Get("X-Amz-Target")
	nobody := f.Other == nil && !f.takesS3(c.r)
	if c.r.Method == http.MethodPost {
		for _, s := range f.Services {
			if name, ok := strings.CutPrefix(path, s.CBOR); ok && s.CBOR != "" {
				return true, c.cbor(s, name)
			}
		}
		switch {
		case path != "/":
		case target == "" && isForm(c.r):
			c.protocol = queryProtocol // action finds the rest in the body
			return true, nil
		case target != "" || nobody:
			return true, f.target(c, target)
		}
	}
	if nobody {
		return false, &wire.Error{
			Status: http.StatusNotFound, Code: wire.CodeUnknownOperation,
			Message: fmt.Sprintf("The local Firehose has nothing at %s %s: the operations are called by POST / with X-Amz-Target.", c.r.Method, path),
		}
	}
	return false, nil
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// target finds a JSON call's operation by X-Amz-Target.
func (f *front) target(c *Call, target string) error {
	for _, s := range f.Services {
		name, ok := strings.CutPrefix(target, s.Target)
		if !ok || s.Target == "" {
			continue
		}
		c.service, c.protocol = s, jsonProtocol(s)
		if _, ok := s.Operations[name]; ok {
			c.Name = name
			return nil
		}
		return wire.Errorf(wire.CodeUnknownOperation, "%s has no operation X-Amz-Target: %q", s.Name, target)
	}
	return wire.Errorf(wire.CodeUnknownOperation, "There is no operation X-Amz-Target: %q here; one of Firehose begins with %s", target, wire.TargetPrefix)
}

// serve takes a call in, runs its operation and answers.
func (f *front) serve(c *Call) {
	answer, err := f.run(c)
	if err != nil {
		f.fail(c, err)
		return
	}
	c.answer(http.StatusOK, answer)
}

func (f *front) run(c *Call) (answer []byte, err error) {
	sent, err := c.read(c.r)
	if err != nil {
		return nil, refusal(err)
	}
	if c.Body, err = c.plain(sent); err != nil {
		return nil, err
	}
	c.Sent = len(sent)
	if c.Name == "" {
		if err := c.Admit(); err != nil {
			return nil, err
		}
		if err := f.action(c); err != nil {
			return nil, err
		}
	}
	if c.Caller, err = f.caller(c.r, c.service.Signing, sent); err != nil {
		return nil, err
	}
	op := c.service.Operations[c.Name]
	if op == nil {
		return nil, NotImplemented("The local Firehose does not support %s's %s.", c.service.Name, c.Name)
	}
	out, err := op(c.r.Context(), c)
	if err != nil {
		return nil, err
	}
	if answer, ok := out.([]byte); ok {
		return answer, nil
	}
	return c.protocol.encode(c, out), nil
}

// NotImplemented is an error that no client's SDK tries again (HTTP 501).
func NotImplemented(format string, args ...any) error {
	err := wire.Errorf(wire.CodeNotImplemented, format, args...)
	err.Status = http.StatusNotImplemented
	return err
}

// fail answers with an error, as [Operation] says.
func (f *front) fail(c *Call, err error) {
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
	f.Logger.LogAttrs(c.r.Context(), level, "call refused", slog.String("operation", c.Name), slog.String("code", e.Code),
		slog.Any("error", err), slog.String("request_id", c.id))
	status := cmp.Or(e.Status, http.StatusBadRequest)
	if c.r.Header.Get("X-Amzn-Query-Mode") == "true" {
		code, fault := c.service.queryError(status, e.Code)
		c.w.Header().Set("X-Amzn-Query-Error", code+";"+fault)
	}
	c.answer(status, c.protocol.failure(c, status, e))
}

func (c *Call) answer(status int, body []byte) {
	h := c.w.Header()
	if len(body) > 0 {
		h["Content-Type"] = []string{c.protocol.contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // an error means that nobody is there to be told
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

// newID2 returns what stands in x-amz-id-2, which is opaque.
func newID2() string {
	var b [48]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}
