// Package cwlog is a [slog.Handler] that writes to Amazon CloudWatch Logs.
//
// A [Handler] formats each record as a line of JSON, as [slog.JSONHandler] does, and
// keeps it in a buffer that is bounded in bytes. One goroutine sends what is there, in
// batches within the limits of PutLogEvents, about once a second. Logging never waits
// for the service: when the buffer is full events are dropped, and how many is told, by
// an event of its own as soon as there is room again, by [Stats], and by a second
// handler that also hears of all other trouble. What goes wrong here is never logged
// into the Handler itself.
package cwlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Client is the calls of CloudWatch Logs that a [Handler] makes.
// *cloudwatchlogs.Client of the AWS SDK is one. The SDK's own retries are turned off
// for each call: they would hold up what waits behind it.
type Client interface {
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error)
	CreateLogGroup(context.Context, *cloudwatchlogs.CreateLogGroupInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogGroupOutput, error)
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogStreamOutput, error)
}

// Config says where a [Handler] writes, and how. Client, Group and Stream are
// required; the zero value of every other field is its default.
type Config struct {
	Client Client
	// Group and Stream name where the events go: 1 to 512 characters each, of a
	// group letters, digits and . - _ / #, of a stream all but : and *. Several
	// Handlers may write to one stream.
	Group, Stream string
	// NoCreate leaves it to others to make the group and the stream. Otherwise they
	// are made when they are missing; a group made so keeps its events for ever.
	NoCreate bool
	// Options are those of slog.JSONHandler. The default level is info.
	Options slog.HandlerOptions
	// Interval is how long an event may wait for others. Default 1 s.
	Interval time.Duration
	// MaxBuffer bounds the events that are not written yet, in bytes, each counting
	// its text and 26 bytes. Default 8 MiB; at least 1 MiB.
	MaxBuffer int
	// Fallback gets what the Handler has to tell of itself: losses and refusals as
	// errors, failed calls as warnings. It must not lead back to the Handler, as
	// slog.Default().Handler() might. Default: as text on standard error, from info.
	Fallback slog.Handler
}

// Limits of PutLogEvents (API reference).
const (
	maxBatchBytes  = 1 << 20 // an event counts its text and eventOverhead
	maxBatchEvents = 10_000
	maxBatchSpan   = 24 * time.Hour
	eventOverhead  = 26
	maxMessage     = maxBatchBytes - eventOverhead
)

// Names have 1 to maxName characters. The patterns do not count: compiled with a count
// they took a millisecond of every program's start.
const maxName = 512

