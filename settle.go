package hydrant

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/pace"
	"github.com/hydrant-go/hydrant/wire"
)

// maxUnknownAttempts bounds the attempts of a record whose error code the
// service does not document.
const maxUnknownAttempts = 10

// mostThrottled bounds the back-off of records that were refused for want of
// quota while others got through.
const mostThrottled = 4

// outcome is what a call has done to its batches.
type outcome struct {
	whole     *failure // the whole call's, or nil
	delivered []settled
	dead      []settled
	refused   int      // packs that the answer refused one by one
	because   *failure // why the first of them
	again     []*batch // what has to be sent again
	halved    bool     // again holds the halves of a poisoned call
	done      []*batch // whose memory is free once the outcome is dealt with

	accepted, throttled pace.Quota
	took                time.Duration
}

// settled is a pack with its fate.
type settled struct {
	*pack
	batch *batch
	id    string
}

// settle deals with the answer to a call, or with its failure.
func (p *Producer) settle(c *call, err error) {
	o := p.judge(c, err)
	if o.whole != nil && o.whole.class == wire.Renew {
		p.renew()
	}
	wait := p.enter(c, &o)
	p.report(c, &o, wait)
	now := p.clock()
	if p.cfg.OnCall != nil {
		p.cfg.OnCall(c.info(&o, now))
	}
	for _, f := range o.delivered {
		for i := range f.members {
			if m := &f.members[i]; m.ack != nil {
				m.ack(Ack{
					Index: m.index, RecordID: f.id, Attempts: f.batch.attempts,
					Latency: now - m.at, MaybeDuplicate: f.maybe,
				})
			}
		}
	}
	p.leave(c.stream, o.delivered)
	p.bury(c.stream, o.dead)
	c.delivered = o.delivered
	for _, b := range o.done {
		b.free()
	}
}

// judge gives every pack of a call its fate. It alone decides between
// delivered, again and dead.
func (p *Producer) judge(c *call, err error) (o outcome) {
	entries := c.answer.entries
	o.took = time.Since(c.start)
	packs := 0
	for _, b := range c.parts {
		packs += len(b.packs)
	}
	switch {
	case err != nil:
		o.whole = p.excuse(callFailure(err))
	case len(entries) != packs:
		// Nothing says which entry is whose, so none counts.
		o.whole = &failure{
			message: fmt.Sprintf("the answer has %d entries for %d records", len(entries), packs),
			class:   wire.Retry, stored: true,
		}
	}
	if o.whole != nil && o.whole.class == wire.Poison && p.bisect(c, &o) {
		return o
	}
	o.delivered = slices.Grow(c.delivered, packs)
	for _, b := range c.parts {
		var mine []wire.PutEntry
		if o.whole == nil {
			mine, entries = entries[:len(b.packs)], entries[len(b.packs):]
		}
		p.judgeBatch(c, b, mine, &o)
	}
	if o.accepted.Records > 0 {
		o.accepted.Calls = 1
	} else {
		o.throttled.Calls = min(1, o.throttled.Records)
	}
	return o
}

func (p *Producer) judgeBatch(c *call, b *batch, entries []wire.PutEntry, o *outcome) {
	var again, large []*pack
	for i := range b.packs {
		k := &b.packs[i]
		f := o.whole
		id := ""
		if f == nil {
			f, id = entryFailure(entries[i]), entries[i].RecordID
			if f != nil {
				f = p.excuse(f)
				o.refused++
				o.because = cmp.Or(o.because, f)
			}
		}
		if f == nil {
			o.accepted.Records++
			o.accepted.Bytes += float64(len(k.data()))
			o.delivered = append(o.delivered, settled{k, b, id})
			continue
		}
		if f.throttled {
			o.throttled.Records++
			o.throttled.Bytes += float64(len(k.data()))
		}
		k.mark(f)
		if f.class == wire.Poison && k.n > 1 {
			first, second := b.take([]*pack{k}).halves()
			first.alone, second.alone = true, true
			o.again = append(o.again, first, second)
			continue
		}
		if p.hopeless(b, k) {
			o.dead = append(o.dead, settled{k, b, ""})
			continue
		}
		if f.throttled && !k.maybe && k.n > 1 && k.size > c.limits.packBytes {
			large = append(large, k)
			continue
		}
		again = append(again, k)
	}
	if len(again) == len(b.packs) {
		b.alone = b.alone && o.whole != nil // still under suspicion
		o.again = append(o.again, b)
		return
	}
	o.done = append(o.done, b)
	if len(again) > 0 {
		rest := b.take(again)
		rest.alone = false
		o.again = append(o.again, rest)
	}
	if len(large) > 0 {
		o.again = append(o.again, b.take(large).recut(c.limits)...)
	}
}

