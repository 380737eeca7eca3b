package admin

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Metric asks for one statistic of one of a delivery stream's metrics.
type Metric struct {
	Stream string // the delivery stream's name
	Name   string // such as IncomingRecords
	Stat   string // Sum, SampleCount, Minimum, Maximum or Average
}

// Datapoint is a metric's value over a period.
type Datapoint struct {
	Metric int       // index of the metric that was asked for
	Time   time.Time // the period's start
	Value  float64
}

// maxQueries is how many metrics a call of GetMetricData takes (API reference).
const maxQueries = 500

// MetricData yields the datapoints of metrics over a window: for each metric the
// oldest first, but those of several come in no particular order. A period in which
// nothing was sampled has none. AWS publishes a minute's figures a minute or more
// after its end.
//
// It takes a call for every 500 metrics, and one more for every 100,800 datapoints;
// CloudWatch bills by the metric that is asked for. An error ends the sequence, and
// so does an answer that is not whole.
func MetricData(ctx context.Context, c cloudwatch.GetMetricDataAPIClient, metrics []Metric, w Window) iter.Seq2[Datapoint, error] {
	return func(yield func(Datapoint, error) bool) {
		for first := 0; first < len(metrics) && w.Periods() > 0; first += maxQueries {
			some := metrics[first:min(first+maxQueries, len(metrics))]
			for p, err := range metricPages(ctx, c, some, w) {
				p.Metric += first
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
	}
}

// metricPages is MetricData for what one call takes.
func metricPages(ctx context.Context, c cloudwatch.GetMetricDataAPIClient, metrics []Metric, w Window) iter.Seq2[Datapoint, error] {
	in := &cloudwatch.GetMetricDataInput{StartTime: &w.From, EndTime: &w.To, ScanBy: types.ScanByTimestampAscending}
	for i, m := range metrics {
		in.MetricDataQueries = append(in.MetricDataQueries, m.query(i, w.Period))
	}
	return paged("read metrics", func(token string) (points []Datapoint, next string, err error) {
		in := *in
		in.NextToken = unlessEmpty(token)
		page, err := c.GetMetricData(ctx, &in)
		if err != nil {
			return nil, "", err
		}
		next = aws.ToString(page.NextToken)
		for i := range page.MetricDataResults {
			some, err := datapoints(&page.MetricDataResults[i], metrics, next != "")
			points = append(points, some...)
			if err != nil {
				return points, "", err
			}
		}
		return points, next, nil
	})
}

func (m *Metric) query(i int, period time.Duration) types.MetricDataQuery {
	return types.MetricDataQuery{
		Id: aws.String("m" + strconv.Itoa(i)),
		MetricStat: &types.MetricStat{
			Metric: &types.Metric{
				Namespace: aws.String("AWS/Firehose"), MetricName: &m.Name,
				Dimensions: []types.Dimension{{Name: aws.String("DeliveryStreamName"), Value: &m.Stream}},
			},
			Period: aws.Int32(int32(period / time.Second)), Stat: &m.Stat,
		},
	}
}

// datapoints are those of a result. What is not whole must have its rest on a page to
// come.
func datapoints(r *types.MetricDataResult, metrics []Metric, more bool) (points []Datapoint, err error) {
	i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(r.Id), "m"))
	if err != nil || i < 0 || i >= len(metrics) || len(r.Timestamps) != len(r.Values) {
		return nil, fmt.Errorf("the answer has a result %q of %d times and %d values", aws.ToString(r.Id), len(r.Timestamps), len(r.Values))
	}
	for k, at := range r.Timestamps {
		points = append(points, Datapoint{i, at, r.Values[k]})
	}
	if r.StatusCode == types.StatusCodeForbidden || r.StatusCode != types.StatusCodeComplete && !more {
		return points, fmt.Errorf("of %s of %s CloudWatch says %s%s", metrics[i].Name, metrics[i].Stream, r.StatusCode, remarks(r.Messages))
	}
	return points, nil
}

func remarks(messages []types.MessageData) (text string) {
	for _, m := range messages {
		text += fmt.Sprintf(": %s: %s", aws.ToString(m.Code), aws.ToString(m.Value))
	}
	return text
}

// MetricSums are the sums of a stream's metrics, such as IncomingRecords, over [from,
// to), by their names. Both are widened to whole periods, see [NewWindow]. A metric
// without a datapoint is 0.
func MetricSums(ctx context.Context, c cloudwatch.GetMetricDataAPIClient, stream string, from, to time.Time, names ...string) (map[string]float64, error) {
	sums := map[string]float64{}
	var metrics []Metric
	for _, name := range names {
		sums[name] = 0
		metrics = append(metrics, Metric{Stream: stream, Name: name, Stat: string(types.StatisticSum)})
	}
	w, err := NewWindow(from, to, 0)
	if err != nil {
		return nil, err
	}
	for p, err := range MetricData(ctx, c, metrics, w) {
		if err != nil {
			return nil, err
		}
		sums[names[p.Metric]] += p.Value
	}
	return sums, nil
}
