package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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

// client is the SDK's, which keeps the last answer as it came. It is for one
// goroutine.
type client struct {
	Endpoint
	options firehose.Options
	s3      *s3.Client
	last    answer
}

// answer is what came back by HTTP.
type answer struct {
	status int
	body   []byte
}

func (e Endpoint) client() *client {
	c := &client{Endpoint: e}
	keys := credentials.NewStaticCredentialsProvider(e.Key, e.Secret, "")
	c.options = firehose.Options{BaseEndpoint: &e.URL, Region: region, Credentials: keys, RetryMaxAttempts: 1, HTTPClient: c}
	c.s3 = s3.New(s3.Options{
		BaseEndpoint: &e.URL, Region: region, Credentials: keys, RetryMaxAttempts: 1, UsePathStyle: true, DisableLogOutputChecksumValidationSkipped: true,
	})
	return c
}

// Do makes the Firehose client's calls.
func (c *client) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	c.last = answer{resp.StatusCode, body}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// signings are the ways to sign wrongly.
var signings = map[string]func(aws.Credentials, string, time.Time) (aws.Credentials, string, time.Time){
	"with another secret": func(c aws.Credentials, service string, t time.Time) (aws.Credentials, string, time.Time) {
		c.SecretAccessKey += "x"
		return c, service, t
	},
	"with an unknown key": func(c aws.Credentials, service string, t time.Time) (aws.Credentials, string, time.Time) {
		c.AccessKeyID = "AKIANOBODYKNOWSTHIS0"
		return c, service, t
	},
	"for another service": func(c aws.Credentials, _ string, t time.Time) (aws.Credentials, string, time.Time) {
		return c, "kinesis", t
	},
	"20 minutes ago": func(c aws.Credentials, service string, t time.Time) (aws.Credentials, string, time.Time) {
		return c, service, t.Add(-20 * time.Minute)
	},
	"in 20 minutes": func(c aws.Credentials, service string, t time.Time) (aws.Credentials, string, time.Time) {
		return c, service, t.Add(20 * time.Minute)
	},
}

// unsigned is the signing without a signature.
const unsigned = "not at all"

type signer struct {
	*v4.Signer
	how string
}

// SignHTTP is the SDK's hook.
func (s signer) SignHTTP(ctx context.Context, keys aws.Credentials, r *http.Request, hash, service, region string, t time.Time, o ...func(*v4.SignerOptions)) error {
	if s.how == unsigned {
		return nil
	}
	keys, service, t = signings[s.how](keys, service, t)
	return s.Signer.SignHTTP(ctx, keys, r, hash, service, region, t, o...)
}

type operation func(ctx context.Context, c *firehose.Client, in string) error

// by makes an operation of a client's method, whose input has the members' names.
func by[I, O any](method func(*firehose.Client, context.Context, *I, ...func(*firehose.Options)) (*O, error)) operation {
	return func(ctx context.Context, c *firehose.Client, in string) error {
		input := new(I)
		dec := json.NewDecoder(bytes.NewReader([]byte(in)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(input); err != nil {
			return fmt.Errorf("the case's input: %w", err)
		}
		_, err := method(c, ctx, input)
		return err
	}
}

var operations = map[string]operation{
	"CreateDeliveryStream":          by((*firehose.Client).CreateDeliveryStream),
	"DeleteDeliveryStream":          by((*firehose.Client).DeleteDeliveryStream),
	"DescribeDeliveryStream":        by((*firehose.Client).DescribeDeliveryStream),
	"ListDeliveryStreams":           by((*firehose.Client).ListDeliveryStreams),
	"ListTagsForDeliveryStream":     by((*firehose.Client).ListTagsForDeliveryStream),
	"PutRecord":                     by((*firehose.Client).PutRecord),
	"PutRecordBatch":                by((*firehose.Client).PutRecordBatch),
	"StartDeliveryStreamEncryption": by((*firehose.Client).StartDeliveryStreamEncryption),
	"StopDeliveryStreamEncryption":  by((*firehose.Client).StopDeliveryStreamEncryption),
	"TagDeliveryStream":             by((*firehose.Client).TagDeliveryStream),
	"UntagDeliveryStream":           by((*firehose.Client).UntagDeliveryStream),
	"UpdateDestination":             by((*firehose.Client).UpdateDestination),
}

// call makes a call; its answer is there for an error too, if one came.
func (c *client) call(ctx context.Context, op, in, sign string) (answer, error) {
	c.last = answer{}
	do, ok := operations[op]
	if !ok {
		return answer{}, fmt.Errorf("the API has no operation %q", op)
	}
	o := c.options
	if sign != "" {
		o.HTTPSignerV4 = signer{v4.NewSigner(), sign}
	}
	err := do(ctx, firehose.New(o), in)
	return c.last, err
}
