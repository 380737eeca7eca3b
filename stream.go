package hydrant

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/pace"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// stream is what the producer holds for one delivery stream: the records that
// wait for a call, and what has been learnt of the stream. The producer's mutex
// guards it.
type stream struct {
	p       *Producer
	name    string
	packing limits      // as the destination allows, with the configured sizes
	most    limits      // of a batch, by packing and shrink
	pacer   *pace.Pacer // the quota, learnt
	limit   *pace.Pacer // Config.Rate, or nil
	timer   *time.Timer // the next dispatch, when one must wait
	shrink  float64     // raw bytes per byte sent, learnt; 1 without compression
	window  window      // calls under way
	held    int64       // room that its records take
	waiting int         // put calls that wait for room

	open  *batch   // takes new records
	now   limits   // of open
	ready []*batch // full or flushed, oldest first
	again []*batch // have failed, oldest failure first; they go before the others

	// With a spool:
	queue   *spool.Queue
	puts    int           // put calls that append to it
	feeding bool          // its feeder runs
	more    bool          // and has to look again
	fed     uint64        // the number of the next record that it takes
	fedMore chan struct{} // closed when that grows, if somebody waits for it

	failures  int       // calls in a row that got nothing through
	wave      int       // counts failures that raised the back-off; calls of one wave raise it once
	notBefore time.Time // no call starts earlier: the wait after a failure
	used      time.Time // when it was last not empty
}

// startCalls is how many calls of a stream may be under way before the times
// that they take are known.
const startCalls = 4

// paceCheck is how often the pace is looked at: it may have been raised.
const paceCheck = time.Second / 2

// idleTime is how long a stream is kept that holds nothing.
const idleTime = 5 * time.Minute

// streamLocked finds or makes the stream of a name.
func (p *Producer) streamLocked(name string) (*stream, error) {
	if s, ok := p.streams[name]; ok {
		return s, nil
	}
	if err := wire.CheckStreamName(name); err != nil {
		return nil, err
	}
	now := time.Now()
	s := &stream{
		p: p, name: name, window: window{size: min(p.cfg.InFlight, startCalls)},
		pacer: pace.New(p.quota, false, now), shrink: 1,
		used: now,
	}
	if p.spool != nil {
		var err error
		if s.queue, err = p.spool.Queue(name); err != nil {
			return nil, err
		}
	}
	s.packLocked(p.cfg.packing())
	if p.cfg.Rate != (Rate{}) {
		s.limit = pace.New(p.cfg.Rate.quota(), true, now)
	}
	s.timer = time.AfterFunc(time.Hour, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		s.dispatchLocked()
	})
	s.timer.Stop()
	p.streams[name] = s
	if name != p.cfg.Stream {
		p.askLocked(s)
	}
	return s, nil
}

// packLocked sets what the destination allows.
func (s *stream) packLocked(l limits) {
	s.packing = l
	s.most = s.unshrunkLocked(l)
}

// limitsLocked are those of a new batch. While the quota holds the stream back
// its calls are smaller: a large one is likely refused, and has to be sent again.
func (s *stream) limitsLocked(now time.Time) limits {
	l := s.packing
	l.sentBytes = min(l.sentBytes, s.pacer.CallBytes(now))
	l.packBytes = min(l.packBytes, s.pacer.RecordBytes(now))
	if s.limit != nil { // a second's worth at most
		l.sentBytes = min(l.sentBytes, max(int(s.limit.Rate().Bytes), 16<<10))
	}
	l.packBytes = min(l.packBytes, l.sentBytes)
	l.callBytes = l.sentBytes
	if s.p.compress != nil {
		return s.unshrunkLocked(l)
	}
	if l.packBytes > wire.BillingIncrement && l.packRecords > 1 {
		one := l.callBytes <= l.packBytes
		l.packBytes -= l.packBytes % wire.BillingIncrement // more would be billed as the next step
		if one {
			l.callBytes = l.packBytes
		}
	}
	return l
}

