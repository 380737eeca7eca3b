package s3_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
	"github.com/hydrant-go/hydrant/local/objects"
)

// An endpoint of somebody else's needs its URL and path style; for AWS, the SDK's
// configuration is enough.
func Example() {
	dir, err := os.MkdirTemp("", "s3")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	handler, err := objects.New(objects.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	defer srv.Close()

	dest, err := s3.New(s3.Config{
		AWS:       aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")},
		Endpoint:  srv.URL,
		PathStyle: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = dest.Put(context.Background(), &deliver.Object{Bucket: "nobody-made-it", Key: "k", Body: [][]byte{[]byte("a record\n")}})
	fmt.Println(s3.Code(err))
	// Output: S3.NoSuchBucket
}
