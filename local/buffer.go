package local

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"math"
	"time"
)

const (
	// The wait after a failed delivery doubles from the first to the last. AWS
	// gives up after 24 hours (developer guide, delivery failure); we don't.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// kind is what a buffer is for. Batches of one may go on into buffers of later
// kinds, never of earlier ones.
type kind int

const (
	toProcess     kind = iota // for the processors
	toDestination             // what came of them
	toBackup                  // what came in
	toErrors                  // lines about what failed
	kinds
)

func (k kind) String() string { return [...]string{"process", "destination", "backup", "errors"}[k] }

// bufferKey names a buffer. part is a partition, or a type of error.
type bufferKey struct {
	kind kind
	part string
}

func compareKeys(a, b bufferKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.part, b.part))
}

// buffer is a queue of batches. The last one is open and takes what comes; it is
// sealed when it is full, when its interval is over, or by a flush. Sealed ones are
// delivered in order, one at a time: by a goroutine that runs while there are any,
// or by a flush.
type buffer struct {
	flow *flow
	key  bufferKey
	turn chan struct{} // holds a token while somebody delivers

	// Guarded by flow.mu.
	open     *batch // nil is empty
	sealed   []*batch
	seals    uint64 // how many batches have been sealed
	due      bool   // the open batch's interval is over
	working  bool   // the delivering goroutine runs
	failures int    // of deliveries, in a row
	interval *time.Timer
	retry    *time.Timer // runs after a failure; no goroutine starts before it
}

func newBuffer(f *flow, key bufferKey) *buffer {
	b := &buffer{flow: f, key: key, turn: make(chan struct{}, 1)}
	stopped := func(fire func()) *time.Timer {
		t := time.AfterFunc(time.Hour, fire)
		t.Stop()
		return t
	}
	b.interval = stopped(b.intervalOver)
	b.retry = stopped(b.retryNow)
	return b
}

// addLocked puts copies of records into the buffer, which use h from now on.
func (b *buffer) addLocked(h *hold, keys partition, records iter.Seq[record]) {
	size, interval := b.flow.plan.hints(b.key.kind)
	for r := range records {
		if b.open == nil {
			b.open = &batch{since: r.at, keys: keys}
			b.interval.Reset(interval)
		}
		o := b.open
		if n := len(o.holds); n == 0 || o.holds[n-1] != h {
			h.users++
			o.holds = append(o.holds, h)
		}
		before := o.weight()
		o.add(r)
		b.flow.held += o.weight() - before
		if o.bytes >= size {
			b.sealLocked()
			b.deliverLocked()
		}
	}
}

// batchesLocked are all that wait here, in order.
func (b *buffer) batchesLocked() []*batch {
	if b.open == nil {
		return b.sealed
	}
	return append(b.sealed[:len(b.sealed):len(b.sealed)], b.open)
}

func (b *buffer) sealLocked() {
	if b.open == nil {
		return
	}
	b.seals++
	b.open.seq = b.seals
	b.sealed = append(b.sealed, b.open)
	b.open, b.due = nil, false
	b.interval.Stop()
}

// rehintLocked has the open batch keep to new hints.
func (b *buffer) rehintLocked() {
	if b.open == nil {
		return
	}
	size, interval := b.flow.plan.hints(b.key.kind)
	b.interval.Reset(max(0, interval-time.Since(b.open.since)))
	if b.open.bytes >= size {
		b.sealLocked()
		b.deliverLocked()
	}
}

// intervalOver marks the open batch as due. It is sealed only when its turn
// comes: while deliveries lag it goes on filling up to its size, instead of
// leaving a trail of small objects.
func (b *buffer) intervalOver() {
	b.flow.mu.Lock()
	defer b.flow.mu.Unlock()
	if b.open == nil {
		return
	}
	// The timer may have fired for a batch that was sealed in that very moment.
	_, interval := b.flow.plan.hints(b.key.kind)
	if left := interval - time.Since(b.open.since); left > 0 {
		b.interval.Reset(left)
		return
	}
	b.due = true
	b.deliverLocked()
}

// deliverLocked starts the delivering goroutine unless it runs, there is nothing
// to do, or it waits after a failure.
func (b *buffer) deliverLocked() {
	if b.working || b.failures > 0 || !b.due && len(b.sealed) == 0 || b.flow.ctx.Err() != nil {
		return
	}
	b.working = true
	b.flow.wg.Go(b.work)
}

func (b *buffer) retryNow() {
	b.flow.mu.Lock()
	defer b.flow.mu.Unlock()
	if b.working || b.flow.ctx.Err() != nil {
		return
	}
	b.working = true
	b.flow.wg.Go(b.work)
}

func (b *buffer) work() {
	err := b.deliver(b.flow.ctx, math.MaxUint64)
	b.flow.mu.Lock()
	defer b.flow.mu.Unlock()
	b.working = false
	if err == nil {
		b.deliverLocked() // for what came after deliver had looked
	}
	b.forgetLocked()
}

// flush seals the open batch and delivers up to it, on the caller's goroutine.
func (b *buffer) flush(ctx context.Context) error {
	b.flow.mu.Lock()
	b.sealLocked()
	last := b.seals
	b.flow.mu.Unlock()
	err := b.deliver(ctx, last)
	b.flow.mu.Lock()
	defer b.flow.mu.Unlock()
	b.forgetLocked()
	return err
}

// deliver waits for its turn and delivers the batches up to number last, or up
// to the first that fails: that one stays at the head of the queue.
func (b *buffer) deliver(ctx context.Context, last uint64) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		o, p := b.head(last)
		if o == nil {
			return nil
		}
		err := p.deliver(ctx, b, o)
		b.settle(o, err)
		if err != nil {
			return err
		}
	}
}

// head is the batch to deliver next, or nil, and the plan for it.
func (b *buffer) head(last uint64) (*batch, *plan) {
	b.flow.mu.Lock()
	defer b.flow.mu.Unlock()
	if len(b.sealed) == 0 && b.due {
		b.sealLocked()
	}
	if len(b.sealed) == 0 || b.sealed[0].seq > last || b.flow.ctx.Err() != nil {
		return nil, nil
	}
	return b.sealed[0], b.flow.plan
}

// settle takes o off the queue, or has it tried again later.
func (b *buffer) settle(o *batch, err error) {
	f := b.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		b.failures = 0
		b.retry.Stop()
		b.sealed[0] = nil
		b.sealed = b.sealed[1:]
		f.held -= o.weight()
		f.doneLocked(o.holds...)
		f.tellLocked()
		b.deliverLocked() // a flush may stop before the others
		return
	}
	if f.ctx.Err() != nil {
		return
	}
	wait := min(firstRetry<<min(b.failures, 10), lastRetry)
	b.failures++
	b.retry.Reset(f.stream.backend.scaled(wait))
	f.log.Error("delivery failed, its records stay buffered",
		slog.Any("error", err), slog.Int("records", o.n), slog.Int("bytes", o.bytes), slog.Duration("retry_in", wait))
}

// forgetLocked lets go of a buffer that is empty, as there may be one for every
// partition that ever was.
func (b *buffer) forgetLocked() {
	if b.open == nil && len(b.sealed) == 0 && !b.working && b.flow.buffers[b.key] == b {
		b.interval.Stop()
		b.retry.Stop()
		delete(b.flow.buffers, b.key)
	}
}