// addLocked makes data a record of the open batch. Its room has been taken. Calls
// of an earlier process may have carried it, says maybe.
func (s *stream) addLocked(data []byte, m member, maybe bool) {
	if s.open != nil && (s.open.maybe != maybe || !s.open.fits(m.size, s.most)) {
		s.sealLocked()
	}
	if s.open == nil {
		now := time.Now()
		s.now = s.limitsLocked(now)
		s.open = newBatch(max(m.size, min(s.window.bytes, s.most.callBytes)))
		s.open.epoch = s.p.epochs[len(s.p.epochs)-1]
		s.open.opened, s.open.maybe = now, maybe
	}
	was := s.open.full(s.now)
	s.open = s.open.add(data, s.p.cfg.Delimiter, m)
	s.open.epoch.pending++
	if s.open.full(s.most) || s.open.weight() >= s.p.cfg.MaxBuffer/4 {
		s.sealLocked()
		s.dispatchLocked()
	} else if len(s.open.members) == 1 || !was && s.open.full(s.now) {
		s.dispatchLocked()
	}
}

// sealLocked makes the open batch ready for a call, or several.
func (s *stream) sealLocked() {
	s.ready = append(s.ready, s.open)
	s.open = nil
}

// dueLocked is when the next call may start as far as the queue is concerned;
// false when it is empty. New records wait for their linger unless they fill a
// call, somebody flushes, or the buffer is full.
func (s *stream) dueLocked() (due time.Time, ok bool) {
	if len(s.ready) > 0 {
		return time.Time{}, true
	}
	sooner := func(t time.Time) {
		if !ok || t.Before(due) {
			due, ok = t, true
		}
	}
	for _, b := range s.again {
		sooner(b.due)
	}
	if s.open != nil {
		t := s.open.opened
		if s.waiting == 0 && !s.p.full && !s.open.full(s.now) {
			t = t.Add(s.p.cfg.Linger)
		}
		sooner(t)
	}
	return due, ok
}

// cutLocked takes the batches of the next call off the queue. What has failed
// goes first; several small remainders share a call. A batch that was filled
// when calls were larger is cut.
func (s *stream) cutLocked(now time.Time) []*batch {
	l := s.limitsLocked(now)
	var call []*batch
	packs, bytes := 0, 0
	s.again = slices.DeleteFunc(s.again, func(b *batch) bool {
		if b.due.After(now) || len(call) > 0 && (b.alone || call[0].alone || packs+len(b.packs) > l.callPacks || bytes+b.bytes() > l.sentBytes) {
			return false
		}
		if head := b.split(l); head != nil {
			call, bytes = append(call, head), math.MaxInt/2 // no other fits
			return false
		}
		call = append(call, b)
		packs, bytes = packs+len(b.packs), bytes+b.bytes()
		return true
	})
	if len(call) > 0 {
		return call
	}
	b := s.open
	if len(s.ready) > 0 {
		b = s.ready[0]
	}
	lingered := !b.full(l)
	head, rest := b.cut(l)
	head.lingered = lingered
	if !rest {
		s.dropLocked(b, head)
	}
	return []*batch{head}
}

// dropLocked takes b off the queue, as all of it is in calls; head is the last.
func (s *stream) dropLocked(b, head *batch) {
	if b == s.open {
		s.open = nil
	} else {
		s.ready[0] = nil
		s.ready = s.ready[1:]
	}
	if b != head {
		b.free()
	}
}

// dispatchLocked starts every call that is due and sets the timer for the next.
// It is called after every change to what it depends on: the queue, the calls
// under way, the waits, and the end of the producer.
func (s *stream) dispatchLocked() {
	for s.p.ctx.Err() == nil {
		due, ok := s.dueLocked()
		if !ok {
			s.restLocked()
			return
		}
		now := time.Now()
		if s.window.calls >= s.windowLocked() {
			s.window.wanted = s.window.wanted || !due.After(now)
			return
		}
		wait := max(due.Sub(now), s.notBefore.Sub(now))
		if wait <= 0 {
			wait = min(s.paceLocked(now), paceCheck)
		}
		if wait > 0 {
			s.timer.Reset(wait)
			return
		}
		s.startLocked(now)
	}
}

// restLocked lets go of a stream that has been empty for long. Its pace is
// learnt anew when it comes back.
func (s *stream) restLocked() {
	if s.held > 0 || s.name == s.p.cfg.Stream || s.puts > 0 || s.feeding {
		return
	}
	now := time.Now()
	if now.Sub(s.used) >= idleTime && s.waiting == 0 {
		delete(s.p.streams, s.name)
		return
	}
	s.timer.Reset(s.used.Add(idleTime + time.Second).Sub(now))
}

// paceLocked is how long the quotas make the next call wait.
func (s *stream) paceLocked(now time.Time) time.Duration {
	wait := s.pacer.Wait(now)
	if s.limit != nil {
		wait = max(wait, s.limit.Wait(now))
	}
	return wait
}

