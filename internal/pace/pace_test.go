package pace

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A stream in virtual time: a bucket for each quota that holds a second's worth,
// producers with more to send than it takes, and a network.
type stream struct {
	*testing.T
	quota  Quota
	full   Quota // tokens
	at     time.Time
	noise  float64       // share of records refused for no reason
	rtt    time.Duration // mean
	rnd    *rand.Rand
	start  time.Time
	events events
	senders
}

type senders []*sender

type sender struct {
	p           *Pacer
	recordBytes float64
	from, until time.Duration // when it has something to send
	inFlight    int
	waiting     time.Time
	ok, refused [200]float64 // bytes, by second
}

type event struct {
	at time.Time
	do func(now time.Time)
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

var (
	small = Quota{1000, 100_000, 1 << 20} // of most regions
	large = Quota{2000, 500_000, 5 << 20}
)

func newStream(t *testing.T, quota Quota, seed uint64) *stream {
	start := time.Unix(1_800_000_000, 0)
	return &stream{T: t, quota: quota, full: quota, at: start, start: start, rtt: 30 * time.Millisecond, rnd: rand.New(rand.NewPCG(seed, 0))}
}

// add lets a producer of records of the given size send from a moment on.
func (s *stream) add(base Quota, recordBytes float64, from time.Duration) *sender {
	x := &sender{p: New(base, false, s.start.Add(from)), recordBytes: recordBytes, from: from, until: time.Hour}
	x.p.random = s.rnd // the seed decides all
	s.senders = append(s.senders, x)
	s.after(s.start.Add(from), 0, func(now time.Time) { s.pump(x, now) })
	return x
}

func (s *stream) after(now time.Time, d time.Duration, do func(time.Time)) {
	heap.Push(&s.events, event{now.Add(d), do})
}

func (s *stream) run(d time.Duration) {
	for len(s.events) > 0 && !s.events[0].at.After(s.start.Add(d)) {
		e := heap.Pop(&s.events).(event)
		e.do(e.at)
	}
}

func (s *stream) pump(x *sender, now time.Time) {
	for x.inFlight < 64 && now.Before(s.start.Add(x.until)) {
		if wait := x.p.Wait(now); wait > 0 {
			if at := now.Add(wait); !x.waiting.Equal(at) {
				x.waiting = at
				s.after(at, 0, func(now time.Time) { s.pump(x, now) })
			}
			return
		}
		records := max(1, min(500, int(float64(min(x.p.CallBytes(now), 4<<20))/x.recordBytes)))
		load := Quota{1, float64(records), float64(records) * x.recordBytes}
		x.p.Take(load)
		x.inFlight++
		trip := func() time.Duration { return s.rtt/4 + time.Duration(s.rnd.Int64N(int64(s.rtt/2))) }
		s.after(now, trip(), func(then time.Time) {
			accepted, throttled := s.put(then, records, x.recordBytes)
			second := int(then.Sub(s.start).Seconds())
			x.ok[second] += accepted.Bytes
			x.refused[second] += throttled.Bytes
			s.after(then, trip(), func(then time.Time) {
				x.inFlight--
				x.p.Answered(then, now, accepted, throttled)
				s.pump(x, then)
			})
		})
	}
}

func (s *stream) put(now time.Time, records int, size float64) (accepted, throttled Quota) {
	d := now.Sub(s.at).Seconds()
	s.at = now
	s.full = Quota{
		min(s.quota.Calls, s.full.Calls+d*s.quota.Calls),
		min(s.quota.Records, s.full.Records+d*s.quota.Records),
		min(s.quota.Bytes, s.full.Bytes+d*s.quota.Bytes),
	}
	if s.full.Calls < 1 {
		return Quota{}, Quota{1, float64(records), float64(records) * size}
	}
	s.full.Calls--
	accepted.Calls = 1
	for range records {
		if s.full.Records < 1 || s.full.Bytes < min(size, s.quota.Bytes) || s.rnd.Float64() < s.noise {
			throttled.Records++
			throttled.Bytes += size
			continue
		}
		s.full.Records--
		s.full.Bytes -= size
		accepted.Records++
		accepted.Bytes += size
	}
	return accepted, throttled
}

// rate is what x got through from one second to another, in bytes a second.
func (x *sender) rate(from, to int) (sum float64) {
	for i := from; i < to; i++ {
		sum += x.ok[i]
	}
	return sum / float64(to-from)
}

func (x *sender) refusedShare(from, to int) float64 {
	refused := 0.0
	for i := from; i < to; i++ {
		refused += x.refused[i]
	}
	return refused / (refused + x.rate(from, to)*float64(to-from))
}

const seeds = 20

func eachSeed(t *testing.T, f func(t *testing.T, seed uint64, recordBytes float64)) {
	for seed := range uint64(seeds) {
		for _, recordBytes := range []float64{200, 5 << 10, 20 << 10} {
			t.Run(fmt.Sprintf("seed %d, records of %v B", seed, recordBytes), func(t *testing.T) { f(t, seed, recordBytes) })
		}
	}
}

// Under three times the load and more, a stream's quota is used and little is
// refused, whether the pace starts right or five times too high.
func TestQuotaIsUsed(t *testing.T) {
	for _, base := range []Quota{small, large} {
		eachSeed(t, func(t *testing.T, seed uint64, recordBytes float64) {
			s := newStream(t, small, seed)
			x := s.add(base, recordBytes, 0)
			s.run(time.Minute)
			if used := x.rate(0, 60) / small.Bytes; used < 0.95 {
				t.Errorf("%.3f of the quota used", used)
			}
			if refused := x.refusedShare(5, 60); refused > 0.03 {
				t.Errorf("%.4f refused after 5 s", refused)
			}
		})
	}
}

// The mean over all is what one can count on.
func TestRefusedOnTheWhole(t *testing.T) {
	sum := 0.0
	for seed := range uint64(seeds) {
		s := newStream(t, small, seed)
		x := s.add(small, 200, 0)
		s.run(time.Minute)
		sum += x.refusedShare(5, 60)
	}
	if mean := sum / seeds; mean > 0.015 {
		t.Errorf("%.4f refused", mean)
	}
}

func TestDoubledQuotaIsFound(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64, recordBytes float64) {
		s := newStream(t, small, seed)
		x := s.add(small, recordBytes, 0)
		s.run(30 * time.Second)
		s.quota = s.quota.times(2)
		s.run(50 * time.Second)
		if got := x.rate(40, 50) / small.Bytes; got < 1.85 {
			t.Errorf("10 s after the quota doubled, %.2f of the old one is used", got)
		}
	})
}

