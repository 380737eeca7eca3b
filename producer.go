// Package hydrant puts records into Amazon Data Firehose and loses none.
//
// A [Producer] takes records one by one, packs them into the larger records that
// Firehose bills by, collects those into PutRecordBatch calls of the service's
// exact limits (500 records, 4,194,304 raw bytes, 1,024,000 a record), keeps
// several calls in flight at the pace of the stream's quota, and sends again only
// what an answer refused, after a wait. Every record meets one of two fates, and
// its [Ack] tells which: Firehose has stored it, or it is in the [DeadLetter]
// with its bytes and the reason. Until then it counts against a bound in bytes,
// and [Stats] accounts for it.
//
// A record's way through the source: Put accepts it (producer.go) when there is
// room (room.go), it waits with others (stream.go) in a batch that is cut into
// packs (batch.go), a call carries it (http.go, conn.go, send.go), and the answer settles
// it (settle.go): acknowledged, queued again, or dead (deadletter.go).
package hydrant

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hydrant-go/hydrant/internal/pace"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// Producer sends records to a delivery stream, or to several by Config.Route.
// Its methods may be called from many goroutines. Close it, or what it holds is
// lost with the process.
type Producer struct {
	cfg    Config
	log    *slog.Logger
	start  time.Time
	sender sender

	delimiter []byte
	admin     describer  // or nil
	quota     pace.Quota // what a stream takes by default
	price     wire.Price // of what it takes
	compress  compressor // or nil
	longest   int        // bytes of a record that can be sent
	renew     func()     // drops cached credentials, so that the next call gets new ones

	ctx  context.Context // ends when Close is over; calls and waits of dead letters end with it
	stop context.CancelFunc
	wg   sync.WaitGroup // every goroutine of the producer

	spool     *spool.Spool // or nil; with it:
	puts      sync.WaitGroup
	callbacks *semaphore.Weighted // bounds those in memory
	closing   context.Context     // ends when Close begins
	refuse    context.CancelFunc

	mu      sync.Mutex // guards the fields below; never held over I/O or callbacks
	closed  bool
	main    *stream // Config.Stream's, which is never let go
	streams map[string]*stream
	epochs  []*epoch // those with unsettled records, oldest first; the last is open
	used    int64    // of the buffer
	full    bool     // somebody waits for room that no stream has
	waiters []*waiter
	stats   Stats
	padding recent       // what the linger costs of late
	left    []DeadRecord // records that Close has to give back
	unasked []*stream    // to be described, for their packing
}

// epoch counts the unsettled records accepted between two flushes.
type epoch struct {
	pending int
	sealed  bool
	done    chan struct{} // closed when sealed and settled
}

func (e *epoch) check() {
	if e.sealed && e.pending == 0 {
		close(e.done)
	}
}

