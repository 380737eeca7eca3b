package infra_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// A stack is set up, found again, and removed. Here that is a local Firehose's; with
// the settings of config.LoadDefaultConfig it is AWS's.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	backend, err := local.New(local.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close(ctx)
	srv := httptest.NewServer(backend.Handler(server.Config{NoAuth: true}))
	defer srv.Close()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")}

	deployed, err := infra.Deploy(ctx, infra.DeployOptions{AWS: cfg, Parameters: map[string]string{"StreamName": "events"}})
	if err != nil {
		log.Fatal(err)
	}
	stream, err := infra.StreamName(ctx, cfg, deployed.Stack)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("stack", deployed.Stack, deployed.Action+", stream", stream)

	destroyed, err := infra.Destroy(ctx, infra.DestroyOptions{
		AWS: cfg,
		Callbacks: infra.Callbacks{Event: func(e infra.Event) {
			if e.Type == "AWS::KinesisFirehose::DeliveryStream" {
				fmt.Println(e.Status, e.PhysicalID)
			}
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("deleted:", destroyed.Deleted)
	// Output:
	// stack hydrant created, stream events
	// DELETE_IN_PROGRESS events
	// DELETE_COMPLETE events
	// deleted: true
}
