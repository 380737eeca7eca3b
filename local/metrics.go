package local

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/server"
)

// retention is how long CloudWatch keeps data points of one minute.
const retention = 15 * 24 * time.Hour

// metrics holds the samples of AWS/Firehose in sets of one minute. The zero
// value is ready for use.
type metrics struct {
	mu     sync.Mutex // guards series and what it holds
	series map[seriesKey][]cloudwatch.Datapoint
}

type seriesKey struct {
	streamKey
	metric string
}

// add notes a sample. Time never runs backwards here by more than a moment, so
// that the last set is the one to add to.
func (m *metrics) add(key seriesKey, now time.Time, value float64) {
	minute := now.Truncate(time.Minute)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.series == nil {
		m.series = map[seriesKey][]cloudwatch.Datapoint{}
	}
	points := m.series[key]
	if n := len(points); n > 0 && !points[n-1].Timestamp.Before(minute) {
		points[n-1] = merge(points[n-1], sample(minute, value))
		return
	}
	if points == nil {
		m.pruneLocked(now) // also the series of streams that are long gone
	}
	m.series[key] = append(fresh(points, now), sample(minute, value))
}

func (m *metrics) pruneLocked(now time.Time) {
	for key, points := range m.series {
		if points = fresh(points, now); len(points) == 0 {
			delete(m.series, key)
		} else {
			m.series[key] = points
		}
	}
}

// fresh drops the points that are past retention.
func fresh(points []cloudwatch.Datapoint, now time.Time) []cloudwatch.Datapoint {
	for len(points) > 0 && now.Sub(points[0].Timestamp) > retention {
		points = points[1:]
	}
	return points
}

func sample(minute time.Time, v float64) cloudwatch.Datapoint {
	return cloudwatch.Datapoint{Timestamp: minute, SampleCount: 1, Sum: v, Minimum: v, Maximum: v}
}

func merge(a, b cloudwatch.Datapoint) cloudwatch.Datapoint {
	a.SampleCount += b.SampleCount
	a.Sum += b.Sum
	a.Minimum = min(a.Minimum, b.Minimum)
	a.Maximum = max(a.Maximum, b.Maximum)
	return a
}

// GetMetricStatistics reads the metrics of one delivery stream: namespace
// AWS/Firehose, dimension DeliveryStreamName. A sample can be read as soon as
// it is taken, where AWS publishes once a minute. Points are kept for 15 days
// and come in order of time; periods are counted from the start's minute.
func (b *Backend) GetMetricStatistics(_ context.Context, c server.Caller, in *cloudwatch.GetMetricStatisticsInput) (*cloudwatch.GetMetricStatisticsOutput, error) {
	out := &cloudwatch.GetMetricStatisticsOutput{Label: in.MetricName}
	stream, ok := in.Dimensions["DeliveryStreamName"]
	if in.Namespace != "AWS/Firehose" || !ok || len(in.Dimensions) != 1 {
		return out, nil // as CloudWatch answers for a metric that it has not
	}
	key := seriesKey{streamKey{c, stream}, in.MetricName}
	start := in.Start.Truncate(time.Minute) // CloudWatch rounds it down so

	b.metrics.mu.Lock()
	defer b.metrics.mu.Unlock()
	for _, p := range fresh(b.metrics.series[key], time.Now()) {
		if p.Timestamp.Before(start) || !p.Timestamp.Before(in.End) {
			continue
		}
		p.Timestamp = start.Add(p.Timestamp.Sub(start).Truncate(in.Period))
		p.Unit = unit(in.MetricName)
		if n := len(out.Datapoints); n > 0 && out.Datapoints[n-1].Timestamp.Equal(p.Timestamp) {
			out.Datapoints[n-1] = merge(out.Datapoints[n-1], p)
		} else {
			out.Datapoints = append(out.Datapoints, p)
		}
	}
	return out, nil
}

// clear forgets all.
func (m *metrics) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.series)
}

// totals are what has become of a stream's records since the start.
type totals struct {
	calls, records, bytes, throttled, refused, delivered, objects, failures atomic.Int64
}

func (t *totals) read() Totals {
	return Totals{
		t.calls.Load(), t.records.Load(), t.bytes.Load(), t.throttled.Load(), t.refused.Load(),
		t.delivered.Load(), t.objects.Load(), t.failures.Load(),
	}
}