func TestLoweredQuotaIsKept(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64, recordBytes float64) {
		s := newStream(t, large, seed)
		x := s.add(large, recordBytes, 0)
		s.run(30 * time.Second)
		s.quota = small
		s.run(60 * time.Second)
		if used, refused := x.rate(35, 60)/small.Bytes, x.refusedShare(35, 60); used < 0.9 || refused > 0.05 {
			t.Errorf("%.2f used, %.3f refused", used, refused)
		}
	})
}

// Two on one stream, who don't know of each other, come to equal shares, even if
// one had it to itself for a while.
func TestSharesAreFair(t *testing.T) {
	for _, later := range []time.Duration{0, 20 * time.Second} {
		var share [2]float64
		for seed := range uint64(seeds) {
			s := newStream(t, small, seed)
			a, b := s.add(small, 200, 0), s.add(small, 200, later)
			s.run(2 * time.Minute)
			for i, x := range []*sender{a, b} {
				got := x.rate(80, 120) / small.Bytes
				share[i] += got / seeds
				if got < 0.3 {
					t.Errorf("seed %d, second %v later: producer %d gets %.2f", seed, later, i, got)
				}
			}
		}
		for i, got := range share {
			if got < 0.45 {
				t.Errorf("second %v later: producer %d gets %.2f on the whole", later, i, got)
			}
		}
	}
}

// Refusals that have nothing to do with the pace don't stop a producer. With few
// and large records it can take it a minute to be sure.
func TestNoiseIsBorne(t *testing.T) {
	mean := 0.0
	eachSeed(t, func(t *testing.T, seed uint64, recordBytes float64) {
		s := newStream(t, small.times(20), seed)
		s.noise = 0.1
		x := s.add(small, recordBytes, 0)
		s.run(time.Minute)
		got := x.rate(50, 60) / small.Bytes
		if mean += got / (3 * seeds); got < 0.05 {
			t.Errorf("%.2f of the base quota", got)
		}
	})
	if mean < 8 {
		t.Errorf("%.1f times the base quota on the whole", mean)
	}
}

