package hydrant

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// maxUnknownAttempts bounds the attempts of a record whose error code the
// service does not document.
const maxUnknownAttempts = 10

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

func (p *Producer) dispatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dispatchLocked()
}

// dispatchLocked starts every call that is due and sets the timer for the next.
// It is called after every change to what it depends on: the queue, the calls
// in flight, the wait, and the end of the producer.
func (p *Producer) dispatchLocked() {
	for p.ctx.Err() == nil && p.inFlight < p.limitLocked() {
		due, ok := p.queue.due(&p.cfg)
		if !ok {
			return
		}
		if p.notBefore.After(due) {
			due = p.notBefore
		}
		if wait := time.Until(due); wait > 0 {
			p.timer.Reset(wait)
			return
		}
		p.startLocked()
	}
}

// limitLocked is how many calls may be under way now: after a failure a single
// one tries whether the stream is back.
func (p *Producer) limitLocked() int {
	if p.failures > 0 {
		return 1
	}
	return p.cfg.InFlight
}

func (p *Producer) startLocked() {
	batch, isolated := p.queue.cut(&p.cfg)
	p.inFlight++
	p.stats.Calls++
	for _, r := range batch {
		if r.attempts > 0 {
			p.stats.Retries++
		}
		r.attempts++
	}
	wave := p.wave
	p.wg.Go(func() { p.call(batch, isolated, wave) })
}

// call makes one put call and settles its records.
func (p *Producer) call(batch []*record, isolated bool, wave int) {
	records := make([][]byte, len(batch))
	for i, r := range batch {
		records[i] = r.data
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.CallTimeout)
	entries, err := p.sender.send(ctx, records)
	cancel()

	o := p.judge(batch, entries, err)
	if o.whole != nil && o.whole.class == wire.Renew {
		p.renew()
	}
	wait := p.settle(o, isolated, wave)
	p.report(o, len(batch), wait)
	for i, r := range o.delivered {
		if r.ack != nil {
			r.ack(Ack{RecordID: o.ids[i], Attempts: r.attempts, Latency: time.Since(r.at), MaybeDuplicate: r.maybe})
		}
	}
	p.leave(o.delivered)
	p.bury(o.dead)
}

// outcome is what a call has done to its records.
type outcome struct {
	whole     *failure // the whole call's, or nil
	delivered []*record
	ids       []string  // of delivered
	refused   int       // records that the answer refused one by one
	again     []*record // to be sent again
	dead      []*record
	halves    [][]*record // of a call that one of its records has poisoned
}

// judge gives every record of a call its fate. It alone decides between
// delivered, again and dead.
func (p *Producer) judge(batch []*record, entries []wire.PutEntry, err error) outcome {
	var o outcome
	switch {
	case err != nil:
		o.whole = callFailure(err)
	case len(entries) != len(batch):
		// Nothing says which entry is whose, so none counts.
		o.whole = &failure{
			message: fmt.Sprintf("the answer has %d entries for %d records", len(entries), len(batch)),
			class:   wire.Retry, stored: true,
		}
	}
	if o.whole != nil && o.whole.class == wire.Poison && len(batch) > 1 {
		mark(batch, o.whole)
		half := len(batch) / 2
		o.halves = [][]*record{batch[:half], batch[half:]}
		return o
	}
	for i, r := range batch {
		f := o.whole
		if f == nil {
			if f = entryFailure(entries[i]); f != nil {
				o.refused++
			}
		}
		switch {
		case f == nil:
			o.delivered, o.ids = append(o.delivered, r), append(o.ids, entries[i].RecordID)
		case p.hopeless(r, f):
			mark([]*record{r}, f)
			o.dead = append(o.dead, r)
		default:
			mark([]*record{r}, f)
			o.again = append(o.again, r)
		}
	}
	return o
}

// mark notes on records why their latest attempt failed.
func mark(records []*record, f *failure) {
	for _, r := range records {
		r.last = f
		r.maybe = r.maybe || f.stored
	}
}

// hopeless tells whether r, failed with f, is not to be sent again.
func (p *Producer) hopeless(r *record, f *failure) bool {
	switch f.class {
	case wire.Refuse, wire.Poison:
		return true
	case wire.Unknown:
		if r.attempts >= maxUnknownAttempts {
			return true
		}
	}
	return p.cfg.MaxAttempts > 0 && r.attempts >= p.cfg.MaxAttempts
}

