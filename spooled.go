package hydrant

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/hydrant-go/hydrant/spool"
)

// With a spool, Put appends to the queue of the record's stream and returns. A
// feeder for each stream, which runs while there is something to read, takes
// records from the queue into the buffer, as there is room; from there their way
// is the same as without a spool. What is settled is acknowledged to the queue.

// feedBytes is what a feeder reads at once, chunkBytes and chunkRecords what
// PutBatch appends at once.
const (
	feedBytes    = 256 << 10
	chunkBytes   = 2 << 20
	chunkRecords = 8192
)

// waiting is what a caller has given with a record.
type waiting struct {
	ack   func(Ack)
	index int
}

// openSpool opens the spool, and finds what is left in it.
func (p *Producer) openSpool() error {
	o := p.cfg.SpoolOptions
	o.OnDamage, o.OnFull = p.damaged, p.spoolFull
	s, err := spool.Open(p.cfg.Spool, o)
	if err != nil {
		return fmt.Errorf("hydrant: Config.Spool: %w", err)
	}
	p.spool = s
	p.stats.Recovered = s.Totals().Records
	return nil
}

// resume sends what an earlier producer has left in the spool.
func (p *Producer) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.spool.Queues() {
		n := q.Stats().Records
		if n == 0 {
			continue
		}
		s, err := p.streamLocked(q.Name())
		if err != nil {
			p.log.Error("the spool holds records of no delivery stream", slog.String("queue", q.Name()), slog.Any("error", err))
			continue
		}
		p.log.Info("records from the spool", slog.String("stream", s.name), slog.Int64("records", n))
		s.feedLocked()
	}
}

// spoolFull tells why Put waits.
func (p *Producer) spoolFull(why error) {
	p.log.Error("no room in the spool; waiting until there is", slog.Any("error", why))
	if report := p.cfg.SpoolOptions.OnFull; report != nil {
		report(why)
	}
}

// damaged deals with records that the spool can't read any more.
func (p *Producer) damaged(d spool.Damage) {
	p.log.Error("the spool is damaged", slog.String("stream", d.Queue), slog.Bool("torn", d.Torn), slog.String("damage", d.String()))
	if !d.Torn {
		p.mu.Lock()
		p.stats.Damaged += d.Records
		p.mu.Unlock()
	}
	if report := p.cfg.SpoolOptions.OnDamage; report != nil {
		report(d)
	}
}

// putSpooled appends records of one stream to its queue, all or none.
func (p *Producer) putSpooled(ctx context.Context, name string, records []spool.Record, callbacks int64) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	s, err := p.main, error(nil)
	if s == nil || name != s.name {
		s, err = p.streamLocked(name)
	}
	if err != nil {
		p.mu.Unlock()
		return fmt.Errorf("hydrant: Config.Route: %w", err)
	}
	s.puts++
	p.puts.Add(1)
	p.mu.Unlock()
	defer p.puts.Done()

	var size int64
	for i := range records {
		size += int64(p.sizeOf(records[i].Data))
	}
	if err = p.promise(ctx, callbacks); err == nil {
		_, err = s.queue.Append(ctx, records...)
		if err != nil {
			p.callbacks.Release(callbacks)
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	s.puts--
	switch {
	case errors.Is(err, spool.ErrClosed):
		return ErrClosed
	case errors.Is(err, spool.ErrFull):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case err != nil:
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("hydrant: %w", err)
	}
	p.stats.AcceptedBytes += size
	s.feedLocked()
	return nil
}

// promise waits until so many callbacks more may be kept in memory.
func (p *Producer) promise(ctx context.Context, n int64) error {
	if n == 0 || p.callbacks.TryAcquire(n) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.closing, cancel)()
	err := p.callbacks.Acquire(ctx, n)
	if err != nil && p.closing.Err() != nil {
		return ErrClosed
	}
	return err
}

// sizeOf is a record's size with its delimiter.
func (p *Producer) sizeOf(data []byte) int {
	if bytes.HasSuffix(data, p.delimiter) {
		return len(data)
	}
	return len(data) + len(p.delimiter)
}

// chunk is records of one stream that are appended together.
type chunk struct {
	name    string
	records []spool.Record
	memory  []byte // of the records' bytes
}

var chunks = sync.Pool{New: func() any { return &chunk{} }}

