package cloudwatch

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// PutMetricData
//
// Kept: a body of at most 1 MiB as it is sent, which may be gzip; at most 1,000
// metrics, 30 dimensions and 150 values of one; Value, Values with Counts, or
// StatisticValues; times from two weeks ago to two hours ahead; values within ±2^360;
// no namespace of AWS. All is stored or nothing. What is stored can be read at once.
// Left out, and refused by name: high resolution (StorageResolution 1) and entities
// (EntityMetricData).

const (
	maxPutBytes = 1 << 20
	maxPut      = 1000
	maxValues   = 150
	oldest      = 14 * 24 * time.Hour
	newest      = 2 * time.Hour
)

var maxValue = math.Ldexp(1, 360)

type putMetricDataInput struct {
	Namespace        *string
	MetricData       []metricDatum
	EntityMetricData []struct{}
}

type metricDatum struct {
	MetricName      *string
	Dimensions      []dimension
	Timestamp       *awsapi.Timestamp
	Value           *float64
	StatisticValues *struct{ SampleCount, Sum, Minimum, Maximum *float64 }
	Values, Counts  []float64
	Unit            string

	StorageResolution *int32
}

func (s *Store) putMetricData(c *awsapi.Call, in *putMetricDataInput) (any, error) {
	now := time.Now()
	if err := in.check(c); err != nil {
		return nil, err
	}
	keys, sets := make([]Key, len(in.MetricData)), make([]set, len(in.MetricData))
	for i := range in.MetricData {
		d, name := &in.MetricData[i], fmt.Sprintf("MetricData.member.%d", i+1)
		if err := d.check(name, now); err != nil {
			return nil, err
		}
		dims, err := dimensions(name+".Dimensions", d.Dimensions)
		if err != nil {
			return nil, err
		}
		if sets[i], err = d.set(name); err != nil {
			return nil, err
		}
		keys[i] = Key{Caller: c.Caller, Namespace: *in.Namespace, Name: *d.MetricName, Dimensions: dims, Unit: d.Unit}
	}
	for i, d := range in.MetricData {
		at := now
		if d.Timestamp != nil {
			at = time.Time(*d.Timestamp)
		}
		s.Series(keys[i]).add(at, now, sets[i])
	}
	return nil, nil
}

func (in *putMetricDataInput) check(c *awsapi.Call) error {
	if c.Sent > maxPutBytes {
		return &wire.Error{Status: 413, Code: "RequestEntityTooLarge", Message: fmt.Sprintf("The request has %d bytes, which exceeds the limit of %d.", c.Sent, maxPutBytes)}
	}
	if err := checkNamespace(in.Namespace); err != nil {
		return err
	}
	switch n := len(in.MetricData); {
	case strings.HasPrefix(*in.Namespace, "AWS/"):
		return wire.Errorf(codeInvalidValue, "The value %s for parameter Namespace is invalid: AWS/ is for the metrics of AWS.", *in.Namespace)
	case in.EntityMetricData != nil:
		return awsapi.NotImplemented("The local Firehose does not support EntityMetricData.")
	case n == 0:
		return required("MetricData", true)
	case n > maxPut:
		return wire.Errorf(codeInvalidValue, "The collection MetricData must not have a size greater than %d.", maxPut)
	}
	return nil
}

func (d *metricDatum) check(name string, now time.Time) error {
	if err := checkText(name+".MetricName", d.MetricName, 255); err != nil {
		return err
	}
	if err := checkUnit(name+".Unit", d.Unit); err != nil {
		return err
	}
	if r := d.StorageResolution; r != nil {
		switch *r {
		case 60:
		case 1:
			return awsapi.NotImplemented("The local Firehose does not support %s.StorageResolution 1: it keeps metrics by the minute.", name)
		default:
			return wire.Errorf(codeInvalidValue, "The value %d for parameter %s.StorageResolution is invalid: it can be 1 or 60.", *r, name)
		}
	}
	if d.Timestamp == nil {
		return nil
	}
	switch at := time.Time(*d.Timestamp); {
	case at.Before(now.Add(-oldest)):
		return wire.Errorf(codeInvalidValue, "The parameter %s.Timestamp must specify a time within the past two weeks.", name)
	case at.After(now.Add(newest)):
		return wire.Errorf(codeInvalidValue, "The parameter %s.Timestamp must specify a time no more than two hours in the future.", name)
	}
	return nil
}

// set adds up the samples of a metric, which come in one of three forms.
func (d *metricDatum) set(name string) (p set, err error) {
	forms := 0
	for _, given := range []bool{d.Value != nil, d.Values != nil, d.StatisticValues != nil} {
		if given {
			forms++
		}
	}
	switch {
	case forms == 0:
		return p, wire.Errorf(codeMissingParameter, "One of the parameters %s.Value, %[1]s.Values and %[1]s.StatisticValues is required.", name)
	case forms > 1:
		return p, wire.Errorf(codeInvalidCombination, "The parameters %s.Value, %[1]s.Values and %[1]s.StatisticValues are mutually exclusive.", name)
	case d.Counts != nil && d.Values == nil:
		return p, wire.Errorf(codeInvalidCombination, "The parameter %s.Counts goes with %[1]s.Values.", name)
	case d.Value != nil:
		return set{count: 1, sum: *d.Value, min: *d.Value, max: *d.Value}, checkValue(name+".Value", *d.Value)
	case d.Values != nil:
		return d.addUp(name)
	}
	v := d.StatisticValues
	for _, f := range []struct {
		name  string
		value *float64
		into  *float64
	}{{"SampleCount", v.SampleCount, &p.count}, {"Sum", v.Sum, &p.sum}, {"Minimum", v.Minimum, &p.min}, {"Maximum", v.Maximum, &p.max}} {
		at := name + ".StatisticValues." + f.name
		if f.value == nil {
			return p, required(at, true)
		}
		if err := checkValue(at, *f.value); err != nil {
			return p, err
		}
		*f.into = *f.value
	}
	if p.count <= 0 || p.min > p.max {
		return p, wire.Errorf(codeInvalidValue, "The parameter %s.StatisticValues must have a SampleCount above 0 and no Minimum above its Maximum.", name)
	}
	return p, nil
}

func (d *metricDatum) addUp(name string) (p set, err error) {
	switch n := len(d.Values); {
	case n == 0:
		return p, required(name+".Values", true)
	case n > maxValues:
		return p, wire.Errorf(codeInvalidValue, "The collection %s.Values must not have a size greater than %d.", name, maxValues)
	case d.Counts != nil && len(d.Counts) != n:
		return p, wire.Errorf(codeInvalidValue, "The parameters %s.Values and %[1]s.Counts must be of the same length.", name)
	}
	p.min, p.max = math.Inf(1), math.Inf(-1)
	for i, v := range d.Values {
		count := 1.0
		if d.Counts != nil {
			count = d.Counts[i]
		}
		if err := checkValue(fmt.Sprintf("%s.Values.member.%d", name, i+1), v); err != nil {
			return p, err
		}
		if err := checkValue(fmt.Sprintf("%s.Counts.member.%d", name, i+1), count); err != nil || count <= 0 {
			return p, wire.Errorf(codeInvalidValue, "The value %v for parameter %s.Counts.member.%d is invalid: it must be above 0.", count, name, i+1)
		}
		p.merge(set{count: count, sum: v * count, min: v, max: v})
	}
	return p, nil
}

func checkValue(name string, v float64) error {
	if !(math.Abs(v) <= maxValue) { // nor is NaN
		return wire.Errorf(codeInvalidValue, "The value %v for parameter %s is invalid: it must be a number within ±2^360.", v, name)
	}
	return nil
}
