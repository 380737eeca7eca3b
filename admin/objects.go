package admin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/gzip"
)

// S3 returns a client. At an endpoint that somebody has set buckets are in the path: an S3
// of somebody else's has no host for each of them.
func S3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

// Object is a delivered object.
type Object struct {
	Key          string
	Size         int64 // bytes, as stored
	LastModified time.Time
}

// Objects yields the objects of a bucket whose keys begin with prefix, in
// alphabetical order. An error ends the sequence.
func Objects(ctx context.Context, c s3.ListObjectsV2APIClient, bucket, prefix string) iter.Seq2[Object, error] {
	return paged(fmt.Sprintf("list s3://%s/%s", bucket, prefix), func(token string) ([]Object, string, error) {
		page, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix, ContinuationToken: unlessEmpty(token)})
		if err != nil {
			return nil, "", err
		}
		list := make([]Object, len(page.Contents))
		for i, o := range page.Contents {
			list[i] = Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), LastModified: aws.ToTime(o.LastModified)}
		}
		if !aws.ToBool(page.IsTruncated) {
			return list, "", nil
		}
		return list, aws.ToString(page.NextContinuationToken), nil
	})
}

// ObjectReader is the SDK's call that reads an object.
type ObjectReader interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// ReadObject opens an object, decompressed if it is stored as gzip: Firehose
// says so by Content-Encoding, and by the key unless the stream has a file
// extension of its own. The first bytes must agree, for the object may have been
// decompressed on the way; alone they prove nothing, for records may be gzip
// themselves. The caller closes it.
func ReadObject(ctx context.Context, c ObjectReader, bucket, key string) (io.ReadCloser, error) {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	if !strings.Contains(aws.ToString(out.ContentEncoding), "gzip") && !strings.HasSuffix(key, ".gz") {
		return out.Body, nil
	}
	r, err := gunzip(out.Body)
	if err != nil {
		out.Body.Close()
		return nil, fmt.Errorf("decompress s3://%s/%s: %w", bucket, key, err)
	}
	return body{r, out.Body}, nil
}

func gunzip(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	magic, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	return gzip.NewReader(in)
}

type body struct {
	io.Reader
	io.Closer
}
