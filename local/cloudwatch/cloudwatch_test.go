package cloudwatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// asked keeps the last query.
type asked struct{ query *GetMetricStatisticsInput }

func (m *asked) GetMetricStatistics(_ context.Context, _ awsapi.Caller, in *GetMetricStatisticsInput) (*GetMetricStatisticsOutput, error) {
	m.query = in
	return &GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []Datapoint{
		{Timestamp: in.Start, SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 4.5, Unit: "Count"},
		{Timestamp: in.Start, SampleCount: 1, Sum: 1, Minimum: 1, Maximum: 1, Unit: "Bytes"},
	}}, nil
}

// TestMetricsBySDK asks by the Go SDK, whose CloudWatch client speaks CBOR.
func TestMetricsBySDK(t *testing.T) {
	m := &asked{}
	srv := httptest.NewServer(awsapi.New(awsapi.Config{
		Services: []*awsapi.Service{Service(m)}, Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler),
	}))
	defer srv.Close()
	client := cw.New(cw.Options{
		BaseEndpoint: &srv.URL, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
	})
	start := time.Date(2026, 1, 1, 0, 0, 30, 500e6, time.UTC)
	query := func(change func(*cw.GetMetricStatisticsInput)) *cw.GetMetricStatisticsInput {
		in := &cw.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/Firehose"), MetricName: aws.String("IncomingRecords"),
			Dimensions: []types.Dimension{{Name: aws.String("DeliveryStreamName"), Value: aws.String("s")}},
			StartTime:  &start, EndTime: aws.Time(start.Add(time.Hour)), Period: aws.Int32(60), Statistics: types.StatisticSum.Values(),
			Unit: types.StandardUnitCount,
		}
		change(in)
		return in
	}
	out, err := client.GetMetricStatistics(t.Context(), query(func(*cw.GetMetricStatisticsInput) {}))
	if err != nil {
		t.Fatal(err)
	}
	want := []types.Datapoint{{
		Timestamp: &start, Unit: types.StandardUnitCount, SampleCount: aws.Float64(4), Sum: aws.Float64(10), Average: aws.Float64(2.5), Minimum: aws.Float64(1), Maximum: aws.Float64(4.5),
	}}
	if diff := gocmp.Diff(want, out.Datapoints, cmpopts.IgnoreUnexported(types.Datapoint{})); diff != "" || aws.ToString(out.Label) != "IncomingRecords" {
		t.Errorf("label %s, datapoints (-want +got):\n%s", aws.ToString(out.Label), diff)
	}
	wanted := &GetMetricStatisticsInput{
		Namespace: "AWS/Firehose", MetricName: "IncomingRecords", Dimensions: map[string]string{"DeliveryStreamName": "s"},
		Start: start, End: start.Add(time.Hour), Period: time.Minute, Statistics: []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"},
	}
	slices.Sort(wanted.Statistics)
	slices.Sort(m.query.Statistics)
	if diff := gocmp.Diff(wanted, m.query); diff != "" {
		t.Errorf("the backend was asked (-want +got):\n%s", diff)
	}

	for _, tt := range []struct {
		what   string
		change func(*cw.GetMetricStatisticsInput)
		want   string
	}{
		{"no statistics", func(in *cw.GetMetricStatisticsInput) { in.Statistics = nil }, "InvalidParameterValue: The parameter Statistics must hold 1 to 5 statistics, not 0."},
		{"unknown statistic", func(in *cw.GetMetricStatisticsInput) { in.Statistics = []types.Statistic{"p99"} }, `InvalidParameterValue: The parameter Statistics holds "p99"`},
		{"percentiles", func(in *cw.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p99"} }, "InvalidParameterValue: The local Firehose does not support ExtendedStatistics"},
		{"a short period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(30) }, "InvalidParameterValue: The parameter Period must be a multiple of 60 seconds, not 30."},
		{"no period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(0) }, "InvalidParameterValue: The parameter Period"},
		{"an odd period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }, "InvalidParameterValue: The parameter Period"},
		{"no time", func(in *cw.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterValue: The parameter StartTime must be less than the parameter EndTime."},
		{"1,441 datapoints", func(in *cw.GetMetricStatisticsInput) {
			in.EndTime = aws.Time(start.Add(24*time.Hour + time.Millisecond))
		}, "InvalidParameterCombination: You have requested up to 1441 datapoints, which exceeds the limit of 1440."},
		{"1,440 datapoints", func(in *cw.GetMetricStatisticsInput) { in.EndTime = aws.Time(start.Add(24 * time.Hour)) }, "ok"},
		{"no metric", func(in *cw.GetMetricStatisticsInput) { in.MetricName = aws.String("") }, "MissingParameter: The parameter MetricName is required."},
		{"a dimension twice", func(in *cw.GetMetricStatisticsInput) { in.Dimensions = append(in.Dimensions, in.Dimensions...) }, "InvalidParameterValue: The parameter Dimensions holds DeliveryStreamName twice."},
		{"an empty dimension", func(in *cw.GetMetricStatisticsInput) { in.Dimensions[0].Value = aws.String("") }, "InvalidParameterValue: The parameter Dimensions.member.1 must"},
	} {
		got := "ok"
		if _, err := client.GetMetricStatistics(t.Context(), query(tt.change)); err != nil {
			apiErr, ok := errors.AsType[smithy.APIError](err)
			if !ok {
				t.Errorf("%s: %v", tt.what, err)
				continue
			}
			got = apiErr.ErrorCode() + ": " + apiErr.ErrorMessage()
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
	if _, err := client.GetMetricStatistics(t.Context(), query(func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(1) })); err != nil {
		if _, ok := errors.AsType[*types.InvalidParameterValueException](err); !ok {
			t.Errorf("%T is not the API's own error: %v", err, err)
		}
	}
	if _, err := client.ListMetrics(t.Context(), &cw.ListMetricsInput{}); err == nil || !strings.Contains(err.Error(), "NotImplementedException: The local Firehose does not support CloudWatch's ListMetrics.") {
		t.Errorf("ListMetrics: %v", err)
	}
}

// FuzzMetricQuery: whatever comes in, the backend gets only what it may rely on,
// and the answer is well-formed.
func FuzzMetricQuery(f *testing.F) {
	f.Add([]byte{0xbf, 0x66, 'P', 'e', 'r', 'i', 'o', 'd', 0x18, 60, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		var q metricQuery
		if cbor.Unmarshal(body, &q) != nil {
			return
		}
		in, err := q.check()
		if err != nil {
			return
		}
		if in.Period < time.Minute || in.Period%time.Minute != 0 || !in.Start.Before(in.End) || len(in.Statistics) < 1 || len(in.Statistics) > 5 || in.Namespace == "" {
			t.Errorf("%x is accepted as %+v", body, in)
		}
		if _, err := cbor.Marshal(q.answer(&GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []Datapoint{{Timestamp: in.Start, SampleCount: 1}}})); err != nil {
			t.Errorf("answer: %v", err)
		}
	})
}
