package local

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

const (
	// firstVersion is the configuration's version of a new stream; it stands in
	// every key.
	firstVersion = "1"
	// recordOverhead is what a waiting record is taken to cost beside its bytes.
	recordOverhead = 64
	// The wait after a failed delivery doubles from the first to the last. AWS
	// gives up after 24 hours (developer guide, delivery failure); we don't.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// stream is a delivery stream: a queue of batches of records. The last one is
// open and takes what is put; it is sealed when it is full, when its interval
// is over, or by a flush. Sealed ones are delivered in order, one at a time: by
// a goroutine that runs while there are any, or by a flush.
type stream struct {
	backend     *Backend
	key         streamKey
	destination server.S3Destination
	spec        *deliver.Spec
	created     time.Time
	log         *slog.Logger

	ctx    context.Context // ends with the stream
	cancel context.CancelFunc
	turn   chan struct{} // holds a token while somebody delivers
	wg     sync.WaitGroup

	mu       sync.Mutex // guards the fields below; never held over I/O
	meter    meter
	gone     error  // not nil: takes no records any more, and answers this
	open     *batch // nil is empty
	sealed   []*batch
	seals    uint64 // how many batches have been sealed
	waiting  int64  // weight of what is not delivered
	due      bool   // the open batch's interval is over
	working  bool   // the delivering goroutine runs
	failures int    // of deliveries, in a row
	interval *time.Timer
	retry    *time.Timer // runs after a failure; no goroutine starts before it
}

// batch becomes one object.
type batch struct {
	seq     uint64
	since   time.Time // arrival of the oldest record
	records [][]byte
	bytes   int
	object  *deliver.Object // made at the first attempt; whoever has the turn owns it
}

func (b *batch) weight() int64 { return int64(b.bytes + len(b.records)*recordOverhead) }

func newStream(b *Backend, key streamKey, dest server.S3Destination, spec *deliver.Spec) *stream {
	s := &stream{
		backend:     b,
		key:         key,
		destination: dest,
		spec:        spec,
		created:     time.Now(),
		log:         b.log.With(slog.String("stream", key.name)),
		turn:        make(chan struct{}, 1),
		meter:       b.cfg.Quota.meter(),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	stopped := func(f func()) *time.Timer {
		t := time.AfterFunc(time.Hour, f)
		t.Stop()
		return t
	}
	s.interval = stopped(s.intervalOver)
	s.retry = stopped(s.retryNow)
	return s
}

func (s *stream) arn() string {
	partition := "aws"
	switch {
	case strings.HasPrefix(s.key.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(s.key.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return fmt.Sprintf("arn:%s:firehose:%s:%s:deliverystream/%s", partition, s.key.Region, s.key.Account, s.key.name)
}

func (s *stream) status() server.Status {
	if time.Since(s.created) < s.backend.cfg.CreateDelay {
		return server.Creating
	}
	return server.Active
}

// acceptsLocked is nil when records may be put.
func (s *stream) acceptsLocked(now time.Time) error {
	if s.gone != nil {
		return s.gone
	}
	if now.Sub(s.created) < s.backend.cfg.CreateDelay {
		return wire.Errorf(wire.CodeResourceNotFound, "Firehose %s is not active in %s account.", s.key.name, s.key.Account)
	}
	return nil
}

// roomLocked tells whether one more record may wait. The last one in may go
// over the bound, so that a record longer than the bound is not stuck.
func (s *stream) roomLocked() bool { return s.waiting < s.backend.cfg.MaxBuffered }

// addLocked stores an accepted record.
func (s *stream) addLocked(now time.Time, data []byte) {
	if s.open == nil {
		s.open = &batch{since: now}
		s.interval.Reset(time.Duration(s.destination.IntervalInSeconds) * time.Second)
	}
	s.open.records = append(s.open.records, data)
	s.open.bytes += len(data)
	s.waiting += int64(len(data) + recordOverhead)
	if s.backend.cfg.Accepted != nil {
		s.backend.cfg.Accepted(s.key.Caller, s.key.name, data)
	}
	if s.open.bytes >= s.destination.SizeInMBs<<20 {
		s.sealLocked()
		s.deliverLocked()
	}
}

func (s *stream) sealLocked() {
	if s.open == nil {
		return
	}
	s.seals++
	s.open.seq = s.seals
	s.sealed = append(s.sealed, s.open)
	s.open, s.due = nil, false
	s.interval.Stop()
}

// intervalOver marks the open batch as due. It is sealed only when its turn
// comes: while deliveries lag it goes on filling up to its size, instead of
// leaving a trail of small objects.
func (s *stream) intervalOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The timer may have fired for a batch that was sealed in that very moment.
	if s.open != nil && time.Since(s.open.since) >= time.Duration(s.destination.IntervalInSeconds)*time.Second {
		s.due = true
		s.deliverLocked()
	}
}

// deliverLocked starts the delivering goroutine unless it runs, or waits after
// a failure.
func (s *stream) deliverLocked() {
	if s.working || s.failures > 0 || s.ctx.Err() != nil {
		return
	}
	s.working = true
	s.wg.Go(s.work)
}

func (s *stream) retryNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.working || s.ctx.Err() != nil {
		return
	}
	s.working = true
	s.wg.Go(s.work)
}

func (s *stream) work() {
	err := s.deliver(s.ctx, math.MaxUint64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working = false
	if err == nil && (s.due || len(s.sealed) > 0) { // came after deliver had looked
		s.deliverLocked()
	}
}

// flush seals the open batch and delivers up to it, on the caller's goroutine.
func (s *stream) flush(ctx context.Context) error {
	s.mu.Lock()
	s.sealLocked()
	last := s.seals
	s.mu.Unlock()
	if err := s.deliver(ctx, last); err != nil {
		return fmt.Errorf("flush delivery stream %q: %w", s.key.name, err)
	}
	return nil
}

// deliver waits for its turn and delivers the batches up to number last, or up
// to the first that fails: that one stays at the head of the queue.
func (s *stream) deliver(ctx context.Context, last uint64) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		b := s.head(last)
		if b == nil {
			return nil
		}
		if b.object == nil {
			b.object = s.spec.Object(b.since, b.records)
		}
		err := s.backend.dest.Put(ctx, b.object)
		s.countDelivery(b, err)
		s.settle(b, err)
		if err != nil {
			return err
		}
	}
}

// head is the batch to deliver next, or nil.
func (s *stream) head(last uint64) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealed) == 0 && s.due {
		s.sealLocked()
	}
	if len(s.sealed) == 0 || s.sealed[0].seq > last {
		return nil
	}
	return s.sealed[0]
}

