package local

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
)

func statistics(t *testing.T, b *Backend, metric string, start, end time.Time, period time.Duration) []cloudwatch.Datapoint {
	t.Helper()
	return b.metrics.Statistics(cloudwatch.Query{
		Key: cloudwatch.Key{
			Caller: me, Namespace: "AWS/Firehose", Name: metric,
			Dimensions: []cloudwatch.Dimension{{Name: "DeliveryStreamName", Value: "s"}},
		},
		Start: start, End: end, Period: period,
	})
}

// wantSums checks the sums of the stream "s" over the last day.
func wantSums(t *testing.T, b *Backend, want map[string]float64) {
	t.Helper()
	got := map[string]float64{}
	for metric := range want {
		got[metric] = 0
		for _, p := range statistics(t, b, metric, time.Now().Add(-24*time.Hour), time.Now().Add(time.Minute), time.Hour) {
			got[metric] += p.Sum
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics differ (-want +got):\n%s", diff)
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 90)
		start := time.Now()
		at := func(d time.Duration) time.Time { return start.Add(d) }
		put(t, b, "12345", "123")
		time.Sleep(59 * time.Second)
		put(t, b, "12")
		time.Sleep(time.Second)
		put(t, b, "1")
		time.Sleep(4 * time.Minute)
		if _, _, err := b.PutRecord(t.Context(), me, "s", []byte("1234567")); err != nil {
			t.Fatal(err)
		}
		point := func(d time.Duration, n, sum, low, high float64, unit string) cloudwatch.Datapoint {
			return cloudwatch.Datapoint{Timestamp: at(d), SampleCount: n, Sum: sum, Minimum: low, Maximum: high, Unit: unit}
		}
		for _, tt := range []struct {
			what       string
			metric     string
			start, end time.Duration
			period     time.Duration
			want       []cloudwatch.Datapoint
		}{
			{"a sample a call", "IncomingBytes", 0, time.Hour, time.Minute, []cloudwatch.Datapoint{
				point(0, 2, 10, 2, 8, "Bytes"), point(time.Minute, 1, 1, 1, 1, "Bytes"), point(5*time.Minute, 1, 7, 7, 7, "Bytes"),
			}},
			{"records", "IncomingRecords", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 4, 5, 1, 2, "Count")}},
			{"calls", "IncomingPutRequests", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 4, 4, 1, 1, "Count")}},
			{"end is exclusive", "IncomingRecords", 0, time.Minute, time.Minute, []cloudwatch.Datapoint{point(0, 2, 3, 1, 2, "Count")}},
			{"start is inclusive", "IncomingRecords", time.Minute, 5 * time.Minute, time.Minute, []cloudwatch.Datapoint{point(time.Minute, 1, 1, 1, 1, "Count")}},
			{"start is rounded down", "IncomingRecords", 119 * time.Second, 5 * time.Minute, time.Minute, []cloudwatch.Datapoint{point(time.Minute, 1, 1, 1, 1, "Count")}},
			{"periods count from the start", "IncomingRecords", time.Minute, time.Hour, 2 * time.Minute, []cloudwatch.Datapoint{
				point(time.Minute, 1, 1, 1, 1, "Count"), point(5*time.Minute, 1, 1, 1, 1, "Count"),
			}},
			{"delivery", "DeliveryToS3.Bytes", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 11, 11, 11, "Bytes")}},
			{"delivered records", "DeliveryToS3.Records", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 4, 4, 4, "Count")}},
			{"success", "DeliveryToS3.Success", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 1, 1, 1, "Count")}},
			{"freshness, by the minute and at the delivery", "DeliveryToS3.DataFreshness", 0, 2 * time.Minute, time.Minute, []cloudwatch.Datapoint{point(time.Minute, 2, 60+90, 60, 90, "Seconds")}},
			{"API", "PutRecordBatch.Requests", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 3, 3, 1, 1, "Count")}},
			{"API", "PutRecordBatch.Records", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 3, 4, 1, 2, "Count")}},
			{"API", "PutRecord.Bytes", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 7, 7, 7, "Bytes")}},
			{"API", "PutRecord.Latency", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 0, 0, 0, "Milliseconds")}},
			{"nothing throttled", "ThrottledRecords", 0, time.Hour, time.Hour, nil},
			{"no such metric", "Nonsense", 0, time.Hour, time.Hour, nil},
		} {
			got := statistics(t, b, tt.metric, at(tt.start), at(tt.end), tt.period)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.metric, tt.what, diff)
			}
		}
	})
}
