package hydrant

import (
	"context"
	"slices"
)

// recordOverhead is what a record is taken to cost in memory beside its bytes.
const recordOverhead = 64

// weigh is the share of the buffer of a record of size bytes. One larger than the
// whole buffer takes all of it, so that it passes alone rather than never.
func (p *Producer) weigh(size int) int64 {
	return min(int64(size+recordOverhead), p.cfg.MaxBuffer)
}

// waiter is a Put that waits for room.
type waiter struct {
	stream  *stream
	weight  int64
	granted bool
	feeder  bool
	done    chan struct{} // closed when granted, and when the producer closes
}

// takeLocked takes room for a record of s, if there is some and nobody waits.
func (p *Producer) takeLocked(s *stream, weight int64) bool {
	if p.full || s.waiting > 0 || p.used+weight > p.cfg.MaxBuffer || !p.shareLocked(s, weight) {
		return false
	}
	p.used += weight
	s.held += weight
	return true
}

// shareLocked tells whether s may hold weight more. One of many streams holds
// at most half of what the others leave, so one that is down leaves room.
func (p *Producer) shareLocked(s *stream, weight int64) bool {
	others := p.used - s.held
	return p.cfg.Route == nil || s.held == 0 || s.held+weight <= (p.cfg.MaxBuffer-others)/2
}

// waitLocked waits until room has been taken for a record of s, for ctx, or for
// Close. It lets go of the mutex meanwhile.
// A feeder goes on waiting while the producer closes.
func (p *Producer) waitLocked(ctx context.Context, s *stream, weight int64, feeder bool) error {
	w := &waiter{stream: s, weight: weight, feeder: feeder, done: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	s.waiting++
	wasFull := p.full
	p.grantLocked()
	s.dispatchLocked() // linger no longer
	if p.full && !wasFull {
		for _, s := range p.streams {
			s.dispatchLocked()
		}
	}
	p.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	p.mu.Lock()
	switch {
	case p.closed && !feeder:
		if w.granted {
			p.releaseLocked(s, weight)
		}
		return ErrClosed
	case w.granted:
		return nil
	}
	p.waiters = slices.DeleteFunc(p.waiters, func(o *waiter) bool { return o == w })
	s.waiting--
	p.grantLocked()
	return ctx.Err()
}

// releaseLocked gives room back, to those who wait first.
func (p *Producer) releaseLocked(s *stream, weight int64) {
	p.used -= weight
	s.held -= weight
	p.grantLocked()
}

// grantLocked gives room to those who wait, in order. One whose stream holds its
// share already stands aside.
func (p *Producer) grantLocked() {
	p.full = false
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		p.full = p.full || p.used+w.weight > p.cfg.MaxBuffer
		if p.full || !p.shareLocked(w.stream, w.weight) {
			return false
		}
		p.used += w.weight
		w.stream.held += w.weight
		w.stream.waiting--
		w.granted = true
		close(w.done)
		return true
	})
}
