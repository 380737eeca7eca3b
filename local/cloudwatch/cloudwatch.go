// Package cloudwatch is the part of Amazon CloudWatch that reads a stream's
// metrics.
package cloudwatch

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// GetMetricStatistics, of CloudWatch (GraniteServiceVersion20100801)
//
// Kept: the two protocols that current clients speak, rpc-v2-cbor (the Go SDK)
// and awsJson1_0 (boto3); bodies compressed by gzip; the constraints: StartTime
// before EndTime, Period a multiple of 60 seconds, 1 to 5 statistics, at most
// 1,440 datapoints and 30 dimensions; the unit as a filter. The errors' codes are
// those of the API's model.
// Left out, and refused by name: every other operation, percentiles
// (ExtendedStatistics) and the old Query protocol.

const (
	maxDatapoints = 1440
	maxDimensions = 30
)

// Codes of CloudWatch's errors.
const (
	codeInvalidValue       = "InvalidParameterValueException"
	codeInvalidCombination = "InvalidParameterCombinationException"
	codeMissingParameter   = "MissingRequiredParameterException"
)

// Metrics has the statistics. Errors are as in [awsapi.Operation].
type Metrics interface {
	GetMetricStatistics(context.Context, awsapi.Caller, *GetMetricStatisticsInput) (*GetMetricStatisticsOutput, error)
}

// Service is the API over m.
func Service(m Metrics) *awsapi.Service {
	const target = "GraniteServiceVersion20100801"
	return &awsapi.Service{
		Name: "CloudWatch", Signing: "monitoring", Target: target + ".", JSON: "application/x-amz-json-1.0", CBOR: "/service/" + target + "/operation/",
		Operations: map[string]awsapi.Operation{
			"GetMetricStatistics": func(ctx context.Context, c *awsapi.Call) (any, error) {
				var q metricQuery
				if err := c.Decode(&q); err != nil {
					return nil, err
				}
				in, err := q.check()
				if err != nil {
					return nil, err
				}
				out, err := m.GetMetricStatistics(ctx, c.Caller, in)
				if err != nil {
					return nil, err
				}
				return q.answer(out), nil
			},
			"GetMetricData": nil, "ListMetrics": nil, "PutMetricData": nil,
		},
		QueryError: func(code string) string {
			switch code {
			case codeMissingParameter:
				return "MissingParameter"
			case codeInvalidValue, codeInvalidCombination:
				return strings.TrimSuffix(code, "Exception")
			}
			return code
		},
	}
}

// metricQuery is the input as it travels.
type metricQuery struct {
	Namespace, MetricName *string
	Dimensions            []struct{ Name, Value *string }
	StartTime, EndTime    *awsapi.Timestamp
	Period                *int32 // seconds
	Statistics            []string
	ExtendedStatistics    []string
	Unit                  string
}

// statistic is one figure of a datapoint.
type statistic struct {
	name  string
	value func(Datapoint) float64
}

var statistics = []statistic{
	{"SampleCount", func(d Datapoint) float64 { return d.SampleCount }},
	{"Average", func(d Datapoint) float64 { return d.Sum / d.SampleCount }},
	{"Sum", func(d Datapoint) float64 { return d.Sum }},
	{"Minimum", func(d Datapoint) float64 { return d.Minimum }},
	{"Maximum", func(d Datapoint) float64 { return d.Maximum }},
}

// check makes the backend's input, or tells what is wrong.
func (q *metricQuery) check() (*GetMetricStatisticsInput, error) {
	for _, m := range []struct {
		name    string
		missing bool
	}{
		{"Namespace", deref(q.Namespace, "") == ""},
		{"MetricName", deref(q.MetricName, "") == ""},
		{"StartTime", q.StartTime == nil},
		{"EndTime", q.EndTime == nil},
		{"Period", q.Period == nil},
	} {
		if m.missing {
			return nil, wire.Errorf(codeMissingParameter, "The parameter %s is required.", m.name)
		}
	}
	if err := q.checkStatistics(); err != nil {
		return nil, err
	}
	if err := q.checkTimes(); err != nil {
		return nil, err
	}
	dimensions, err := q.dimensions()
	if err != nil {
		return nil, err
	}
	return &GetMetricStatisticsInput{
		Namespace:  *q.Namespace,
		MetricName: *q.MetricName,
		Dimensions: dimensions,
		Start:      time.Time(*q.StartTime),
		End:        time.Time(*q.EndTime),
		Period:     q.period(),
		Statistics: q.Statistics,
	}, nil
}

