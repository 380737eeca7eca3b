// Package admin is the control side of AWS for Hydrant, through the AWS SDK: delivery
// streams, the CloudWatch metrics of a stream, the logs of its errors, the objects that
// it delivers, and CloudFormation stacks. Every listing is an iterator that pages by
// itself, and never goes round in circles.
//
// Retries are left to the SDK, whose standard mode makes three attempts at what
// was throttled or not answered. An account has five calls a second for each of
// Firehose's control operations (developer guide, limits): settings of [Control] wait
// for them, those of [Patient] for what else may pass, too. Puts are not made here.
//
// All functions may be called from many goroutines.
package admin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// Lister is the SDK's call that lists streams.
type Lister interface {
	ListDeliveryStreams(context.Context, *firehose.ListDeliveryStreamsInput, ...func(*firehose.Options)) (*firehose.ListDeliveryStreamsOutput, error)
}

// Describer is the SDK's call that describes a stream.
type Describer interface {
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

// Creator is the SDK's call that creates a stream.
type Creator interface {
	CreateDeliveryStream(context.Context, *firehose.CreateDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.CreateDeliveryStreamOutput, error)
}

// Deleter is the SDK's call that deletes a stream.
type Deleter interface {
	DeleteDeliveryStream(context.Context, *firehose.DeleteDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DeleteDeliveryStreamOutput, error)
}

// Streams yields the names of all delivery streams of the account and region, in
// alphabetical order, each once. An error ends the sequence.
func Streams(ctx context.Context, c Lister) iter.Seq2[string, error] {
	return afterLast(func(name string) string { return name }, func(last *string) ([]string, bool, error) {
		page, err := c.ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{
			ExclusiveStartDeliveryStreamName: last, Limit: aws.Int32(100), // the default is 10
		})
		if err != nil {
			return nil, false, fmt.Errorf("list delivery streams: %w", err)
		}
		return page.DeliveryStreamNames, aws.ToBool(page.HasMoreDeliveryStreams), nil
	})
}

// Describe returns a stream's state and settings.
func Describe(ctx context.Context, c Describer, name string) (*types.DeliveryStreamDescription, error) {
	out, err := c.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("describe delivery stream %s: %w", name, err)
	}
	if out.DeliveryStreamDescription == nil {
		return nil, fmt.Errorf("describe delivery stream %s: the answer holds no description", name)
	}
	return out.DeliveryStreamDescription, nil
}

// StreamSpec is a stream to create, with an S3 bucket as its destination. Name,
// BucketARN and RoleARN are required; an empty string is the service's default.
type StreamSpec struct {
	Name, BucketARN, RoleARN  string
	Prefix, ErrorOutputPrefix string
	Compression               string // UNCOMPRESSED (the default), GZIP, ZIP, Snappy or HADOOP_SNAPPY
	FileExtension, TimeZone   string
	// BufferMiB (1 to 128) and IntervalSeconds (0 to 900) are the buffering
	// hints; negative is the service's default, 5 MiB and 300 s.
	BufferMiB, IntervalSeconds int
}

// Create asks for a stream and returns its ARN. The stream takes records once it
// is active, see [WaitActive].
func Create(ctx context.Context, c Creator, spec StreamSpec) (arn string, err error) {
	out, err := c.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName:                 &spec.Name,
		DeliveryStreamType:                 types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: spec.destination(),
	})
	if err != nil {
		return "", fmt.Errorf("create delivery stream %s: %w", spec.Name, err)
	}
	return aws.ToString(out.DeliveryStreamARN), nil
}

func (s *StreamSpec) destination() *types.ExtendedS3DestinationConfiguration {
	d := &types.ExtendedS3DestinationConfiguration{
		BucketARN: &s.BucketARN, RoleARN: &s.RoleARN,
		Prefix: unlessEmpty(s.Prefix), ErrorOutputPrefix: unlessEmpty(s.ErrorOutputPrefix),
		CompressionFormat: types.CompressionFormat(s.Compression),
		FileExtension:     unlessEmpty(s.FileExtension), CustomTimeZone: unlessEmpty(s.TimeZone),
	}
	if s.BufferMiB >= 0 || s.IntervalSeconds >= 0 {
		hints := &types.BufferingHints{SizeInMBs: aws.Int32(5), IntervalInSeconds: aws.Int32(300)} // the service wants both
		if s.BufferMiB >= 0 {
			hints.SizeInMBs = atMostInt32(s.BufferMiB)
		}
		if s.IntervalSeconds >= 0 {
			hints.IntervalInSeconds = atMostInt32(s.IntervalSeconds)
		}
		d.BufferingHints = hints
	}
	return d
}

// atMostInt32 leaves it to the service to refuse what is too large, and keeps it
// from turning into something small.
func atMostInt32(n int) *int32 { return aws.Int32(int32(min(n, math.MaxInt32))) }

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// WaitActive waits until a stream takes records, which is a minute or so after
// its creation; ctx bounds the wait. A stream that could not be created is an
// error with AWS's reason, and so is one that is being deleted.
func WaitActive(ctx context.Context, c Describer, name string) (*types.DeliveryStreamDescription, error) {
	for attempt := 0; ; attempt++ {
		d, err := Describe(ctx, c, name)
		if err != nil {
			return nil, err
		}
		switch d.DeliveryStreamStatus {
		case types.DeliveryStreamStatusActive:
			return d, nil
		case types.DeliveryStreamStatusCreating:
		default:
			return nil, failed(d)
		}
		if err := Pause(ctx, attempt, mostPause); err != nil {
			return nil, fmt.Errorf("wait until delivery stream %s is active: %w", name, err)
		}
	}
}

func failed(d *types.DeliveryStreamDescription) error {
	err := fmt.Errorf("delivery stream %s is %s", aws.ToString(d.DeliveryStreamName), d.DeliveryStreamStatus)
	if f := d.FailureDescription; f != nil {
		err = fmt.Errorf("%w: %s: %s", err, f.Type, aws.ToString(f.Details))
	}
	return err
}

// Delete asks for a stream's end; what it has buffered is discarded. With force
// it is deleted even if Firehose cannot retire its grant for a KMS key.
func Delete(ctx context.Context, c Deleter, name string, force bool) error {
	_, err := c.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name, AllowForceDelete: &force})
	if err != nil {
		return fmt.Errorf("delete delivery stream %s: %w", name, err)
	}
	return nil
}

// WaitDeleted waits until a stream is gone, which can take minutes; ctx bounds
// the wait. It does not ask for the deletion.
func WaitDeleted(ctx context.Context, c Describer, name string) error {
	for attempt := 0; ; attempt++ {
		d, err := Describe(ctx, c, name)
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone {
			return nil
		}
		if err != nil {
			return err
		}
		if d.DeliveryStreamStatus == types.DeliveryStreamStatusDeletingFailed {
			return fmt.Errorf("%w\nhint: hydrant streams delete --force deletes it even if Firehose cannot retire its KMS grant", failed(d))
		}
		if err := Pause(ctx, attempt, mostPause); err != nil {
			return fmt.Errorf("wait until delivery stream %s is deleted: %w", name, err)
		}
	}
}

// mostPause is the longest wait between two looks at a stream, or two attempts.
const mostPause = 10 * time.Second

// Pause waits between two looks at what takes its time: half a second at attempt 0,
// twice as long at each one after it, up to most; a random half of that, as an account
// has five control calls a second.
func Pause(ctx context.Context, attempt int, most time.Duration) error {
	most = min(most, 500*time.Millisecond<<min(attempt, 5))
	timer := time.NewTimer(most/2 + rand.N(most/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
