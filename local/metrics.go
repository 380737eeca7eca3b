package local

import (
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
)

type seriesKey struct {
	streamKey
	metric string
}

// add notes a sample of a stream.
func (b *Backend) add(key seriesKey, now time.Time, value float64) {
	b.metrics.Series(cloudwatch.Key{
		Caller: key.Caller, Namespace: "AWS/Firehose", Name: key.metric, Unit: unit(key.metric),
		Dimensions: []cloudwatch.Dimension{{Name: "DeliveryStreamName", Value: key.name}},
	}).Add(now, value)
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
	s.backend.add(seriesKey{s.key, metric}, time.Now(), value)
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

// countDelivery takes the samples of a delivery. Bytes are those of the records
// before compression.
func (s *stream) countDelivery(b *batch, err error) {
	s.count("DeliveryToS3.DataFreshness", time.Since(b.since).Seconds())
	if err != nil {
		s.count("DeliveryToS3.Success", 0)
		return
	}
	s.count("DeliveryToS3.Success", 1)
	s.count("DeliveryToS3.Records", float64(len(b.records)))
	s.count("DeliveryToS3.Bytes", float64(b.bytes))
}
