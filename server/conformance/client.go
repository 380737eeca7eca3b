package conformance

import (
	"context"
	"fmt"
)

// Endpoint is a Firehose that cases run against, in us-east-1. Its account is
// 123456789012.
type Endpoint struct {
	URL    string
	Key    string // the access key id
	Secret string
	// Flush delivers what is buffered; nil where the endpoint delivers at once.
	Flush func(context.Context) error
}

const region = "us-east-1"

// SDK is what makes the calls of a run. None tries a call again, and none takes
// anything from the environment or from AWS's files of settings.
type SDK string

// The SDKs.
const (
	Go    SDK = "go"    // the AWS SDK for Go, which is part of the program
	Boto3 SDK = "boto3" // the AWS SDK for Python, by a python3 of its own
)

// client is an SDK at an endpoint. It is for one goroutine.
type client interface {
	// call makes a call. An error is one of the way there, or of an answer that the
	// SDK cannot read; a refusal is none.
	call(ctx context.Context, op, in, sign string) (answer, error)
	makeBucket(ctx context.Context, name string) error
	// objects reads all of a bucket's.
	objects(ctx context.Context, bucket string) ([]stored, error)
	close() error
}

// answer is what came back.
type answer struct {
	status int    // of HTTP; 0: nothing came
	body   []byte // as it came
	// What the SDK made of it: JSON of the output, or the error.
	output        []byte
	code, message string
}

// stored is an object as S3 has it.
type stored struct {
	Key      string `json:"key"`
	Encoding string `json:"encoding"` // its Content-Encoding
	Type     string `json:"type"`
	Body     []byte `json:"body"`
}

// unsigned is the signing without a signature; signings has the others.
const unsigned = "not at all"

func (s SDK) open(ctx context.Context, e Endpoint) (client, error) {
	switch s {
	case Go:
		return openGo(e), nil
	case Boto3:
		return openBoto3(ctx, e)
	}
	return nil, fmt.Errorf("the SDK %q is unknown here: there are %s and %s", s, Go, Boto3)
}
