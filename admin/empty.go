package admin

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// ObjectVersion is a version of an object, or a delete marker.
type ObjectVersion struct {
	Key, VersionID string // the id is "null" in a bucket that never had versions
	Size           int64  // bytes, as stored; 0 for a delete marker
	DeleteMarker   bool
	LastModified   time.Time
}

// versionMarker is where a page of versions begins.
type versionMarker struct{ key, version string }

// ObjectVersions yields all versions of all objects of a bucket, and the delete
// markers, each once: of a page first the versions, then the markers. A bucket without
// versioning has one version of each object. owner is the account that the bucket
// must belong to; empty: any. An error ends the sequence.
func ObjectVersions(ctx context.Context, c s3.ListObjectVersionsAPIClient, bucket, owner string) iter.Seq2[ObjectVersion, error] {
	return paged("list versions in bucket "+bucket, func(from versionMarker) ([]ObjectVersion, versionMarker, error) {
		page, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
			Bucket: &bucket, ExpectedBucketOwner: unlessEmpty(owner),
			KeyMarker: unlessEmpty(from.key), VersionIdMarker: unlessEmpty(from.version),
		})
		if err != nil {
			return nil, versionMarker{}, err
		}
		list := make([]ObjectVersion, 0, len(page.Versions)+len(page.DeleteMarkers))
		for _, v := range page.Versions {
			list = append(list, ObjectVersion{
				Key: aws.ToString(v.Key), VersionID: aws.ToString(v.VersionId),
				Size: aws.ToInt64(v.Size), LastModified: aws.ToTime(v.LastModified),
			})
		}
		for _, m := range page.DeleteMarkers {
			list = append(list, ObjectVersion{
				Key: aws.ToString(m.Key), VersionID: aws.ToString(m.VersionId),
				DeleteMarker: true, LastModified: aws.ToTime(m.LastModified),
			})
		}
		if !aws.ToBool(page.IsTruncated) {
			return list, versionMarker{}, nil
		}
		return list, versionMarker{aws.ToString(page.NextKeyMarker), aws.ToString(page.NextVersionIdMarker)}, nil
	})
}

// Upload is a multipart upload that is neither completed nor aborted.
type Upload struct{ Key, UploadID string }

// Uploads yields a bucket's open multipart uploads, each once. owner is as for
// [ObjectVersions]. An error ends the sequence.
func Uploads(ctx context.Context, c s3.ListMultipartUploadsAPIClient, bucket, owner string) iter.Seq2[Upload, error] {
	return paged("list multipart uploads in bucket "+bucket, func(from Upload) ([]Upload, Upload, error) {
		page, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
			Bucket: &bucket, ExpectedBucketOwner: unlessEmpty(owner),
			KeyMarker: unlessEmpty(from.Key), UploadIdMarker: unlessEmpty(from.UploadID),
		})
		if err != nil {
			return nil, Upload{}, err
		}
		list := make([]Upload, len(page.Uploads))
		for i, u := range page.Uploads {
			list[i] = Upload{aws.ToString(u.Key), aws.ToString(u.UploadId)}
		}
		if !aws.ToBool(page.IsTruncated) {
			return list, Upload{}, nil
		}
		return list, Upload{aws.ToString(page.NextKeyMarker), aws.ToString(page.NextUploadIdMarker)}, nil
	})
}

