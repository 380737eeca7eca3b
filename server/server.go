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
	return &awsapi.Service{
		Name: "Firehose", Signing: wire.SigningName, Target: wire.TargetPrefix, JSON: wire.ContentType,
		Operations: map[string]awsapi.Operation{
			"CreateDeliveryStream":          control(s.createDeliveryStream),
			"DeleteDeliveryStream":          control(s.deleteDeliveryStream),
			"DescribeDeliveryStream":        control(s.describeDeliveryStream),
			"ListDeliveryStreams":           control(s.listDeliveryStreams),
			"ListTagsForDeliveryStream":     control(s.listTagsForDeliveryStream),
			"PutRecord":                     s.putRecord,
			"PutRecordBatch":                s.putRecordBatch,
			"StartDeliveryStreamEncryption": control(s.startDeliveryStreamEncryption),
			"StopDeliveryStreamEncryption":  control(s.stopDeliveryStreamEncryption),
			"TagDeliveryStream":             control(s.tagDeliveryStream),
			"UntagDeliveryStream":           control(s.untagDeliveryStream),
			"UpdateDestination":             control(s.updateDestination),
		},
	}
}

type server struct {
	Backend   Backend
	allowHTTP bool
}

// control is an operation on the control side: its input is read member by member,
// so that what is not supported can be refused by name.
func control(op func(context.Context, Caller, []byte) (any, error)) awsapi.Operation {
	return func(ctx context.Context, c *awsapi.Call) (any, error) {
		if err := c.Admit(); err != nil {
			return nil, err
		}
		return op(ctx, c.Caller, c.Body)
	}
}

// empty is the answer of operations that have nothing to tell.
var empty = []byte("{}")
