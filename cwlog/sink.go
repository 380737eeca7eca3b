package cwlog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// sink is the buffer of events and the goroutine that empties it.
type sink struct {
	cfg    *Config
	tell   *slog.Logger                                       // to the fallback
	format func(context.Context, slog.Record) (string, error) // of its own events
	ctx    context.Context                                    // of the calls; ends when Close gives up
	stop   context.CancelFunc
	renew  func()        // drops cached credentials, so that the next call gets new ones
	wake   chan struct{} // something has changed that the goroutine waits for
	done   chan struct{} // closed when it has ended

	mu      sync.Mutex // guards the fields below; never held over I/O
	queue   []event    // in order of arrival; those of the call under way are taken off
	since   time.Time  // when the queue got its first
	bytes   int        // of all that are pending
	dropped int64      // for want of room, and not told of by an event yet
	told    int64      // of them, by the fallback
	closed  bool
	failure error // why nothing is written any more, or events were lost at the end
	stats   Stats
}

func newSink(cfg *Config) *sink {
	s := &sink{
		cfg: cfg, renew: func() {}, wake: make(chan struct{}, 1), done: make(chan struct{}),
		tell: slog.New(cfg.Fallback).With(slog.String("log_group", cfg.Group), slog.String("log_stream", cfg.Stream)),
	}
	s.ctx, s.stop = context.WithCancel(context.WithValue(context.Background(), ownCall{}, true))
	return s
}

// ownCall is the key of the contexts of the handler's own calls.
type ownCall struct{}

// add puts an event into the queue, or drops it.
func (s *sink) add(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.cut {
		s.stats.Cut++
	}
	switch {
	case s.closed || s.failure != nil:
		s.stats.Dropped++
	case s.bytes+e.size() > s.cfg.MaxBuffer:
		s.stats.Dropped++
		s.dropped++
	default:
		s.pushLocked(e)
	}
}

func (s *sink) pushLocked(e event) {
	if len(s.queue) == 0 {
		s.since = time.Now()
	}
	s.queue = append(s.queue, e)
	s.bytes += e.size()
	s.stats.Pending++
	if len(s.queue) == 1 || s.fullLocked() {
		s.signal()
	}
}

// fullLocked tells whether there is enough for a call.
func (s *sink) fullLocked() bool {
	return len(s.queue) >= maxBatchEvents || s.bytes >= maxBatchBytes
}

func (s *sink) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run sends batches until all is sent and nothing more comes, or nothing can be sent.
func (s *sink) run() {
	defer close(s.done)
	for s.wait() && s.deliver(s.take()) {
	}
}

// wait waits until a batch is due; false when none will be.
func (s *sink) wait() bool {
	for {
		s.mu.Lock()
		waiting, closed := len(s.queue), s.closed
		left := time.Until(s.since.Add(s.cfg.Interval))
		due := waiting > 0 && (closed || left <= 0 || s.fullLocked())
		s.mu.Unlock()
		if due || closed {
			return due
		}
		var timer <-chan time.Time
		if waiting > 0 {
			timer = time.After(left)
		}
		select {
		case <-s.wake:
		case <-timer:
		}
	}
}

// take takes the events of the next call off the queue: as many as it may carry, in
// the order of their times.
func (s *sink) take() []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < min(len(s.queue), maxBatchEvents) && bytes+s.queue[n].size() <= maxBatchBytes {
		bytes += s.queue[n].size()
		n++
	}
	batch := slices.Clone(s.queue[:n])
	slices.SortStableFunc(batch, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	end := n
	for batch[end-1].at-batch[0].at > maxBatchSpan.Milliseconds() {
		end--
	}
	s.queue = slices.Replace(s.queue, 0, n, batch[end:]...)
	return batch[:end]
}

// settle lets go of a batch that was sent, of which so many were rejected.
func (s *sink) settle(batch []event, rejected int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range batch {
		s.bytes -= e.size()
	}
	s.stats.Pending -= int64(len(batch))
	s.stats.Written += int64(len(batch) - rejected)
	s.stats.Rejected += int64(rejected)
}

// tellDropped tells the fallback what has been dropped since it was last told.
func (s *sink) tellDropped() {
	s.mu.Lock()
	n := s.dropped - s.told
	s.told = s.dropped
	s.mu.Unlock()
	if n > 0 {
		s.tell.Error("log events are dropped, as the buffer is full", slog.Int64("dropped", n))
	}
}

// logDropped puts an event into the queue that tells what has been dropped, if there is
// room for it.
func (s *sink) logDropped() {
	s.mu.Lock()
	n := s.dropped
	s.mu.Unlock()
	if n == 0 {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelError, "log events were dropped here, as the buffer was full", 0)
	r.AddAttrs(slog.Int64("dropped", n))
	line, err := s.format(s.ctx, r)
	if err != nil {
		s.tell.Error("an event that tells of dropped ones can't be written", slog.Any("error", err))
		return
	}
	e := eventOf(r.Time, line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+e.size() > s.cfg.MaxBuffer {
		return // it is full again: next time
	}
	s.dropped -= n
	s.told -= n
	s.stats.Own++
	s.pushLocked(e)
}

// refuse ends the writing for good.
func (s *sink) refuse(err error) {
	s.mu.Lock()
	s.failure = fmt.Errorf("cwlog: CloudWatch Logs refuses the log events for %s: %w", s.cfg.Group, err)
	n := s.loseLocked()
	s.mu.Unlock()
	s.tell.Error("CloudWatch Logs refuses the log events; none are sent any more", slog.Any("error", err), slog.Int64("dropped", n))
}

// loseLocked drops all that is pending.
func (s *sink) loseLocked() (n int64) {
	n = s.stats.Pending
	s.stats.Dropped += n
	s.stats.Pending, s.bytes, s.queue = 0, 0, nil
	return n
}

func (s *sink) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.stop() // breaks off the call under way
		<-s.done
	}
	s.stop()
	s.tellDropped()
	s.mu.Lock()
	n := s.loseLocked()
	if n > 0 {
		s.failure = fmt.Errorf("cwlog: %d log events were not written to %s in time: %w", n, s.cfg.Group, ctx.Err())
	}
	err, last := s.failure, s.stats.LastFailure
	s.mu.Unlock()
	if n > 0 {
		s.tell.Error("log events were lost, as they could not be sent in time", slog.Int64("lost", n), slog.String("last_failure", last))
	}
	return err
}
