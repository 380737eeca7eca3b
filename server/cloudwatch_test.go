package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestMetricsBySDK asks by the Go SDK, whose CloudWatch client speaks CBOR.
func TestMetricsBySDK(t *testing.T) {
	m := newMemory()
	url := serveLoopback(t, quiet(Config{Backend: m, Metrics: m, Credentials: map[string]string{testKey: testSecret}}))
	client := cloudwatch.New(cloudwatch.Options{
		BaseEndpoint: &url, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
	})
	start := time.Date(2026, 1, 1, 0, 0, 30, 500e6, time.UTC)
	query := func(change func(*cloudwatch.GetMetricStatisticsInput)) *cloudwatch.GetMetricStatisticsInput {
		in := &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/Firehose"), MetricName: aws.String("IncomingRecords"),
			Dimensions: []types.Dimension{{Name: aws.String("DeliveryStreamName"), Value: aws.String("s")}},
			StartTime:  &start, EndTime: aws.Time(start.Add(time.Hour)), Period: aws.Int32(60), Statistics: types.StatisticSum.Values(),
			Unit: types.StandardUnitCount,
		}
		change(in)
		return in
	}
	out, err := client.GetMetricStatistics(t.Context(), query(func(*cloudwatch.GetMetricStatisticsInput) {}))
	if err != nil {
		t.Fatal(err)
	}
	want := []types.Datapoint{{
		Timestamp: &start, Unit: types.StandardUnitCount, SampleCount: aws.Float64(4), Sum: aws.Float64(10), Average: aws.Float64(2.5), Minimum: aws.Float64(1), Maximum: aws.Float64(4.5),
	}}
	if diff := gocmp.Diff(want, out.Datapoints, cmpopts.IgnoreUnexported(types.Datapoint{})); diff != "" || aws.ToString(out.Label) != "IncomingRecords" {
		t.Errorf("label %s, datapoints (-want +got):\n%s", aws.ToString(out.Label), diff)
	}
	asked := &GetMetricStatisticsInput{
		Namespace: "AWS/Firehose", MetricName: "IncomingRecords", Dimensions: map[string]string{"DeliveryStreamName": "s"},
		Start: start, End: start.Add(time.Hour), Period: time.Minute, Statistics: []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"},
	}
	slices.Sort(asked.Statistics)
	slices.Sort(m.query.Statistics)
	if diff := gocmp.Diff(asked, m.query); diff != "" {
		t.Errorf("the backend was asked (-want +got):\n%s", diff)
	}

	for _, tt := range []struct {
		what   string
		change func(*cloudwatch.GetMetricStatisticsInput)
		want   string
	}{
		{"no statistics", func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics = nil }, "InvalidParameterValue: The parameter Statistics must hold 1 to 5 statistics, not 0."},
		{"unknown statistic", func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics = []types.Statistic{"p99"} }, `InvalidParameterValue: The parameter Statistics holds "p99"`},
		{"percentiles", func(in *cloudwatch.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p99"} }, "InvalidParameterValue: The local Firehose does not support ExtendedStatistics"},
		{"a short period", func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(30) }, "InvalidParameterValue: The parameter Period must be a multiple of 60 seconds, not 30."},
		{"no period", func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(0) }, "InvalidParameterValue: The parameter Period"},
		{"an odd period", func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }, "InvalidParameterValue: The parameter Period"},
		{"no time", func(in *cloudwatch.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterValue: The parameter StartTime must be less than the parameter EndTime."},
		{"1,441 datapoints", func(in *cloudwatch.GetMetricStatisticsInput) {
			in.EndTime = aws.Time(start.Add(24*time.Hour + time.Millisecond))
		}, "InvalidParameterCombination: You have requested up to 1441 datapoints, which exceeds the limit of 1440."},
		{"1,440 datapoints", func(in *cloudwatch.GetMetricStatisticsInput) { in.EndTime = aws.Time(start.Add(24 * time.Hour)) }, "ok"},
		{"no metric", func(in *cloudwatch.GetMetricStatisticsInput) { in.MetricName = aws.String("") }, "MissingParameter: The parameter MetricName is required."},
		{"a dimension twice", func(in *cloudwatch.GetMetricStatisticsInput) { in.Dimensions = append(in.Dimensions, in.Dimensions...) }, "InvalidParameterValue: The parameter Dimensions holds DeliveryStreamName twice."},
		{"an empty dimension", func(in *cloudwatch.GetMetricStatisticsInput) { in.Dimensions[0].Value = aws.String("") }, "InvalidParameterValue: The parameter Dimensions.member.1 must"},
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
	if _, err := client.GetMetricStatistics(t.Context(), query(func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(1) })); err != nil {
		if _, ok := errors.AsType[*types.InvalidParameterValueException](err); !ok {
			t.Errorf("%T is not the API's own error: %v", err, err)
		}
	}
	if _, err := client.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{}); err == nil || !strings.Contains(err.Error(), "NotImplementedException: The local Firehose does not support CloudWatch's ListMetrics.") {
		t.Errorf("ListMetrics: %v", err)
	}
}

