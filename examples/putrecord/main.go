// Putrecord puts one record into a delivery stream with the AWS SDK's PutRecord,
// and tries again while Firehose is throttling.
//
//	go run ./examples/putrecord STREAM '{"hello":"world"}'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: putrecord STREAM DATA")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// The SDK tries three times by default, which throttling soon uses up.
	client := firehose.NewFromConfig(cfg, func(o *firehose.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 8, 5*time.Second })
	})
	out, err := client.PutRecord(ctx, &firehose.PutRecordInput{
		DeliveryStreamName: aws.String(os.Args[1]),
		// Firehose joins records as they are, so each brings its own line end.
		Record: &types.Record{Data: []byte(os.Args[2] + "\n")},
	})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		log.Fatalf("there is no delivery stream %q in %s: %v", os.Args[1], cfg.Region, err)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(aws.ToString(out.RecordId))
}