func unit(metric string) string {
	switch {
	case strings.HasSuffix(metric, "Bytes"):
		return "Bytes"
	case strings.HasSuffix(metric, ".Latency"):
		return "Milliseconds"
	case strings.HasSuffix(metric, ".DataFreshness"):
		return "Seconds"
	}
	return "Count"
}

func (s *stream) count(metric string, value float64) {
	s.backend.metrics.add(seriesKey{s.key, metric}, time.Now(), value)
}

// countCall takes the samples of a put call, whatever came of it.
func (s *stream) countCall(op string, records [][]byte, took time.Duration) {
	size := 0
	for _, r := range records {
		size += len(r)
	}
	s.count(op+".Requests", 1)
	s.count(op+".Bytes", float64(size))
	s.count(op+".Latency", float64(took)/float64(time.Millisecond))
	if op == "PutRecordBatch" {
		s.count(op+".Records", float64(len(records)))
	}
}

// countPut takes the samples of what a put call got in: the Incoming metrics
// count after throttling, one sample a call.
func (s *stream) countPut(records, size, throttled int) {
	if records > 0 {
		s.count("IncomingPutRequests", 1)
		s.count("IncomingRecords", float64(records))
		s.count("IncomingBytes", float64(size))
	}
	if throttled > 0 {
		s.count("ThrottledRecords", float64(throttled))
	}
}

// count takes the samples of a delivery. Bytes are those of the records before
// compression.
func (p *plan) count(metric string, o *batch, err error) {
	s := p.stream
	s.count(metric+".DataFreshness", time.Since(o.since).Seconds())
	if err != nil {
		s.count(metric+".Success", 0)
		return
	}
	s.count(metric+".Success", 1)
	s.count(metric+".Records", float64(len(o.records)))
	s.count(metric+".Bytes", float64(o.bytes))
	if metric == "DeliveryToS3" && p.s3.spec.Partitioned {
		s.count(metric+".ObjectCount", 1)
	}
}

// countPost takes the samples of a delivery to an HTTP endpoint.
func (p *plan) countPost(o *batch, rest int, failures []httpendpoint.Failure) {
	const metric = "DeliveryToHttpEndpoint"
	s := p.stream
	lost := map[int]bool{}
	for _, f := range failures {
		for i := f.From; i < f.To; i++ {
			lost[i] = true
		}
	}
	var records, size, tried float64
	for i, r := range o.records {
		tried += float64(len(r.data))
		if !lost[i] {
			records++
			size += float64(len(r.data))
		}
	}
	s.count(metric+".DataFreshness", time.Since(o.since).Seconds())
	s.count(metric+".ProcessedRecords", float64(rest))
	s.count(metric+".ProcessedBytes", tried)
	s.count(metric+".Success", records/float64(len(o.records)))
	s.totals.delivered.Add(int64(records))
	if records > 0 {
		s.count(metric+".Records", records)
		s.count(metric+".Bytes", size)
	}
}

// countProcessing takes the samples of what the processors did.
func (p *plan) countProcessing(out []process.Record, bad []process.Failed, took time.Duration) {
	s := p.stream
	if _, _, ok := p.chain.Lambda(); ok {
		success := 1.0
		for i := range bad {
			if bad[i].LambdaARN != "" {
				success = 0
			}
		}
		s.count("ExecuteProcessing.Duration", float64(took)/float64(time.Millisecond))
		s.count("ExecuteProcessing.Success", success)
	}
	size := 0
	for i := range out {
		size += len(out[i].Data)
	}
	s.count("SucceedProcessing.Records", float64(len(out)))
	s.count("SucceedProcessing.Bytes", float64(size))
}

// countConversion takes the samples of a format conversion.
func (p *plan) countConversion(o *batch, bad []convert.Failed) {
	failed := 0
	for i := range bad {
		failed += len(o.records[bad[i].Index].data)
	}
	s := p.stream
	s.count("SucceedConversion.Records", float64(len(o.records)-len(bad)))
	s.count("SucceedConversion.Bytes", float64(o.bytes-failed))
	s.count("FailedConversion.Records", float64(len(bad)))
	s.count("FailedConversion.Bytes", float64(failed))
}
