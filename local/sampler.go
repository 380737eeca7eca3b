package local

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/server"
)

// sampler takes, once a minute of the Firehose's clock, the samples that no call and
// no delivery takes: the limits in force and the age of what waits, which AWS
// publishes every minute too (developer guide, metrics). It also keeps the metrics in
// Config.State. The backend starts it, and stops it in close.
//
// It sleeps while there is nothing to sample and to keep. So a Firehose that nobody
// uses sets no timer, and a test in a synctest bubble that waits for ever is told so.
type sampler struct {
	backend *Backend
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	awake   atomic.Bool   // something has happened since the last minute's end
	wakes   chan struct{} // holds a token when run has to look

	// Of run's goroutine.
	unsaved bool          // something has happened since the metrics were saved
	saved   time.Time     // when
	took    time.Duration // how long that took
}

func newSampler(b *Backend) *sampler {
	m := &sampler{backend: b, wakes: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

func (m *sampler) start() { m.wg.Go(m.run) }

// stop may be called without start.
func (m *sampler) stop() {
	m.cancel()
	m.wg.Wait()
}

// wake says that something has happened. It is quick.
func (m *sampler) wake() {
	if m.awake.Load() || m.awake.Swap(true) {
		return
	}
	select {
	case m.wakes <- struct{}{}:
	default:
	}
}

func (m *sampler) run() {
	minute := max(m.backend.scaled(time.Minute), time.Second)
	for {
		select {
		case <-m.wakes:
		case <-m.ctx.Done():
			return
		}
		for more := true; more; {
			if wait(m.ctx, minute) != nil {
				return
			}
			more = m.tick(m.awake.Swap(false)) || m.awake.Load()
		}
	}
}

// tick takes a minute's samples, and tells whether there will be more in the next if
// nothing happens.
func (m *sampler) tick(happened bool) (more bool) {
	streams := map[server.Caller]int{}
	for _, s := range m.backend.all() {
		streams[s.key.Caller]++
		waits, limited := s.sample()
		happened, more = happened || waits, more || waits || limited
	}
	if happened {
		for c, n := range streams {
			m.backend.sampleUsage(c, n)
		}
	}
	return m.save(happened) || more
}

// sampleUsage takes what AWS takes every three minutes (developer guide, usage
// metrics), here in minutes in which something happens.
func (b *Backend) sampleUsage(c server.Caller, streams int) {
	b.metrics.Series(cloudwatch.Key{
		Caller: c, Namespace: "AWS/Usage", Name: "ResourceCount", Dimensions: []cloudwatch.Dimension{
			{Name: "Service", Value: "Firehose"}, {Name: "Class", Value: "None"}, {Name: "Type", Value: "Resource"}, {Name: "Resource", Value: "DeliveryStreams"},
		},
	}).Add(time.Now(), float64(streams))
}

// save keeps the metrics, so that a kill costs a minute of them; where they are so
// many that it takes long, in a twentieth of the time. Where nothing has happened but
// limits were sampled, an hour will do. It tells whether something is still to be kept.
func (m *sampler) save(happened bool) (pending bool) {
	b := m.backend
	if b.cfg.State == "" || !b.metrics.Changed() {
		return false
	}
	m.unsaved = m.unsaved || happened
	pause := max(time.Minute, 20*m.took)
	if !m.unsaved {
		pause = max(pause, time.Hour)
	}
	start := time.Now()
	if start.Sub(m.saved) < pause {
		return m.unsaved
	}
	if err := b.metrics.Save(b.metricsFile()); err != nil {
		b.log.Error("the metrics are not kept", slog.Any("error", err))
	}
	m.unsaved, m.saved, m.took = false, start, time.Since(start)
	return false
}

// sample takes a stream's samples, and tells whether records wait in it and whether it
// has a limit.
func (s *stream) sample() (waits, limited bool) {
	s.mu.Lock()
	q := s.meter.quota()
	s.mu.Unlock()
	for metric, limit := range map[string]int{"BytesPerSecondLimit": q.Bytes, "RecordsPerSecondLimit": q.Records, "PutRequestsPerSecondLimit": q.Calls} {
		if limit > 0 {
			s.sampled(metric, float64(limit))
		}
	}
	s.sampleBuffers()
	return s.queue.Stats().Records > 0, q != (Quota{})
}

// sampleBuffers takes the age of the oldest record that waits for the destination,
// and for the backup, and what dynamic partitioning is at. What waits in the journal
// is younger than what is in the buffers. Where nothing waits there is no sample, as
// there is none of a partition; what AWS publishes then is UNVERIFIED.
func (s *stream) sampleBuffers() {
	now := time.Now()
	f := s.flow
	f.mu.Lock()
	p := f.plan
	ages, rates := map[kind]time.Duration{}, []float64{}
	for key, b := range f.buffers {
		age, size := b.waitingLocked(now)
		ages[key.kind] = max(ages[key.kind], age)
		if key.kind == toDestination && p.s3.spec.Partitioned {
			// How AWS measures a partition's throughput is UNVERIFIED.
			rates = append(rates, float64(size)/max(1, age.Seconds()))
		}
	}
	f.mu.Unlock()

	if age := max(ages[toProcess], ages[toDestination]); age > 0 {
		s.sampled(p.deliveryMetric()+".DataFreshness", age.Seconds())
	}
	if age := ages[toBackup]; age > 0 {
		s.sampled("BackupToS3.DataFreshness", age.Seconds())
	}
	if n := len(rates); n > 0 {
		s.sampled("PartitionCount", float64(n))
		s.sampled("ActivePartitionsLimit", maxPartitions)
		if n < maxPartitions {
			s.sampled("PartitionCountExceeded", 0)
		}
		for _, r := range rates {
			s.sampled("PerPartitionThroughput", r)
		}
	}
}

// waitingLocked is the age of a buffer's oldest record, and the bytes of all.
func (b *buffer) waitingLocked(now time.Time) (age time.Duration, size int) {
	for _, o := range b.batchesLocked() {
		age, size = max(age, now.Sub(o.since)), size+o.bytes
	}
	return age, size
}
