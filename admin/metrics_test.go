package admin_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// recorder is the real client, and notes what it is asked.
type recorder struct {
	*cloudwatch.Client
	asked []cloudwatch.GetMetricStatisticsInput
}

func (r *recorder) GetMetricStatistics(ctx context.Context, in *cloudwatch.GetMetricStatisticsInput, o ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricStatisticsOutput, error) {
	r.asked = append(r.asked, *in)
	return r.Client.GetMetricStatistics(ctx, in, o...)
}

func put(t *testing.T, c *firehose.Client, n int) {
	t.Helper()
	for range n {
		_, err := c.PutRecord(t.Context(), &firehose.PutRecordInput{
			DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte("12345")},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Records put minutes and days apart are all in the sum, each once, and those of
// before and after are not.
func TestMetricSum(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		put(t, fh.Client(), 1)
		time.Sleep(10 * time.Minute)
		from := time.Now()
		put(t, fh.Client(), 2)
		time.Sleep(24*time.Hour - time.Minute) // the last minute of the first call's window
		put(t, fh.Client(), 3)
		time.Sleep(time.Minute) // and the first of the next
		put(t, fh.Client(), 5)
		time.Sleep(24*time.Hour + 30*time.Second)
		put(t, fh.Client(), 7)
		to := time.Now()
		time.Sleep(time.Minute)
		put(t, fh.Client(), 11)

		cw := cloudwatch.NewFromConfig(fh.AWSConfig())
		for _, tc := range []struct {
			metric   string
			from, to time.Time
			want     float64
		}{
			{"IncomingRecords", from, to, 17},
			{"IncomingBytes", from, to, 17 * 5},
			{"IncomingRecords", from.Add(-11 * time.Minute), to.Add(2 * time.Minute), 29},
			{"IncomingRecords", from.Add(time.Second), from.Add(2 * time.Second), 2}, // the whole minute
			{"IncomingRecords", time.Time{}, from, 3},                                // the whole hour
			{"IncomingRecords", to, from, 0},
			{"IncomingRecords", from, from, 0},
			{"NoSuchMetric", from, to, 0},
		} {
			got, err := admin.MetricSum(t.Context(), cw, "s", tc.metric, tc.from, tc.to)
			if err != nil || got != tc.want {
				t.Errorf("%s from %v to %v: %v (%v), want %v", tc.metric, tc.from, tc.to, got, err, tc.want)
			}
		}
	})
}

// The calls of a long time join without a gap, and none asks for more than 1,440
// datapoints or for a finer period than CloudWatch has kept.
func TestMetricSumWindows(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		ago, length time.Duration
		period      int32
		calls       int
	}{
		{0, time.Second, 60, 1},
		{day, day, 60, 1},
		{day, day + time.Minute, 60, 2},
		{14 * day, 14 * day, 60, 14},
		{15 * day, 5 * day, 300, 1},
		{15*day + time.Second, 5*day + 5*time.Minute, 300, 2},
		{62 * day, 62 * day, 300, 13},
		{63 * day, 60 * day, 3600, 1},
		{450 * day, 450 * day, 3600, 8},
		{4500 * day, 4500 * day, 3600, 8},
	} {
		t.Run(fmt.Sprint(tc.ago, tc.length), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fh := hydranttest.Start(t, hydranttest.Options{})
				r := &recorder{Client: cloudwatch.NewFromConfig(fh.AWSConfig())}
				from := time.Now().Add(-tc.ago)
				to := from.Add(tc.length)
				if _, err := admin.MetricSum(t.Context(), r, "s", "IncomingRecords", from, to); err != nil {
					t.Fatal(err)
				}
				if len(r.asked) != tc.calls {
					t.Errorf("%d calls, want %d", len(r.asked), tc.calls)
				}
				checkWindows(t, r.asked, tc.period, from, to)
			})
		})
	}
}

func checkWindows(t *testing.T, asked []cloudwatch.GetMetricStatisticsInput, period int32, from, to time.Time) {
	t.Helper()
	whole := time.Duration(period) * time.Second
	for i, in := range asked {
		if *in.Period != period {
			t.Errorf("call %d: period %d, want %d", i, *in.Period, period)
		}
		if n := in.EndTime.Sub(*in.StartTime) / whole; n < 1 || n > 1440 {
			t.Errorf("call %d: %d datapoints", i, n)
		}
		if i > 0 && !in.StartTime.Equal(*asked[i-1].EndTime) {
			t.Errorf("call %d starts at %v, the one before ends at %v", i, in.StartTime, asked[i-1].EndTime)
		}
		if !in.StartTime.Truncate(whole).Equal(*in.StartTime) || !in.EndTime.Truncate(whole).Equal(*in.EndTime) {
			t.Errorf("call %d: %v to %v is not of whole periods", i, in.StartTime, in.EndTime)
		}
	}
	if kept := time.Now().Add(-455 * 24 * time.Hour); from.Before(kept) {
		from = kept
	}
	if first := asked[0].StartTime; first.After(from) || from.Sub(*first) >= whole {
		t.Errorf("starts at %v for %v", first, from)
	}
	if last := asked[len(asked)-1].EndTime; last.Before(to) || last.Sub(to) >= whole {
		t.Errorf("ends at %v for %v", last, to)
	}
}
