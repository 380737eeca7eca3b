package objects_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/local/objects"
)

// An SDK lists what has been delivered into a folder.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "objects")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	dest, err := file.New(dir)
	if err != nil {
		log.Fatal(err)
	}
	if err := dest.Put(ctx, &deliver.Object{Bucket: "logs", Key: "2026/07/13/14/a", Body: [][]byte{[]byte("a record\n")}}); err != nil {
		log.Fatal(err)
	}

	handler, err := objects.New(objects.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer handler.Close()
	srv := httptest.NewServer(handler)
	defer srv.Close()

	client := s3.New(s3.Options{
		BaseEndpoint: &srv.URL, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("logs"), Prefix: aws.String("2026/")})
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range page.Contents {
		fmt.Println(*o.Key, *o.Size)
	}
	// Output: 2026/07/13/14/a 9
}
