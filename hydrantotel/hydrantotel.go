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
	r := registry{meter: meter}
	for _, c := range []struct {
		name, unit, help string
		value            func(*hydrant.Stats) int64
	}{
		{"hydrant.records.accepted", "{record}", "Records accepted by Put.", func(s *hydrant.Stats) int64 { return s.Accepted }},
		{"hydrant.records.delivered", "{record}", "Records that Firehose has stored.", func(s *hydrant.Stats) int64 { return s.Delivered }},
		{"hydrant.records.dead_lettered", "{record}", "Records in the dead letter.", func(s *hydrant.Stats) int64 { return s.DeadLettered }},
		{"hydrant.records.retried", "{record}", "Times that a record was sent again.", func(s *hydrant.Stats) int64 { return s.Retries }},
		{"hydrant.records.maybe_duplicate", "{record}", "Delivered records that may be stored twice.", func(s *hydrant.Stats) int64 { return s.MaybeDuplicate }},
		{"hydrant.firehose_records", "{record}", "Records stored, as Firehose counts them: a pack of many is one.", func(s *hydrant.Stats) int64 { return s.FirehoseRecords }},
		{"hydrant.bytes.accepted", "By", "Raw bytes accepted by Put, delimiters included.", func(s *hydrant.Stats) int64 { return s.AcceptedBytes }},
		{"hydrant.bytes.delivered", "By", "Raw bytes that Firehose has stored.", func(s *hydrant.Stats) int64 { return s.DeliveredBytes }},
		{"hydrant.bytes.billed", "By", "Bytes that Firehose bills for what it has stored.", func(s *hydrant.Stats) int64 { return s.BilledBytes }},
		{"hydrant.bytes.billed_unpacked", "By", "Bytes that Firehose would bill had each record been sent on its own.", func(s *hydrant.Stats) int64 { return s.UnpackedBilledBytes }},
		{"hydrant.bytes.linger_padding", "By", "Billed bytes that a longer linger might have saved.", func(s *hydrant.Stats) int64 { return s.LingerPaddingBytes }},
		{"hydrant.calls", "{call}", "Put calls made.", func(s *hydrant.Stats) int64 { return s.Calls }},
		{"hydrant.calls.failed", "{call}", "Put calls that failed as a whole.", func(s *hydrant.Stats) int64 { return s.FailedCalls }},
	} {
		i, err := meter.Int64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.help))
		r.add(i, err, c.value)
	}
	for _, g := range []struct {
		name, unit, help string
		value            func(*hydrant.Stats) int64
	}{
		{"hydrant.records.pending", "{record}", "Records accepted and without a fate yet.", func(s *hydrant.Stats) int64 { return s.Pending }},
		{"hydrant.bytes.buffered", "By", "Share of the buffer that is taken.", func(s *hydrant.Stats) int64 { return s.BufferedBytes }},
		{"hydrant.calls.in_flight", "{call}", "Put calls under way.", func(s *hydrant.Stats) int64 { return int64(s.InFlight) }},
	} {
		i, err := meter.Int64ObservableUpDownCounter(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.help))
		r.add(i, err, g.value)
	}
	refused, err := meter.Int64ObservableCounter("hydrant.records.refused", metric.WithUnit("{record}"),
		metric.WithDescription("Records that an answer refused one by one, each time, by error code."))
	r.note(refused, err)
	billed, err := meter.Float64ObservableCounter("hydrant.billed", metric.WithUnit("{USD}"),
		metric.WithDescription("Price of the billed bytes, for Direct PUT ingestion alone."))
	r.note(billed, err)
	if r.err != nil {
		return nil, r.err
	}
	set := metric.WithAttributes(attributes...)
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := p.Stats()
		for _, c := range r.counts {
			o.ObserveInt64(c.instrument, c.value(&s), set)
		}
		o.ObserveFloat64(billed, s.BilledUSD, set)
		for code, n := range s.RefusedByCode {
			o.ObserveInt64(refused, n, set, metric.WithAttributes(attribute.String("error.type", code)))
		}
		return nil
	}, r.all...)
}

// registry collects instruments.
type registry struct {
	meter  metric.Meter
	counts []count
	all    []metric.Observable
	err    error
}

type count struct {
	instrument metric.Int64Observable
	value      func(*hydrant.Stats) int64
}

func (r *registry) note(i metric.Observable, err error) {
	if r.err == nil {
		r.err = err
	}
	r.all = append(r.all, i)
}

func (r *registry) add(i metric.Int64Observable, err error, value func(*hydrant.Stats) int64) {
	r.note(i, err)
	r.counts = append(r.counts, count{i, value})
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