// bisect cuts a call in two that one of its records has poisoned; false when it
// holds a single record.
func (p *Producer) bisect(c *call, o *outcome) bool {
	members := 0
	for _, b := range c.parts {
		members += b.records()
		for i := range b.packs {
			b.packs[i].mark(o.whole)
		}
	}
	if members == 1 {
		return false
	}
	o.halved = true
	if len(c.parts) > 1 {
		o.again = c.parts // each on its own first
	} else {
		first, second := c.parts[0].halves()
		o.again = []*batch{first, second}
		o.done = c.parts
	}
	for _, b := range o.again {
		b.alone = true
	}
	return true
}

// mark notes on a pack why its latest attempt failed.
func (k *pack) mark(f *failure) {
	k.last = f
	k.maybe = k.maybe || f.stored
}

// excuse changes what a failure means where the caller has said so.
func (p *Producer) excuse(f *failure) *failure {
	if f.code == wire.CodeResourceNotFound && p.cfg.WaitForStream {
		f.class = wire.Retry
	}
	return f
}

// hopeless tells whether a pack is not to be sent again.
func (p *Producer) hopeless(b *batch, k *pack) bool {
	switch k.last.class {
	case wire.Refuse, wire.Poison:
		return true
	case wire.Unknown:
		if b.attempts >= maxUnknownAttempts {
			return true
		}
	}
	return p.cfg.MaxAttempts > 0 && b.attempts >= p.cfg.MaxAttempts ||
		p.cfg.MaxAge > 0 && p.clock()-k.members[0].at >= p.cfg.MaxAge
}

// enter enters an outcome into the books, queues what goes out again, and
// starts what is due next. It returns the wait that a failure has caused.
func (p *Producer) enter(c *call, o *outcome) (wait time.Duration) {
	add := p.tally(o)
	p.mu.Lock()
	defer p.mu.Unlock()
	s, now := c.stream, time.Now()
	s.used = now
	s.window.calls--
	if o.whole == nil && len(o.delivered) > 0 {
		s.window.answered(now, o.took, p.cfg.InFlight)
	}
	s.pacer.Answered(now, c.start, o.accepted, o.throttled)
	p.countLocked(now, o, add)
	wait = s.waitLocked(o, c.wave, now)
	for _, b := range o.again {
		b.due = now.Add(wait)
	}
	s.again = append(s.again, o.again...)
	p.releaseLocked(s, add.room)
	s.dispatchLocked()
	return wait
}

// waitLocked is the wait before what has failed is sent again. Without any
// progress the whole stream waits. Progress resets the back-off; a failure
// raises it, but only once for all calls that were under way together, or a
// wave of them would jump to the cap.
func (s *stream) waitLocked(o *outcome, wave int, now time.Time) time.Duration {
	if len(o.delivered) > 0 {
		s.failures = 0
	}
	switch {
	case o.whole == nil && o.refused == 0:
		return 0
	case len(o.delivered) > 0:
		attempts := 1
		for _, b := range o.again {
			attempts = max(attempts, b.attempts)
		}
		if o.throttled.Records > 0 { // the pace does the rest
			attempts = min(attempts, mostThrottled)
		}
		return s.p.backoff(attempts)
	}
	if wave == s.wave && !o.halved {
		s.failures++
		s.wave++
	}
	wait := s.p.backoff(max(1, s.failures))
	if until := now.Add(wait); until.After(s.notBefore) {
		s.notBefore = until
	}
	return wait
}

// tally is what the delivered packs of an outcome add to the books.
type tally struct {
	Stats
	room    int64
	latency Histogram
}

func (p *Producer) tally(o *outcome) *tally {
	t := &tally{}
	now := p.clock()
	for _, f := range o.delivered {
		t.FirehoseRecords++
		t.Delivered += int64(len(f.members))
		t.DeliveredBytes += int64(f.size)
		t.BilledBytes += wire.BilledBytes(len(f.data()))
		if f.batch.lingered {
			t.LingerPaddingBytes += wire.BilledBytes(len(f.data())) - int64(len(f.data()))
		}
		if f.maybe {
			t.MaybeDuplicate += int64(len(f.members))
		}
		for i := range f.members {
			m := &f.members[i]
			t.UnpackedBilledBytes += wire.BilledBytes(m.size)
			t.room += p.weigh(m.size)
			t.latency.add(now - m.at)
		}
	}
	return t
}

func (p *Producer) countLocked(now time.Time, o *outcome, add *tally) {
	s := &p.stats
	s.FirehoseRecords += add.FirehoseRecords
	s.Delivered += add.Delivered
	s.Pending -= add.Delivered
	s.DeliveredBytes += add.DeliveredBytes
	s.BilledBytes += add.BilledBytes
	s.UnpackedBilledBytes += add.UnpackedBilledBytes
	s.LingerPaddingBytes += add.LingerPaddingBytes
	p.padding.note(now, s.LingerPaddingBytes)
	s.MaybeDuplicate += add.MaybeDuplicate
	s.Latency.merge(&add.latency)
	if o.whole == nil && o.refused == 0 {
		s.LastFailure = ""
	}
	if o.whole != nil {
		s.FailedCalls++
		s.LastFailure = o.whole.String()
		return
	}
	count := func(k *pack) {
		s.Refused += int64(k.n)
		s.RefusedByCode[k.last.code] += int64(k.n)
		s.LastFailure = k.last.String()
	}
	for _, b := range o.again {
		for i := range b.packs {
			count(&b.packs[i])
		}
	}
	for _, f := range o.dead {
		count(f.pack)
	}
}

