package logs_test

import (
	"fmt"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/logs"
)

func Example() {
	store, err := logs.Open(logs.Config{}) // in memory
	if err != nil {
		panic(err)
	}
	defer store.Close()
	me := awsapi.Caller{Account: "000000000000", Region: "us-east-1"}
	event := logs.Event{Time: time.Now(), Message: `{"errorCode":"S3.NoSuchBucket"}`}

	// As with Firehose's role, which may put and make nothing.
	fmt.Println(store.Put(me, "/aws/kinesisfirehose/events", "DestinationDelivery", []logs.Event{event}))
	if err := store.CreateGroup(me, logs.Group{Name: "/aws/kinesisfirehose/events", Retention: 30}); err != nil {
		panic(err)
	}
	if err := store.CreateStream(me, "/aws/kinesisfirehose/events", "DestinationDelivery"); err != nil {
		panic(err)
	}
	fmt.Println(store.Put(me, "/aws/kinesisfirehose/events", "DestinationDelivery", []logs.Event{event}))
	// Output:
	// ResourceNotFoundException: The specified log group does not exist. (HTTP 400)
	// <nil>
}
