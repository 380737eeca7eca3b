// Package s3 delivers objects to S3, or to any other endpoint that speaks its
// API.
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/hydrant-go/hydrant/local/deliver"
)

const (
	// What S3 takes as a part of an upload, but for the last one, and how many
	// (user guide, multipart upload limits).
	minPart  = 5 << 20
	maxPart  = 5 << 30
	maxParts = 10_000

	defaultPart = 16 << 20
	// atOnce is how many parts of one object are sent at the same time. They are
	// sent from the object's own memory.
	atOnce = 4
	// contentType is that of all of Firehose's objects, as AWS was seen to set it.
	contentType = "application/octet-stream"

	// A call may take the first, and a second more for so many bytes of its body.
	// The SDK has no limit of its own.
	callTimeout  = time.Minute
	slowest      = 64 << 10
	abortTimeout = 10 * time.Second
)

// Config says where objects go. AWS must have a region, and the credentials for
// the endpoint; the zero value of every other field is its default.
type Config struct {
	AWS aws.Config
	// Endpoint is the URL that is called. Default: the AWS configuration's own
	// (AWS_ENDPOINT_URL_S3), which by default is AWS.
	Endpoint string
	// PathStyle puts the bucket into the path instead of the host's name, as most
	// endpoints other than AWS need it.
	PathStyle bool
	// CreateBuckets makes a bucket that is not there, as the local Firehose does
	// with folders. Firehose itself does not.
	CreateBuckets bool
	// PartBytes is the size from which on an object goes in several parts, and
	// their size. Default 16 MiB, at least 5 MiB, at most 5 GiB.
	PartBytes int64
}

// Destination is a deliver.Destination. It may be used from many goroutines, and
// needs no closing.
//
// What S3 refuses is an error with S3's own code, see [Code]. An error may leave
// the object stored: when its answer was lost. To put the same object again is
// right then, too.
//
// The SDK repeats no call but those that send or abort a part: whoever calls Put
// tries again, with a back-off of his own, and two of them would multiply. A
// part is tried three times, because what failed for one should not have the
// other parts of a large object sent again.
type Destination struct {
	client        *s3.Client
	retryer       aws.Retryer // of parts
	region        string
	createBuckets bool
	partBytes     int64
}

var _ deliver.Destination = (*Destination)(nil)

// New returns a Destination. It makes no call.
func New(cfg Config) (*Destination, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return &Destination{
		client: s3.NewFromConfig(cfg.AWS, func(o *s3.Options) {
			if cfg.Endpoint != "" {
				o.BaseEndpoint = &cfg.Endpoint
			}
			if o.BaseEndpoint != nil {
				// Not everybody's S3 knows the checksums that the SDK sends of its own
				// accord. A body's SHA-256 is in its signature in any case.
				o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			}
			o.UsePathStyle = cfg.PathStyle
			o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
			o.HTTPClient = client{o.HTTPClient}
		}),
		retryer:       retry.NewStandard(),
		region:        cfg.AWS.Region,
		createBuckets: cfg.CreateBuckets,
		partBytes:     cmp.Or(cfg.PartBytes, defaultPart),
	}, nil
}

func (c *Config) validate() error {
	var errs []error
	if c.AWS.Region == "" {
		errs = append(errs, errors.New("the AWS configuration has no region: set AWS_REGION"))
	}
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("the endpoint %q is not a URL such as https://host:port", c.Endpoint))
	}
	if c.PartBytes != 0 && (c.PartBytes < minPart || c.PartBytes > maxPart) {
		errs = append(errs, fmt.Errorf("PartBytes is %d, it must be %d to %d", c.PartBytes, minPart, int64(maxPart)))
	}
	return errors.Join(errs...)
}

// Put sends o and returns when S3 has stored it. When ctx ends before that, it
// may take ten seconds more to clean up.
func (d *Destination) Put(ctx context.Context, o *deliver.Object) error {
	err := d.put(ctx, o)
	if d.createBuckets && Code(err) == "S3.NoSuchBucket" {
		if err = d.createBucket(ctx, o.Bucket); err == nil {
			err = d.put(ctx, o)
		}
	}
	if err != nil {
		return fmt.Errorf("put object %q into bucket %q: %w", o.Key, o.Bucket, err)
	}
	return nil
}

