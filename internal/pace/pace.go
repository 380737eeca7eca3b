// Package pace keeps the calls to a delivery stream within quotas that only its
// answers tell: so many calls, records and bytes a second, shared by all who
// put into the stream.
//
// A Pacer does no I/O and keeps no clock: its owner asks how long the next call
// must wait, says what it sends, and reports what each answer took and refused.
// The quotas of a stream scale together (developer guide, limits), so one
// number is learnt, the scale of the base quota:
//
//   - Until the first refusal it doubles as long as it holds calls back.
//   - A refusal cuts it to a little below what got through. Between two refusals
//     a stream has let through just its quota, whatever it had saved up before.
//   - Then it stays for a while, and is raised in growing steps: small ones find
//     the same ceiling again at the cost of a call or two, large ones a quota
//     that was doubled within seconds. Steps are the same for everybody and cuts
//     are in proportion, so those who share a stream come to equal shares.
//   - Refusals that go on although the pace is below what gets through have
//     another cause. What they amount to is borne from then on.
package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

// Quota is what a stream takes in a second, or a load to be held against one.
type Quota struct{ Calls, Records, Bytes float64 }

func (q Quota) times(f float64) Quota { return Quota{q.Calls * f, q.Records * f, q.Bytes * f} }

// Share is how many seconds of q a load takes up, by its scarcest part.
func (q Quota) Share(load Quota) float64 {
	return max(load.Calls/q.Calls, load.Records/q.Records, load.Bytes/q.Bytes)
}

const (
	// startDoubling is how often the pace doubles until the first refusal.
	startDoubling = 200 * time.Millisecond
	// dwell is how long a pace stays after a cut, give or take a quarter.
	dwell = 3 * time.Second
	// headroom is where a cut leaves the pace, of what got through.
	headroom = 0.95
	// firstStep is the first raise after that, of the base quota; each further
	// one comes a stepTime later and is twice as large.
	firstStep = 0.01
	stepTime  = 500 * time.Millisecond
	// settling and settlingCalls are how long, and for how many answers, no
	// further cut follows a cut: what got through meanwhile says too little.
	settling      = 400 * time.Millisecond
	settlingCalls = 8
	// burst is what may be sent at once after a pause, in seconds of the pace.
	burst = 0.1
	// callsPerSecond is into how many calls a second's worth is cut, once there
	// is a ceiling: a refused one is then a small part of all.
	callsPerSecond = 32
	// leastQuota is what any stream is sure to take, in bytes.
	leastQuota = 1 << 20
	// pause follows a cut, so that the quota has something saved up again.
	pause = 0.08
	// leastScale keeps a pace from starving.
	leastScale = 1. / 16
	// A refused share up to mostNoise can be noise, if vainCuts cuts in a row
	// don't end it.
	mostNoise = 0.3
	vainCuts  = 4
)

// Pacer is the pace of one stream. Its owner guards it.
type Pacer struct {
	base  Quota
	fixed bool
	scale float64 // of base: the pace

	credit Quota     // what may be sent now; below zero a debt
	at     time.Time // when credit was true

	ceiling float64   // what got through at the last cut; 0 before the first
	cut     time.Time // the last cut; calls that started earlier say nothing about the pace since
	raised  bool      // since then
	step    float64
	next    time.Time // when the pace may be raised
	held    bool      // the pace has held a call back since the last raise

	window window
	since  struct {
		got, lost float64 // accepted and refused since the last cut, in seconds of base
		calls     int     // answered
	}

	noise  float64 // the share of refusals that no pace would avoid
	before float64 // the scale before the first vain cut
	vain   int     // cuts in a row that did not end the refusals
	blame  float64 // the shares of refusals that led to them, together

	random *rand.Rand
}

