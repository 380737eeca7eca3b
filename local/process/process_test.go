package process

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	streamARN   = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs"
	functionArn = "arn:aws:lambda:eu-west-2:123456789012:function:transform"
)

var arrival = time.UnixMilli(1789014240448)

func processor(typ string, namesAndValues ...string) Processor {
	p := Processor{Type: typ}
	for i := 0; i < len(namesAndValues); i += 2 {
		p.Parameters = append(p.Parameters, Parameter{namesAndValues[i], namesAndValues[i+1]})
	}
	return p
}

var (
	decompression = processor("Decompression")
	extraction    = processor("CloudWatchLogProcessing", "DataMessageExtraction", "true")
	byJSON        = processor("RecordDeAggregation", "SubRecordType", "JSON")
	byHashes      = processor("RecordDeAggregation", "SubRecordType", "DELIMITED", "Delimiter", "IyMjIw==")
	delimiter     = processor("AppendDelimiterToRecord")
)

func querying(query string) Processor {
	return processor("MetadataExtraction", "MetadataExtractionQuery", query, "JsonParsingEngine", "JQ-1.6")
}

// chain is one of a stream with dynamic partitioning.
func chain(t *testing.T, processors ...Processor) *Chain {
	t.Helper()
	c, err := New(Config{Processors: processors, StreamARN: streamARN, Region: "eu-west-1", DynamicPartitioning: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// records have the ids r0, r1 and so on.
func records(data ...string) (in []Record) {
	for i, d := range data {
		in = append(in, Record{Data: []byte(d), ID: fmt.Sprintf("r%d", i), Arrival: arrival.Add(time.Duration(i) * time.Millisecond)})
	}
	return in
}

func run(t *testing.T, c *Chain, in ...Record) (out []Record, failed []Failed) {
	t.Helper()
	out, failed, err := c.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out, failed
}

func datas(out []Record) (data []string) {
	for _, r := range out {
		data = append(data, string(r.Data))
	}
	return data
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

// envelope is what CloudWatch Logs puts, before compression.
func envelope(messages ...string) string {
	type event struct {
		ID        string `json:"id"`
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	events := []event{}
	for _, m := range messages {
		events = append(events, event{"1", 1709088639367, m})
	}
	text, _ := json.Marshal(map[string]any{
		"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "g", "logStream": "s",
		"subscriptionFilters": []string{"f"}, "logEvents": events,
	})
	return string(text)
}

const control = `{"messageType":"CONTROL_MESSAGE","owner":"","logGroup":"","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`

// TestOrder has all processors in an order that is none of the service's.
func TestOrder(t *testing.T) {
	f := newFunction(t, func(e event) reply {
		return e.answer(func(_ int, r eventRecord) any {
			return row(r.RecordID, "Ok", string(bytes.ReplaceAll(r.Data, []byte(`"k":`), []byte(`"key":`))))
		})
	})
	c := f.chain(t, querying("{key: .key}"), f.processor(), byJSON, extraction, decompression)
	compressed := gzipped(envelope(`{"k":1}`, `{"k":"two"}{"k":3}`))
	in := records(compressed, "no gzip")
	out, failed := run(t, c, in...)

	var want []Record
	for i, key := range []string{"1", "two", "3"} {
		text := fmt.Sprintf(`{"key":%s}`, key)
		if key == "two" {
			text = `{"key":"two"}`
		}
		want = append(want, Record{
			Data: []byte(text), ID: fmt.Sprintf("r0.%03d", i), Arrival: arrival,
			Raw: []byte(compressed), FromQuery: map[string]string{"key": key},
		})
	}
	want[0].Put = len(compressed) // once for all three
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("out (-want +got):\n%s", diff)
	}
	if len(failed) != 1 || failed[0].Record.ID != "r1" || failed[0].Type != DecompressionFailed {
		t.Errorf("failed: %+v", failed)
	}
}

func TestDelimiter(t *testing.T) {
	c := chain(t, delimiter, delimiter)
	if got := c.Delimiter(); string(got) != "\n" {
		t.Errorf("delimiter %q", got)
	}
	out, failed := run(t, c, records("a", "", "b\n")...)
	if diff := cmp.Diff([]string{"a", "", "b\n"}, datas(out)); diff != "" || failed != nil {
		t.Errorf("records must stay as they are: %s %v", diff, failed)
	}
	if got := chain(t, byJSON).Delimiter(); got != nil {
		t.Errorf("delimiter %q without a processor", got)
	}
}

// TestRunAnew has what a caller does after an interruption: the same records
// again, which look the same and were not changed.
func TestRunAnew(t *testing.T) {
	c := chain(t, byJSON, querying("{k: .k}"))
	in := records(`{"k":1} {"k":2}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, failed, err := c.Run(ctx, in); err == nil || out != nil || failed != nil {
		t.Fatalf("a run whose context has ended: %v %v %v", out, failed, err)
	}
	first, _ := run(t, c, in...)
	again, _ := run(t, c, in...)
	if diff := cmp.Diff(first, again); diff != "" || len(first) != 2 {
		t.Errorf("%s", diff)
	}
	if got := string(in[0].Data); got != `{"k":1} {"k":2}` {
		t.Errorf("the input has changed: %s", got)
	}
}

func TestLine(t *testing.T) {
	f := Failed{
		Record: Record{Raw: []byte("FAIL this one\n"), Data: []byte("changed"), Arrival: time.UnixMilli(1789014240448)},
		Code:   "Lambda.ProcessingFailedStatus", Message: "ProcessingFailed status set for record", Attempts: 1,
		Ended:     time.UnixMilli(1789014301529),
		LambdaARN: "arn:aws:lambda:us-west-2:123456789012:function:floci-probe-fn-09101322lt",
	}
	// As AWS wrote it in September 2026.
	const seen = `{"rawData":"RkFJTCB0aGlzIG9uZQo=","errorCode":"Lambda.ProcessingFailedStatus","errorMessage":"ProcessingFailed status set for record","attemptsMade":1,"arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1789014301529,"lambdaARN":"arn:aws:lambda:us-west-2:123456789012:function:floci-probe-fn-09101322lt"}` + "\n"
	if got := string(f.AppendLine([]byte("before\n"))); got != "before\n"+seen {
		t.Errorf("got  %s\nwant %s", got, seen)
	}
	f.LambdaARN, f.Message, f.Record.Raw = "", "<&>", nil
	if got := string(f.AppendLine(nil)); !strings.HasPrefix(got, `{"rawData":"",`) || strings.Contains(got, "lambdaARN") || !strings.Contains(got, `"<&>"`) {
		t.Errorf("got %s", got)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	f := newFunction(t, echo)
	c := f.chain(t, byJSON, f.processor(), querying("{k: .k}"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			in := records(fmt.Sprintf(`{"k":%d}{"k":%d}`, i, i))
			out, failed, err := c.Run(t.Context(), in)
			if err != nil || len(out) != 2 || len(failed) > 0 || out[1].FromQuery["k"] != fmt.Sprint(i) {
				t.Errorf("%v %v %v", out, failed, err)
			}
		})
	}
	wg.Wait()
}