// Without refusals the pace is found within seconds, and a pause does not save
// up more than a burst.
func TestStart(t *testing.T) {
	s := newStream(t, large.times(40), 1)
	x := s.add(large, 20<<10, 0)
	x.until = 10 * time.Second
	s.run(20 * time.Second)
	if got := x.rate(2, 10) / large.Bytes; got < 36 {
		t.Errorf("%.1f times the base quota, 40 are free", got)
	}
	x.until = time.Hour
	rate := x.p.Rate().Bytes
	sent := 0.0
	for now := s.start.Add(20 * time.Second); x.p.Wait(now) == 0; {
		load := Quota{1, 10, 200 << 10}
		x.p.Take(load)
		sent += load.Bytes
	}
	if sent > 0.11*rate+200<<10 {
		t.Errorf("a burst of %.0f bytes at %.0f a second", sent, rate)
	}
}

// Each quota binds alone.
func TestEachQuotaBinds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, load := range []Quota{{Calls: 1}, {Records: 10}, {Bytes: 1000}} {
		p := New(Quota{10, 100, 10_000}, true, now)
		sent := 0
		for at := now; at.Before(now.Add(10 * time.Second)); {
			if wait := p.Wait(at); wait > 0 {
				at = at.Add(wait)
				continue
			}
			p.Take(load)
			sent++
		}
		if sent < 99 || sent > 103 {
			t.Errorf("%+v: %d in 10 s, want 10 a second", load, sent)
		}
	}
}

// A fixed pace stays, whatever the answers say.
func TestFixed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	p := New(small, true, now)
	for range 100 {
		now = now.Add(50 * time.Millisecond)
		p.Wait(now)
		p.Take(Quota{1, 500, 1 << 20})
		p.Answered(now, now.Add(-time.Millisecond), Quota{}, Quota{1, 500, 1 << 20})
	}
	if p.Rate() != small {
		t.Errorf("rate %+v", p.Rate())
	}
}

// Noise that ends is forgotten: a quota that binds later is kept like any other.
func TestNoiseIsForgotten(t *testing.T) {
	refused := 0.0
	for seed := range uint64(seeds) {
		s := newStream(t, small.times(20), seed)
		s.noise = 0.15
		x := s.add(small, 4<<10, 0)
		s.run(30 * time.Second)
		s.noise = 0
		s.run(60 * time.Second)
		s.quota = small.times(5)
		s.run(120 * time.Second)
		got := x.refusedShare(70, 120)
		t.Logf("seed %d: %.4f refused", seed, got)
		refused += got / seeds
	}
	if refused > 0.015 {
		t.Errorf("%.4f refused", refused)
	}
}

// Who sends less than the pace learns nothing about the quota, and does not
// raise the pace.
func TestIdlenessDoesNotRaise(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	p := New(small, false, now)
	for range 600 {
		now = now.Add(100 * time.Millisecond)
		if wait := p.Wait(now); wait > 0 {
			t.Fatalf("a tenth of the pace waits for %v", wait)
		}
		p.Take(Quota{1, 10, 10_000})
		p.Answered(now, now.Add(-time.Millisecond), Quota{1, 10, 10_000}, Quota{})
	}
	if p.Rate() != small {
		t.Errorf("rate %+v", p.Rate())
	}
}

// What was refused has used up nothing.
func TestRefusedIsNotOwed(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	p := New(small, false, now)
	start := now
	for range 4 {
		p.Take(Quota{1, 4, 4 << 20})
	}
	if wait := p.Wait(now); wait < 10*time.Second {
		t.Errorf("the next call waits for %v, though 16 s of the pace are under way", wait)
	}
	for range 4 {
		now = now.Add(50 * time.Millisecond)
		p.Answered(now, start, Quota{1, 1, 64 << 10}, Quota{0, 3, 4<<20 - 64<<10})
	}
	if wait := p.Wait(now); wait > 5*time.Second {
		t.Errorf("the next call waits for %v", wait)
	}
}
