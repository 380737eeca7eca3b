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
	"github.com/aws/smithy-go"
)

// goSDK is the client by the SDK for Go.
type goSDK struct {
	options firehose.Options
	s3      *s3.Client
	last    answer
}

func openGo(e Endpoint) *goSDK {
	c := &goSDK{}
	keys := credentials.NewStaticCredentialsProvider(e.Key, e.Secret, "")
	c.options = firehose.Options{BaseEndpoint: &e.URL, Region: region, Credentials: keys, RetryMaxAttempts: 1, HTTPClient: c}
	c.s3 = s3.New(s3.Options{
		BaseEndpoint: &e.URL, Region: region, Credentials: keys, RetryMaxAttempts: 1, UsePathStyle: true, DisableLogOutputChecksumValidationSkipped: true,
	})
	return c
}

func (c *goSDK) close() error { return nil }

// Do makes the Firehose client's calls.
func (c *goSDK) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	c.last = answer{status: resp.StatusCode, body: body}
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

// operation returns an output.
type operation func(ctx context.Context, c *firehose.Client, in string) (any, error)

// by makes an operation of a client's method, whose input has the members' names.
func by[I, O any](method func(*firehose.Client, context.Context, *I, ...func(*firehose.Options)) (*O, error)) operation {
	return func(ctx context.Context, c *firehose.Client, in string) (any, error) {
		input := new(I)
		dec := json.NewDecoder(bytes.NewReader([]byte(in)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(input); err != nil {
			return nil, fmt.Errorf("the case's input: %w", err)
		}
		return method(c, ctx, input)
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

func (c *goSDK) call(ctx context.Context, op, in, sign string) (answer, error) {
	c.last = answer{}
	do, ok := operations[op]
	if !ok {
		return answer{}, fmt.Errorf("the API has no operation %q", op)
	}
	o := c.options
	if sign != "" {
		o.HTTPSignerV4 = signer{v4.NewSigner(), sign}
	}
	out, err := do(ctx, firehose.New(o), in)
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		c.last.code, c.last.message, err = api.ErrorCode(), api.ErrorMessage(), nil
	} else if err == nil {
		c.last.output, err = json.Marshal(out)
	}
	return c.last, err
}

func (c *goSDK) makeBucket(ctx context.Context, name string) error {
	_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	return err
}

func (c *goSDK) objects(ctx context.Context, bucket string) ([]stored, error) {
	list, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		return nil, err
	}
	var all []stored
	for _, each := range list.Contents {
		out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: each.Key})
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, stored{*each.Key, aws.ToString(out.ContentEncoding), aws.ToString(out.ContentType), body})
	}
	return all, nil
}
