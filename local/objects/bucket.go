package objects

import (
	"encoding/xml"
	"errors"
	"io/fs"
	"net/http"
	"regexp"
	"time"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// timeFormat is that of times in XML.
const timeFormat = "2006-01-02T15:04:05.000Z"

func formatTime(t time.Time) string { return t.UTC().Format(timeFormat) }

type owner struct {
	ID          string `xml:"ID"`
	DisplayName string `xml:"DisplayName"`
}

// everybody owns all there is.
var everybody = owner{"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "local"}

// listBuckets lists all buckets in one page. The time of a folder stands for
// that of its making, which not every file system keeps.
func (h *Handler) listBuckets(c *call) error {
	list, err := h.dir.Buckets()
	if err != nil {
		return err
	}
	type bucket struct{ Name, CreationDate string }
	answer := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		XMLNS   string   `xml:"xmlns,attr"`
		Owner   owner
		Buckets []bucket `xml:"Buckets>Bucket"`
	}{XMLNS: namespace, Owner: everybody}
	for _, b := range list {
		answer.Buckets = append(answer.Buckets, bucket{b.Name(), formatTime(b.ModTime())})
	}
	return c.answer(answer)
}

const maxBucket = 255

// bucketName is, with maxBucket, the rule for old buckets of us-east-1, which is wider than
// today's and the one that a delivery stream's BucketARN has (API reference).
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`) // without a count, which takes long to compile

func (h *Handler) createBucket(c *call) error {
	if len(c.bucket) > maxBucket || !bucketName.MatchString(c.bucket) || c.bucket[0] == '.' {
		return refuse(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	}
	err := h.dir.MakeBucket(c.bucket)
	if errors.Is(err, fs.ErrExist) {
		return refuse(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.")
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) headBucket(c *call) error {
	if err := h.needBucket(c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", h.region)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) deleteBucket(c *call) error {
	err := h.dir.RemoveBucket(c.bucket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNoSuchBucket
	case errors.Is(err, fs.ErrExist):
		return refuse(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	case err != nil:
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) getBucketLocation(c *call) error {
	if err := h.needBucket(c.bucket); err != nil {
		return err
	}
	region := h.region
	if region == "us-east-1" {
		region = "" // API reference, GetBucketLocation
	}
	return c.answer(struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		XMLNS   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{XMLNS: namespace, Region: region})
}