var (
	groupRE  = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]+$`)
	streamRE = regexp.MustCompile(`^[^:*]+$`)
)

func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Client == nil {
		bad("Client is missing")
	}
	if len(c.Group) > maxName || !groupRE.MatchString(c.Group) {
		bad("Group is %q, it must be 1 to 512 letters, digits and . - _ / #", c.Group)
	}
	if utf8.RuneCountInString(c.Stream) > maxName || !streamRE.MatchString(c.Stream) {
		bad("Stream is %q, it must be 1 to 512 characters without : and *", c.Stream)
	}
	if c.Interval < 0 {
		bad("Interval is %v, it must not be negative", c.Interval)
	}
	if c.MaxBuffer < maxBatchBytes {
		bad("MaxBuffer is %d, it must be at least %d", c.MaxBuffer, maxBatchBytes)
	}
	if len(errs) > 0 {
		return fmt.Errorf("cwlog: bad configuration: %w", errors.Join(errs...))
	}
	return nil
}

// Handler is a [slog.Handler] that writes to a log stream. Its methods may be called
// from many goroutines, and none but Close waits. Close it, or the last events are lost
// with the process.
type Handler struct {
	sink       *sink
	level      slog.Leveler
	newFormat  func() *format
	formatters *sync.Pool // of *format
}

var _ slog.Handler = (*Handler)(nil)

// format turns a record into a line. One goroutine uses it at a time.
type format struct {
	buf  bytes.Buffer
	json slog.Handler // writes to buf
}

// New returns a running Handler. It makes no call before the first event.
func New(cfg Config) (*Handler, error) {
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)
	cfg.MaxBuffer = cmp.Or(cfg.MaxBuffer, 8<<20)
	if cfg.Fallback == nil {
		cfg.Fallback = slog.NewTextHandler(os.Stderr, nil)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := newSink(&cfg)
	h := newHandler(s, cfg.Options.Level, func() *format {
		f := &format{}
		f.json = slog.NewJSONHandler(&f.buf, &cfg.Options)
		return f
	})
	s.format = h.line
	go s.run() // ends in Close
	return h, nil
}

func newHandler(s *sink, level slog.Leveler, newFormat func() *format) *Handler {
	return &Handler{
		sink: s, level: level, newFormat: newFormat,
		formatters: &sync.Pool{New: func() any { return newFormat() }},
	}
}

// derive is h with a change to its formats.
func (h *Handler) derive(change func(slog.Handler) slog.Handler) *Handler {
	return newHandler(h.sink, h.level, func() *format {
		f := h.newFormat()
		f.json = change(f.json)
		return f
	})
}

// Enabled tells whether records of a level are written.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	least := slog.LevelInfo
	if h.level != nil {
		least = h.level.Level()
	}
	return l >= least
}

// WithAttrs is part of [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func(json slog.Handler) slog.Handler { return json.WithAttrs(attrs) })
}

// WithGroup is part of [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	return h.derive(func(json slog.Handler) slog.Handler { return json.WithGroup(name) })
}

// Handle puts a record into the buffer, or drops it when that is full or the Handler
// closed. An event of more than 1,048,576 bytes, counted as CloudWatch Logs does, is
// cut, and ends with a mark that tells how long it was. What is logged in the context of
// one of the Handler's own calls is left out: it would go round in circles.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if ctx.Value(ownCall{}) != nil {
		return nil
	}
	line, err := h.line(ctx, r)
	if err != nil {
		return err
	}
	h.sink.add(eventOf(r.Time, line))
	return nil
}

// line is r as JSON.
func (h *Handler) line(ctx context.Context, r slog.Record) (string, error) {
	f := h.formatters.Get().(*format)
	err := f.json.Handle(ctx, r)
	line := string(bytes.TrimSuffix(f.buf.Bytes(), []byte("\n")))
	f.buf.Reset()
	if f.buf.Cap() <= 64<<10 { // one long event should not hold its memory for ever
		h.formatters.Put(f)
	}
	return line, err
}

// event is a log event.
type event struct {
	at   int64 // milliseconds since 1970
	text string
	cut  bool
}

// size is what CloudWatch Logs counts.
func (e event) size() int { return len(e.text) + eventOverhead }

// eventOf is a line with its time, as CloudWatch Logs takes them.
func eventOf(at time.Time, line string) event {
	if at.IsZero() {
		at = time.Now()
	}
	e := event{at: max(at.UnixMilli(), 0), text: line} // a negative one would spoil its batch
	if len(line) > maxMessage {
		mark := fmt.Sprintf("… [cut, it had %d bytes]", len(line))
		end := maxMessage - len(mark)
		for !utf8.RuneStart(line[end]) {
			end--
		}
		e.text, e.cut = line[:end]+mark, true
	}
	return e
}

// Stats counts events. At every moment Written, Rejected, Dropped and Pending are
// together all that were logged, and the Handler's own.
type Stats struct {
	Written  int64 // that CloudWatch Logs has taken
	Rejected int64 // that it did not take: too old, too new, or in a batch that it refused
	Dropped  int64 // that the buffer had no room for, or that came after a refusal or Close
	Pending  int64 // in the buffer
	Cut      int64 // of all these, those that were too long
	Own      int64 // of all these, those that tell of dropped events
	Calls    int64 // of PutLogEvents
	Failures int64 // of all calls
	// LastFailure is why the last call failed; empty after one that did not.
	LastFailure string
}

// Stats returns the counts of now.
func (h *Handler) Stats() Stats {
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	return h.sink.stats
}

// Close sends what is in the buffer, for as long as ctx lasts, and ends the Handler.
// Later events are dropped. The error tells how many events were lost and why; the
// fallback handler is told too. Close may be called again, and then tells the same.
func (h *Handler) Close(ctx context.Context) error { return h.sink.close(ctx) }
