package hydrantprom_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydrantprom"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// What a scrape shows is what the producer has done.
func TestCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Faults: hydranttest.Script(hydranttest.Refuse(0, 2), hydranttest.Fail(503, "ServiceUnavailableException", "Slow down."))})
		fh.CreateStream("logs")
		cfg := fh.AWSConfig()
		p, err := hydrant.New(t.Context(), hydrant.Config{Stream: "logs", AWS: &cfg, Packing: hydrant.PackOff, Logger: slog.New(slog.DiscardHandler)})
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
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(hydrantprom.NewCollector(p, prometheus.Labels{"stream": "logs"}))
		const want = `
# HELP hydrant_bytes_accepted_total Raw bytes accepted by Put, delimiters included.
# TYPE hydrant_bytes_accepted_total counter
hydrant_bytes_accepted_total{stream="logs"} 76
# HELP hydrant_bytes_billed_total Bytes that Firehose bills for what it has stored.
# TYPE hydrant_bytes_billed_total counter
hydrant_bytes_billed_total{stream="logs"} 51200
# HELP hydrant_bytes_billed_unpacked_total Bytes that Firehose would bill had each record been sent on its own.
# TYPE hydrant_bytes_billed_unpacked_total counter
hydrant_bytes_billed_unpacked_total{stream="logs"} 51200
# HELP hydrant_bytes_buffered Share of the buffer that is taken.
# TYPE hydrant_bytes_buffered gauge
hydrant_bytes_buffered{stream="logs"} 70
# HELP hydrant_bytes_delivered_total Raw bytes that Firehose has stored.
# TYPE hydrant_bytes_delivered_total counter
hydrant_bytes_delivered_total{stream="logs"} 70
# HELP hydrant_bytes_linger_padding_total Billed bytes that a longer linger might have saved.
# TYPE hydrant_bytes_linger_padding_total counter
hydrant_bytes_linger_padding_total{stream="logs"} 51130
# HELP hydrant_bytes_spool Size of the spool's files.
# TYPE hydrant_bytes_spool gauge
hydrant_bytes_spool{stream="logs"} 0
# HELP hydrant_calls_failed_total Put calls that failed as a whole.
# TYPE hydrant_calls_failed_total counter
hydrant_calls_failed_total{stream="logs"} 1
# HELP hydrant_calls_in_flight Put calls under way.
# TYPE hydrant_calls_in_flight gauge
hydrant_calls_in_flight{stream="logs"} 0
# HELP hydrant_calls_total Put calls made.
# TYPE hydrant_calls_total counter
hydrant_calls_total{stream="logs"} 3
# HELP hydrant_firehose_records_total Records stored, as Firehose counts them: a pack of many is one.
# TYPE hydrant_firehose_records_total counter
hydrant_firehose_records_total{stream="logs"} 10
# HELP hydrant_records_accepted_total Records accepted by Put, or found in the spool.
# TYPE hydrant_records_accepted_total counter
hydrant_records_accepted_total{stream="logs"} 11
# HELP hydrant_records_damaged_total Records that the spool could not read any more.
# TYPE hydrant_records_damaged_total counter
hydrant_records_damaged_total{stream="logs"} 0
# HELP hydrant_records_dead_lettered_total Records in the dead letter.
# TYPE hydrant_records_dead_lettered_total counter
hydrant_records_dead_lettered_total{stream="logs"} 0
# HELP hydrant_records_delivered_total Records that Firehose has stored.
# TYPE hydrant_records_delivered_total counter
hydrant_records_delivered_total{stream="logs"} 10
# HELP hydrant_records_maybe_duplicate_total Delivered records that may be stored twice.
# TYPE hydrant_records_maybe_duplicate_total counter
hydrant_records_maybe_duplicate_total{stream="logs"} 0
# HELP hydrant_records_pending Records accepted and without a fate yet.
# TYPE hydrant_records_pending gauge
hydrant_records_pending{stream="logs"} 1
# HELP hydrant_records_recovered_total Records that were found in the spool.
# TYPE hydrant_records_recovered_total counter
hydrant_records_recovered_total{stream="logs"} 0
# HELP hydrant_records_refused_total Records that an answer refused one by one, each time, by error code.
# TYPE hydrant_records_refused_total counter
hydrant_records_refused_total{code="ServiceUnavailableException",stream="logs"} 2
# HELP hydrant_records_retried_total Times that a record was sent again.
# TYPE hydrant_records_retried_total counter
hydrant_records_retried_total{stream="logs"} 4
`
		var names []string
		for line := range strings.Lines(want) {
			if name, ok := strings.CutPrefix(line, "# HELP "); ok {
				names = append(names, name[:strings.Index(name, " ")])
			}
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if len(families) != len(names)+2 {
			t.Errorf("%d metrics, want %d", len(families), len(names)+2)
		}
		for _, f := range families {
			switch m := f.GetMetric()[0]; f.GetName() {
			case "hydrant_billed_total":
				if usd := m.GetCounter().GetValue(); usd != p.Stats().BilledUSD || usd == 0 {
					t.Errorf("billed $%v", usd)
				}
			case "hydrant_put_latency_seconds":
				h := m.GetHistogram()
				last := h.GetBucket()[len(h.GetBucket())-1]
				if h.GetSampleCount() != 10 || last.GetCumulativeCount() != 10 || h.GetSampleSum() <= 0 || last.GetUpperBound() != hydrant.LatencyBound(18).Seconds() {
					t.Errorf("latency: %v", h)
				}
			}
		}
		problems, err := testutil.GatherAndLint(registry)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func ExampleNewCollector() {
	p, err := hydrant.New(context.Background(), hydrant.Config{Stream: "logs"})
	if err != nil {
		fmt.Println(err)
		return
	}
	prometheus.MustRegister(hydrantprom.NewCollector(p, prometheus.Labels{"stream": "logs"}))
	// … serve promhttp.Handler() …
}
