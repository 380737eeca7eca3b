package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// metricsAddrEnv sets --metrics-addr and the address of hydrant health, for
// containers.
const metricsAddrEnv = "HYDRANT_METRICS_ADDR"

const defaultDeadLetter = "hydrant-dead-letter.ndjson"

// shipOptions are the flags of the verbs that send: send, tail, spool drain.
type shipOptions struct {
	deadLetter  string
	deadMax     string
	drain       time.Duration
	linger      time.Duration
	rate        string
	compress    string
	inFlight    int
	maxAttempts int
	noPack      bool
	wait        bool
	asIs        bool
	spool       string
	spoolMax    string
	fsync       string
	metricsAddr string
}

func (o *shipOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.deadLetter, "dead-letter", defaultDeadLetter, "file for records that can't be delivered")
	f.StringVar(&o.deadMax, "dead-letter-max", "0", "size at which that file is put aside, under a name with the time, and a new one begun, such as 100MiB (0: never)")
	f.DurationVar(&o.drain, "drain", 30*time.Second, "after an interrupt, how long to try to send what was accepted")
	f.BoolVar(&o.noPack, "no-pack", false, "send each record on its own")
	f.StringVar(&o.compress, "compress", "", "compress what is packed, by gzip or zstd; the objects are files of that kind then")
	f.DurationVar(&o.linger, "linger", time.Second, "how long a record may wait for others to fill its call")
	f.StringVar(&o.rate, "rate", "", "send at most this much a second, such as 500KiB, 5MiB or 2000records (default: what the stream takes)")
	f.IntVar(&o.inFlight, "in-flight", 16, "most calls under way at once")
	f.BoolVar(&o.wait, "wait-for-stream", false, "wait for a delivery stream that is not there yet")
	f.IntVar(&o.maxAttempts, "max-attempts", 0, "send a record at most this often before it goes to the dead letter (0: no limit)")
	f.BoolVar(&o.asIs, "no-delimiter", false, "send records as they are, without adding a newline")
	f.StringVar(&o.spool, "spool", "", "folder that keeps what was accepted until it is delivered, across crashes")
	f.StringVar(&o.spoolMax, "spool-max", "1GiB", "most bytes of the spool; when it is full, reading waits")
	f.StringVar(&o.fsync, "fsync", "always", "when the spool is safe from a power cut: always, never (a crash of the process loses nothing), or the most that a cut may take, such as 1s")
	f.StringVar(&o.metricsAddr, "metrics-addr", os.Getenv(metricsAddrEnv), "address to serve /metrics, /healthz and /readyz on, such as 127.0.0.1:9464 (default $"+metricsAddrEnv+")")
}

// config is the producer's, but for the stream and what it runs with.
func (o *shipOptions) config() (c hydrant.Config, err error) {
	if o.drain < 0 || o.linger < 0 {
		return c, usageError("--drain and --linger must not be negative")
	}
	if c.Rate, err = parseRate(o.rate); err != nil {
		return c, usageError("--rate: %w", err)
	}
	if c.Compression, err = parseCompression(o.compress); err != nil {
		return c, err
	}
	if c.SpoolOptions, err = o.spoolOptions(); err != nil {
		return c, err
	}
	c.Spool = o.spool
	c.Linger = o.linger
	if o.linger == 0 {
		c.Linger = -1 // where 0 is the default
	}
	if o.noPack {
		c.Packing = hydrant.PackOff
	}
	c.InFlight, c.MaxAttempts, c.NoDelimiter, c.WaitForStream = o.inFlight, o.maxAttempts, o.asIs, o.wait
	return c, nil
}