// New returns a Pacer that starts at base, the quota of a stream in its region,
// and learns; or, if fixed, one that stays there.
func New(base Quota, fixed bool, now time.Time) *Pacer {
	return &Pacer{
		base: base, fixed: fixed, scale: 1, at: now, credit: base.times(burst), next: now.Add(startDoubling),
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
}

// Rate is the present pace.
func (p *Pacer) Rate() Quota { return p.base.times(p.scale) }

// RecordBytes is how many bytes a record should hold at most: one that takes a
// large part of a second's quota is easily refused, again and again.
func (p *Pacer) RecordBytes(now time.Time) int {
	if p.ceiling == 0 {
		got, _ := p.window.sums(now)
		return int(max(got*p.base.Bytes/8, leastQuota/4))
	}
	return p.CallBytes(now)
}

// CallBytes is how many bytes a call should hold at most: what is refused has to
// be sent again. Until the first refusal it is what the last second has let
// through.
func (p *Pacer) CallBytes(now time.Time) int {
	if p.ceiling == 0 {
		got, _ := p.window.sums(now)
		return int(max(got*p.base.Bytes, leastQuota/4))
	}
	return int(max(p.base.Bytes*p.scale/callsPerSecond, 16<<10))
}

// Wait is how long the next call has to wait.
func (p *Pacer) Wait(now time.Time) time.Duration {
	p.raise(now)
	p.refill(now)
	if debt := -p.credit.least(p.Rate()); debt > 0 {
		p.held = true
		return time.Duration(math.Ceil(debt * float64(time.Second)))
	}
	return 0
}

// least is the scarcest part of q, in seconds of rate.
func (q Quota) least(rate Quota) float64 {
	return min(q.Calls/rate.Calls, q.Records/rate.Records, q.Bytes/rate.Bytes)
}

// Take enters a call that starts.
func (p *Pacer) Take(load Quota) {
	p.credit = Quota{p.credit.Calls - load.Calls, p.credit.Records - load.Records, p.credit.Bytes - load.Bytes}
}

func (p *Pacer) refill(now time.Time) {
	d := max(now.Sub(p.at).Seconds(), 0)
	p.at = now
	rate := p.Rate()
	fill := func(credit, rate float64) float64 { return min(credit+d*rate, burst*rate) }
	p.credit = Quota{fill(p.credit.Calls, rate.Calls), fill(p.credit.Records, rate.Records), fill(p.credit.Bytes, rate.Bytes)}
}

// raise raises the pace when it is time, if the pace is what holds calls back.
func (p *Pacer) raise(now time.Time) {
	if p.fixed || now.Before(p.next) {
		return
	}
	if !p.held {
		p.next = now.Add(stepTime)
		return
	}
	p.held = false
	p.refill(now)
	p.raised = true
	if p.ceiling == 0 {
		p.scale *= 2
		p.next = now.Add(startDoubling)
		return
	}
	if p.noise > 0 {
		p.noise -= max(0, p.noise-p.window.refused(now)) / 8 // more is learnt in bear only
	}
	p.scale += p.step * max(1, math.Sqrt(p.ceiling))
	p.step *= 2
	p.next = now.Add(stepTime)
}

// Answered learns from the answer to a call that began at start: what it took,
// and what it refused for want of quota.
func (p *Pacer) Answered(now, start time.Time, accepted, throttled Quota) {
	got, lost := p.base.Share(accepted), p.base.Share(throttled)
	p.window.note(now, got, lost)
	if start.After(p.cut) {
		p.since.lost += lost
	}
	p.since.got += got
	p.since.calls++
	settled := p.ceiling == 0 || start.After(p.cut) && now.Sub(p.cut) >= settling && p.since.calls >= settlingCalls
	if p.fixed || throttled == (Quota{}) || !settled {
		return
	}
	refused := p.window.refused(now)
	if p.ceiling > 0 && !p.raised {
		refused = p.since.lost / (p.since.lost + p.since.got)
	}
	if refused <= min(2*p.noise+0.005, mostNoise) || p.bear(now, refused) {
		return
	}
	p.slow(now)
}

// bear tells whether refusals have another cause than the pace.
func (p *Pacer) bear(now time.Time, refused float64) bool {
	if p.ceiling == 0 || p.raised {
		p.vain, p.blame, p.before = 0, 0, p.scale
		return false
	}
	if refused >= mostNoise {
		return false
	}
	p.vain++
	p.blame += refused
	if p.vain < vainCuts {
		return false
	}
	p.noise, p.scale = p.blame/vainCuts, p.before
	p.vain, p.blame, p.step = 0, 0, firstStep
	p.next = now.Add(stepTime)
	return true
}

// slow cuts the pace to what gets through.
func (p *Pacer) slow(now time.Time) {
	got := p.window.accepted(now)
	// Not so if the quota has grown since the last refusal, or was not used up.
	if d := now.Sub(p.cut); p.ceiling > 0 && d < 10*dwell && p.scale < 1.5*p.ceiling {
		got = p.since.got / d.Seconds()
	}
	p.refill(now)
	// A few refusals out of little say little: no cut goes below the half.
	p.ceiling = max(min(got/(1-p.noise), p.scale), p.scale/2, leastScale)
	p.scale = p.ceiling * headroom
	p.credit = p.Rate().times(-pause) // what was refused is not owed
	p.cut = now
	p.since.got, p.since.lost, p.since.calls = 0, 0, 0
	p.raised, p.held = false, false
	p.step = firstStep
	p.next = now.Add(dwell*3/4 + time.Duration(p.random.Int64N(int64(dwell/2)))) // those who share a stream should not probe in step
}

// window sums what the last second's answers took and refused, in seconds of
// the base quota.
type window struct {
	since     time.Time // of the first answer
	slot      int64     // the latest, in slotTime since 1970
	got, lost [10]float64
}

const slotTime = time.Second / 10

func (w *window) roll(now time.Time) {
	slot := now.UnixNano() / int64(slotTime)
	w.slot = max(w.slot, slot-int64(len(w.got)))
	for w.slot < slot {
		w.slot++
		i := w.slot % int64(len(w.got))
		w.got[i], w.lost[i] = 0, 0
	}
}

func (w *window) note(now time.Time, got, lost float64) {
	if w.since.IsZero() {
		w.since = now
	}
	w.roll(now)
	i := w.slot % int64(len(w.got))
	w.got[i] += got
	w.lost[i] += lost
}

func (w *window) sums(now time.Time) (got, lost float64) {
	w.roll(now)
	for i := range w.got {
		got, lost = got+w.got[i], lost+w.lost[i]
	}
	return got, lost
}

// accepted is what a second took lately.
func (w *window) accepted(now time.Time) float64 {
	got, _ := w.sums(now)
	return got / min(max(now.Sub(w.since), slotTime).Seconds(), 1)
}

// refused is the refused share of the last second; 0 without any answer.
func (w *window) refused(now time.Time) float64 {
	got, lost := w.sums(now)
	if lost == 0 {
		return 0
	}
	return lost / (got + lost)
}
