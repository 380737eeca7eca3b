package local_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// A Firehose behind a port, with a quota, and an SDK's client that puts into it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	backend, err := local.New(local.Config{Dir: dir, Quota: local.Quota{Records: 2}})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(backend.Handler(server.Config{
		Credentials: map[string]string{"AKIAEXAMPLE": "secret"},
	}))
	defer srv.Close()

	client := firehose.New(firehose.Options{
		Region:       "eu-west-1",
		BaseEndpoint: &srv.URL,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
	_, err = client.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("logs"),
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN:   aws.String("arn:aws:iam::000000000000:role/firehose"),
			BucketARN: aws.String("arn:aws:s3:::bucket"),
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	out, err := client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{
		DeliveryStreamName: aws.String("logs"),
		Records:            []types.Record{{Data: []byte("a\n")}, {Data: []byte("b\n")}, {Data: []byte("c\n")}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*out.FailedPutCount, "refused:", *out.RequestResponses[2].ErrorMessage)

	if err := backend.Close(ctx); err != nil { // delivers what is buffered
		log.Fatal(err)
	}
	objects, _ := filepath.Glob(filepath.Join(dir, "bucket", "*", "*", "*", "*", "logs-1-*"))
	for _, name := range objects {
		body, _ := os.ReadFile(name)
		fmt.Printf("%s", body)
	}
	// Output:
	// 1 refused: Slow down.
	// a
	// b
}
