// Package cloudwatch is Amazon CloudWatch as far as metrics go: a [Store] of them,
// with the operations that put and read them.
package cloudwatch

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/wire"
)

// Codes of CloudWatch's errors.
const (
	codeInvalidValue       = "InvalidParameterValueException"
	codeInvalidCombination = "InvalidParameterCombinationException"
	codeMissingParameter   = "MissingRequiredParameterException"
	codeInvalidToken       = "InvalidNextToken"
	// codeValidation is what GetMetricData was seen to answer with, although its
	// model has no such error.
	codeValidation = "ValidationError"
)

const maxDimensions = 30

// units are the API's StandardUnit.
var units = strings.Fields(`Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits
	Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second Bits/Second
	Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None`)

// unsupported are the other operations of the API, which are refused by name.
const unsupported = `DeleteAlarmMuteRule DeleteAlarms DeleteAnomalyDetector DeleteDashboards DeleteInsightRules DeleteMetricStream
	DescribeAlarmContributors DescribeAlarmHistory DescribeAlarms DescribeAlarmsForMetric DescribeAnomalyDetectors DescribeInsightRules
	DisableAlarmActions DisableInsightRules EnableAlarmActions EnableInsightRules GetAlarmMuteRule GetDashboard GetInsightRuleReport
	GetMetricStream GetMetricWidgetImage GetOTelEnrichment ListAlarmMuteRules ListDashboards ListManagedInsightRules ListMetricStreams
	ListTagsForResource PutAlarmMuteRule PutAnomalyDetector PutCompositeAlarm PutDashboard PutInsightRule PutManagedInsightRules
	PutMetricAlarm PutMetricStream SetAlarmState StartMetricStreams StartOTelEnrichment StopMetricStreams StopOTelEnrichment
	TagResource UntagResource`

// Service is the API over s, in the protocols rpc-v2-cbor, awsJson1_0 and Query.
func Service(s *Store) *awsapi.Service {
	const target = "GraniteServiceVersion20100801"
	service := &awsapi.Service{
		Name: "CloudWatch", Signing: "monitoring", Target: target + ".", JSON: "application/x-amz-json-1.0", CBOR: "/service/" + target + "/operation/",
		Version: "2010-08-01", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Operations: map[string]awsapi.Operation{
			"GetMetricStatistics": operation(s.getMetricStatistics),
			"GetMetricData":       operation(s.getMetricData),
			"ListMetrics":         operation(s.listMetrics),
			"PutMetricData":       operation(s.putMetricData),
		},
		QueryError: queryError,
	}
	service.Unsupported(unsupported)
	return service
}

// queryError is the error's code in the Query protocol, as the API's model has it.
func queryError(code string) string {
	switch code {
	case codeMissingParameter:
		return "MissingParameter"
	case codeInvalidValue, codeInvalidCombination:
		return strings.TrimSuffix(code, "Exception")
	}
	return code
}

// operation is one whose input is an In.
func operation[In any](op func(*awsapi.Call, *In) (any, error)) awsapi.Operation {
	return awsapi.Input(func(_ context.Context, c *awsapi.Call, in *In) (any, error) { return op(c, in) })
}

// dimension is one as it travels.
type dimension struct{ Name, Value *string }

// dimensions takes those of the parameter of that name.
func dimensions(name string, in []dimension) ([]Dimension, error) {
	if len(in) > maxDimensions {
		return nil, wire.Errorf(codeInvalidValue, "The collection %s must not have a size greater than %d.", name, maxDimensions)
	}
	var out []Dimension
	for i, d := range in {
		at := fmt.Sprintf("%s.member.%d", name, i+1)
		if err := checkText(at+".Name", d.Name, 255); err != nil {
			return nil, err
		}
		if err := checkText(at+".Value", d.Value, 1024); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o Dimension) bool { return o.Name == *d.Name }) {
			return nil, wire.Errorf(codeInvalidValue, "The parameter %s holds %s twice.", name, *d.Name)
		}
		out = append(out, Dimension{*d.Name, *d.Value})
	}
	return out, nil
}

// checkText tells what is wrong with a text that is required.
func checkText(name string, text *string, longest int) error {
	switch n := len(deref(text)); {
	case n == 0:
		return required(name, true)
	case n > longest:
		return wire.Errorf(codeInvalidValue, "The parameter %s must not be longer than %d characters, it has %d.", name, longest, n)
	}
	return nil
}

func required(name string, missing bool) error {
	if missing {
		return wire.Errorf(codeMissingParameter, "The parameter %s is required.", name)
	}
	return nil
}

func checkTimes(start, end *awsapi.Timestamp) error {
	switch {
	case start == nil:
		return required("StartTime", true)
	case end == nil:
		return required("EndTime", true)
	case !time.Time(*start).Before(time.Time(*end)):
		return wire.Errorf(codeInvalidValue, "The parameter StartTime must be less than the parameter EndTime.")
	}
	return nil
}

func checkNamespace(namespace *string) error {
	if err := checkText("Namespace", namespace, 255); err != nil {
		return err
	}
	if (*namespace)[0] == ':' {
		return wire.Errorf(codeInvalidValue, "The value %s for parameter Namespace is invalid: it must not begin with a colon.", *namespace)
	}
	return nil
}

func checkUnit(name, unit string) error {
	if unit != "" && !slices.Contains(units, unit) {
		return wire.Errorf(codeInvalidValue, "The value %s for parameter %s is invalid.", unit, name)
	}
	return nil
}

// checkPeriod: a period is a multiple of the minute that samples are kept by. AWS
// also takes 1, 5, 10, 20 and 30 seconds, for metrics of high resolution.
func checkPeriod(name string, seconds int32) error {
	if seconds < 60 || seconds%60 != 0 {
		return wire.Errorf(codeInvalidValue, "The parameter %s must be a multiple of 60 seconds, not %d; the local Firehose keeps no metrics of a finer resolution.", name, seconds)
	}
	return nil
}

// statistics are the figures of a datapoint. AWS also has percentiles and others
// that need every sample, which are not kept here.
var statistics = map[string]func(Datapoint) float64{
	"SampleCount": func(d Datapoint) float64 { return d.SampleCount },
	"Average":     func(d Datapoint) float64 { return d.Sum / d.SampleCount },
	"Sum":         func(d Datapoint) float64 { return d.Sum },
	"Minimum":     func(d Datapoint) float64 { return d.Minimum },
	"Maximum":     func(d Datapoint) float64 { return d.Maximum },
}

// extendedRE is the form of the statistics that AWS has besides (user guide,
// CloudWatch statistics definitions).
var extendedRE = regexp.MustCompile(`^(p\d{1,2}(\.\d{1,10})?|p100|IQM|(tm|wm|tc|ts|TM|WM|TC|TS|PR|p)\d*(\.\d+)?(\(.*\))?)$`)

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
