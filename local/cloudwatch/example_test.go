package cloudwatch_test

import (
	"fmt"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/cloudwatch"
)

func Example() {
	store := &cloudwatch.Store{}
	key := cloudwatch.Key{
		Caller: awsapi.Caller{Account: "000000000000", Region: "us-east-1"}, Namespace: "AWS/Firehose", Name: "IncomingBytes", Unit: "Bytes",
		Dimensions: []cloudwatch.Dimension{{Name: "DeliveryStreamName", Value: "events"}},
	}
	now := time.Now().Truncate(time.Minute)

	incoming := store.Series(key) // once for a stream
	incoming.Add(now, 512)        // for every call
	incoming.Add(now, 1024)

	for _, p := range store.Statistics(cloudwatch.Query{Key: key, Start: now, End: now.Add(time.Minute), Period: time.Minute}) {
		fmt.Printf("%v samples, %v %s\n", p.SampleCount, p.Sum, p.Unit)
	}
	// Output: 2 samples, 1536 Bytes
}
