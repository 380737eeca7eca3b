package infra_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/internal/testkit"
)

// TestMoto has CloudFormation as others have built it: it takes the template, and its
// S3 has versions. It does not know a delivery stream, which it leaves out.
func TestMoto(t *testing.T) {
	cfg := startMoto(t)
	l := &told{}
	o := infra.DeployOptions{AWS: cfg, Callbacks: l.callbacks()}
	got, err := infra.Deploy(t.Context(), o)
	if err != nil || got.Action != "created" || got.Status != "CREATE_COMPLETE" || got.Account != "123456789012" {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(l.events) == 0 || l.events[len(l.events)-1].Status != "CREATE_COMPLETE" {
		t.Errorf("events %q", l.lines())
	}
	if got, err := infra.Deploy(t.Context(), o); err != nil || got.Action != "unchanged" {
		t.Errorf("%+v, %v", got, err)
	}
	bucket := got.Outputs["BucketName"]
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(fmt.Sprint(i % 3)), Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	inv, err := infra.Inspect(t.Context(), cfg, "hydrant")
	if err != nil || len(inv.Buckets) != 1 || inv.Buckets[0].Versions != 5 || inv.Buckets[0].Markers != 1 {
		t.Errorf("%+v, %v", inv, err)
	}
	done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: cfg})
	if err != nil || !done.Deleted || done.Buckets[0].Versions != 5 || done.Buckets[0].Markers != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket}); err == nil {
		t.Error("the bucket is left")
	}
	if done, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: cfg}); err != nil || done.Found {
		t.Errorf("once more: %+v, %v", done, err)
	}
}

func startMoto(t *testing.T) aws.Config {
	t.Helper()
	if testing.Short() {
		t.Skip("moto takes a second to start")
	}
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(testkit.Moto(t)),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	}
}