func (q *metricQuery) period() time.Duration { return time.Duration(*q.Period) * time.Second }

func (q *metricQuery) checkStatistics() error {
	if len(q.ExtendedStatistics) > 0 {
		return wire.Errorf(codeInvalidValue, "The local Firehose does not support ExtendedStatistics yet.")
	}
	if n := len(q.Statistics); n < 1 || n > len(statistics) {
		return wire.Errorf(codeInvalidValue, "The parameter Statistics must hold 1 to %d statistics, not %d.", len(statistics), n)
	}
	for _, name := range q.Statistics {
		if !slices.ContainsFunc(statistics, func(s statistic) bool { return s.name == name }) {
			return wire.Errorf(codeInvalidValue, "The parameter Statistics holds %q, which is not one of SampleCount, Average, Sum, Minimum and Maximum.", name)
		}
	}
	return nil
}

func (q *metricQuery) checkTimes() error {
	start, end := time.Time(*q.StartTime), time.Time(*q.EndTime)
	switch {
	case *q.Period < 60 || *q.Period%60 != 0:
		return wire.Errorf(codeInvalidValue, "The parameter Period must be a multiple of 60 seconds, not %d.", *q.Period)
	case !start.Before(end):
		return wire.Errorf(codeInvalidValue, "The parameter StartTime must be less than the parameter EndTime.")
	}
	// Sub ends at 292 years, far more than can be asked for.
	if n := math.Ceil(end.Sub(start).Seconds() / q.period().Seconds()); n > maxDatapoints {
		return wire.Errorf(codeInvalidCombination, "You have requested up to %.0f datapoints, which exceeds the limit of %d. Increase Period, or shorten the time between StartTime and EndTime.", n, maxDatapoints)
	}
	return nil
}

func (q *metricQuery) dimensions() (map[string]string, error) {
	if len(q.Dimensions) > maxDimensions {
		return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions may hold at most %d, not %d.", maxDimensions, len(q.Dimensions))
	}
	m := map[string]string{}
	for i, d := range q.Dimensions {
		if deref(d.Name, "") == "" || deref(d.Value, "") == "" {
			return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions.member.%d must have a Name and a Value.", i+1)
		}
		if _, twice := m[*d.Name]; twice {
			return nil, wire.Errorf(codeInvalidValue, "The parameter Dimensions holds %s twice.", *d.Name)
		}
		m[*d.Name] = *d.Value
	}
	return m, nil
}

// answer is the output as it travels: of every datapoint the statistics that
// were asked for. A datapoint has at least one sample; one in another unit than
// was asked for is left out.
func (q *metricQuery) answer(out *GetMetricStatisticsOutput) any {
	points := []map[string]any{} // never null
	for _, d := range out.Datapoints {
		if d.SampleCount == 0 || q.Unit != "" && q.Unit != d.Unit {
			continue
		}
		point := map[string]any{"Timestamp": awsapi.Timestamp(d.Timestamp), "Unit": d.Unit}
		for _, s := range statistics {
			if slices.Contains(q.Statistics, s.name) {
				point[s.name] = s.value(d)
			}
		}
		points = append(points, point)
	}
	return map[string]any{"Label": out.Label, "Datapoints": points}
}

// GetMetricStatisticsInput asks for statistics of one metric.
type GetMetricStatisticsInput struct {
	Namespace  string
	MetricName string
	Dimensions map[string]string
	Start, End time.Time // [Start, End)
	Period     time.Duration
	Statistics []string // of SampleCount, Average, Sum, Minimum, Maximum
}

// GetMetricStatisticsOutput holds a datapoint for every period with samples.
type GetMetricStatisticsOutput struct {
	Label      string
	Datapoints []Datapoint
}

// Datapoint is the statistic set of one period; the server sends those of its
// statistics that were asked for.
type Datapoint struct {
	Timestamp   time.Time // the period's start
	SampleCount float64
	Sum         float64
	Minimum     float64
	Maximum     float64
	Unit        string
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
