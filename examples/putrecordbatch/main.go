// Putrecordbatch puts lines with the AWS SDK's PutRecordBatch, and does what the
// call leaves to its user: the limits, and sending the refused records again.
//
//	hydrant generate | go run ./examples/putrecordbatch STREAM
package main

import (
	"bufio"
	"context"
	"log"
	"math/rand/v2"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil || len(os.Args) != 2 {
		log.Fatal("usage: putrecordbatch STREAM < lines ", err)
	}
	client, stream := firehose.NewFromConfig(cfg), os.Args[1]
	batch, size, lines := []types.Record(nil), 0, bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		data := []byte(lines.Text() + "\n")
		if len(batch) == 500 || size+len(data) > 4<<20 { // raw bytes, before base64
			put(ctx, client, stream, batch)
			batch, size = nil, 0
		}
		batch, size = append(batch, types.Record{Data: data}), size+len(data)
	}
	put(ctx, client, stream, batch)
	if lines.Err() != nil {
		log.Fatal(lines.Err())
	}
}

// put sends batch until every record of it is stored.
func put(ctx context.Context, client *firehose.Client, stream string, batch []types.Record) {
	for attempt := 0; len(batch) > 0; attempt++ {
		out, err := client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: batch})
		if err != nil { // after the SDK's own retries
			log.Fatal(err)
		}
		var refused []types.Record // 200 OK does not mean that all are stored
		for i, entry := range out.RequestResponses {
			if entry.ErrorCode != nil {
				refused = append(refused, batch[i])
			}
		}
		if batch = refused; len(batch) > 0 {
			time.Sleep(rand.N(min(10*time.Second, 100*time.Millisecond<<min(attempt, 7))))
		}
	}
}
