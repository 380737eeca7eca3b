package cloudwatch

import (
	"math"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// GetMetricStatistics
//
// Kept: StartTime before EndTime, rounded as AWS rounds it; 1 to 5 statistics; at
// most 1,440 datapoints; the unit as a filter; a sample can be read as soon as it
// is taken.
// Left out, and refused by name: percentiles (ExtendedStatistics). The datapoints
// come in order of time, where AWS promises none.

const maxDatapoints = 1440

type getMetricStatisticsInput struct {
	Namespace, MetricName *string
	Dimensions            []dimension
	StartTime, EndTime    *awsapi.Timestamp
	Period                *int32 // seconds
	Statistics            []string
	ExtendedStatistics    []string
	Unit                  string
}

type getMetricStatisticsOutput struct {
	Label      string
	Datapoints []datapoint
}

// datapoint holds the statistics that were asked for.
type datapoint struct {
	Timestamp                                   awsapi.Timestamp
	SampleCount, Average, Sum, Minimum, Maximum *float64 `json:",omitempty"`
	Unit                                        string
}

func (s *Store) getMetricStatistics(c *awsapi.Call, in *getMetricStatisticsInput) (any, error) {
	q, err := in.query(c.Caller)
	if err != nil {
		return nil, err
	}
	out := getMetricStatisticsOutput{Label: q.Name, Datapoints: []datapoint{}}
	for _, d := range s.Statistics(q) {
		p := datapoint{Timestamp: awsapi.Timestamp(d.Timestamp), Unit: d.Unit}
		for _, name := range in.Statistics {
			*p.field(name) = new(statistics[name](d))
		}
		out.Datapoints = append(out.Datapoints, p)
	}
	return out, nil
}

func (p *datapoint) field(statistic string) **float64 {
	switch statistic {
	case "SampleCount":
		return &p.SampleCount
	case "Average":
		return &p.Average
	case "Sum":
		return &p.Sum
	case "Minimum":
		return &p.Minimum
	}
	return &p.Maximum
}

// query makes the store's query, or tells what is wrong.
func (in *getMetricStatisticsInput) query(caller awsapi.Caller) (q Query, err error) {
	if err := in.check(); err != nil {
		return q, err
	}
	q = Query{
		Key:   Key{Caller: caller, Namespace: *in.Namespace, Name: *in.MetricName, Unit: in.Unit},
		Start: time.Time(*in.StartTime), End: time.Time(*in.EndTime), Period: seconds(*in.Period),
	}
	q.Dimensions, err = dimensions("Dimensions", in.Dimensions)
	return q, err
}

func (in *getMetricStatisticsInput) check() error {
	for _, err := range []error{
		checkNamespace(in.Namespace), checkText("MetricName", in.MetricName, 255), checkTimes(in.StartTime, in.EndTime),
		required("Period", in.Period == nil), in.checkStatistics(), checkUnit("Unit", in.Unit),
	} {
		if err != nil {
			return err
		}
	}
	if err := checkPeriod("Period", *in.Period); err != nil {
		return err
	}
	// Sub ends at 292 years, far more than can be asked for.
	asked := math.Ceil(time.Time(*in.EndTime).Sub(time.Time(*in.StartTime)).Seconds() / float64(*in.Period))
	if asked > maxDatapoints {
		return wire.Errorf(codeInvalidCombination, "You have requested up to %.0f datapoints, which exceeds the limit of %d. Increase Period, or shorten the time between StartTime and EndTime.", asked, maxDatapoints)
	}
	return nil
}

func (in *getMetricStatisticsInput) checkStatistics() error {
	if len(in.ExtendedStatistics) > 0 {
		return wire.Errorf(codeInvalidValue, "The local Firehose does not support ExtendedStatistics: it keeps no single samples.")
	}
	if n := len(in.Statistics); n < 1 || n > len(statistics) {
		return wire.Errorf(codeInvalidValue, "The parameter Statistics must hold 1 to %d statistics, not %d.", len(statistics), n)
	}
	for _, name := range in.Statistics {
		if statistics[name] == nil {
			return wire.Errorf(codeInvalidValue, "The parameter Statistics holds %q, which is not one of SampleCount, Average, Sum, Minimum and Maximum.", name)
		}
	}
	return nil
}
