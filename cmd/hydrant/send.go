package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/source"
)

type sendOptions struct {
	shipOptions
	format   string
	parsed   source.Format // of format
	skip     int64
	deadline time.Duration
	acks     bool
}

func (a *app) send() *cobra.Command {
	var (
		o  sendOptions
		to streamFlag
	)
	cmd := &cobra.Command{
		Use:   "send STREAM [FILE...|-]",
		Short: "Send files or standard input to a delivery stream by PutRecordBatch",
		Long: `Send files or standard input to a delivery stream by PutRecordBatch: every line of
a text or NDJSON file, every element of a JSON array. gzip and zstd inputs are
decompressed. Memory stays the same whatever the size of the input.

Firehose bills each record by steps of 5,120 bytes, so records are packed into
larger ones as the stream's destination allows (S3 without processing: up to
1,024,000 bytes). The summary shows what that saves. --compress saves more, where
whatever reads the objects takes gzip or zstd: give the stream a file extension such
as .gz then, and no compression of its own. The stream's quotas are learnt from its
answers; --rate sets a bound.

Refused records are sent again, with exponential back-off, until they are stored.
Those that cannot be delivered are appended to the dead letter file with the reason.
An interrupt stops the reading, sends what was accepted, and tells how to go on.

With --spool what was read is on disk before anything else happens to it: it
survives a crash, and the next run with that folder sends what is left, first. With
--acks a program that feeds the pipe learns what is safe. Files that grow are for
hydrant tail.

Signals: SIGUSR1 prints the state, SIGHUP reads the credentials anew.
Exit codes: 0 all delivered, 3 some records in the dead letter, 4 gave up before
all was sent, 130 interrupted.`,
		Example: `  hydrant send my-stream events.ndjson
  app | hydrant send my-stream --spool /var/spool/app
  hydrant generate | hydrant send --stack hydrant`,
		Args: to.args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			stream, files, err := to.resolve(cmd.Context(), a, args)
			if err != nil {
				return err
			}
			return a.runSend(cmd.Context(), stream, files, o)
		},
	}
	f := cmd.Flags()
	to.flag(f)
	f.StringVar(&o.format, "format", "auto", "auto, lines, ndjson or json (an array)")
	f.Int64Var(&o.skip, "skip", 0, "pass over this many records at the start, to go on where a run has stopped")
	f.DurationVar(&o.deadline, "deadline", 0, "stop like at an interrupt after this time, with exit code 4 (0: none)")
	f.BoolVar(&o.acks, "acks", false, `with --spool: print {"accepted":N} each time that more records are safe on disk`)
	o.flags(f)
	return cmd
}

// sending is one run of send.
type sending struct {
	*shipping
	options sendOptions

	read    atomic.Int64 // bytes of the inputs read
	records int64        // records taken from the inputs, the skipped ones included
	where   position     // of the last record taken
}

type position struct {
	input string
	line  int64
}

// check tells what is wrong with the flags.
func (o *sendOptions) check() error {
	var err error
	if o.parsed, err = source.ParseFormat(o.format); err != nil {
		return usageError("--format: %w", err)
	}
	if o.skip < 0 || o.deadline < 0 {
		return usageError("--skip and --deadline must not be negative")
	}
	if o.acks && o.spool == "" {
		return usageError("--acks needs --spool: without it no record is safe before it is delivered")
	}
	return nil
}

func (a *app) runSend(ctx context.Context, stream string, files []string, o sendOptions) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	total, err := sizeOf(files)
	if err != nil {
		return err
	}
	s := &sending{options: o}
	if s.shipping, err = a.ship(ctx, stream, &s.options.shipOptions, &watch{}); err != nil {
		return err
	}
	if o.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.deadline, errDeadline)
		defer cancel()
	}
	progress := ui.NewProgress(a.stderr, total, func() ui.Snapshot { return snapshot(s.producer.Stats(), s.read.Load()) })
	progress.Start()
	readErr := s.readAll(ctx, files)
	closeErr := s.close(ctx)
	progress.Stop()
	if err := s.show(max(0, s.records-o.skip)); err != nil {
		return err
	}
	return s.verdict(ctx, ending{
		read: readErr, close: closeErr, where: s.position(),
		goOn: fmt.Sprintf("the same command with --skip %d goes on from there", s.records),
	})
}

func (s *sending) readAll(ctx context.Context, files []string) error {
	all := s.inputs(ctx, files, s.options.parsed)
	if s.options.spool != "" {
		return ignoreCancel(ctx, s.putAhead(ctx, all))
	}
	return ignoreCancel(ctx, s.putDirect(ctx, all))
}

// taken is a record and its input.
type taken struct {
	source.Record
	input string
	skip  bool // it only counts
}

// inputs yields the records of all files. An error is the last.
func (s *sending) inputs(ctx context.Context, files []string, format source.Format) iter.Seq2[taken, error] {
	return func(yield func(taken, error) bool) {
		n := int64(0)
		for _, name := range files {
			for rec, err := range s.input(ctx, name, format) {
				if err != nil {
					yield(taken{}, fmt.Errorf("%s: %w", inputName(name), err))
					return
				}
				// An interrupt comes first: it may have cut the record short.
				if n++; s.stopped(ctx) || !yield(taken{rec, name, n <= s.options.skip}, nil) {
					return
				}
			}
		}
	}
}

func (s *sending) input(ctx context.Context, name string, format source.Format) iter.Seq2[source.Record, error] {
	return func(yield func(source.Record, error) bool) {
		in, err := s.app.open(ctx, name)
		if err != nil {
			yield(source.Record{}, err)
			return
		}
		defer in.Close()
		source.NewReader(&counter{in, &s.read}, format).Records()(yield)
	}
}