// settle takes b off the queue, or has it tried again later.
func (s *stream) settle(b *batch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failures = 0
		s.retry.Stop()
		s.sealed[0] = nil
		s.sealed = s.sealed[1:]
		s.waiting -= b.weight()
		if s.due || len(s.sealed) > 0 { // a flush may stop before these
			s.deliverLocked()
		}
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	wait := min(firstRetry<<min(s.failures, 10), lastRetry)
	s.failures++
	s.retry.Reset(wait)
	s.log.Error("delivery failed, its records stay buffered",
		slog.Any("error", err), slog.Int("records", len(b.records)), slog.Int("bytes", b.bytes), slog.Duration("retry_in", wait))
}

// refuse ends the taking of records.
func (s *stream) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = err
	}
}

// stop ends every delivery of a stream that refuses records, drops what it holds
// and tells how many records that was.
func (s *stream) stop() (dropped int) {
	s.mu.Lock()
	s.cancel()
	s.interval.Stop()
	s.retry.Stop()
	s.mu.Unlock()
	s.wg.Wait()
	s.turn <- struct{}{} // a flush may be delivering
	defer func() { <-s.turn }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealLocked()
	for _, b := range s.sealed {
		dropped += len(b.records)
	}
	s.sealed = nil
	return dropped
}
