// Package hydrant puts records into Amazon Data Firehose and loses none.
//
// A [Producer] takes records one by one, collects them into PutRecordBatch calls
// of the service's exact limits (500 records, 4,194,304 raw bytes, 1,024,000 a
// record), keeps several calls in flight, and sends again only the records that
// an answer refused, after a wait. Every record meets one of two fates, and its
// [Ack] tells which: Firehose has stored it, or it is in the [DeadLetter] with
// its bytes and the reason. Until then it counts against a bound in bytes, and
// [Stats] accounts for it.
//
// A record's way through the source: Put accepts it (producer.go), it waits in a
// queue until a call is due (queue.go), a call carries it (send.go), and the
// answer settles it (settle.go): acknowledged, queued again, or dead
// (deadletter.go).
package hydrant

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hydrant-go/hydrant/wire"
)

// Producer sends records to one delivery stream. Its methods may be called from
// many goroutines. Close it, or what it holds is lost with the process.
type Producer struct {
	cfg    Config
	log    *slog.Logger
	sender sender
	renew  func() // drops cached credentials, so that the next call gets new ones
	room   *semaphore.Weighted

	ctx  context.Context // ends when Close is over; calls and waits of dead letters end with it
	stop context.CancelFunc
	wg   sync.WaitGroup // every goroutine of the producer

	mu     sync.Mutex // guards the fields below; never held over I/O or callbacks
	closed bool
	queue  queue
	stats  Stats
	left   []DeadRecord // records that Close has to give back
	timer  *time.Timer  // the next dispatch, when one must wait

	inFlight  int
	failures  int       // calls in a row that got nothing through
	wave      int       // counts failures that raised the back-off; calls of one wave raise it once
	notBefore time.Time // no call starts earlier: the wait after a failure
}

// record is an accepted record on its way.
type record struct {
	data     []byte
	ack      func(Ack)
	at       time.Time
	weight   int64
	epoch    *epoch
	attempts int
	maybe    bool     // an earlier call may have stored it
	last     *failure // of its latest attempt
}

// recordOverhead is what a record is taken to cost in memory beside its bytes.
const recordOverhead = 128

// New checks cfg and returns a running producer. It makes no call to Firehose;
// ctx bounds the search for AWS settings and credentials only.
func New(ctx context.Context, cfg Config) (*Producer, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	sender, renew, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	p := &Producer{
		cfg:    cfg,
		log:    cfg.Logger.With(slog.String("stream", cfg.Stream)),
		sender: sender,
		renew:  renew,
		room:   semaphore.NewWeighted(cfg.MaxBuffer),
		queue:  newQueue(),
	}
	p.stats.RefusedByCode = map[string]int64{}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.timer = time.AfterFunc(time.Hour, p.dispatch)
	p.timer.Stop()
	return p, nil
}

// Put accepts a copy of data as one record and returns. While the buffer is full
// it waits; it returns ctx's error when ctx ends first, or ErrClosed, and the
// record is not accepted then. A record that is too long for Firehose is
// accepted and goes to the dead letter.
func (p *Producer) Put(ctx context.Context, data []byte) error { return p.PutFunc(ctx, data, nil) }

// PutFunc is Put with a callback for the record's fate. The callback runs once,
// on a goroutine of the producer; it must not block, nor call Put, Flush or
// Close.
func (p *Producer) PutFunc(ctx context.Context, data []byte, ack func(Ack)) error {
	weight := p.weigh(data)
	if !p.room.TryAcquire(weight) {
		if err := p.waitForRoom(ctx, weight); err != nil {
			return err
		}
	}
	return p.accept(data, weight, ack)
}

// TryPut is Put that never waits: it returns ErrFull when the buffer is full.
func (p *Producer) TryPut(data []byte) error {
	weight := p.weigh(data)
	if !p.room.TryAcquire(weight) {
		return ErrFull
	}
	return p.accept(data, weight, nil)
}

// PutBatch puts records in order and returns how many were accepted: all of
// them, or those before the one that the error is about. ack may be nil;
// otherwise it gets each record's index in records and its fate, as in PutFunc.
func (p *Producer) PutBatch(ctx context.Context, records [][]byte, ack func(i int, a Ack)) (int, error) {
	for i, data := range records {
		var one func(Ack)
		if ack != nil {
			one = func(a Ack) { ack(i, a) }
		}
		if err := p.PutFunc(ctx, data, one); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

// weigh is data's share of the buffer. A record larger than the whole buffer
// takes all of it, so that it passes alone rather than never.
func (p *Producer) weigh(data []byte) int64 {
	return min(int64(len(data)+len(p.cfg.Delimiter)+recordOverhead), p.cfg.MaxBuffer)
}

// waitForRoom waits for weight bytes of the buffer, for ctx, or for the
// producer's end.
func (p *Producer) waitForRoom(ctx context.Context, weight int64) error {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	err := p.room.Acquire(both, weight)
	if err != nil && ctx.Err() == nil {
		return ErrClosed
	}
	return err
}

// accept makes data a record. Its weight has been taken from the buffer.
func (p *Producer) accept(data []byte, weight int64, ack func(Ack)) error {
	r := &record{data: p.delimit(data), ack: ack, at: time.Now(), weight: weight}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed // the room taken is of no more use to anybody
	}
	p.stats.Accepted++
	p.stats.Pending++
	p.stats.AcceptedBytes += int64(len(r.data))
	p.queue.admit(r)
	if len(r.data) > wire.MaxRecordBytes {
		r.last = &failure{code: CodeRecordTooLarge, message: tooLarge(len(r.data)), class: wire.Refuse}
		p.wg.Go(func() { p.bury([]*record{r}) })
		return nil
	}
	p.queue.push(r)
	if p.queue.fresh.n == 1 || p.queue.full(&p.cfg) {
		p.dispatchLocked()
	}
	return nil
}

func (p *Producer) delimit(data []byte) []byte {
	d := p.cfg.Delimiter
	if bytes.HasSuffix(data, []byte(d)) {
		return bytes.Clone(data)
	}
	return append(append(make([]byte, 0, len(data)+len(d)), data...), d...)
}

// Flush sends what is buffered without lingering and waits until every record
// that was accepted before has met its fate, and its callback has run. It returns ctx's error when ctx
// ends first; the records stay accepted then.
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
	p.mu.Lock()
	open := p.queue.seal()
	p.dispatchLocked()
	p.mu.Unlock()
	for _, e := range open {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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
	p.mu.Unlock()

	err := p.flush(ctx)
	p.stop()
	p.timer.Stop()
	p.wg.Wait()
	if c, ok := p.cfg.DeadLetter.(*DeadLetterFile); ok {
		_ = c.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.queue.drain() {
		p.left = append(p.left, r.dead(p.cfg.Stream))
	}
	if len(p.left) == 0 {
		return nil // the last fates came while the calls were broken off
	}
	return &UndeliveredError{Records: p.left, Err: err}
}
