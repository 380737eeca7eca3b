package cwlog_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/hydrant-go/hydrant/cwlog"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// localLogs stands for CloudWatch Logs in the example. Take config.LoadDefaultConfig's
// configuration to write to AWS itself.
func localLogs() (client *cloudwatchlogs.Client, stop func()) {
	dir, err := os.MkdirTemp("", "cwlog-example-")
	if err != nil {
		log.Fatal(err)
	}
	backend, err := local.New(local.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(backend.Handler(server.Config{NoAuth: true}))
	client = cloudwatchlogs.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	return client, func() {
		srv.Close()
		if err := backend.Close(context.Background()); err != nil {
			log.Fatal(err)
		}
		os.RemoveAll(dir)
	}
}

// A program that logs to CloudWatch Logs, and what is trouble to standard error as well.
func Example() {
	client, stop := localLogs()
	defer stop()

	stderr := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	h, err := cwlog.New(cwlog.Config{Client: client, Group: "/app/orders", Stream: "host-1", Fallback: stderr})
	if err != nil {
		log.Fatal(err)
	}
	logger := slog.New(slog.NewMultiHandler(stderr, h))
	logger.Info("order taken", "order", 17, "items", 3)

	// At the end what is in the buffer is sent, for five seconds at most.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		log.Fatal(err)
	}

	out, err := client.FilterLogEvents(context.Background(), &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String("/app/orders"), FilterPattern: aws.String(`{ $.order = 17 }`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(out.Events), "event,", h.Stats().Dropped, "dropped")
	// Output: 1 event, 0 dropped
}
