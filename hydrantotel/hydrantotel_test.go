package hydrantotel_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydrantotel"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// What is collected is what the producer has done.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Faults: hydranttest.Script(hydranttest.Refuse(0, 2), hydranttest.Fail(503, "ServiceUnavailableException", "Slow down."), hydranttest.ResetBefore())})
		fh.CreateStream("logs")
		reader := sdk.NewManualReader()
		meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter(hydrantotel.Scope)
		calls, err := hydrantotel.Calls(meter)
		if err != nil {
			t.Fatal(err)
		}
		cfg := fh.AWSConfig()
		p, err := hydrant.New(t.Context(), hydrant.Config{
			Stream: "logs", AWS: &cfg, Packing: hydrant.PackOff, Logger: slog.New(slog.DiscardHandler), OnCall: calls,
		})
		if err != nil {
			t.Fatal(err)
		}
		registration, err := hydrantotel.Register(meter, p, attribute.String("shipper", "a"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := p.Put(t.Context(), fmt.Appendf(nil, "line %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Put(t.Context(), []byte("waits")); err != nil {
			t.Fatal(err)
		}
		got := collect(t, reader)
		for name, want := range map[string]float64{
			"hydrant.records.accepted": 11, "hydrant.records.delivered": 10, "hydrant.records.dead_lettered": 0, "hydrant.records.pending": 1,
			"hydrant.records.retried": 6, "hydrant.records.maybe_duplicate": 2, "hydrant.records.refused ServiceUnavailableException": 2,
			"hydrant.firehose_records": 10, "hydrant.bytes.accepted": 76, "hydrant.bytes.delivered": 70, "hydrant.bytes.buffered": 70,
			"hydrant.bytes.billed": 51200, "hydrant.bytes.billed_unpacked": 51200, "hydrant.bytes.linger_padding": 51130,
			"hydrant.records.recovered": 0, "hydrant.records.damaged": 0, "hydrant.bytes.spool": 0,
			"hydrant.billed": p.Stats().BilledUSD,
			"hydrant.calls":  4, "hydrant.calls.failed": 2, "hydrant.calls.in_flight": 0,
			"hydrant.call.duration": 2, "hydrant.call.duration ServiceUnavailableException": 1, "hydrant.call.duration no_answer": 1,
			"hydrant.put.latency.max": 2,
		} {
			v, ok := got[name]
			if !ok || v != want {
				t.Errorf("%s is %v (there: %v), want %v", name, v, ok, want)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("more than expected: %v", got)
		}
		if err := registration.Unregister(); err != nil {
			t.Error(err)
		}
		if left := collect(t, reader); len(left) != 4 {
			t.Errorf("after Unregister: %v", left)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// collect is the value of every metric, and how many values a histogram holds, by
// name and error type.
func collect(t *testing.T, reader *sdk.ManualReader) map[string]float64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	note := func(name string, set attribute.Set, v float64, owner attribute.Key, who string) {
		if by, _ := set.Value(owner); by.AsString() != who {
			t.Errorf("%s has %s=%q", name, owner, by.AsString())
		}
		if kind, ok := set.Value("error.type"); ok {
			name += " " + kind.AsString()
		}
		got[name] = v
	}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					note(m.Name, p.Attributes, float64(p.Value), "shipper", "a")
				}
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					note(m.Name, p.Attributes, p.Value, "shipper", "a")
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					note(m.Name, p.Attributes, float64(p.Count), "aws.firehose.delivery_stream", "logs")
				}
			}
		}
	}
	return got
}

func Example() {
	meter := otel.GetMeterProvider().Meter(hydrantotel.Scope)
	calls, err := hydrantotel.Calls(meter)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := hydrant.New(context.Background(), hydrant.Config{Stream: "logs", OnCall: calls})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := hydrantotel.Register(meter, p); err != nil {
		fmt.Println(err)
	}
}