// full tells whether there is no room for size bytes more.
func (k *chunk) full(size, times int) bool {
	return len(k.records) >= times*chunkRecords || len(k.memory) > 0 && len(k.memory)+size > times*chunkBytes
}

func (k *chunk) free() {
	clear(k.records)
	k.records, k.memory = k.records[:0], k.memory[:0]
	if cap(k.memory) <= 4*chunkBytes {
		chunks.Put(k)
	}
}

// puts is a PutRecords. While one chunk is appended the next one is filled.
type puts struct {
	p     *Producer
	ack   func(Ack)
	calls []waiting // memory for some
	next  int       // index of the next record
	done  int       // how many are accepted

	open  *chunk
	under *chunk // being appended, or nil
	err   chan error
}

// add copies a record into a chunk. A full one is appended, once the one before
// has been; until then it may grow.
func (c *puts) add(ctx context.Context, r Record) error {
	name, times := c.p.route(r.Data), 1
	if c.under != nil && len(c.err) == 0 {
		times = 2
	}
	if len(c.open.records) > 0 && name != c.open.name || c.open.full(len(r.Data), times) {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	k := c.open
	k.name = name
	k.memory = append(k.memory, r.Data...)
	data := k.memory[len(k.memory)-len(r.Data) : len(k.memory) : len(k.memory)]
	rec := spool.Record{Data: data, Source: r.Source, Position: r.Position}
	if c.ack != nil {
		rec.Tag = c.waiting()
	}
	k.records = append(k.records, rec)
	c.next++
	return nil
}

// waiting is what the next record's tag is. They share pieces of memory.
func (c *puts) waiting() *waiting {
	if len(c.calls) == cap(c.calls) {
		c.calls = make([]waiting, 0, min(max(4, 2*cap(c.calls)), 256))
	}
	c.calls = append(c.calls, waiting{c.ack, c.next})
	return &c.calls[len(c.calls)-1]
}

// start appends the open chunk, after the one before. PutRecords waits for it.
func (c *puts) start(ctx context.Context) error {
	if err := c.wait(); err != nil {
		return err
	}
	c.under, c.open, c.err = c.open, chunks.Get().(*chunk), make(chan error, 1)
	go func(k *chunk) { c.err <- c.append(ctx, k) }(c.under)
	return nil
}

// wait waits for the chunk that is being appended, if one is.
func (c *puts) wait() error {
	if c.under == nil {
		return nil
	}
	err := <-c.err
	if err == nil {
		c.done += len(c.under.records)
	}
	c.under.free()
	c.under = nil
	return err
}

// end appends what is left.
func (c *puts) end(ctx context.Context) error {
	if err := c.wait(); err != nil || len(c.open.records) == 0 {
		return err
	}
	err := c.append(ctx, c.open)
	if err == nil {
		c.done += len(c.open.records)
	}
	return err
}

func (c *puts) append(ctx context.Context, k *chunk) error {
	callbacks := 0
	if c.ack != nil {
		callbacks = len(k.records)
	}
	return c.p.putSpooled(ctx, k.name, k.records, int64(callbacks))
}

// free gives the memory back, when nothing is appended any more.
func (c *puts) free() {
	_ = c.wait()
	c.open.free()
}

// route is the name of a record's stream.
func (p *Producer) route(data []byte) string {
	if p.cfg.Route == nil {
		return p.cfg.Stream
	}
	return cmp.Or(p.cfg.Route(data), p.cfg.Stream)
}

// feedLocked tells the stream's feeder that there may be more to read.
func (s *stream) feedLocked() {
	s.more = true
	if !s.feeding && s.p.ctx.Err() == nil {
		s.feeding = true
		s.p.wg.Go(s.feed)
	}
}

// feed is the stream's feeder.
func (s *stream) feed() {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []spool.Record
	for failures := 0; s.more && p.ctx.Err() == nil; {
		s.more = false
		p.mu.Unlock()
		next := s.queue.Stats().Next
		var err error
		if list, err = s.queue.Read(list[:0], feedBytes); err != nil && len(list) == 0 {
			failures++
			p.log.Error("cannot read the spool; trying again", slog.String("stream", s.name), slog.Any("error", err))
			p.sleep(p.backoff(failures))
			p.mu.Lock()
			s.more = true
			continue
		}
		failures = 0
		p.mu.Lock()
		for i := range list {
			if !s.loadLocked(&list[i]) {
				break // the producer ends
			}
			next, s.more = list[i].Number+1, true
		}
		s.fedLocked(next)
	}
	s.feeding = false
	s.fedLocked(s.fed)
	s.dispatchLocked() // it may be let go of now
}

// fedLocked notes that the records below next have been taken from the queue.
func (s *stream) fedLocked(next uint64) {
	s.fed = max(s.fed, next)
	if s.fedMore != nil {
		close(s.fedMore)
		s.fedMore = nil
	}
}

// loadLocked takes a record from the spool into the buffer, once there is room.
// It returns false when the producer ends first.
func (s *stream) loadLocked(r *spool.Record) bool {
	p := s.p
	m := member{index: int(r.Number), size: p.sizeOf(r.Data), at: r.Time.Sub(p.start), source: r.Source, place: r.Position}
	if w, ok := r.Tag.(*waiting); ok {
		m.ack = func(a Ack) {
			a.Index = w.index
			w.ack(a)
			p.callbacks.Release(1)
		}
	}
	weight := p.weigh(m.size)
	if !p.takeLocked(s, weight) && p.waitLocked(p.ctx, s, weight, true) != nil {
		return false
	}
	if m.size > p.longest {
		p.refuseLocked(s, r.Data, m)
	} else {
		s.addLocked(r.Data, m, r.MaybeHanded)
	}
	return true
}

// awaitFed waits until all that the spool holds now has been taken from it.
func (p *Producer) awaitFed(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		for next := s.queue.Stats().Next; s.feeding && s.fed < next; {
			if s.fedMore == nil {
				s.fedMore = make(chan struct{})
			}
			more := s.fedMore
			p.mu.Unlock()
			select {
			case <-more:
			case <-ctx.Done():
			}
			p.mu.Lock()
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbers are those of the records in packs, as ranges.
func numbers(packs []settled) (list []spool.Range) {
	for _, f := range packs {
		for i := range f.members {
			n := uint64(f.members[i].index)
			if last := len(list) - 1; last >= 0 && list[last].First+list[last].N == n {
				list[last].N++
			} else {
				list = append(list, spool.Range{First: n, N: 1})
			}
		}
	}
	return list
}

// tellHandedLocked tells the queue which of the records that are left may have been
// stored. All calls have ended.
func (s *stream) tellHandedLocked() {
	below := uint64(0)
	note := func(members []member, maybe bool) {
		if maybe && len(members) > 0 {
			below = max(below, uint64(members[len(members)-1].index)+1)
		}
	}
	for _, b := range slices.Concat(s.ready, s.again) {
		note(b.members, b.maybe)
		for i := range b.packs {
			note(b.packs[i].members, b.packs[i].maybe)
		}
	}
	if s.open != nil {
		note(s.open.members, s.open.maybe)
	}
	s.queue.Handed(below)
}

// closeSpool closes the spool, and tells what is left in it.
func (p *Producer) closeSpool(cause error) error {
	p.mu.Lock()
	if len(p.left) == 0 { // it does not say which numbers those have
		for _, s := range p.streams {
			s.tellHandedLocked()
		}
	}
	p.mu.Unlock()
	if err := p.spool.Close(); err != nil {
		return fmt.Errorf("hydrant: close the spool: %w", err)
	}
	if n := p.spool.Totals().Records; n > 0 {
		return &UndeliveredError{Spooled: n, Spool: p.spool.Dir(), Err: cause}
	}
	return nil
}

// putOne appends a record to the queue of its stream.
func (p *Producer) putOne(ctx context.Context, wait bool, name string, r Record, ack func(Ack)) error {
	rec := spool.Record{Data: r.Data, Source: r.Source, Position: r.Position}
	callbacks := int64(0)
	if ack != nil {
		rec.Tag = &waiting{ack, 0}
		callbacks = 1
	}
	if wait {
		return p.putSpooled(ctx, name, []spool.Record{rec}, callbacks)
	}
	err := p.putSpooled(ended, name, []spool.Record{rec}, callbacks)
	if errors.Is(err, context.Canceled) {
		return ErrFull
	}
	return err
}

// ended is a context that waits for nothing.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