// BucketEmptier is the SDK's calls that empty a bucket.
type BucketEmptier interface {
	s3.ListObjectVersionsAPIClient
	s3.ListMultipartUploadsAPIClient
	DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

// Emptied counts what was removed from a bucket, or would be.
type Emptied struct {
	Versions int64 `json:"versions"`       // of objects; each object has one if the bucket never had versions
	Markers  int64 `json:"delete_markers"` // each hides an object that has versions
	Uploads  int64 `json:"uploads"`        // multipart uploads that were open
	Bytes    int64 `json:"bytes"`          // of the versions
}

// Add counts a version or a delete marker.
func (e *Emptied) Add(v *ObjectVersion) {
	if v.DeleteMarker {
		e.Markers++
		return
	}
	e.Versions++
	e.Bytes += v.Size
}

// deleteAtOnce is the most that a DeleteObjects takes (API reference).
const deleteAtOnce = 1000

// deleteAttempts is how often a key is tried that S3 could not delete for a reason
// that passes.
const deleteAttempts = 5

// EmptyBucket removes all versions of all objects for good, the delete markers, and
// the open multipart uploads. What comes in behind the listing's back stays. A
// bucket that is not there is empty. owner is as for [ObjectVersions]. progress,
// if not nil, is called after each call that removed something, with the counts so
// far.
//
// A key that S3 refuses to delete is an error with S3's reason; the others are
// deleted all the same, unless a call deletes none. After an error the counts
// tell what was removed; another call goes on.
func EmptyBucket(ctx context.Context, c BucketEmptier, bucket, owner string, progress func(Emptied)) (Emptied, error) {
	e := &emptying{c: c, bucket: bucket, owner: owner, progress: progress}
	err := e.removeVersions(ctx)
	if err == nil {
		err = e.abortUploads(ctx)
	}
	if NoBucket(err) {
		return e.done, nil
	}
	return e.done, err
}

// NoBucket tells of S3's answer that there is no such bucket.
func NoBucket(err error) bool { return codeOf(err) == "NoSuchBucket" }

type emptying struct {
	c             BucketEmptier
	bucket, owner string
	progress      func(Emptied)

	done   Emptied
	failed int64        // keys
	first  *types.Error // of them
}

func (e *emptying) removeVersions(ctx context.Context) error {
	var list []ObjectVersion
	for v, err := range ObjectVersions(ctx, e.c, e.bucket, e.owner) {
		if err != nil {
			return err
		}
		if list = append(list, v); len(list) == deleteAtOnce {
			if err := e.remove(ctx, list); err != nil {
				return err
			}
			list = list[:0]
		}
	}
	if err := e.remove(ctx, list); err != nil {
		return err
	}
	return e.refusal()
}

// remove deletes what fits into one call. Keys that S3 refuses are counted; only if
// it refuses all is that an error.
func (e *emptying) remove(ctx context.Context, list []ObjectVersion) error {
	removed := false
	for attempt := 1; len(list) > 0; attempt++ {
		failed, err := e.delete(ctx, list)
		if err != nil {
			return err
		}
		var again []ObjectVersion
		for i := range list {
			why := failed[named(list[i].Key, list[i].VersionID)]
			switch {
			case why == nil:
				e.done.Add(&list[i])
				removed = true
			case passes(why) && attempt < deleteAttempts:
				again = append(again, list[i])
			default:
				e.refused(why)
			}
		}
		if removed && e.progress != nil {
			e.progress(e.done)
		}
		if !removed && len(again) == 0 {
			return e.refusal()
		}
		if list = again; len(again) > 0 {
			if err := Pause(ctx, attempt, mostPause); err != nil {
				return fmt.Errorf("empty bucket %s: %w", e.bucket, err)
			}
		}
	}
	return nil
}

// named is what an answer knows a version by: it may leave out the id of the only
// one.
func named(key, version string) [2]string {
	if version == "null" {
		version = ""
	}
	return [2]string{key, version}
}

// delete makes the call, and returns the keys that it has not deleted.
func (e *emptying) delete(ctx context.Context, list []ObjectVersion) (map[[2]string]*types.Error, error) {
	ids := make([]types.ObjectIdentifier, len(list))
	for i := range list {
		ids[i] = types.ObjectIdentifier{Key: &list[i].Key, VersionId: unlessEmpty(list[i].VersionID)}
	}
	out, err := e.c.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &e.bucket, ExpectedBucketOwner: unlessEmpty(e.owner),
		Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}, // only what failed is answered
	})
	if err != nil {
		return nil, fmt.Errorf("empty bucket %s: %w", e.bucket, err)
	}
	failed := map[[2]string]*types.Error{}
	for i := range out.Errors {
		f := &out.Errors[i]
		failed[named(aws.ToString(f.Key), aws.ToString(f.VersionId))] = f
	}
	return failed, nil
}

// passes tells of a failure that is the service's own and no answer.
func passes(e *types.Error) bool {
	switch aws.ToString(e.Code) {
	case "InternalError", "SlowDown", "ServiceUnavailable":
		return true
	}
	return false
}

func (e *emptying) refused(why *types.Error) {
	if e.failed++; e.first == nil {
		e.first = why
	}
}

// refusal is the error of the keys that S3 has not deleted.
func (e *emptying) refusal() error {
	if e.failed == 0 {
		return nil
	}
	why := &smithy.OperationError{ServiceID: s3.ServiceID, OperationName: "DeleteObjects", Err: &keyError{e.first}}
	return fmt.Errorf("empty bucket %s: %d objects could not be removed, such as %s: %w", e.bucket, e.failed, aws.ToString(e.first.Key), why)
}

// keyError is a refusal of one key as an error of the API.
type keyError struct{ why *types.Error }

func (e *keyError) Error() string                 { return e.ErrorCode() + ": " + e.ErrorMessage() }
func (e *keyError) ErrorCode() string             { return aws.ToString(e.why.Code) }
func (e *keyError) ErrorMessage() string          { return aws.ToString(e.why.Message) }
func (e *keyError) ErrorFault() smithy.ErrorFault { return smithy.FaultUnknown }

func (e *emptying) abortUploads(ctx context.Context) error {
	for u, err := range Uploads(ctx, e.c, e.bucket, e.owner) {
		if err != nil {
			return err
		}
		_, err = e.c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: &e.bucket, Key: &u.Key, UploadId: &u.UploadID, ExpectedBucketOwner: unlessEmpty(e.owner),
		})
		if codeOf(err) == "NoSuchUpload" { // completed meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("abort the upload of s3://%s/%s: %w", e.bucket, u.Key, err)
		}
		if e.done.Uploads++; e.progress != nil {
			e.progress(e.done)
		}
	}
	return nil
}
