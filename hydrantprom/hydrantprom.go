// Package hydrantprom gives Prometheus the counters of a Hydrant producer.
package hydrantprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hydrant-go/hydrant"
)

// Collector is a prometheus.Collector of one producer. Each scrape reads one
// snapshot, in which accepted = delivered + dead-lettered + pending.
type Collector struct {
	stats   func() hydrant.Stats
	metrics []metric
	refused *prometheus.Desc
	latency *prometheus.Desc
}

// metric is a number of the snapshot.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*hydrant.Stats) float64
}

// NewCollector returns a collector of p, to be registered. The labels go on every
// metric; where a process has several producers they tell them apart:
// prometheus.Labels{"stream": "logs"}.
func NewCollector(p *hydrant.Producer, labels prometheus.Labels) *Collector {
	desc := func(name, help string, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc("hydrant_"+name, help, variable, labels)
	}
	c := &Collector{
		stats:   p.Stats,
		refused: desc("refused_records_total", "Records that an answer refused one by one, each time, by error code.", "code"),
		latency: desc("put_latency_seconds", "Time from Put to the answer of the delivered records."),
	}
	add := func(kind prometheus.ValueType, name, help string, value func(*hydrant.Stats) float64) {
		c.metrics = append(c.metrics, metric{desc(name, help), kind, value})
	}
	counter := func(name, help string, value func(*hydrant.Stats) int64) {
		add(prometheus.CounterValue, name, help, func(s *hydrant.Stats) float64 { return float64(value(s)) })
	}
	gauge := func(name, help string, value func(*hydrant.Stats) int64) {
		add(prometheus.GaugeValue, name, help, func(s *hydrant.Stats) float64 { return float64(value(s)) })
	}
	counter("accepted_records_total", "Records accepted by Put.", func(s *hydrant.Stats) int64 { return s.Accepted })
	counter("accepted_bytes_total", "Raw bytes accepted by Put, delimiters included.", func(s *hydrant.Stats) int64 { return s.AcceptedBytes })
	counter("delivered_records_total", "Records that Firehose has stored.", func(s *hydrant.Stats) int64 { return s.Delivered })
	counter("delivered_bytes_total", "Raw bytes that Firehose has stored.", func(s *hydrant.Stats) int64 { return s.DeliveredBytes })
	counter("dead_lettered_records_total", "Records in the dead letter.", func(s *hydrant.Stats) int64 { return s.DeadLettered })
	gauge("pending_records", "Records accepted and without a fate yet.", func(s *hydrant.Stats) int64 { return s.Pending })
	gauge("buffered_bytes", "Share of the buffer that is taken.", func(s *hydrant.Stats) int64 { return s.BufferedBytes })
	counter("firehose_records_total", "Records stored, as Firehose counts them: a pack of many is one.", func(s *hydrant.Stats) int64 { return s.FirehoseRecords })
	counter("billed_bytes_total", "Bytes that Firehose bills for what it has stored.", func(s *hydrant.Stats) int64 { return s.BilledBytes })
	counter("unpacked_billed_bytes_total", "Bytes that Firehose would bill had each record been sent on its own.", func(s *hydrant.Stats) int64 { return s.UnpackedBilledBytes })
	counter("linger_padding_bytes_total", "Billed bytes that a longer linger might have saved.", func(s *hydrant.Stats) int64 { return s.LingerPaddingBytes })
	add(prometheus.CounterValue, "billed_dollars_total", "Price of the billed bytes, for Direct PUT ingestion alone.", func(s *hydrant.Stats) float64 { return s.BilledUSD })
	counter("calls_total", "Put calls made.", func(s *hydrant.Stats) int64 { return s.Calls })
	counter("failed_calls_total", "Put calls that failed as a whole.", func(s *hydrant.Stats) int64 { return s.FailedCalls })
	gauge("calls_in_flight", "Put calls under way.", func(s *hydrant.Stats) int64 { return int64(s.InFlight) })
	counter("retried_records_total", "Times that a record was sent again.", func(s *hydrant.Stats) int64 { return s.Retries })
	counter("maybe_duplicate_records_total", "Delivered records that may be stored twice.", func(s *hydrant.Stats) int64 { return s.MaybeDuplicate })
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
	out <- c.refused
	out <- c.latency
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for _, m := range c.metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s))
	}
	for code, n := range s.RefusedByCode {
		out <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n), code)
	}
	buckets := map[float64]uint64{}
	sum := uint64(0)
	for i, n := range s.Latency.Counts[:len(s.Latency.Counts)-1] {
		sum += uint64(n)
		buckets[hydrant.LatencyBound(i).Seconds()] = sum
	}
	out <- prometheus.MustNewConstHistogram(c.latency, uint64(s.Latency.Count()), s.Latency.Sum.Seconds(), buckets)
}
