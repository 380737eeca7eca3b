package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hydrant-go/hydrant/local/process"
)

// Two events that were put as one record, a function that drops one of them,
// and the partition key of the other.
func Example() {
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		type record struct {
			RecordID string `json:"recordId"`
			Result   string `json:"result"`
			Data     []byte `json:"data"`
		}
		var event struct {
			Records []record `json:"records"`
		}
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			log.Print(err)
		}
		for i := range event.Records {
			event.Records[i].Result = "Ok"
		}
		event.Records[0].Result = "Dropped"
		_ = json.NewEncoder(w).Encode(event)
	}))
	defer lambda.Close()

	chain, err := process.New(process.Config{
		Processors: []process.Processor{
			{Type: "RecordDeAggregation", Parameters: []process.Parameter{{Name: "SubRecordType", Value: "JSON"}}},
			{Type: "Lambda", Parameters: []process.Parameter{{Name: "LambdaArn", Value: "arn:aws:lambda:eu-west-1:123456789012:function:f"}}},
			{Type: "MetadataExtraction", Parameters: []process.Parameter{
				{Name: "MetadataExtractionQuery", Value: `{customer: .customer_id, year: .at|strftime("%Y")}`},
				{Name: "JsonParsingEngine", Value: "JQ-1.6"},
			}},
		},
		StreamARN:           "arn:aws:firehose:eu-west-1:123456789012:deliverystream/events",
		Region:              "eu-west-1",
		DynamicPartitioning: true,
		Lambda:              process.LambdaConfig{Endpoint: lambda.URL},
	})
	if err != nil {
		log.Fatal(err)
	}
	out, failed, err := chain.Run(context.Background(), []process.Record{
		{ID: "1", Arrival: time.UnixMilli(1789014240448), Data: []byte(`{"customer_id":7,"at":0}{"customer_id":8,"at":1565382027}`)},
		{ID: "2", Arrival: time.UnixMilli(1789014240449), Data: []byte(`no JSON`)},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range out {
		fmt.Println(string(r.Data), r.FromQuery)
	}
	for _, f := range failed {
		fmt.Println(f.Type, string(f.Record.Raw), f.Message)
	}
	// Output:
	// {"customer_id":8,"at":1565382027} map[customer:8 year:2019]
	// metadata-extraction-failed no JSON Non JSON record provided
}
