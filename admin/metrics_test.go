package admin_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// recorder is the real client, and notes what it is asked. With a page it gets so many
// datapoints at once.
type recorder struct {
	*cloudwatch.Client
	page  int32
	asked []cloudwatch.GetMetricDataInput
}

func (r *recorder) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, o ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	r.asked = append(r.asked, *in)
	if r.page > 0 {
		in.MaxDatapoints = &r.page
	}
	return r.Client.GetMetricData(ctx, in, o...)
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

func window(t *testing.T, from, to time.Time) admin.Window {
	t.Helper()
	w, err := admin.NewWindow(from, to, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sumOf(name string) admin.Metric { return admin.Metric{Stream: "s", Name: name, Stat: "Sum"} }

// inOrder sorts datapoints by metric and time.
func inOrder(points []admin.Datapoint) []admin.Datapoint {
	slices.SortStableFunc(points, func(a, b admin.Datapoint) int { return a.Metric - b.Metric })
	return points
}

// Datapoints come each once, however they fall on the pages of the real API.
func TestMetricDataPages(t *testing.T) {
	const page = 3
	for _, n := range []int{0, 1, page - 1, page, page + 1, 2 * page, 2*page + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fh := hydranttest.Start(t, hydranttest.Options{})
				fh.CreateStream("s")
				from := time.Now()
				want := []admin.Datapoint{}
				for i := range n {
					put(t, fh.Client(), i+1)
					want = append(want, admin.Datapoint{Metric: 0, Time: time.Now().Truncate(time.Minute).UTC(), Value: float64(i + 1)})
					time.Sleep(time.Minute)
				}
				for i := range n {
					p := want[i]
					want = append(want, admin.Datapoint{Metric: 2, Time: p.Time, Value: 5 * p.Value})
				}
				r := &recorder{Client: cloudwatch.NewFromConfig(fh.AWSConfig()), page: page}
				metrics := []admin.Metric{sumOf("IncomingRecords"), sumOf("NoSuchMetric"), sumOf("IncomingBytes")}
				got := inOrder(collect(t, admin.MetricData(t.Context(), r, metrics, window(t, from, time.Now()))))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if calls := max(1, (2*n+page-1)/page); n > 0 && len(r.asked) != calls {
					t.Errorf("%d calls, want %d", len(r.asked), calls)
				}
			})
		})
	}
}

// More metrics than a call takes are asked for in several, and keep their places.
func TestMetricDataManyMetrics(t *testing.T) {
	for _, n := range []int{0, 1, 499, 500, 501, 1001} {
		bubble(t, func(t *testing.T) {
			fh := hydranttest.Start(t, hydranttest.Options{})
			fh.CreateStream("s")
			from := time.Now()
			put(t, fh.Client(), 2)
			var metrics []admin.Metric
			want := []admin.Datapoint{}
			for i := range n {
				metrics = append(metrics, sumOf(fmt.Sprint("Nothing", i)))
				if i%250 == 0 {
					metrics[i] = sumOf("IncomingRecords")
					want = append(want, admin.Datapoint{Metric: i, Time: from.Truncate(time.Minute).UTC(), Value: 2})
				}
			}
			r := &recorder{Client: cloudwatch.NewFromConfig(fh.AWSConfig())}
			got := collect(t, admin.MetricData(t.Context(), r, metrics, window(t, from, from.Add(time.Second))))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d metrics (-want +got):\n%s", n, diff)
			}
			if calls := (n + 499) / 500; len(r.asked) != calls {
				t.Errorf("%d metrics: %d calls, want %d", n, len(r.asked), calls)
			}
		})
	}
}

type object = map[string]any

var epoch = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// metricPage is an answer of GetMetricData with a result for each value, of the minute
// after epoch that the value tells; status is that of each.
func metricPage(token, status string, values ...float64) any {
	results := []object{}
	for _, v := range values {
		results = append(results, object{
			"Id": "m0", "Label": "x", "StatusCode": status, "Values": []float64{v},
			"Timestamps": []cbor.Tag{{Number: 1, Content: epoch.Unix() + int64(v)*60}},
			"Messages":   []object{{"Code": "C", "Value": "remark"}},
		})
	}
	page := object{"MetricDataResults": results}
	if token != "" {
		page["NextToken"] = token
	}
	return page
}

func (s *scripted) cloudwatch() *cloudwatch.Client { return cloudwatch.NewFromConfig(configFor(s)) }

// tokens are those of the calls that were made.
func (s *scripted) tokens(member string) (list []string) {
	for _, in := range s.asked {
		token, _ := in[member].(string)
		list = append(list, token)
	}
	return list
}