// settle enters an outcome into the books, queues what goes out again, and
// starts what is due next. It returns the wait that a failure has caused.
func (p *Producer) settle(o outcome, isolated bool, wave int) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.countLocked(o)
	for _, r := range o.delivered {
		p.room.Release(r.weight)
	}
	p.queue.isolated = append(p.queue.isolated, o.halves...)
	if isolated && o.whole != nil && len(o.again) > 0 {
		p.queue.isolated = append(p.queue.isolated, o.again) // still under suspicion
	} else {
		for _, r := range o.again {
			p.queue.retry(r)
		}
	}
	wait = p.waitLocked(o, wave)
	p.dispatchLocked()
	return wait
}

// waitLocked sets the wait before the next call, of any record. Progress resets
// the back-off. A failure raises it, but only once for all calls that were under
// way together, or a wave of them would jump to the cap.
func (p *Producer) waitLocked(o outcome, wave int) time.Duration {
	clean := o.whole == nil && o.refused == 0
	if len(o.delivered) > 0 {
		p.failures = 0
	}
	if clean {
		return 0
	}
	if len(o.delivered) == 0 && wave == p.wave && o.halves == nil {
		p.failures++
		p.wave++
	}
	wait := p.backoff(max(1, p.failures))
	if until := time.Now().Add(wait); until.After(p.notBefore) {
		p.notBefore = until
	}
	return wait
}

func (p *Producer) countLocked(o outcome) {
	s := &p.stats
	for _, r := range o.delivered {
		s.Delivered++
		s.Pending--
		s.DeliveredBytes += int64(len(r.data))
		s.BilledBytes += wire.BilledBytes(len(r.data))
		if r.maybe {
			s.MaybeDuplicate++
		}
	}
	if o.whole == nil && o.refused == 0 {
		s.LastFailure = ""
	}
	if o.whole != nil {
		s.FailedCalls++
		s.LastFailure = o.whole.String()
		return
	}
	s.Refused += int64(o.refused)
	for _, list := range [][]*record{o.again, o.dead} {
		for _, r := range list {
			s.RefusedByCode[r.last.code]++
			s.LastFailure = r.last.String()
		}
	}
}

// report logs what an operator has to know of a call.
func (p *Producer) report(o outcome, sent int, wait time.Duration) {
	switch {
	case o.whole != nil && p.ctx.Err() == nil:
		p.log.Warn("put call failed",
			slog.String("error", o.whole.String()), slog.String("class", o.whole.class.String()),
			slog.Int("records", sent), slog.Duration("wait", wait))
	case o.refused > 0:
		p.log.Debug("records refused",
			slog.Int("refused", o.refused), slog.Int("records", sent), slog.Duration("wait", wait))
	}
}

// bury writes records to the dead letter, trying until it takes them or the
// producer ends. Only then are they settled.
func (p *Producer) bury(records []*record) {
	if len(records) == 0 {
		return
	}
	dead := make([]DeadRecord, len(records))
	for i, r := range records {
		dead[i] = r.dead(p.cfg.Stream)
	}
	for n := 1; ; n++ {
		err := p.cfg.DeadLetter.Write(p.ctx, dead)
		if err == nil {
			break
		}
		p.log.Error("dead letter failed; trying again", slog.Any("error", err), slog.Int("records", len(dead)))
		select {
		case <-time.After(p.backoff(n)):
		case <-p.ctx.Done():
			p.mu.Lock()
			p.left = append(p.left, dead...)
			p.mu.Unlock()
			return
		}
	}
	p.log.Warn("records in the dead letter", slog.Int("records", len(dead)),
		slog.String("code", dead[0].Code), slog.String("message", dead[0].Message))
	p.mu.Lock()
	p.stats.DeadLettered += int64(len(records))
	p.stats.Pending -= int64(len(records))
	for _, r := range records {
		p.room.Release(r.weight)
	}
	p.mu.Unlock()
	for _, r := range records {
		if r.ack != nil {
			r.ack(Ack{
				Attempts: r.attempts, Latency: time.Since(r.at), MaybeDuplicate: r.maybe,
				Err: &DeadError{Code: r.last.code, Message: r.last.message},
			})
		}
	}
	p.leave(records)
}

// leave lets go of settled records, once their callbacks have run: a Flush that
// waits for them returns after that.
func (p *Producer) leave(records []*record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range records {
		p.queue.leave(r)
	}
}

// dead is r's form outside the producer.
func (r *record) dead(stream string) DeadRecord {
	d := DeadRecord{
		Stream: stream, Data: r.data, Attempts: r.attempts,
		First: r.at, Last: time.Now(), MaybeDelivered: r.maybe,
	}
	if r.last != nil {
		d.Code, d.Message = r.last.code, r.last.message
	}
	return d
}

func tooLarge(size int) string {
	return fmt.Sprintf("the record has %d bytes with its delimiter, Firehose takes at most %d: shorten or split it", size, wire.MaxRecordBytes)
}