func (o *shipOptions) spoolOptions() (so spool.Options, err error) {
	if so.MaxBytes, err = ui.ParseBytes(o.spoolMax); err != nil || so.MaxBytes < 1<<20 {
		return so, usageError("--spool-max is %q, it must be a size of at least 1MiB, such as 10GiB", o.spoolMax)
	}
	switch o.fsync {
	case "always":
	case "never":
		so.SyncEvery = -1
	default:
		if so.SyncEvery, err = time.ParseDuration(o.fsync); err != nil || so.SyncEvery <= 0 {
			return so, usageError("--fsync is %q, it must be always, never, or a time such as 1s", o.fsync)
		}
	}
	return so, nil
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

// shipping is a producer at work for a verb: watched while it runs, drained and
// summed up at the end.
type shipping struct {
	app      *app
	options  *shipOptions
	stream   string
	region   string
	started  time.Time
	producer *hydrant.Producer
	dead     *hydrant.DeadLetterFile
	stop     func() // the watch

	rereads bool // the next run reads again what this one could not send

	bad     atomic.Int64 // records that no producer got; in the dead letter
	left    int64        // records that close could not send; in the dead letter
	spooled int64        // records that close could not send; in the spool
	unsent  int64        // records that close could not send; where they come from

	refused  atomic.Pointer[wire.Error] // a refusal that every further record would meet
	onRefuse chan struct{}              // closed then
}

// ship starts a producer. w has what the verb itself shows to operators.
func (a *app) ship(ctx context.Context, stream string, o *shipOptions, w *watch) (*shipping, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	dead := hydrant.NewDeadLetterFile(o.deadLetter)
	if dead.MaxBytes, err = ui.ParseBytes(o.deadMax); err != nil {
		return nil, usageError("--dead-letter-max: %w", err)
	}
	sdk, err := a.aws(ctx)
	if err != nil {
		return nil, err
	}
	s := &shipping{
		app: a, options: o, stream: stream, region: sdk.Region, started: time.Now(),
		dead: dead, onRefuse: make(chan struct{}),
	}
	cfg.Stream, cfg.AWS, cfg.DeadLetter, cfg.Logger, cfg.OnCall = stream, &sdk, s.dead, a.log, s.called
	if stream == "" {
		cfg.Route = func([]byte) string { return "" } // only the spool's records
	}
	if s.producer, err = hydrant.New(ctx, cfg); err != nil {
		if errors.Is(err, spool.ErrLocked) {
			err = fmt.Errorf("%w\nhint: a spool belongs to one process at a time; end that one, or name another folder by --spool", err)
		}
		return nil, err
	}
	w.addr, w.stream, w.stats = o.metricsAddr, stream, s.producer.Stats
	reload := w.reload
	w.reload = func() {
		if cache, ok := sdk.Credentials.(interface{ Invalidate() }); ok {
			cache.Invalidate()
		}
		_ = dead.Reopen() // all that it holds is synced
		if reload != nil {
			reload()
		}
	}
	if s.stop, err = a.watch(ctx, w); err != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return nil, errors.Join(err, s.producer.Close(ended))
	}
	if n := s.producer.Stats().Recovered; n > 0 {
		a.tell("%s records from the spool %s are sent first", ui.Count(n), o.spool)
	}
	return s, nil
}

// called watches for a refusal that no later record would escape, such as a
// deleted stream or a permission taken away: reading on would only fill the
// dead letter.
func (s *shipping) called(c hydrant.CallInfo) {
	if c.Code == "" || c.Code == wire.CodeResourceNotFound && s.options.wait {
		return
	}
	if class, _ := wire.Classify(c.Code, c.Message, 400); class == wire.Refuse {
		if s.refused.CompareAndSwap(nil, &wire.Error{Status: 400, Code: c.Code, Message: c.Message}) {
			close(s.onRefuse)
		}
	}
}

func (s *shipping) stopped(ctx context.Context) bool {
	return ctx.Err() != nil || s.refused.Load() != nil
}

// close sends what was accepted. After an interrupt it has a time limit, and
// what could not be sent stays in the spool or goes to the dead letter, so that it
// is not lost.
func (s *shipping) close(ctx context.Context) error {
	defer s.stop()
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if st := s.producer.Stats(); st.Pending > 0 {
			s.app.tell("\n%s: sending the %s records accepted so far (at most %v; a second interrupt stops at once)",
				why(ctx), ui.Count(st.Pending), s.options.drain)
		}
		time.AfterFunc(s.options.drain, cancel)
	})()
	if s.options.spool != "" || s.rereads { // where the rest is better off than in the dead letter
		go func() {
			select {
			case <-s.onRefuse:
				cancel()
			case <-drain.Done():
			}
		}()
	}
	err := s.producer.Close(drain)
	left, ok := errors.AsType[*hydrant.UndeliveredError](err)
	if !ok {
		return errors.Join(err, s.dead.Close())
	}
	if s.spooled = left.Spooled; s.rereads {
		s.unsent = int64(len(left.Records))
		return errors.Join(err, s.dead.Close())
	}
	for i := range left.Records {
		if left.Records[i].Message == "" {
			left.Records[i].Message = why(ctx) + " before it was sent"
		}
	}
	if len(left.Records) > 0 {
		if werr := s.dead.Write(context.Background(), left.Records); werr != nil {
			return fmt.Errorf("%d records are LOST, as neither Firehose nor the dead letter took them: %w", len(left.Records), werr)
		}
	}
	s.left = int64(len(left.Records))
	return errors.Join(err, s.dead.Close())
}

var errDeadline = errors.New("the deadline has passed")

// why is what ended the run before its time.
func why(ctx context.Context) string {
	if errors.Is(context.Cause(ctx), errDeadline) {
		return "stopped by --deadline"
	}
	return "interrupted"
}

// stopCode is the exit code of a run that ctx has ended.
func stopCode(ctx context.Context) int {
	if errors.Is(context.Cause(ctx), errDeadline) {
		return exitGaveUp
	}
	return exitInterrupted
}

// ending is how a verb's reading has ended.
type ending struct {
	read, close error
	where       string // it stopped, as in " after record 3"
	goOn        string // how to go on
	service     bool   // an interrupt is the way to end it
}

