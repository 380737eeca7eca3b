// Package server is an http.Handler that speaks the API of Amazon Data Firehose
// (awsJson1_1, service 2015-08-04). It checks signatures, forms and constraints,
// and words errors as AWS does; what the calls do is a [Backend]'s matter.
package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// Config sets a server up.
type Config struct {
	// Backend does what the calls ask for. Required.
	Backend Backend
	// AllowHTTP, which AWS does not have, lets the URL of an HTTP endpoint begin
	// with http.
	AllowHTTP bool
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
	return awsapi.New(awsapi.Config{
		Services: []*awsapi.Service{cfg.Service()}, Credentials: cfg.Credentials,
		NoAuth: cfg.NoAuth, Account: cfg.Account, Region: cfg.Region, Logger: cfg.Logger,
	})
}

// Service is the API over b, for a handler that has others beside it.
func Service(b Backend) *awsapi.Service { return Config{Backend: b}.Service() }

// Service is the API, for a handler that has others beside it. Of cfg it heeds
// Backend and AllowHTTP.
func (cfg Config) Service() *awsapi.Service {
	s := &server{cfg.Backend, cfg.AllowHTTP}
	service := &awsapi.Service{
		Name: "Firehose", Signing: wire.SigningName, Target: wire.TargetPrefix, JSON: wire.ContentType,
		Operations: map[string]awsapi.Operation{"PutRecord": s.putRecord, "PutRecordBatch": s.putRecordBatch},
	}
	for name, op := range s.controls() {
		service.Operations[name] = control(op)
	}
	return service
}

// Control runs one of the control operations (all but the puts) as the API does, for who
// calls it from inside: in is its input in JSON, out its output. Errors are those of the
// API, [*wire.Error], or the backend's own.
func (cfg Config) Control(ctx context.Context, c Caller, operation string, in []byte) (out []byte, err error) {
	op := (&server{cfg.Backend, cfg.AllowHTTP}).controls()[operation]
	if op == nil {
		return nil, wire.Errorf(wire.CodeUnknownOperation, "Firehose has no control operation %q", operation)
	}
	answer, err := op(ctx, c, in)
	if err != nil {
		return nil, err
	}
	if text, ok := answer.([]byte); ok {
		return text, nil
	}
	return awsapi.JSON(answer), nil
}

type server struct {
	Backend   Backend
	allowHTTP bool
}

// controlOp is an operation on the control side, with its input in JSON.
type controlOp func(context.Context, Caller, []byte) (any, error)

func (s *server) controls() map[string]controlOp {
	return map[string]controlOp{
		"CreateDeliveryStream":          s.createDeliveryStream,
		"DeleteDeliveryStream":          s.deleteDeliveryStream,
		"DescribeDeliveryStream":        s.describeDeliveryStream,
		"ListDeliveryStreams":           s.listDeliveryStreams,
		"ListTagsForDeliveryStream":     s.listTagsForDeliveryStream,
		"StartDeliveryStreamEncryption": s.startDeliveryStreamEncryption,
		"StopDeliveryStreamEncryption":  s.stopDeliveryStreamEncryption,
		"TagDeliveryStream":             s.tagDeliveryStream,
		"UntagDeliveryStream":           s.untagDeliveryStream,
		"UpdateDestination":             s.updateDestination,
	}
}

// control is an operation on the control side: its input is read member by member,
// so that what is not supported can be refused by name.
func control(op controlOp) awsapi.Operation {
	return func(ctx context.Context, c *awsapi.Call) (any, error) {
		if err := c.Admit(); err != nil {
			return nil, err
		}
		return op(ctx, c.Caller, c.Body)
	}
}

// empty is the answer of operations that have nothing to tell.
var empty = []byte("{}")