// ignoreCancel leaves out the error that an interrupt itself causes.
func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// passed notes that a record is in good hands.
func (s *sending) passed(t *taken) {
	s.records++
	s.where = position{t.input, t.Line}
}

// aside deals with a record that is not for the producer: one to be skipped, or
// one that the reader found bad.
func (s *sending) aside(ctx context.Context, t *taken) error {
	if t.skip {
		return nil
	}
	return s.bury(ctx, t)
}

func (t *taken) good() bool { return !t.skip && t.Err == nil }

func (t *taken) record() hydrant.Record {
	return hydrant.Record{Data: t.Data, Source: inputName(t.input), Position: t.Line}
}

// putDirect hands records to the producer as they are read.
func (s *sending) putDirect(ctx context.Context, all iter.Seq2[taken, error]) (err error) {
	_, putErr := s.producer.PutRecords(ctx, func(yield func(hydrant.Record) bool) {
		for t, readErr := range all {
			if err = readErr; err != nil {
				return
			}
			if t.good() {
				if !yield(t.record()) {
					return
				}
			} else if err = s.aside(ctx, &t); err != nil {
				return
			}
			s.passed(&t)
		}
	}, nil)
	return cmp.Or(putErr, err)
}

// putAhead hands records to the producer's spool, those together that have been
// read while the disk was busy.
func (s *sending) putAhead(ctx context.Context, all iter.Seq2[taken, error]) (err error) {
	ahead := newReadAhead(func(list []taken) error { return s.putAll(ctx, list) })
	for t, readErr := range all {
		if err = readErr; err == nil {
			err = ahead.add(t)
		}
		if err != nil {
			break
		}
	}
	return cmp.Or(ahead.close(), err)
}

func (s *sending) putAll(ctx context.Context, list []taken) error {
	for len(list) > 0 {
		good := slices.IndexFunc(list, func(t taken) bool { return !t.good() })
		if good < 0 {
			good = len(list)
		}
		n, err := s.producer.PutRecords(ctx, recordsOf(list[:good]), nil)
		for i := range list[:n] {
			s.passed(&list[i])
		}
		if err != nil {
			return err
		}
		if list = list[good:]; len(list) > 0 {
			if err := s.aside(ctx, &list[0]); err != nil {
				return err
			}
			s.passed(&list[0])
			list = list[1:]
		}
	}
	if s.options.acks {
		fmt.Fprintf(s.app.stdout, "{\"accepted\":%d}\n", s.records)
	}
	return nil
}

func recordsOf(list []taken) iter.Seq[hydrant.Record] {
	return func(yield func(hydrant.Record) bool) {
		for i := range list {
			if !yield(list[i].record()) {
				return
			}
		}
	}
}

// codeBadRecord is the dead letter's code of a record that is not of its
// input's format.
const codeBadRecord = "BadRecord"

func (s *sending) bury(ctx context.Context, t *taken) error {
	now := time.Now()
	s.app.log.Error("bad record", "input", inputName(t.input), "line", t.Line, "error", t.Err.Error())
	err := s.dead.Write(ctx, []hydrant.DeadRecord{{
		Stream: s.stream, Source: inputName(t.input), Position: t.Line, Data: t.Data, Code: codeBadRecord, First: now, Last: now,
		Message: fmt.Sprintf("%s, line %d: %v", inputName(t.input), t.Line, t.Err),
	}})
	if err == nil {
		s.bad.Add(1)
	}
	return err
}

func (s *sending) position() string {
	if s.records == 0 {
		return " before the first record"
	}
	return fmt.Sprintf(" after record %d (%s, line %d)", s.records, inputName(s.where.input), s.where.line)
}

// counter counts what is read.
type counter struct {
	r    io.Reader
	read *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// readAhead passes records on from a goroutine of its own: at once when that is
// idle, and together what has come while it was not, so that one write to the
// disk takes many.
type readAhead struct {
	put func([]taken) error

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond
	list    []taken
	memory  []byte // of their data
	ended   bool
	err     error
	done    chan struct{}
}

// aheadBytes and aheadRecords are what may be read ahead.
const (
	aheadBytes   = 4 << 20
	aheadRecords = 16384
)

func newReadAhead(put func([]taken) error) *readAhead {
	r := &readAhead{put: put, done: make(chan struct{})}
	r.changed = sync.NewCond(&r.mu)
	go r.run()
	return r
}

// add copies a record. It returns the error that has ended the passing on.
func (r *readAhead) add(t taken) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil && (len(r.memory) >= aheadBytes || len(r.list) >= aheadRecords) {
		r.changed.Wait()
	}
	at := len(r.memory)
	r.memory = append(r.memory, t.Data...)
	t.Data = r.memory[at:len(r.memory):len(r.memory)]
	r.list = append(r.list, t)
	r.changed.Broadcast()
	return r.err
}

// close passes on what is left, and returns the error.
func (r *readAhead) close() error {
	r.mu.Lock()
	r.ended = true
	r.changed.Broadcast()
	r.mu.Unlock()
	<-r.done
	return r.err
}

func (r *readAhead) run() {
	defer close(r.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []taken
	var memory []byte
	for r.err == nil {
		for len(r.list) == 0 && !r.ended {
			r.changed.Wait()
		}
		if len(r.list) == 0 {
			return
		}
		list, r.list = r.list, list[:0]
		memory, r.memory = r.memory, memory[:0]
		r.changed.Broadcast()
		r.mu.Unlock()
		err := r.put(list)
		clear(list)
		r.mu.Lock()
		r.err = err
	}
	r.changed.Broadcast()
}