// verdict is the command's end: nil, or an error with its exit code.
func (s *shipping) verdict(ctx context.Context, e ending) error {
	if e.close != nil {
		if _, ok := errors.AsType[*hydrant.UndeliveredError](e.close); !ok {
			return &exitError{exitGaveUp, e.close}
		}
	}
	hint := "\nhint: " + e.goOn + s.whereabouts()
	if err := s.refused.Load(); err != nil {
		return &exitError{exitGaveUp, fmt.Errorf("stopped%s, as Firehose refuses every record: %w%s", e.where, err, hint)}
	}
	if ctx.Err() != nil && !e.service {
		return &exitError{stopCode(ctx), fmt.Errorf("%s%s%s", why(ctx), e.where, hint)}
	}
	if s.spooled+s.unsent > 0 && e.service {
		s.app.tell("not all was sent%s", hint)
	}
	if e.read != nil {
		return &exitError{exitGaveUp, fmt.Errorf("stopped reading%s: %w%s", e.where, e.read, hint)}
	}
	if n := s.inDeadLetter(); n > 0 {
		return &exitError{exitDeadLetter, fmt.Errorf("%d records are in the dead letter\nhint: %s has each with its reason", n, s.options.deadLetter)}
	}
	return nil
}

// inDeadLetter counts the records in the dead letter, once close is over.
func (s *shipping) inDeadLetter() int64 {
	return s.producer.Stats().DeadLettered + s.bad.Load() + s.left
}

// whereabouts tells where the records are that were accepted and not delivered,
// once close is over.
func (s *shipping) whereabouts() (text string) {
	if s.spooled > 0 {
		text += fmt.Sprintf("\n      %d records accepted before are in the spool %s: the next run with it sends them, or hydrant spool drain", s.spooled, s.options.spool)
	}
	if n := s.inDeadLetter(); n > 0 {
		text += fmt.Sprintf("\n      %d records accepted before are in %s", n, s.options.deadLetter)
	}
	if s.unsent > 0 {
		text += fmt.Sprintf("\n      %d records were read and not sent: the next run reads them again", s.unsent)
	}
	if last := s.producer.Stats().LastFailure; last != "" && text != "" {
		text += "\n      the last failure: " + last
	}
	return text
}

// snapshot is what the progress shows of a producer, when so many bytes are done.
func snapshot(st hydrant.Stats, done int64) ui.Snapshot {
	snap := ui.Snapshot{Bytes: done, Records: st.Delivered}
	if st.LastFailure != "" && st.Pending > 0 {
		snap.Note = "retrying: " + st.LastFailure
	}
	return snap
}

// summary is the result of the verbs that send.
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
	Spooled          int64   `json:"spooled,omitempty"` // left in the spool
	Unsent           int64   `json:"unsent,omitempty"`  // left where they come from, for the next run
	Elapsed          float64 `json:"elapsed_s"`
	RecordsPerSecond float64 `json:"records_per_s"`
	BytesPerSecond   float64 `json:"bytes_per_s"`
}

// show prints the result, once close is over.
func (s *shipping) show(records int64) error {
	took := time.Since(s.started)
	sum := summary{
		Stream: s.stream, Region: s.region, Records: records, Stats: s.producer.Stats(),
		Bad: s.bad.Load(), Spooled: s.spooled, Unsent: s.unsent, Elapsed: took.Seconds(),
	}
	sum.RawBytes = sum.DeliveredBytes
	sum.DeadLettered, sum.Pending = s.inDeadLetter(), sum.Pending-s.left
	sum.Lost = sum.Accepted + sum.Bad - sum.Delivered - sum.DeadLettered - sum.Spooled - sum.Unsent - sum.Damaged
	sum.RecordsPerSecond = float64(sum.Delivered) / took.Seconds()
	sum.BytesPerSecond = float64(sum.DeliveredBytes) / took.Seconds()
	if sum.DeadLettered > 0 {
		sum.DeadLetter = s.options.deadLetter
	}
	if s.app.json {
		return s.app.printJSON(sum)
	}
	t := ui.NewTable(s.app.stdout)
	t.Row("delivered", ui.Count(sum.Delivered)+" records", ui.Bytes(sum.DeliveredBytes))
	if sum.Recovered > 0 {
		t.Row("of them left", ui.Count(sum.Recovered)+" records", "in the spool by an earlier run")
	}
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
		t.Row("maybe twice", ui.Count(sum.MaybeDuplicate), "an earlier call that carried them got no answer")
	}
	if sum.DeadLettered > 0 {
		t.Row("dead letter", ui.Count(sum.DeadLettered), s.options.deadLetter)
	}
	if sum.Spooled > 0 {
		t.Row("in the spool", ui.Count(sum.Spooled), s.options.spool)
	}
	if sum.Unsent > 0 {
		t.Row("not sent", ui.Count(sum.Unsent), "the next run reads them again")
	}
	if sum.Damaged > 0 {
		t.Row("damaged", ui.Count(sum.Damaged), "could not be read from the spool any more; the bytes are in "+s.options.spool)
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