// windowLocked is how many calls may be under way now: after a failure a single
// one tries whether the stream is back.
func (s *stream) windowLocked() int {
	if s.failures > 0 {
		return 1
	}
	return s.window.size
}

func (s *stream) startLocked(now time.Time) {
	c := calls.Get().(*call)
	c.stream, c.parts, c.wave, c.start, c.limits = s, s.cutLocked(now), s.wave, now, s.limitsLocked(now)
	s.window.calls++
	c.loadLocked()
	s.window.bytes = int(c.load.Bytes * s.shrink)
	if s.p.compress == nil {
		c.boardLocked()
	}
	s.p.wg.Go(c.run)
}

// loadLocked takes from the quotas what c carries, or what is expected of packs
// that are not compressed yet. The second time it takes the difference.
func (c *call) loadLocked() {
	was := c.load
	c.load = pace.Quota{Calls: 1}
	for _, b := range c.parts {
		bytes := float64(b.bytes())
		if b.packs[0].coded == nil {
			bytes /= c.stream.shrink
		}
		c.load.Records += float64(len(b.packs))
		c.load.Bytes += bytes
	}
	more := pace.Quota{Calls: c.load.Calls - was.Calls, Records: c.load.Records - was.Records, Bytes: c.load.Bytes - was.Bytes}
	c.stream.pacer.Take(more)
	if c.stream.limit != nil {
		c.stream.limit.Take(more)
	}
}

// boardLocked enters into the books that c is about to be sent.
func (c *call) boardLocked() {
	p := c.stream.p
	p.stats.Calls++
	for _, b := range c.parts {
		n := b.records()
		c.records += n
		if b.attempts++; b.attempts > 1 {
			p.stats.Retries += int64(n)
		}
	}
}

// window is how many calls are under way, and may be. It grows while there is
// more to send and the calls take no longer for it, and shrinks when they do:
// then they only wait for one another.
type window struct {
	size, calls int
	wanted      bool // a call has waited for another to end
	bytes       int  // of the latest call

	best time.Duration // the shortest round trip, of this and the last period
	next time.Duration // of this period
	till time.Time     // the period's end
}

// windowPeriod is how long the shortest round trip is remembered, once or twice.
const windowPeriod = 10 * time.Second

// answered learns from a call that got something through.
func (w *window) answered(now time.Time, took time.Duration, most int) {
	if now.After(w.till) {
		w.best, w.next, w.till = cmp.Or(w.next, took), took, now.Add(windowPeriod)
	}
	w.best, w.next = min(w.best, took), min(w.next, took)
	switch {
	case took > 3*w.best+time.Millisecond && w.size > 1:
		w.size--
	case w.wanted && took <= 2*w.best+time.Millisecond && w.size < most:
		w.size++
	}
	w.wanted = false
}

// call is a put call under way.
type call struct {
	stream *stream
	parts  []*batch
	wave   int
	start  time.Time

	limits  limits     // of a call made when this one started
	load    pace.Quota // taken from the quotas
	records int        // accepted ones that it carries

	data      [][]byte // what is sent
	answer    answer
	delivered []settled
}

var calls = sync.Pool{New: func() any { return &call{} }}

// free gives c's memory back.
func (c *call) free() {
	clear(c.data)
	clear(c.answer.entries)
	clear(c.delivered)
	*c = call{data: c.data[:0], answer: answer{entries: c.answer.entries[:0]}, delivered: c.delivered[:0]}
	calls.Put(c)
}

func (c *call) run() {
	s, p := c.stream, c.stream.p
	if p.compress != nil {
		c.compress()
		c.start = time.Now()
	}
	for _, b := range c.parts {
		for i := range b.packs {
			c.data = append(c.data, b.packs[i].data())
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.CallTimeout)
	err := p.sender.send(ctx, s.name, c.data, &c.answer)
	cancel()
	p.settle(c, err)
	c.free()
}

// backoffFloor is the least wait after a failure: full jitter alone could be
// no wait at all.
const backoffFloor = 10 * time.Millisecond

// backoff is the wait after the n-th failure in a row, from 1: a random time
// up to the base, doubled with every further failure, up to the cap.
func (p *Producer) backoff(n int) time.Duration {
	most := p.cfg.BackoffCap
	if shift := min(n-1, 30); p.cfg.BackoffBase <= most>>shift {
		most = p.cfg.BackoffBase << shift
	}
	return max(backoffFloor, rand.N(most+1))
}
