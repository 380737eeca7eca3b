package local

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

const namespace = "AWS/Firehose"

// series are a stream's metrics, by name.
type series struct {
	mu sync.Mutex // guards m
	m  map[string]*cloudwatch.Series
}

// count takes a sample of a stream's metric, of something that has happened. It can be
// read at once, where AWS publishes once a minute.
func (s *stream) count(metric string, value float64) {
	s.sampled(metric, value)
	s.backend.sampler.wake()
}

// sampled takes a sample without waking the sampler.
func (s *stream) sampled(metric string, value float64) {
	s.series.mu.Lock()
	of := s.series.m[metric]
	if of == nil {
		of = s.backend.metrics.Series(cloudwatch.Key{
			Caller: s.key.Caller, Namespace: namespace, Name: metric, Unit: unit(metric),
			Dimensions: []cloudwatch.Dimension{{Name: "DeliveryStreamName", Value: s.key.name}},
		})
		if s.series.m == nil {
			s.series.m = map[string]*cloudwatch.Series{}
		}
		s.series.m[metric] = of
	}
	s.series.mu.Unlock()
	of.Add(time.Now(), value)
}

func unit(metric string) string {
	switch {
	case metric == "PerPartitionThroughput":
		return "Bytes/Second"
	case strings.HasSuffix(metric, "Bytes"), metric == "BytesPerSecondLimit":
		return "Bytes"
	case strings.HasSuffix(metric, ".Latency"), strings.HasSuffix(metric, ".Duration"):
		return "Milliseconds"
	case strings.HasSuffix(metric, ".DataFreshness"):
		return "Seconds"
	}
	return "Count"
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
func (s *stream) countPut(resp *wire.PutResponse, accepted []spool.Record) {
	size, throttled := 0, 0
	for i := range accepted {
		size += len(accepted[i].Data)
	}
	for i := range resp.Entries {
		if resp.Entries[i].ErrorCode == wire.CodeServiceUnavailable {
			throttled++
		}
	}
	if len(accepted) > 0 {
		s.count("IncomingPutRequests", 1)
		s.count("IncomingRecords", float64(len(accepted)))
		s.count("IncomingBytes", float64(size))
	}
	if throttled > 0 {
		s.count("ThrottledRecords", float64(throttled))
	}
	s.totals.calls.Add(1)
	s.totals.records.Add(int64(len(accepted)))
	s.totals.bytes.Add(int64(size))
	s.totals.throttled.Add(int64(throttled))
	s.totals.refused.Add(int64(resp.FailedPutCount - throttled))
}

// timeCall begins the samples of a control call, which what it returns ends (developer
// guide, API-level metrics). That ListDeliveryStreams has no dimension is UNVERIFIED.
func (b *Backend) timeCall(c server.Caller, op, stream string) (end func()) {
	start := time.Now()
	return func() {
		took := float64(time.Since(start)) / float64(time.Millisecond)
		if stream != "" {
			if s, err := b.lookup(c, stream); err == nil {
				s.count(op+".Requests", 1)
				s.count(op+".Latency", took)
			}
			return
		}
		for metric, value := range map[string]float64{op + ".Requests": 1, op + ".Latency": took} {
			b.metrics.Series(cloudwatch.Key{Caller: c, Namespace: namespace, Name: metric, Unit: unit(metric)}).Add(start, value)
		}
	}
}

// deliveryMetric is what the metrics of a stream's destination begin with.
func (p *plan) deliveryMetric() string {
	if p.endpoint != nil {
		return "DeliveryToHttpEndpoint"
	}
	return "DeliveryToS3"
}

// count takes the samples of a delivery. Bytes are those of the records as they were
// put (developer guide, metrics; AWS was seen to count so).
func (p *plan) count(metric string, o *batch, err error) {
	s := p.stream
	s.count(metric+".DataFreshness", time.Since(o.since).Seconds())
	if err != nil {
		s.count(metric+".Success", 0)
		return
	}
	s.count(metric+".Success", 1)
	s.count(metric+".Records", float64(o.n))
	s.count(metric+".Bytes", float64(o.put))
	if metric == "DeliveryToS3" && p.s3.spec.Partitioned {
		s.count(metric+".ObjectCount", 1)
	}
}

// countAttempt takes the samples of an attempt to deliver to the HTTP endpoint.
func (s *stream) countAttempt(records [][]byte, code string) {
	const metric = "DeliveryToHttpEndpoint"
	size := 0
	for _, r := range records {
		size += len(r)
	}
	s.count(metric+".ProcessedRecords", float64(len(records)))
	s.count(metric+".ProcessedBytes", float64(size))
	if code != "" {
		s.count(metric+".Success", 0)
		s.totals.failures.Add(1)
		return
	}
	s.count(metric+".Success", 1)
	s.count(metric+".Records", float64(len(records)))
	s.count(metric+".Bytes", float64(size))
	s.totals.delivered.Add(int64(len(records)))
}

// countInvocation takes the samples of an invocation of the function.
func (s *stream) countInvocation(took time.Duration, answered bool) {
	s.count("ExecuteProcessing.Duration", float64(took)/float64(time.Millisecond))
	success := 0.0
	if answered {
		success = 1
	}
	s.count("ExecuteProcessing.Success", success)
}

// countProcessing takes the samples of what a function let through, as it was put: of
// other processors AWS was seen to take none.
func (p *plan) countProcessing(out []process.Record) {
	if _, _, ok := p.chain.Lambda(); !ok {
		return
	}
	size := 0
	for i := range out {
		size += out[i].Put
	}
	p.stream.count("SucceedProcessing.Records", float64(len(out)))
	p.stream.count("SucceedProcessing.Bytes", float64(size))
}

// countConversion takes the samples of a format conversion.
func (p *plan) countConversion(o *batch, bad []convert.Failed) {
	failed := 0
	for i := range bad {
		failed += len(o.record(bad[i].Index).data)
	}
	s := p.stream
	s.count("SucceedConversion.Records", float64(o.n-len(bad)))
	s.count("SucceedConversion.Bytes", float64(o.bytes-failed))
	s.count("FailedConversion.Records", float64(len(bad)))
	s.count("FailedConversion.Bytes", float64(failed))
}