// New checks cfg, looks at the delivery stream, and returns a running producer.
// It fails when the stream is not there, unless Config.WaitForStream is set: then
// it waits for it. Where the caller may not describe streams, or the service
// can't be reached, the producer starts all the same. ctx bounds New only.
func New(ctx context.Context, cfg Config) (*Producer, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Producer{
		cfg: cfg, log: cfg.Logger, start: time.Now(), renew: func() {}, delimiter: []byte(cfg.Delimiter),
		streams: map[string]*stream{},
		epochs:  []*epoch{{done: make(chan struct{})}},
	}
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	p.stats.RefusedByCode = map[string]int64{}
	p.padding.last.at, p.padding.mark.at = p.start, p.start
	var err error
	if p.compress, err = cfg.Compression.compressor(); err != nil {
		return nil, err
	}
	p.longest = wire.MaxRecordBytes
	if p.compress != nil {
		p.longest -= compressionSlack
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.closing, p.refuse = context.WithCancel(context.Background())
	if cfg.Spool != "" {
		p.callbacks = semaphore.NewWeighted(cfg.MaxBuffer / recordOverhead)
		if err := p.openSpool(); err != nil {
			return nil, err
		}
	}
	if cfg.Stream != "" {
		if err := p.meet(ctx); err != nil {
			p.stop()
			if p.spool != nil {
				err = errors.Join(err, p.spool.Close())
			}
			return nil, err
		}
	}
	if p.spool != nil {
		p.resume()
	}
	return p, nil
}

// clock is the time since the producer's start.
func (p *Producer) clock() time.Duration { return time.Since(p.start) }

// Put accepts a copy of data as one record and returns. While the buffer is full
// it waits; it returns ctx's error when ctx ends first, or ErrClosed, and the
// record is not accepted then. A record that is too long for Firehose is
// accepted and goes to the dead letter.
func (p *Producer) Put(ctx context.Context, data []byte) error {
	return p.put(ctx, true, Record{Data: data}, nil, 0)
}

// PutFunc is Put with a callback for the record's fate. The callback runs once,
// on a goroutine of the producer; it must not block, nor call Put, Flush or
// Close.
func (p *Producer) PutFunc(ctx context.Context, data []byte, ack func(Ack)) error {
	return p.put(ctx, true, Record{Data: data}, ack, 0)
}

// TryPut is Put that never waits, except for the disk with a spool: it returns
// ErrFull when the buffer, or the spool, is full.
func (p *Producer) TryPut(data []byte) error {
	return p.put(context.Background(), false, Record{Data: data}, nil, 0)
}

// Record is a record to put.
type Record struct {
	Data []byte
	// Source and Position tell where it comes from, for the dead letter: a file,
	// say, and a line or a byte in it. A spool takes a Source of at most 1,024 bytes.
	Source   string
	Position int64
}

// PutBatch puts records in order and returns how many were accepted: all of
// them, or those before the one that the error is about. ack may be nil;
// otherwise it gets each record's fate, as in PutFunc, and its index.
func (p *Producer) PutBatch(ctx context.Context, records [][]byte, ack func(Ack)) (int, error) {
	return p.PutSeq(ctx, slices.Values(records), ack)
}

// PutSeq is PutBatch for a sequence.
func (p *Producer) PutSeq(ctx context.Context, records iter.Seq[[]byte], ack func(Ack)) (int, error) {
	return p.PutRecords(ctx, func(yield func(Record) bool) {
		for data := range records {
			if !yield(Record{Data: data}) {
				return
			}
		}
	}, ack)
}

// PutRecords is PutSeq for records with their sources. With a spool it appends
// 2 to 4 MiB at once, which takes one write to the disk, and reads on from records
// meanwhile; of those that it has read when it fails, some may not be accepted.
func (p *Producer) PutRecords(ctx context.Context, records iter.Seq[Record], ack func(Ack)) (int, error) {
	if p.spool == nil {
		n := 0
		for r := range records {
			if err := p.put(ctx, true, r, ack, n); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	c := puts{p: p, ack: ack, open: chunks.Get().(*chunk)}
	defer c.free()
	for r := range records {
		if err := c.add(ctx, r); err != nil {
			return c.done, err
		}
	}
	err := c.end(ctx)
	return c.done, err
}

// put accepts a record. It waits for room, for as long as ctx lasts, if told so.
func (p *Producer) put(ctx context.Context, wait bool, r Record, ack func(Ack), index int) error {
	data := r.Data
	name := p.route(data)
	if p.spool != nil {
		return p.putOne(ctx, wait, name, r, ack)
	}
	size := p.sizeOf(data)
	weight := p.weigh(size)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	s := p.main
	if s == nil || name != s.name {
		var err error
		if s, err = p.streamLocked(name); err != nil {
			return fmt.Errorf("hydrant: Config.Route: %w", err)
		}
	}
	if !p.takeLocked(s, weight) {
		if !wait {
			return ErrFull
		}
		if err := p.waitLocked(ctx, s, weight, false); err != nil {
			return err
		}
	}
	p.stats.Accepted++
	p.stats.Pending++
	p.stats.AcceptedBytes += int64(size)
	m := member{ack: ack, index: index, size: size, at: p.clock(), source: r.Source, place: r.Position}
	if size > p.longest {
		p.refuseLocked(s, data, m)
		return nil
	}
	s.addLocked(data, m, false)
	return nil
}

// refuseLocked sends a record that no call can carry to the dead letter.
func (p *Producer) refuseLocked(s *stream, data []byte, m member) {
	b, _ := newBatch(m.size).add(data, p.cfg.Delimiter, m).cut(s.packing)
	b.epoch = p.epochs[len(p.epochs)-1]
	b.epoch.pending++
	b.packs[0].last = &failure{code: CodeRecordTooLarge, message: p.tooLarge(m.size), class: wire.Refuse}
	p.wg.Go(func() { p.bury(s, []settled{{&b.packs[0], b, ""}}) })
}

// Flush sends what is buffered without lingering and waits until every record
// that was accepted before has met its fate, and its callback has run. It
// returns ctx's error when ctx ends first; the records stay accepted then.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return p.flush(ctx)
}

func (p *Producer) flush(ctx context.Context) error {
	if p.spool != nil {
		if err := p.awaitFed(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	unsettled := p.sealLocked()
	p.mu.Unlock()
	for _, e := range unsettled {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sealLocked sends all that is buffered on its way, and returns the epochs that
// are not settled.
func (p *Producer) sealLocked() []*epoch {
	for _, s := range p.streams {
		if s.open != nil {
			s.sealLocked()
			s.dispatchLocked()
		}
	}
	var unsettled []*epoch
	for _, e := range p.epochs {
		if !e.sealed {
			e.sealed = true
			e.check()
		}
		if e.pending > 0 {
			unsettled = append(unsettled, e)
		}
	}
	p.epochs = append(unsettled[:len(unsettled):len(unsettled)], &epoch{done: make(chan struct{})})
	return unsettled
}

// Close refuses new records, flushes, and stops every goroutine. When ctx ends
// before all records have met their fate, the calls under way are broken off
// and the records come back in an [*UndeliveredError]. A second Close returns
// ErrClosed.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	p.closed = true
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		if !w.feeder {
			w.stream.waiting--
			close(w.done)
		}
		return !w.feeder
	})
	p.refuse()
	p.mu.Unlock()
	if p.spool != nil {
		p.spool.Stop()
		p.puts.Wait() // no longer than a write to the disk
	}

	err := p.flush(ctx)
	p.mu.Lock()
	p.stop()
	p.mu.Unlock()
	p.wg.Wait()
	if c, ok := p.cfg.DeadLetter.(*DeadLetterFile); ok {
		_ = c.Close()
	}
	if p.spool != nil {
		return p.closeSpool(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		s.timer.Stop()
		for _, b := range s.ready {
			for rest := true; rest; {
				var call *batch
				call, rest = b.cut(s.packing)
				s.again = append(s.again, call)
			}
		}
		for _, b := range s.again {
			for i := range b.packs {
				p.left = p.appendDead(p.left, s.name, b, &b.packs[i])
			}
		}
	}
	if len(p.left) == 0 {
		return nil // the last fates came while the calls were broken off
	}
	slices.SortStableFunc(p.left, func(a, b DeadRecord) int { return a.First.Compare(b.First) })
	return &UndeliveredError{Records: p.left, Err: err}
}
