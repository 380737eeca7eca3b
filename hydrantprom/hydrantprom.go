// Package hydrantprom gives Prometheus the counters of a Hydrant producer.
package hydrantprom

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hydrant-go/hydrant"
)

// Collector is a prometheus.Collector of one producer. Each scrape reads one
// snapshot, in which accepted = delivered + dead-lettered + pending.
type Collector struct {
	stats   func() hydrant.Stats
	metrics []*prometheus.Desc // as Stats.Metrics lists them
	refused *prometheus.Desc
	latency *prometheus.Desc
}

// NewCollector returns a collector of p, to be registered. The labels go on every
// metric; where a process has several producers they tell them apart:
// prometheus.Labels{"stream": "logs"}. Names are those of hydrant.Metric as
// Prometheus writes them: hydrant_records_accepted_total.
func NewCollector(p *hydrant.Producer, labels prometheus.Labels) *Collector {
	c := &Collector{
		stats:   p.Stats,
		refused: prometheus.NewDesc("hydrant_records_refused_total", "Records that an answer refused one by one, each time, by error code.", []string{"code"}, labels),
		latency: prometheus.NewDesc("hydrant_put_latency_seconds", "Time from Put to the answer of the delivered records.", nil, labels),
	}
	for _, m := range (&hydrant.Stats{}).Metrics() {
		c.metrics = append(c.metrics, prometheus.NewDesc(name(m), m.Help, nil, labels))
	}
	return c
}

func name(m hydrant.Metric) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	if !m.Gauge {
		name += "_total"
	}
	return name
}

func kind(m hydrant.Metric) prometheus.ValueType {
	if m.Gauge {
		return prometheus.GaugeValue
	}
	return prometheus.CounterValue
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range c.metrics {
		out <- desc
	}
	out <- c.refused
	out <- c.latency
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for i, m := range s.Metrics() {
		out <- prometheus.MustNewConstMetric(c.metrics[i], kind(m), m.Value)
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