func (d *Destination) put(ctx context.Context, o *deliver.Object) error {
	whole := newBody(o.Body)
	if whole.size > d.partBytes {
		return d.putParts(ctx, o, whole)
	}
	ctx, cancel := withTimeout(ctx, whole.size)
	defer cancel()
	_, err := d.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.Bucket, Key: &o.Key, Body: whole, ContentLength: &whole.size,
		ContentType: aws.String(contentType), ContentEncoding: optional(o.ContentEncoding),
	})
	return err
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func withTimeout(ctx context.Context, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout+time.Duration(size/slowest)*time.Second)
}

func (d *Destination) createBucket(ctx context.Context, bucket string) error {
	ctx, cancel := withTimeout(ctx, 0)
	defer cancel()
	in := &s3.CreateBucketInput{Bucket: &bucket}
	if d.region != "us-east-1" { // is not a constraint of the API
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(d.region)}
	}
	_, err := d.client.CreateBucket(ctx, in)
	if _, ok := errors.AsType[*types.BucketAlreadyOwnedByYou](err); ok {
		return nil // another delivery was faster
	}
	return err
}

// putParts sends o as a multipart upload, of which nothing stays if it fails.
func (d *Destination) putParts(ctx context.Context, o *deliver.Object, whole *body) error {
	createCtx, cancel := withTimeout(ctx, 0)
	defer cancel()
	upload, err := d.client.CreateMultipartUpload(createCtx, &s3.CreateMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, ContentType: aws.String(contentType), ContentEncoding: optional(o.ContentEncoding),
	})
	if err != nil {
		return err
	}
	parts, err := d.sendParts(ctx, o, upload.UploadId, whole.cut(max(d.partBytes, (whole.size+maxParts-1)/maxParts)))
	if err == nil {
		err = d.complete(ctx, o, upload.UploadId, parts)
	}
	if err != nil {
		return errors.Join(err, d.abort(ctx, o, upload.UploadId))
	}
	return nil
}

// sendParts returns when no part is under way any more.
func (d *Destination) sendParts(ctx context.Context, o *deliver.Object, upload *string, bodies []*body) ([]types.CompletedPart, error) {
	parts := make([]types.CompletedPart, len(bodies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, b := range bodies {
		g.Go(func() error {
			ctx, cancel := withTimeout(ctx, b.size)
			defer cancel()
			n := int32(i + 1)
			out, err := d.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &o.Bucket, Key: &o.Key, UploadId: upload, PartNumber: &n, Body: b, ContentLength: &b.size,
			}, d.withRetries)
			if err != nil {
				return err
			}
			parts[i] = types.CompletedPart{PartNumber: &n, ETag: out.ETag}
			return nil
		})
	}
	return parts, g.Wait()
}

func (d *Destination) withRetries(o *s3.Options) { o.Retryer = d.retryer }

func (d *Destination) complete(ctx context.Context, o *deliver.Object, upload *string, parts []types.CompletedPart) error {
	ctx, cancel := withTimeout(ctx, 0)
	defer cancel()
	_, err := d.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &o.Bucket, Key: &o.Key, UploadId: upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

// abort removes the parts of an upload that has failed, perhaps because ctx has
// ended. There may be no upload any more: that it is complete is what an answer
// would have told that did not come.
func (d *Destination) abort(ctx context.Context, o *deliver.Object, upload *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := d.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &o.Bucket, Key: &o.Key, UploadId: upload}, d.withRetries)
	if e, ok := errors.AsType[smithy.APIError](err); ok && (e.ErrorCode() == "NoSuchUpload" || e.ErrorCode() == "NoSuchBucket") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("its parts stay in the bucket, and are billed, until the upload %s is aborted: %w", *upload, err)
	}
	return nil
}

// codes are those that Firehose writes into its error log for a delivery to S3
// (developer guide, monitoring with CloudWatch Logs).
var codes = []string{
	"S3.KMS.NotFoundException", "S3.KMS.RequestLimitExceeded", "S3.AccessDenied", "S3.AccountProblem", "S3.AllAccessDisabled",
	"S3.InvalidPayer", "S3.NotSignedUp", "S3.NoSuchBucket", "S3.MethodNotAllowed",
}

// Code is what Firehose calls the error of a Put in its error log, such as
// S3.AccessDenied. What it has no code for, also because S3 was not reached, is
// InternalError; nil is "".
func Code(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, deliver.ErrNoBucket) {
		return "S3.NoSuchBucket"
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if code := "S3." + e.ErrorCode(); slices.Contains(codes, code) {
			return code
		}
	}
	return "InternalError"
}