func cborRequest(encoding string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, cloudWatchPath+"GetMetricStatistics", bytes.NewReader(body))
	r.Header.Set("Smithy-Protocol", rpcCBOR)
	r.Header.Set("Content-Type", "application/cbor")
	r.Header.Set("Content-Encoding", encoding)
	return r
}

func cborQuery(t testing.TB) []byte {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	body, err := cborMode.Marshal(map[string]any{
		"Namespace": "AWS/Firehose", "MetricName": "IncomingBytes", "StartTime": start, "EndTime": start.Add(time.Minute), "Period": 60, "Statistics": []string{"Sum"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestCBOR(t *testing.T) {
	h, _ := open(t)
	body := cborQuery(t)
	var packed, bomb bytes.Buffer
	for w, text := range map[*bytes.Buffer][]byte{&packed: body, &bomb: make([]byte, maxBodyBytes+1)} {
		z := gzip.NewWriter(w)
		z.Write(text)
		z.Close()
	}
	without := func(old, with string) []byte { return bytes.Replace(body, []byte(old), []byte(with), 1) }
	for _, tt := range []struct {
		what, encoding string
		body           []byte
		status         int
		want           string // in the answer
	}{
		{"plain", "", body, 200, "IncomingBytes"},
		{"gzip", "gzip", packed.Bytes(), 200, "IncomingBytes"},
		{"half a gzip", "gzip", packed.Bytes()[:20], 400, "SerializationException"},
		{"no gzip", "gzip", body, 400, "SerializationException"},
		{"a gzip bomb", "gzip", bomb.Bytes(), 413, "RequestEntityTooLargeException"},
		{"zstd", "zstd", body, 400, `Content-Encoding "zstd" is not supported`},
		{"JSON", "", []byte("{}"), 400, "SerializationException"},
		{"nothing", "", nil, 400, "SerializationException"},
		{"a list", "", []byte{0x80}, 400, "SerializationException"},
		{"no EndTime", "", without("EndTime", "endless"), 400, "The parameter EndTime is required."},
		{"a time without its tag", "", without("EndTime\xc1", "EndTime\xc2"), 400, "SerializationException"},
		{"a period past 31 bits", "", without("Period\x18\x3c", "Period\x1b\x00\x00\x00\x01\x00\x00\x00\x3c"), 400, "SerializationException"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, cborRequest(tt.encoding, tt.body))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %q\nwant %d …%s…", tt.what, w.Code, w.Body, tt.status, tt.want)
		}
		if got := w.Header(); got.Get("Content-Type") != "application/cbor" || got.Get("Smithy-Protocol") != rpcCBOR {
			t.Errorf("%s: headers %v", tt.what, got)
		}
		if err := cbor.Wellformed(w.Body.Bytes()); err != nil {
			t.Errorf("%s: the answer: %v", tt.what, err)
		}
	}
}

func TestNoMetrics(t *testing.T) {
	h := quiet(Config{Backend: newMemory(), NoAuth: true})
	if status, answer := do(h, cborRequest("", cborQuery(t))); status != 501 || !strings.Contains(answer, "NotImplementedException") {
		t.Errorf("%d %q", status, answer)
	}
}

func TestTimestamps(t *testing.T) {
	for _, want := range []time.Time{
		time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 24, 4, 0, 0, 123e6, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 500e6, time.UTC),
	} {
		for name, c := range map[string]codec{"JSON": jsonCodec, "CBOR": cborCodec} {
			var got timestamp
			if err := c.unmarshal(c.marshal(timestamp(want)), &got); err != nil || !time.Time(got).Equal(want) {
				t.Errorf("%s: %v became %v, %v", name, want, time.Time(got), err)
			}
		}
	}
	for _, text := range []string{"1e300", "-1e12", `"2026-01-01"`, "253402300800"} {
		if err := new(timestamp).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	for _, v := range []any{cbor.Tag{Number: 1, Content: "0"}, cbor.Tag{Number: 99, Content: 1}, cbor.Tag{Number: 1, Content: uint64(1 << 63)}, 1} {
		if err := new(timestamp).UnmarshalCBOR(mustCBOR(v)); err == nil {
			t.Errorf("%v is accepted", v)
		}
	}
}

// FuzzMetricQuery: whatever comes in, the backend gets only what it may rely on,
// and the answer is well-formed.
func FuzzMetricQuery(f *testing.F) {
	f.Add(cborQuery(f))
	f.Add([]byte{0xbf, 0x66, 'P', 'e', 'r', 'i', 'o', 'd', 0x18, 60, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		var q metricQuery
		if cborCodec.unmarshal(body, &q) != nil {
			return
		}
		in, err := q.check()
		if err != nil {
			return
		}
		if in.Period < time.Minute || in.Period%time.Minute != 0 || !in.Start.Before(in.End) || len(in.Statistics) < 1 || len(in.Statistics) > 5 || in.Namespace == "" {
			t.Errorf("%x is accepted as %+v", body, in)
		}
		out := mustCBOR(q.answer(&GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []Datapoint{{Timestamp: in.Start, SampleCount: 1}}}))
		if err := cbor.Wellformed(out); err != nil {
			t.Error(fmt.Errorf("answer: %w", err))
		}
	})
}