// report logs a call: at debug if all went well, at info if records were refused, as in
// pacing they are now and then, and at warn if it failed; with the wait before what has
// failed is sent again.
func (p *Producer) report(c *call, o *outcome, wait time.Duration) {
	level, message, failed := slog.LevelDebug, "put call", o.because
	switch {
	case o.whole != nil:
		message, failed = "put call failed", o.whole
		if p.ctx.Err() == nil { // else Close has broken it off
			level = slog.LevelWarn
		}
	case o.refused > 0:
		level, message = slog.LevelInfo, "records refused"
	}
	ctx := context.Background() // also when the producer's has ended
	if !p.log.Enabled(ctx, level) {
		return
	}
	attrs := c.attrs(o)
	if failed != nil {
		attrs = append(attrs, slog.String("code", failed.code), slog.String("error", failed.message),
			slog.String("class", failed.class.String()), slog.Duration("wait", wait))
	}
	p.log.LogAttrs(ctx, level, message, attrs...)
}

// attrs are what is logged of every call. None has a record's data.
func (c *call) attrs(o *outcome) []slog.Attr {
	operation, attempt := "PutRecordBatch", 1
	if c.stream.p.cfg.BatchRecords == 1 {
		operation = "PutRecord"
	}
	for _, b := range c.parts {
		attempt = max(attempt, b.attempts)
	}
	return []slog.Attr{
		slog.String("stream", c.stream.name), slog.String("operation", operation),
		slog.Int("records", c.records), slog.Int("firehose_records", int(c.load.Records)), slog.Int("bytes", int(c.load.Bytes)),
		slog.Int("attempt", attempt), slog.Duration("took", o.took), slog.String("request_id", c.answer.requestID),
		slog.Int("accepted", len(o.delivered)), slog.Int("refused", o.refused),
	}
}

// bury writes the members of packs to the dead letter, trying until it takes
// them or the producer ends. Only then are they settled.
func (p *Producer) bury(s *stream, packs []settled) {
	if len(packs) == 0 {
		return
	}
	var dead []DeadRecord
	for _, f := range packs {
		dead = p.appendDead(dead, s.name, f.batch, f.pack)
	}
	for n := 1; ; n++ {
		err := p.cfg.DeadLetter.Write(p.ctx, dead)
		if err == nil {
			break
		}
		p.log.Error("dead letter failed; trying again", slog.Any("error", err), slog.Int("records", len(dead)))
		if !p.sleep(p.backoff(n)) {
			p.mu.Lock()
			p.left = append(p.left, dead...)
			p.mu.Unlock()
			return
		}
	}
	p.log.Error("records in the dead letter", slog.String("stream", s.name), slog.Int("records", len(dead)),
		slog.String("code", dead[0].Code), slog.String("message", dead[0].Message))
	p.mu.Lock()
	p.stats.DeadLettered += int64(len(dead))
	p.stats.Pending -= int64(len(dead))
	var room int64
	for _, f := range packs {
		for i := range f.members {
			room += p.weigh(f.members[i].size)
		}
	}
	p.releaseLocked(s, room)
	p.mu.Unlock()
	now := p.clock()
	for _, f := range packs {
		for i := range f.members {
			if m := &f.members[i]; m.ack != nil {
				m.ack(Ack{
					Index: m.index, Attempts: f.batch.attempts, Latency: now - m.at, MaybeDuplicate: f.maybe,
					Err: &DeadError{Code: f.last.code, Message: f.last.message},
				})
			}
		}
	}
	p.leave(s, packs)
}

// leave lets go of settled packs, once their callbacks have run: a Flush that
// waits for them returns after that.
func (p *Producer) leave(s *stream, packs []settled) {
	if s.queue != nil && len(packs) > 0 {
		s.queue.Ack(numbers(packs)...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range packs {
		f.batch.epoch.pending -= len(f.members)
		f.batch.epoch.check()
	}
}

// appendDead appends the members of a pack in their form outside the producer.
func (p *Producer) appendDead(list []DeadRecord, stream string, b *batch, k *pack) []DeadRecord {
	raw, now := append([]byte(nil), k.raw...), time.Now()
	for _, m := range k.members {
		d := DeadRecord{
			Stream: stream, Data: raw[:m.size:m.size], Attempts: b.attempts,
			First: p.start.Add(m.at), Last: now, MaybeDelivered: k.maybe,
			Source: m.source, Position: m.place,
		}
		raw = raw[m.size:]
		if k.last != nil {
			d.Code, d.Message = k.last.code, k.last.message
		}
		list = append(list, d)
	}
	return list
}

func (p *Producer) tooLarge(size int) string {
	return fmt.Sprintf("the record has %d bytes with its delimiter, Firehose takes at most %d: shorten or split it", size, p.longest)
}
