package local

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/server"
)

func statistics(t *testing.T, b *Backend, metric string, start, end time.Time, period time.Duration) []cloudwatch.Datapoint {
	t.Helper()
	out, err := b.GetMetricStatistics(t.Context(), me, &cloudwatch.GetMetricStatisticsInput{
		Namespace:  "AWS/Firehose",
		MetricName: metric,
		Dimensions: map[string]string{"DeliveryStreamName": "s"},
		Start:      start,
		End:        end,
		Period:     period,
	})
	if err != nil || out.Label != metric {
		t.Fatalf("GetMetricStatistics: %+v, %v", out, err)
	}
	return out.Datapoints
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
			{"freshness", "DeliveryToS3.DataFreshness", 0, time.Hour, time.Hour, []cloudwatch.Datapoint{point(0, 1, 90, 90, 90, "Seconds")}},
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

func TestMetricsOfOthers(t *testing.T) {
	b := backend(t, Config{}, 5, 90)
	put(t, b, "x")
	stream := map[string]string{"DeliveryStreamName": "s"}
	for _, tt := range []struct {
		c          server.Caller
		namespace  string
		dimensions map[string]string
		n          int
	}{
		{me, "AWS/Firehose", stream, 1},
		{server.Caller{Account: "1", Region: me.Region}, "AWS/Firehose", stream, 0},
		{server.Caller{Account: me.Account, Region: "eu-west-1"}, "AWS/Firehose", stream, 0},
		{me, "AWS/Kinesis", stream, 0},
		{me, "AWS/Firehose", nil, 0},
		{me, "AWS/Firehose", map[string]string{"DeliveryStreamName": "t"}, 0},
		{me, "AWS/Firehose", map[string]string{"DeliveryStreamName": "s", "More": "x"}, 0},
	} {
		out, err := b.GetMetricStatistics(t.Context(), tt.c, &cloudwatch.GetMetricStatisticsInput{
			Namespace: tt.namespace, MetricName: "IncomingRecords", Dimensions: tt.dimensions,
			Start: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour), Period: 24 * time.Hour,
		})
		if err != nil || len(out.Datapoints) != tt.n {
			t.Errorf("%+v %s %v: %+v, %v, want %d points", tt.c, tt.namespace, tt.dimensions, out, err, tt.n)
		}
	}
}

func TestMetricsArePruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 60)
		start := time.Now()
		put(t, b, "old")
		time.Sleep(24 * time.Hour)
		put(t, b, "newer")
		time.Sleep(14*24*time.Hour + 2*time.Minute)
		got := statistics(t, b, "IncomingBytes", start, time.Now(), 24*time.Hour)
		if len(got) != 1 || got[0].Sum != 5 {
			t.Errorf("after 15 days: %+v, want the newer point alone", got)
		}
		// Series of streams that take no more records go when any new one starts.
		time.Sleep(24 * time.Hour)
		b.metrics.add(seriesKey{metric: "another"}, time.Now(), 1)
		if n := len(b.metrics.series); n != 1 {
			t.Errorf("%d series are kept, want 1", n)
		}
	})
}