// What the iterator makes of pages that the API may send, and of those that would
// leave something out without a word, or go on for ever.
func TestMetricDataOddPages(t *testing.T) {
	for _, tc := range []struct {
		name   string
		pages  []any
		want   []float64
		tokens []string // of the calls
		err    string
	}{
		{"nothing", []any{metricPage("", "Complete")}, nil, []string{""}, ""},
		{"empty with a token", []any{metricPage("a", "PartialData"), metricPage("b", "Complete"), metricPage("", "Complete", 1)}, []float64{1}, []string{"", "a", "b"}, ""},
		{"empty last page", []any{metricPage("a", "PartialData", 1), metricPage("", "Complete")}, []float64{1}, []string{"", "a"}, ""},
		{"partial", []any{metricPage("a", "PartialData", 1, 2), metricPage("", "Complete", 3)}, []float64{1, 2, 3}, []string{"", "a"}, ""},
		{"trouble that is tried again", []any{metricPage("a", "InternalError"), metricPage("", "Complete", 3)}, []float64{3}, []string{"", "a"}, ""},
		{"the same token", []any{metricPage("a", "PartialData", 1)}, []float64{1, 1}, []string{"", "a"}, "same page token twice"},
		{"tokens in turn", []any{metricPage("a", "PartialData", 1), metricPage("b", "PartialData", 2), metricPage("a", "PartialData", 3)}, []float64{1, 2, 3}, []string{"", "a", "b"}, "same page token twice"},
		{"partial without a token", []any{metricPage("", "PartialData", 1)}, []float64{1}, []string{""}, "read metrics: of IncomingRecords of s CloudWatch says PartialData: C: remark"},
		{"trouble", []any{metricPage("", "InternalError", 1)}, []float64{1}, []string{""}, "InternalError"},
		{"forbidden", []any{metricPage("a", "Forbidden", 1)}, []float64{1}, []string{""}, "Forbidden"},
		{"an answer to another", []any{object{"MetricDataResults": []object{{"Id": "m1", "StatusCode": "Complete"}}}}, nil, []string{""}, `a result "m1"`},
		{"times without values", []any{object{"MetricDataResults": []object{{"Id": "m0", "Values": []float64{1}}}}}, nil, []string{""}, "0 times and 1 values"},
		{"an error", []any{metricPage("a", "PartialData", 1), awsError{400, "InvalidNextToken", "no"}}, []float64{1}, []string{"", "a"}, "InvalidNextToken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &scripted{answers: tc.pages}
				var got []float64
				var errs []error
				for p, err := range admin.MetricData(t.Context(), s.cloudwatch(), []admin.Metric{sumOf("IncomingRecords")}, window(t, time.Now(), time.Now().Add(time.Hour))) {
					if err != nil {
						errs = append(errs, err)
						continue
					}
					got = append(got, p.Value)
					if want := epoch.Add(time.Duration(p.Value) * time.Minute); !p.Time.Equal(want) {
						t.Errorf("%v at %v", p.Value, p.Time)
					}
				}
				if !slices.Equal(got, tc.want) {
					t.Errorf("values %v, want %v", got, tc.want)
				}
				if tokens := s.tokens("NextToken"); !slices.Equal(tokens, tc.tokens) {
					t.Errorf("calls with the tokens %q, want %q", tokens, tc.tokens)
				}
				if (len(errs) == 1) != (tc.err != "") || len(errs) > 0 && !strings.Contains(errs[0].Error(), tc.err) {
					t.Errorf("errors %v, want %q", errs, tc.err)
				}
			})
		})
	}
}

// A page that is throttled is asked for again, by its token, and nothing of it comes
// twice.
func TestMetricDataThrottled(t *testing.T) {
	throttled := awsError{400, "ThrottlingException", "Rate exceeded"}
	bubble(t, func(t *testing.T) {
		s := &scripted{answers: []any{throttled, metricPage("a", "PartialData", 1), throttled, throttled, metricPage("", "Complete", 2)}}
		cfg := configFor(s)
		cfg.Retryer = nil // the SDK's
		var got []float64
		for _, p := range collect(t, admin.MetricData(t.Context(), cloudwatch.NewFromConfig(cfg), []admin.Metric{sumOf("m")}, window(t, time.Now(), time.Now().Add(time.Hour)))) {
			got = append(got, p.Value)
		}
		if want := []float64{1, 2}; !slices.Equal(got, want) {
			t.Errorf("values %v, want %v", got, want)
		}
		if got, want := s.tokens("NextToken"), []string{"", "", "a", "a", "a"}; !slices.Equal(got, want) {
			t.Errorf("calls with the tokens %q, want %q", got, want)
		}
	})
}

