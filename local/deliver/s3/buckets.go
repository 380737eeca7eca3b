package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// HasBucket tells whether the bucket is there, and ours.
func (d *Destination) HasBucket(ctx context.Context, bucket string) (bool, error) {
	ctx, cancel := withTimeout(ctx, 0)
	defer cancel()
	_, err := d.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, d.withRetries)
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode() == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// MakeBucket makes a bucket. The error is an [fs.ErrExist] if it is there.
func (d *Destination) MakeBucket(ctx context.Context, bucket string) error {
	there, err := d.HasBucket(ctx, bucket) // in us-east-1 a second creation is no error
	switch {
	case err != nil:
		return err
	case there:
		return fmt.Errorf("make bucket %q: %w", bucket, fs.ErrExist)
	}
	return d.createBucket(ctx, bucket)
}

// RemoveBucket removes a bucket without objects. The error is an [fs.ErrExist] if it has
// any, an [fs.ErrNotExist] if there is no such bucket.
func (d *Destination) RemoveBucket(ctx context.Context, bucket string) error {
	ctx, cancel := withTimeout(ctx, 0)
	defer cancel()
	_, err := d.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket}, d.withRetries)
	switch codeOf(err) {
	case "BucketNotEmpty":
		err = fs.ErrExist
	case "NoSuchBucket":
		err = fs.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("remove bucket %q: %w", bucket, err)
	}
	return nil
}

// EmptyBucket removes all objects of a bucket, but not their earlier versions. No bucket
// is no error.
func (d *Destination) EmptyBucket(ctx context.Context, bucket string) error {
	for {
		n, err := d.removePage(ctx, bucket)
		if codeOf(err) == "NoSuchBucket" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("empty bucket %q: %w", bucket, err)
		}
		if n == 0 {
			return nil
		}
	}
}

// removePage removes the first objects of a bucket, up to 1,000.
func (d *Destination) removePage(ctx context.Context, bucket string) (n int, err error) {
	ctx, cancel := withTimeout(ctx, 0)
	defer cancel()
	page, err := d.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket}, d.withRetries)
	if err != nil || len(page.Contents) == 0 {
		return 0, err
	}
	objects := make([]types.ObjectIdentifier, len(page.Contents))
	for i, o := range page.Contents {
		objects[i].Key = o.Key
	}
	out, err := d.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}}, d.withRetries)
	switch {
	case err != nil:
		return 0, err
	case len(out.Errors) > 0:
		e := out.Errors[0]
		return 0, fmt.Errorf("object %q: %s: %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
	}
	return len(objects), nil
}

// ReadObject reads the first bytes of an object, so many at most. The error is an
// [fs.ErrNotExist] if there is none.
func (d *Destination) ReadObject(ctx context.Context, bucket, key string, most int64) ([]byte, error) {
	ctx, cancel := withTimeout(ctx, most)
	defer cancel()
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}, d.withRetries)
	if code := codeOf(err); code == "NoSuchKey" || code == "NoSuchBucket" {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("read object %q of bucket %q: %w", key, bucket, err)
	}
	defer out.Body.Close()
	return io.ReadAll(io.LimitReader(out.Body, most))
}

// codeOf is S3's own code of an error, "" if it has none.
func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}
