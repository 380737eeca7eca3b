package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/wire"
)

// replaying is the replay of one file.
type replaying struct {
	app     *app
	o       *replayOptions
	name    string
	ledger  *ledger
	survey  *survey
	again   *hydrant.DeadLetterFile
	putting string // the stream of the record that is being put

	unreadable int64

	mu      sync.Mutex // guards refused
	refused map[string]bool

	stop  context.CancelFunc         // the reading
	cause atomic.Pointer[wire.Error] // why every stream refuses everything, once each does
}

// survey counts what is left of a file.
type survey struct {
	streams        map[string]*surveyed
	records, bytes int64
	unreadable     int64
	firstBad       error
	torn           error // of a last line that is cut short, and where it ends
	tornEnd        int64
}

type surveyed struct {
	Stream  string `json:"stream"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	Billed  int64  `json:"unpacked_billed_bytes"` // if each record is sent on its own
}

// lines yields what is left of the file.
func (r *replaying) lines(ctx context.Context, do func(*deadLine) error) error {
	f, err := os.Open(r.name)
	if err != nil {
		return err
	}
	defer f.Close()
	for d, err := range deadLines(f, r.ledger.wants) {
		if err == nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if d.Stream = cmp.Or(r.o.to, d.Stream); d.err == nil {
			d.err = wire.CheckStreamName(d.Stream)
		}
		if err := do(d); err != nil {
			return err
		}
	}
	return nil
}

// look reads what is left of the file, before anything is sent.
func (r *replaying) look(ctx context.Context) error {
	s := &survey{streams: map[string]*surveyed{}}
	r.survey = s
	return r.lines(ctx, func(d *deadLine) error {
		switch {
		case d.torn:
			s.torn = d.wrong(r.name)
		case d.err != nil:
			s.unreadable++
			s.firstBad = cmp.Or(s.firstBad, d.wrong(r.name))
		default:
			one := s.streams[d.Stream]
			if one == nil {
				one = &surveyed{Stream: d.Stream}
				s.streams[d.Stream] = one
			}
			s.records++
			s.bytes += int64(len(d.Data))
			one.Records++
			one.Bytes += int64(len(d.Data))
			one.Billed += wire.BilledBytes(len(d.Data))
		}
		return nil
	})
}

// openReplay finds out what is left to do of a file. It returns nil where an
// earlier run was killed after all was done; that is completed then.
func (a *app) openReplay(ctx context.Context, name string, o *replayOptions) (*replaying, error) {
	if done, err := a.completeAside(name); done || err != nil {
		return nil, err
	}
	if _, err := sizeOf([]string{name}); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file, and a replay reads it more than once\nhint: copy it into a file first", name))
	}
	r := &replaying{app: a, o: o, name: name, refused: map[string]bool{}}
	if r.ledger, err = openLedger(name, f, o.restart); err != nil {
		return nil, err
	}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	if r.survey.unreadable > 0 && !o.skipBad && !o.dryRun {
		return nil, fmt.Errorf("%w\nhint: nothing was sent; %d such lines are there, --skip-bad copies them to %s.unreadable and goes on", r.survey.firstBad, r.survey.unreadable, name)
	}
	return r, nil
}

func (a *app) dryReplay(ctx context.Context, name string, o *replayOptions) error {
	r, err := a.openReplay(ctx, name, o)
	if err != nil || r == nil {
		return err
	}
	s := r.survey
	list := slices.SortedFunc(maps.Values(s.streams), func(x, y *surveyed) int { return cmp.Compare(x.Stream, y.Stream) })
	if a.json {
		return a.printJSON(map[string]any{
			"file": name, "dry_run": true, "records": s.records, "bytes": s.bytes, "unreadable": s.unreadable,
			"resumed_after": r.ledger.p.Records, "streams": append([]*surveyed{}, list...),
		})
	}
	t := ui.NewTable(a.stdout)
	t.Row("STREAM", "RECORDS", "SIZE", "BILLED ONE BY ONE")
	for _, one := range list {
		t.Row(one.Stream, ui.Count(one.Records), ui.Bytes(one.Bytes), ui.Bytes(one.Billed))
	}
	t.Row("all", ui.Count(s.records), ui.Bytes(s.bytes))
	if s.unreadable > 0 {
		a.tell("%v\n%d such lines are in %s", s.firstBad, s.unreadable, name)
	}
	return t.Flush()
}

func (a *app) replayFile(ctx context.Context, name string, o *replayOptions) (replayed, error) {
	result := replayed{File: name}
	r, err := a.openReplay(ctx, name, o)
	if err != nil || r == nil {
		return result, err
	}
	result.ResumedAfter, result.Remaining = r.ledger.p.Records, r.survey.records
	if result.ResumedAfter > 0 {
		a.tell("%s: going on after %s records; --restart begins anew", name, ui.Count(result.ResumedAfter))
	}
	again := cmp.Or(o.deadLetter, name+".again")
	if sameFile(again, name) {
		return result, usageError("--dead-letter names the file that is replayed")
	}
	r.again = hydrant.NewDeadLetterFile(again)
	stats, err := r.send(ctx)
	l := r.ledger
	result.Records, result.Delivered, result.DeadLettered, result.MaybeDuplicate = l.taken, l.delivered, l.again, l.maybe
	result.BilledBytes, result.BilledUSD = stats.BilledBytes, stats.BilledUSD
	result.Remaining = max(0, result.Remaining-l.delivered-l.again)
	result.Unreadable = r.unreadable
	if l.again > 0 {
		result.DeadLetter = again
	}
	if err == nil {
		result.Renamed, err = r.finish()
	}
	return result, err
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Write is the producer's dead letter: FILE.again, but for what stays in FILE as
// every stream refuses everything.
func (r *replaying) Write(ctx context.Context, records []hydrant.DeadRecord) error {
	if r.cause.Load() != nil {
		r.ledger.keep(records)
		return nil
	}
	return r.again.Write(ctx, r.ledger.restore(records))
}

// called stops the reading once each stream has refused a call for a reason that
// no record would escape.
func (r *replaying) called(c hydrant.CallInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Delivered > 0 {
		delete(r.refused, c.Stream)
	}
	if class, _ := wire.Classify(c.Code, c.Message, 400); c.Code == "" || class != wire.Refuse {
		return
	}
	if r.refused[c.Stream] = true; len(r.refused) == len(r.survey.streams) {
		r.cause.CompareAndSwap(nil, &wire.Error{Status: 400, Code: c.Code, Message: c.Message})
		r.stop()
	}
}

// send sends what is left of the file. It returns nil when all of it is settled.
func (r *replaying) send(ctx context.Context) (stats hydrant.Stats, err error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	r.stop = stop
	p, err := r.producer(ctx)
	if err != nil {
		return stats, err
	}
	progress := ui.NewProgress(r.app.stderr, r.survey.bytes, func() ui.Snapshot {
		st := p.Stats()
		return snapshot(st, st.DeliveredBytes)
	})
	progress.Start()
	saved := r.keepSaving()
	readErr := r.putAll(reading, p)
	closeErr := r.drain(ctx, p)
	saveErr := saved()
	progress.Stop()
	return p.Stats(), r.verdict(ctx, readErr, errors.Join(closeErr, saveErr, r.again.Close()), p.Stats().LastFailure)
}

func (r *replaying) producer(ctx context.Context) (*hydrant.Producer, error) {
	sdk, err := r.app.aws(ctx)
	if err != nil {
		return nil, err
	}
	c := hydrant.Config{
		AWS: &sdk, DeadLetter: r, Logger: r.app.log, NoDelimiter: true, Compression: r.o.compression, Rate: r.o.limit,
		Route:     func([]byte) string { return r.putting },
		MaxBuffer: 16 << 20, OnCall: r.called,
	}
	if len(r.survey.streams) == 1 { // then New looks whether it is there
		for name := range r.survey.streams {
			c.Stream = name
		}
	}
	p, err := hydrant.New(ctx, c)
	if err != nil && ctx.Err() == nil {
		err = &exitError{exitGaveUp, fmt.Errorf("nothing was sent: %w", err)}
	}
	return p, err
}

// putAll puts the records in the file's order.
func (r *replaying) putAll(ctx context.Context, p *hydrant.Producer) (err error) {
	first := r.ledger.next
	_, putErr := p.PutRecords(ctx, func(yield func(hydrant.Record) bool) {
		err = r.lines(ctx, func(d *deadLine) error {
			if d.err != nil {
				return r.aside(d)
			}
			r.putting = d.Stream
			if !yield(hydrant.Record{Data: d.Data, Position: r.ledger.take(d)}) {
				return errEnough
			}
			return nil
		})
	}, func(ack hydrant.Ack) { r.ledger.settle(first+int64(ack.Index), ack) })
	if err == errEnough {
		err = nil
	}
	return cmp.Or(putErr, err)
}

// errEnough ends the lines.
var errEnough = errors.New("enough")

// aside deals with a line that is no dead record.
func (r *replaying) aside(d *deadLine) error {
	if d.torn { // it stays in the file
		r.app.tell("%v\nhint: the record can't be sent; the line stays in the file", d.wrong(r.name))
		r.survey.tornEnd = d.end
		return nil
	}
	if !r.o.skipBad {
		return d.wrong(r.name)
	}
	line := append(bytes.TrimRight(d.raw, "\n"), '\n')
	if err := appendSynced(r.name+".unreadable", bytes.NewReader(line)); err != nil {
		return err
	}
	r.unreadable++
	r.ledger.pass(d)
	return nil
}

// keepSaving saves the progress each second, until what it returns is called,
// which saves it a last time.
func (r *replaying) keepSaving() (end func() error) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := r.ledger.save(); err != nil {
					r.app.log.Error("the progress of the replay is not saved", "error", err.Error())
				}
			case <-done:
				return
			}
		}
	})
	return func() error {
		close(done)
		wg.Wait()
		return r.ledger.save()
	}
}

// drain waits for what is under way; after an interrupt not longer than --drain.
// What is not settled then stays in FILE.
func (r *replaying) drain(ctx context.Context, p *hydrant.Producer) error {
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.o.drain, cancel) })()
	err := p.Close(drain)
	if _, ok := errors.AsType[*hydrant.UndeliveredError](err); ok {
		return nil
	}
	return err
}

func (r *replaying) verdict(ctx context.Context, read, end error, lastFailure string) error {
	hint := fmt.Sprintf("\nhint: what is not done stays in %s, and the same command goes on", r.name)
	if r.ledger.again > 0 {
		hint += fmt.Sprintf("\n      %d records that failed again are in %s", r.ledger.again, r.again.Path())
	}
	if lastFailure != "" {
		hint += "\n      the last failure: " + lastFailure
	}
	switch cause := r.cause.Load(); {
	case end != nil:
		return &exitError{exitGaveUp, fmt.Errorf("%w%s", end, hint)}
	case read == nil && r.ledger.done():
		return nil
	case cause != nil:
		return &exitError{exitGaveUp, fmt.Errorf("stopped, as Firehose refuses every record: %w%s", cause, hint)}
	case ctx.Err() != nil:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted after %s records%s", ui.Count(r.ledger.p.Records), hint)}
	case read != nil:
		return &exitError{exitGaveUp, fmt.Errorf("%w%s", read, hint)}
	}
	return &exitError{exitGaveUp, fmt.Errorf("%d records are not settled%s", len(r.ledger.open), hint)}
}
