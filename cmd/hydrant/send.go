package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/source"
	"github.com/hydrant-go/hydrant/wire"
)

const defaultDeadLetter = "hydrant-dead-letter.ndjson"

type sendOptions struct {
	format      string
	deadLetter  string
	skip        int64
	drain       time.Duration
	deadline    time.Duration
	linger      time.Duration
	rate        string
	compress    string
	inFlight    int
	maxAttempts int
	noPack      bool
	wait        bool
	asIs        bool
}

func (a *app) send() *cobra.Command {
	var o sendOptions
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

Exit codes: 0 all delivered, 3 some records in the dead letter, 4 gave up before
all was sent, 130 interrupted.`,
		Example: `  hydrant send my-stream events.ndjson
  tail -F app.log | hydrant send my-stream`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runSend(cmd.Context(), args[0], args[1:], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "auto", "auto, lines, ndjson or json (an array)")
	f.StringVar(&o.deadLetter, "dead-letter", defaultDeadLetter, "file for records that can't be delivered")
	f.Int64Var(&o.skip, "skip", 0, "pass over this many records at the start, to go on where a run has stopped")
	f.DurationVar(&o.drain, "drain-timeout", 30*time.Second, "after an interrupt, how long to try to send what was accepted")
	f.DurationVar(&o.deadline, "deadline", 0, "stop like at an interrupt after this time, with exit code 4 (0: none)")
	f.BoolVar(&o.noPack, "no-pack", false, "send each record on its own")
	f.StringVar(&o.compress, "compress", "", "compress what is packed, by gzip or zstd; the objects are files of that kind then")
	f.DurationVar(&o.linger, "linger", time.Second, "how long a record may wait for others to fill its call")
	f.StringVar(&o.rate, "rate", "", "send at most this much a second, such as 500KiB, 5MiB or 2000records (default: what the stream takes)")
	f.IntVar(&o.inFlight, "in-flight", 16, "most calls under way at once")
	f.BoolVar(&o.wait, "wait-for-stream", false, "wait for a delivery stream that is not there yet")
	f.IntVar(&o.maxAttempts, "max-attempts", 0, "send a record at most this often before it goes to the dead letter (0: no limit)")
	f.BoolVar(&o.asIs, "no-delimiter", false, "send records as they are, without adding a newline")
	return cmd
}

func (o *sendOptions) packing() hydrant.Packing {
	if o.noPack {
		return hydrant.PackOff
	}
	return hydrant.PackAuto
}

// lingerOrNone is the linger as the producer takes it, where 0 is the default.
func (o *sendOptions) lingerOrNone() time.Duration {
	if o.linger == 0 {
		return -1
	}
	return o.linger
}

func parseCompression(name string) (hydrant.Compression, error) {
	switch name {
	case "":
		return hydrant.CompressNone, nil
	case "gzip":
		return hydrant.CompressGzip, nil
	case "zstd":
		return hydrant.CompressZstd, nil
	}
	return 0, usageError("--compress: %q is not known; use gzip or zstd", name)
}

var errDeadline = errors.New("the deadline has passed")

// parseRate reads a bound such as 5MiB, 500000 (bytes) or 2000records.
func parseRate(text string) (rate hydrant.Rate, err error) {
	if text == "" {
		return rate, nil
	}
	number := strings.TrimSuffix(text, "/s")
	if count, ok := strings.CutSuffix(number, "records"); ok {
		rate.Records, err = strconv.ParseFloat(strings.TrimSpace(count), 64)
	} else {
		var n int64
		n, err = ui.ParseBytes(number)
		rate.Bytes = float64(n)
	}
	if err != nil || rate.Bytes <= 0 && rate.Records <= 0 {
		return rate, fmt.Errorf("%q is no rate; write bytes or records a second, such as 500KiB, 5MiB or 2000records", text)
	}
	return rate, nil
}

// sending is one run of send.
type sending struct {
	app      *app
	options  sendOptions
	stream   string
	region   string
	producer *hydrant.Producer
	dead     *hydrant.DeadLetterFile

	read    atomic.Int64 // bytes of the inputs read
	records int64        // records taken from the inputs, the skipped ones included
	bad     int64        // records that the format's reader refused; in the dead letter
	left    int64        // records that close could not send; in the dead letter
	where   position     // of the last record taken

	refused atomic.Pointer[hydrant.DeadError] // a refusal that every further record would meet
}

type position struct {
	input string
	line  int64
}

func (a *app) runSend(ctx context.Context, stream string, files []string, o sendOptions) error {
	if err := wire.CheckStreamName(stream); err != nil {
		return usageError("%w", err)
	}
	format, err := source.ParseFormat(o.format)
	if err != nil {
		return usageError("--format: %w", err)
	}
	if o.skip < 0 || o.drain < 0 || o.deadline < 0 || o.linger < 0 {
		return usageError("--skip, --drain-timeout, --deadline and --linger must not be negative")
	}
	rate, err := parseRate(o.rate)
	if err != nil {
		return usageError("--rate: %w", err)
	}
	compression, err := parseCompression(o.compress)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	total, err := sizeOf(files)
	if err != nil {
		return err
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	s := &sending{app: a, options: o, stream: stream, region: cfg.Region, dead: hydrant.NewDeadLetterFile(o.deadLetter)}
	s.producer, err = hydrant.New(ctx, hydrant.Config{
		Stream: stream, AWS: &cfg, DeadLetter: s.dead, Logger: a.log, WaitForStream: o.wait,
		Packing: o.packing(), Compression: compression, Linger: o.lingerOrNone(), Rate: rate,
		InFlight: o.inFlight, MaxAttempts: o.maxAttempts, NoDelimiter: o.asIs,
	})
	if err != nil {
		return err
	}
	started := time.Now()
	if o.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.deadline, errDeadline)
		defer cancel()
	}
	progress := ui.NewProgress(a.stderr, total, s.snapshot)
	progress.Start()
	readErr := s.readAll(ctx, files, format)
	closeErr := s.close(ctx)
	progress.Stop()
	if err := s.show(time.Since(started)); err != nil {
		return err
	}
	return s.verdict(ctx, readErr, closeErr)
}

func (s *sending) readAll(ctx context.Context, files []string, format source.Format) error {
	for _, name := range files {
		if err := s.readInput(ctx, name, format); err != nil {
			return fmt.Errorf("%s: %w", inputName(name), err)
		}
		if s.stopped(ctx) {
			return nil
		}
	}
	return nil
}

func (s *sending) stopped(ctx context.Context) bool {
	return ctx.Err() != nil || s.refused.Load() != nil
}

func (s *sending) readInput(ctx context.Context, name string, format source.Format) error {
	in, err := s.app.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.Close()
	for rec, err := range source.NewReader(&counter{in, &s.read}, format).Records() {
		// An interrupt comes first: it may have cut the record short.
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.take(ctx, name, rec); err != nil || s.stopped(ctx) {
			return ignoreCancel(ctx, err)
		}
	}
	return nil
}

// ignoreCancel leaves out the error that an interrupt itself causes.
func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// take hands one record to the producer, or to the dead letter when the reader
// found it bad. s.records and s.where count it only once it is in good hands.
func (s *sending) take(ctx context.Context, name string, rec source.Record) error {
	switch {
	case s.records < s.options.skip:
	case rec.Err != nil:
		if err := s.bury(ctx, name, rec); err != nil {
			return err
		}
	default:
		if err := s.producer.PutFunc(ctx, rec.Data, s.settled); err != nil {
			return err
		}
	}
	s.records++
	s.where = position{name, rec.Line}
	return nil
}

// codeBadRecord is the dead letter's code of a record that is not of its
// input's format.
const codeBadRecord = "BadRecord"

func (s *sending) bury(ctx context.Context, name string, rec source.Record) error {
	now := time.Now()
	s.app.log.Error("bad record", "input", inputName(name), "line", rec.Line, "error", rec.Err.Error())
	err := s.dead.Write(ctx, []hydrant.DeadRecord{{
		Stream: s.stream, Data: rec.Data, Code: codeBadRecord, First: now, Last: now,
		Message: fmt.Sprintf("%s, line %d: %v", inputName(name), rec.Line, rec.Err),
	}})
	if err == nil {
		s.bad++
	}
	return err
}

// settled watches for a refusal that no later record would escape, such as a
// deleted stream or a permission taken away: reading on would only fill the
// dead letter.
func (s *sending) settled(ack hydrant.Ack) {
	dead, ok := errors.AsType[*hydrant.DeadError](ack.Err)
	if !ok || dead.Code == hydrant.CodeRecordTooLarge {
		return
	}
	if class, _ := wire.Classify(dead.Code, dead.Message, 400); class == wire.Refuse {
		s.refused.CompareAndSwap(nil, dead)
	}
}

// close sends what was accepted. After an interrupt it has a time limit, and
// what could not be sent goes to the dead letter, so that it is not lost.
func (s *sending) close(ctx context.Context) error {
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if st := s.producer.Stats(); st.Pending > 0 {
			s.app.tell("\n%s: sending the %s records accepted so far (at most %v; a second interrupt stops at once)",
				why(ctx), ui.Count(st.Pending), s.options.drain)
		}
		time.AfterFunc(s.options.drain, cancel)
	})()
	err := s.producer.Close(drain)
	left, ok := errors.AsType[*hydrant.UndeliveredError](err)
	if !ok {
		return errors.Join(err, s.dead.Close())
	}
	for i := range left.Records {
		if left.Records[i].Message == "" {
			left.Records[i].Message = why(ctx) + " before it was sent"
		}
	}
	if werr := s.dead.Write(context.Background(), left.Records); werr != nil {
		return fmt.Errorf("%d records are LOST, as neither Firehose nor the dead letter took them: %w", len(left.Records), werr)
	}
	s.left = int64(len(left.Records))
	return errors.Join(err, s.dead.Close())
}

// why is what ended the run before its time.
func why(ctx context.Context) string {
	if errors.Is(context.Cause(ctx), errDeadline) {
		return "stopped by --deadline"
	}
	return "interrupted"
}

func (s *sending) snapshot() ui.Snapshot { return snapshot(s.producer.Stats(), s.read.Load()) }

// snapshot is what the progress shows of a producer, when so many bytes are done.
func snapshot(st hydrant.Stats, done int64) ui.Snapshot {
	snap := ui.Snapshot{Bytes: done, Records: st.Delivered}
	if st.LastFailure != "" && st.Pending > 0 {
		snap.Note = "retrying: " + st.LastFailure
	}
	return snap
}

// summary is the result of send.
type summary struct {
	Stream string `json:"stream"`
	Region string `json:"region,omitempty"`
	// Records counts those taken from the inputs, without those skipped.
	Records  int64 `json:"records"`
	RawBytes int64 `json:"raw_bytes"` // delivered
	hydrant.Stats
	Bad              int64   `json:"bad"` // of DeadLettered: not of the input's format
	Lost             int64   `json:"lost"`
	DeadLetter       string  `json:"dead_letter,omitempty"`
	Elapsed          float64 `json:"elapsed_s"`
	RecordsPerSecond float64 `json:"records_per_s"`
	BytesPerSecond   float64 `json:"bytes_per_s"`
}

func (s *sending) show(took time.Duration) error {
	sum := summary{
		Stream: s.stream, Region: s.region, Records: max(0, s.records-s.options.skip), Stats: s.producer.Stats(),
		Bad: s.bad, Elapsed: took.Seconds(),
	}
	sum.RawBytes = sum.DeliveredBytes
	sum.DeadLettered, sum.Pending = s.inDeadLetter(), sum.Pending-s.left
	sum.Lost = sum.Accepted + s.bad - sum.Delivered - sum.DeadLettered
	sum.RecordsPerSecond = float64(sum.Delivered) / took.Seconds()
	sum.BytesPerSecond = float64(sum.DeliveredBytes) / took.Seconds()
	if s.inDeadLetter() > 0 {
		sum.DeadLetter = s.options.deadLetter
	}
	if s.app.json {
		return s.app.printJSON(sum)
	}
	t := ui.NewTable(s.app.stdout)
	t.Row("delivered", ui.Count(sum.Delivered)+" records", ui.Bytes(sum.DeliveredBytes))
	t.Row("sent as", ui.Count(sum.FirehoseRecords)+" Firehose records", ui.Count(sum.Calls)+" calls, "+ui.Count(sum.FailedCalls)+" failed")
	t.Row("billed", ui.Bytes(sum.BilledBytes)+times(sum.BilledBytes, sum.DeliveredBytes), ui.Dollars(sum.BilledUSD))
	if sum.UnpackedBilledBytes > sum.BilledBytes {
		t.Row("one by one", ui.Bytes(sum.UnpackedBilledBytes)+times(sum.UnpackedBilledBytes, sum.DeliveredBytes), ui.Dollars(sum.UnpackedBilledUSD))
	}
	if sum.LingerPaddingBytes > sum.BilledBytes/50 && sum.Calls > 1 {
		t.Row("of it linger", ui.Bytes(sum.LingerPaddingBytes)+" of padding", "a longer --linger than "+s.options.linger.String()+" saves some")
	}
	t.Row("refused", ui.Count(sum.Refused), ui.Count(sum.Retries)+" sent again")
	if sum.MaybeDuplicate > 0 {
		t.Row("maybe twice", ui.Count(sum.MaybeDuplicate), "their first call got no answer")
	}
	if n := s.inDeadLetter(); n > 0 {
		t.Row("dead letter", ui.Count(n), s.options.deadLetter)
	}
	t.Row("time", ui.Duration(took), ui.Rate(sum.DeliveredBytes, took)+", "+ui.Count(int64(sum.RecordsPerSecond))+" records/s")
	return t.Flush()
}

// times is what n is of raw.
func times(n, raw int64) string {
	if raw == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.2f times)", float64(n)/float64(raw))
}

// inDeadLetter counts the records in the dead letter, once close is over.
func (s *sending) inDeadLetter() int64 {
	return s.producer.Stats().DeadLettered + s.bad + s.left
}

// verdict is the command's end: nil, or an error with its exit code.
func (s *sending) verdict(ctx context.Context, readErr, closeErr error) error {
	if closeErr != nil {
		if _, ok := errors.AsType[*hydrant.UndeliveredError](closeErr); !ok {
			return &exitError{exitGaveUp, closeErr}
		}
	}
	if dead := s.refused.Load(); dead != nil {
		return &exitError{exitGaveUp, fmt.Errorf("stopped reading %s, as Firehose refuses every record: %w%s",
			s.position(), &wire.Error{Status: 400, Code: dead.Code, Message: dead.Message}, s.howToGoOn())}
	}
	if ctx.Err() != nil {
		code := exitInterrupted
		if errors.Is(context.Cause(ctx), errDeadline) {
			code = exitGaveUp
		}
		return &exitError{code, fmt.Errorf("%s %s%s", why(ctx), s.position(), s.howToGoOn())}
	}
	if readErr != nil {
		return &exitError{exitGaveUp, fmt.Errorf("stopped reading %s: %w%s", s.position(), readErr, s.howToGoOn())}
	}
	if n := s.inDeadLetter(); n > 0 {
		return &exitError{exitDeadLetter, fmt.Errorf("%d records are in the dead letter\nhint: %s has each with its reason", n, s.options.deadLetter)}
	}
	return nil
}

func (s *sending) position() string {
	if s.records == 0 {
		return "before the first record"
	}
	return fmt.Sprintf("after record %d (%s, line %d)", s.records, inputName(s.where.input), s.where.line)
}

func (s *sending) howToGoOn() string {
	text := fmt.Sprintf("\nhint: the same command with --skip %d goes on from there", s.records)
	if n := s.inDeadLetter(); n > 0 {
		text += fmt.Sprintf("\n      %d records accepted before are in %s", n, s.options.deadLetter)
		if last := s.producer.Stats().LastFailure; last != "" {
			text += "\n      the last failure: " + last
		}
	}
	return text
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