// The caller may stop, or its context end: nothing more is asked for.
func TestMetricDataStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := window(t, time.Now(), time.Now().Add(time.Hour))
		s := &scripted{answers: []any{metricPage("a", "PartialData", 1, 2), metricPage("", "Complete", 3)}}
		for range admin.MetricData(t.Context(), s.cloudwatch(), []admin.Metric{sumOf("m")}, w) {
			break
		}
		if len(s.asked) != 1 {
			t.Errorf("%d calls after a break, want 1", len(s.asked))
		}
		s.asked = nil
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []float64
		var last error
		for p, err := range admin.MetricData(ctx, s.cloudwatch(), []admin.Metric{sumOf("m")}, w) {
			cancel()
			if last = err; err == nil {
				got = append(got, p.Value)
			}
		}
		if !slices.Equal(got, []float64{1, 2}) || !errors.Is(last, context.Canceled) || len(s.asked) != 1 {
			t.Errorf("values %v, error %v, %d calls", got, last, len(s.asked))
		}
	})
}

// Records put minutes and days apart are all in the sum, each once, and those of
// before and after are not.
func TestMetricSums(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		put(t, fh.Client(), 1)
		time.Sleep(10 * time.Minute)
		from := time.Now()
		put(t, fh.Client(), 2)
		time.Sleep(24*time.Hour - time.Minute)
		put(t, fh.Client(), 3)
		time.Sleep(time.Minute)
		put(t, fh.Client(), 5)
		time.Sleep(24*time.Hour + 30*time.Second)
		put(t, fh.Client(), 7)
		to := time.Now()
		time.Sleep(time.Minute)
		put(t, fh.Client(), 11)

		cw := cloudwatch.NewFromConfig(fh.AWSConfig())
		for _, tc := range []struct {
			from, to time.Time
			want     float64
		}{
			{from, to, 17},
			{from.Add(-11 * time.Minute), to.Add(2 * time.Minute), 29},
			{from.Add(time.Second), from.Add(2 * time.Second), 2}, // the whole minute
			{time.Time{}, from, 3}, // the whole hour
			{to, from, 0},
			{from, from, 0},
		} {
			got, err := admin.MetricSums(t.Context(), cw, "s", tc.from, tc.to, "IncomingRecords", "IncomingBytes", "NoSuchMetric")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]float64{"IncomingRecords": tc.want, "IncomingBytes": 5 * tc.want, "NoSuchMetric": 0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v to %v (-want +got):\n%s", tc.from, tc.to, diff)
			}
		}
	})
}

// The window is of whole periods, and of no finer ones than CloudWatch has kept.
func TestWindow(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		ago, length, period time.Duration
		want                time.Duration // the period; 0 is an error
	}{
		{0, time.Second, 0, time.Minute},
		{0, time.Second, time.Minute, time.Minute},
		{0, time.Second, 7 * time.Minute, 7 * time.Minute},
		{0, time.Second, 90 * time.Second, 0},
		{0, time.Second, time.Second, 0},
		{0, time.Second, -time.Minute, 0},
		{14 * day, 14 * day, 0, time.Minute},
		{15 * day, 5 * day, 0, 5 * time.Minute},
		{15 * day, 5 * day, time.Minute, 0},
		{15 * day, 5 * day, 10 * time.Minute, 10 * time.Minute},
		{15 * day, 5 * day, 7 * time.Minute, 0},
		{62 * day, 62 * day, 0, 5 * time.Minute},
		{63 * day, 60 * day, 0, time.Hour},
		{63 * day, 60 * day, 5 * time.Minute, 0},
		{450 * day, 450 * day, 0, time.Hour},
		{4500 * day, 4500 * day, 0, time.Hour},
		{63 * day, 63 * day, day, day},
	} {
		bubble(t, func(t *testing.T) {
			time.Sleep(17*day + 12345678*time.Millisecond)
			from := time.Now().Add(-tc.ago)
			to := from.Add(tc.length)
			w, err := admin.NewWindow(from, to, tc.period)
			if (err == nil) != (tc.want > 0) || err == nil && w.Period != tc.want {
				t.Fatalf("%v ago in periods of %v: period %v (%v), want %v", tc.ago, tc.period, w.Period, err, tc.want)
			}
			if err != nil {
				return
			}
			if kept := time.Now().Add(-455 * day); from.Before(kept) {
				from = kept
			}
			whole := int64(w.Period / time.Second)
			if w.From.After(from) || from.Sub(w.From) >= w.Period || w.To.Before(to) || w.To.Sub(to) >= w.Period ||
				w.From.Unix()%whole != 0 || w.To.Unix()%whole != 0 {
				t.Errorf("%v to %v in periods of %v is %v to %v", from, to, w.Period, w.From, w.To)
			}
			if got, want := w.Index(to.Add(-1)), w.Periods()-1; got != want || w.Index(w.From) != 0 || w.Index(w.From.Add(-1)) != -1 {
				t.Errorf("the last of %d periods is %d, the first %d, the one before %d", want+1, got, w.Index(w.From), w.Index(w.From.Add(-1)))
			}
		})
	}
}
