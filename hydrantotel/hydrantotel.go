// Package hydrantotel gives OpenTelemetry the metrics of a Hydrant producer: its
// counters by [Register], the duration of its calls by [Calls].
package hydrantotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hydrant-go/hydrant"
)

// Scope is the name to take a meter by.
const Scope = "github.com/hydrant-go/hydrant"

// Register makes instruments that observe p's counters, until the registration is
// taken back. Each collection reads one snapshot, in which accepted = delivered +
// dead-lettered + pending. The attributes go on every one; where a process has
// several producers they tell them apart.
func Register(meter metric.Meter, p *hydrant.Producer, attributes ...attribute.KeyValue) (metric.Registration, error) {
	var instruments []metric.Float64Observable
	var all []metric.Observable
	for _, m := range (&hydrant.Stats{}).Metrics() {
		i, err := instrument(meter, m)
		if err != nil {
			return nil, err
		}
		instruments, all = append(instruments, i), append(all, i)
	}
	refused, err := meter.Int64ObservableCounter("hydrant.records.refused", metric.WithUnit("{record}"),
		metric.WithDescription("Records that an answer refused one by one, each time, by error code."))
	if err != nil {
		return nil, err
	}
	set := metric.WithAttributes(attributes...)
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := p.Stats()
		for i, m := range s.Metrics() {
			o.ObserveFloat64(instruments[i], m.Value, set)
		}
		for code, n := range s.RefusedByCode {
			o.ObserveInt64(refused, n, set, metric.WithAttributes(attribute.String("error.type", code)))
		}
		return nil
	}, append(all, refused)...)
}

func instrument(meter metric.Meter, m hydrant.Metric) (metric.Float64Observable, error) {
	if m.Gauge {
		return meter.Float64ObservableUpDownCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
	}
	return meter.Float64ObservableCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help))
}

// Calls returns a hook for hydrant.Config.OnCall. It records how long each call
// took, and the longest time from Put to the answer among the records that it
// delivered, by stream and error code.
func Calls(meter metric.Meter) (func(hydrant.CallInfo), error) {
	// From a millisecond to Config.CallTimeout's default.
	bounds := metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
	duration, err := meter.Float64Histogram("hydrant.call.duration", metric.WithUnit("s"),
		metric.WithDescription("How long a put call took."), bounds)
	if err != nil {
		return nil, err
	}
	latency, err := meter.Float64Histogram("hydrant.put.latency.max", metric.WithUnit("s"),
		metric.WithDescription("The longest time from Put to the answer, of the records that a call has delivered."), bounds)
	if err != nil {
		return nil, err
	}
	return func(c hydrant.CallInfo) {
		ctx := context.Background()
		set := []attribute.KeyValue{attribute.String("aws.firehose.delivery_stream", c.Stream)}
		if c.Message != "" {
			code := c.Code
			if code == "" {
				code = "no_answer"
			}
			set = append(set, attribute.String("error.type", code))
		}
		duration.Record(ctx, c.Took.Seconds(), metric.WithAttributes(set...))
		if c.Delivered > 0 {
			latency.Record(ctx, c.Slowest.Seconds(), metric.WithAttributes(set...))
		}
	}, nil
}
