package local

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/local/convert"
	httpendpoint "github.com/hydrant-go/hydrant/local/deliver/http"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// series are a stream's metrics, by name.
type series struct {
	mu sync.Mutex // guards m
	m  map[string]*cloudwatch.Series
}

// count takes a sample of a stream's metric. It can be read at once, where AWS
// publishes once a minute.
func (s *stream) count(metric string, value float64) {
	s.series.mu.Lock()
	of := s.series.m[metric]
	if of == nil {
		of = s.backend.metrics.Series(cloudwatch.Key{
			Caller: s.key.Caller, Namespace: "AWS/Firehose", Name: metric, Unit: unit(metric),
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
	s.count(metric+".Records", float64(o.n))
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
	i := 0
	for r := range o.all() {
		tried += float64(len(r.data))
		if !lost[i] {
			records++
			size += float64(len(r.data))
		}
		i++
	}
	s.count(metric+".DataFreshness", time.Since(o.since).Seconds())
	s.count(metric+".ProcessedRecords", float64(rest))
	s.count(metric+".ProcessedBytes", tried)
	s.count(metric+".Success", records/float64(o.n))
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
		failed += len(o.record(bad[i].Index).data)
	}
	s := p.stream
	s.count("SucceedConversion.Records", float64(o.n-len(bad)))
	s.count("SucceedConversion.Bytes", float64(o.bytes-failed))
	s.count("FailedConversion.Records", float64(len(bad)))
	s.count("FailedConversion.Bytes", float64(failed))
}
