package stacks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// AWS::S3::Bucket, Custom::EmptyBucket
//
// Kept: a bucket is made and removed for real, where there are buckets; it is removed
// only when it is empty.
// Left out: every property but the name is recorded, and changes nothing.

var bucketKind = &kind{
	named: "BucketName", longest: 63, lower: true, createOnly: strings.Fields("BucketName BucketNamePrefix BucketNamespace"),
	properties: strings.Fields(`AbacStatus AccelerateConfiguration AccessControl AnalyticsConfigurations BucketEncryption BucketName
		BucketNamePrefix BucketNamespace CorsConfiguration IntelligentTieringConfigurations InventoryConfigurations LifecycleConfiguration
		LoggingConfiguration MetadataConfiguration MetadataTableConfiguration MetricsConfigurations NotificationConfiguration
		ObjectLockConfiguration ObjectLockEnabled OwnershipControls PublicAccessBlockConfiguration ReplicationConfiguration Tags
		VersioningConfiguration WebsiteConfiguration`),
	attributes: map[string]func(*request) string{
		"Arn":                 func(q *request) string { return "arn:" + partition(q) + ":s3:::" + q.r.Physical },
		"DomainName":          func(q *request) string { return q.r.Physical + ".s3." + domain(q) },
		"RegionalDomainName":  func(q *request) string { return q.r.Physical + ".s3." + q.Region + "." + domain(q) },
		"DualStackDomainName": func(q *request) string { return q.r.Physical + ".s3.dualstack." + q.Region + "." + domain(q) },
		"WebsiteURL":          func(q *request) string { return "http://" + q.r.Physical + ".s3-website-" + q.Region + "." + domain(q) },
	},
	isThere: func(ctx context.Context, s *Store, q *request) (bool, error) {
		if s.cfg.Buckets == nil {
			return false, nil
		}
		return s.cfg.Buckets.HasBucket(ctx, q.r.Physical)
	},
	make: makeBucket,
	unmake: func(ctx context.Context, s *Store, q *request) error {
		if s.cfg.Buckets == nil {
			return nil
		}
		err := s.cfg.Buckets.RemoveBucket(ctx, q.r.Physical)
		switch {
		case errors.Is(err, fs.ErrExist):
			return reason("The bucket you tried to delete is not empty (Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty)")
		case errors.Is(err, fs.ErrNotExist):
			return nil
		}
		return err
	},
}

// bucketName is the rule for new buckets (user guide, bucket naming rules), but for those
// on what a name must not begin or end with.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func makeBucket(ctx context.Context, s *Store, q *request) error {
	name := q.r.Physical
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		return reason(fmt.Sprintf("Bucket name should be between 3 and 63 characters long, of lower case letters, digits, dots and hyphens: %.100q is not.", name))
	}
	if s.cfg.Buckets == nil {
		return nil
	}
	err := s.cfg.Buckets.MakeBucket(ctx, name)
	if errors.Is(err, fs.ErrExist) {
		return reason(name + " already exists")
	}
	return err
}

// emptyBucketKind empties the bucket BucketName when it is deleted, as the template's
// function does with AWS. The function, its ServiceToken, is not asked.
var emptyBucketKind = &kind{
	longest: 255, required: strings.Fields("ServiceToken BucketName"), createOnly: strings.Fields("BucketName"),
	unmake: func(ctx context.Context, s *Store, q *request) error {
		if s.cfg.Buckets == nil {
			return nil
		}
		return s.cfg.Buckets.EmptyBucket(ctx, q.text("BucketName"))
	},
}

func partition(q *request) string { return strings.Split(q.ARN("", ""), ":")[1] }

func domain(q *request) string {
	if strings.HasPrefix(q.Region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
