package local

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"

	"github.com/hydrant-go/hydrant/spool"
)

// readBytes is how much is taken from the journal at once.
const readBytes = 256 << 10

// flow is a stream's way from its journal to its destinations. A reader, which
// runs while there is something to read, takes records from the journal into
// buffers; each buffer delivers its batches by itself (buffer.go, sink.go). A
// record is acknowledged to the journal when all that was made of it is
// delivered, so that a process that dies in between delivers it after its next
// start.
type flow struct {
	stream *stream
	queue  *spool.Queue
	log    *slog.Logger
	ctx    context.Context // ends with the stream
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards the fields below, and the buffers'; never held over I/O
	plan    *plan
	buffers map[bufferKey]*buffer
	held    int64         // weight of what is in buffers
	fed     uint64        // what the journal has below this number is in buffers, or done
	more    bool          // there may be something to read
	reading bool          // the reader runs
	changed chan struct{} // closed when held or fed has changed; nil if nobody waits
}

func newFlow(s *stream, q *spool.Queue, p *plan) *flow {
	f := &flow{stream: s, queue: q, log: s.log, plan: p, buffers: map[bufferKey]*buffer{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// hold keeps records in the journal: those of the ranges, and those of the holds
// that it was made out of. It lets go when nobody needs it any more.
type hold struct {
	users  int
	ranges []spool.Range
	from   []*hold
}

// releaseLocked ends a use of h, and returns what can be acknowledged.
func (h *hold) releaseLocked(done []spool.Range) []spool.Range {
	if h.users--; h.users > 0 {
		return done
	}
	done = append(done, h.ranges...)
	for _, from := range h.from {
		done = from.releaseLocked(done)
	}
	return done
}

// kick tells the reader that there may be something to read.
func (f *flow) kick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kickLocked()
}

func (f *flow) kickLocked() {
	f.more = true
	if !f.reading && f.ctx.Err() == nil {
		f.reading = true
		f.wg.Go(f.read)
	}
}

// read is the reader.
func (f *flow) read() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []spool.Record
	for failures := 0; f.more && f.ctx.Err() == nil; {
		if f.held >= f.stream.backend.cfg.MaxBuffered {
			f.dueAllLocked() // so that there will be room
			_ = f.waitLocked(f.ctx)
			continue
		}
		f.more = false
		f.mu.Unlock()
		next := f.queue.Stats().Next
		var err error
		list, err = f.queue.Read(list[:0], readBytes)
		if err != nil && len(list) == 0 {
			failures++
			f.log.Error("cannot read the journal; trying again", slog.Any("error", err))
			_ = wait(f.ctx, min(firstRetry<<min(failures, 10), lastRetry))
			f.mu.Lock()
			f.more = true
			continue
		}
		failures = 0
		f.mu.Lock()
		if n := len(list); n > 0 {
			next, f.more = list[n-1].Number+1, true
			h := &hold{users: 1, ranges: rangesOf(list)}
			f.plan.enterLocked(f, h, fromJournal(list))
			f.doneLocked(h)
		}
		f.fed = max(f.fed, next)
		f.tellLocked()
		f.mu.Unlock()
		f.stream.backend.relieve()
		f.mu.Lock()
	}
	f.reading = false
	f.tellLocked()
}

// fromJournal are records that were read from the journal, whose memory is not ours.
func fromJournal(list []spool.Record) iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := range list {
			r := &list[i]
			if !yield(record{data: r.Data, put: len(r.Data), number: r.Number, at: r.Time}) {
				return
			}
		}
	}
}

// rangesOf are the records' numbers.
func rangesOf(list []spool.Record) (ranges []spool.Range) {
	for i := range list {
		number := list[i].Number
		if n := len(ranges); n > 0 && ranges[n-1].First+ranges[n-1].N == number {
			ranges[n-1].N++
		} else {
			ranges = append(ranges, spool.Range{First: number, N: 1})
		}
	}
	return ranges
}

// doneLocked ends a use of holds.
func (f *flow) doneLocked(holds ...*hold) {
	var done []spool.Range
	for _, h := range holds {
		done = h.releaseLocked(done)
	}
	if len(done) > 0 {
		f.queue.Ack(done...)
	}
}

// tellLocked wakes those who wait for a change.
func (f *flow) tellLocked() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// waitLocked waits for a change, or until ctx ends.
func (f *flow) waitLocked(ctx context.Context) error {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	changed := f.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bufferLocked returns the buffer of a key, which it makes if need be.
func (f *flow) bufferLocked(key bufferKey) *buffer {
	b := f.buffers[key]
	if b == nil {
		b = newBuffer(f, key)
		f.buffers[key] = b
	}
	return b
}

// dueAll has every buffer delivered that is not empty.
func (f *flow) dueAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dueAllLocked()
}

func (f *flow) dueAllLocked() {
	for _, b := range f.buffers {
		if b.open != nil {
			b.due = true
		}
		b.deliverLocked()
	}
}

// flush delivers what the journal holds now: on the caller's goroutine, without
// regard to intervals and to the wait after a failure. It goes on after a
// failure, and returns all of them.
func (f *flow) flush(ctx context.Context) error {
	if err := f.awaitFed(ctx); err != nil {
		return err
	}
	var errs []error
	for k := range kinds { // each may add to later ones
		for _, b := range f.ofKind(k) {
			errs = append(errs, b.flush(ctx))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("flush delivery stream %q: %w", f.stream.key.name, err)
	}
	return nil
}

// awaitFed waits until all that the journal holds now is in buffers.
func (f *flow) awaitFed(ctx context.Context) error {
	next := f.queue.Stats().Next
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.fed < next {
		if f.ctx.Err() != nil {
			return errGone
		}
		f.kickLocked()
		if err := f.waitLocked(ctx); err != nil {
			return err
		}
	}
	return nil
}

var errGone = errors.New("the delivery stream was deleted")

func (f *flow) ofKind(k kind) (list []*buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, b := range f.buffers {
		if key.kind == k {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *buffer) int { return compareKeys(a.key, b.key) })
	return list
}

// stop ends all deliveries. What is not delivered stays in the journal.
func (f *flow) stop() {
	f.mu.Lock()
	f.cancel()
	for _, b := range f.buffers {
		b.interval.Stop()
		b.retry.Stop()
	}
	f.tellLocked()
	p := f.plan
	f.mu.Unlock()
	f.wg.Wait()
	p.close()
	for k := range kinds {
		for _, b := range f.ofKind(k) { // a flush may be delivering
			b.turn <- struct{}{}
			<-b.turn
		}
	}
}
