package hydrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/internal/pace"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// Client is the two put calls of Firehose. *firehose.Client of the AWS SDK is
// one. The producer turns the SDK's own retries off for every call it makes, as
// retry lives in the producer alone.
type Client interface {
	PutRecord(context.Context, *firehose.PutRecordInput, ...func(*firehose.Options)) (*firehose.PutRecordOutput, error)
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// Packing says how records are joined into the records that Firehose gets, and
// bills by 5,120 bytes each.
type Packing int

const (
	// PackAuto packs as the destination allows, which New asks by one call of
	// DescribeDeliveryStream. Where objects in S3 hold the bytes as they were put
	// (no processors, no format conversion): up to 1,024,000 bytes. With
	// de-aggregation: up to 500 records in a pack, which is its limit. Elsewhere,
	// and where the caller may not ask, each record is sent on its own: a
	// destination might take a pack for a single record.
	PackAuto Packing = iota
	// PackOff sends each record on its own.
	PackOff
	// PackFixed packs up to PackBytes and PackRecords, whatever the destination.
	PackFixed
)

// Rate is a bound on what a stream is sent in a second; 0 is none.
type Rate struct {
	Calls, Records, Bytes float64 // Records as Firehose counts them: a pack is one
}

func (r Rate) quota() pace.Quota {
	bound := func(v float64) float64 {
		if v == 0 {
			return 1e15
		}
		return v
	}
	return pace.Quota{Calls: bound(r.Calls), Records: bound(r.Records), Bytes: bound(r.Bytes)}
}

// Config says where a [Producer] sends records and how. Only Stream or Route is
// required; the zero value of every other field is its default.
type Config struct {
	// Stream is the name of the delivery stream: 1 to 64 letters, digits, '_',
	// '.' and '-'.
	Stream string
	// Route names the delivery stream of each record, if there are several; an
	// empty name is Stream. What is kept of a stream is made with its first
	// record and let go when it has been idle for five minutes. Route is called
	// by the put calls, on their goroutines, and must not keep data. A put call
	// returns an error where it gives a bad name.
	Route func(data []byte) string
	// WaitForStream waits for a delivery stream that is not there yet: New does
	// so until its ctx ends, and later calls that do not find it are made again.
	// Otherwise New fails, and the records of such calls go to the dead letter.
	WaitForStream bool

	// AWS gives region, credentials, endpoint and HTTP client. Default: what the
	// SDK finds in the environment, the shared files and the instance's role.
	// The producer makes its calls itself from these; if AWS holds APIOptions,
	// Interceptors or a ClientLogMode, which look into the SDK's own calls, it
	// makes them through the SDK, which takes more CPU.
	AWS *aws.Config
	// Client makes the calls, instead of the producer.
	Client Client

	// Delimiter ends every record: it is appended unless the record ends with
	// it already. Firehose joins records as they are, so without a delimiter
	// they run together at the destination. Default: a newline.
	Delimiter string
	// NoDelimiter sends records as they are.
	NoDelimiter bool

	// Packing joins records, delimiters and all, into larger ones for Firehose.
	// Default PackAuto.
	Packing Packing
	// PackBytes and PackRecords are PackFixed's bounds of one pack. Defaults, and
	// most: 1,024,000 bytes, and any number of records.
	PackBytes, PackRecords int
	// Compression compresses packs, and fills them by their compressed size, which
	// is what is billed. Whatever reads the objects has to decompress them; give
	// the stream a file extension such as ".gz", and no compression of its own.
	// With PackAuto, New fails where the destination does not keep the bytes as
	// they were put. Compressed packs take memory beside MaxBuffer, until they are
	// settled. Default none.
	Compression Compression
	// Linger is how long a record may wait for others to fill its call. Default
	// 1 s; negative: none. What it costs is in Stats.LingerPaddingBytes.
	Linger time.Duration
	// BatchRecords is the most records of one call, as Firehose counts them: 1 to
	// 500. Default 500. With 1, every record goes by PutRecord; otherwise all go
	// by PutRecordBatch.
	BatchRecords int
	// BatchBytes is the most raw bytes of one call, 1 to 4,194,304, the service's
	// limit and the default. A longer record still goes, in a call of its own.
	// Where the stream's quota is the limit, calls are smaller.
	BatchBytes int
	// InFlight is the most calls of a stream under way at once. Default 16. There
	// are fewer where more would only wait for one another, and after a failure
	// there is one, until records get through again.
	InFlight int
	// Rate bounds what a stream is sent. Default: as much as its quota, which is
	// learnt from the answers, lets through.
	Rate Rate
	// MaxBuffer bounds the memory of the records that are accepted and not
	// settled, in bytes; each counts its length and 64 bytes. When it is full,
	// Put waits and TryPut refuses. One of many streams gets at most half of what
	// the others leave. Default 32 MiB; at least 1 MiB.
	MaxBuffer int64

	// Spool is a directory that keeps records until they have met their fate, so
	// that what Put has accepted outlives the process and, by SpoolOptions, a
	// power cut. Put returns when its record is safe there, and waits while the
	// spool is full. The next producer with that directory sends what is left,
	// each record to the stream that it was put for; what had been handed to a
	// call when its process died may be stored twice. One producer has the
	// directory at a time. MaxBuffer still bounds memory, also that of callbacks:
	// PutFunc waits while 64 bytes for each fill it. Default: none, records are
	// kept in memory.
	Spool string
	// SpoolOptions bound the spool and say when records are safe from a power
	// cut. The zero value keeps up to 1 GiB, and syncs before Put returns.
	SpoolOptions spool.Options

	// CallTimeout bounds one call, from its start to the end of its answer. A
	// call that takes longer counts as failed, and its records may be stored
	// twice. Default 60 s.
	CallTimeout time.Duration
	// BackoffBase and BackoffCap shape the wait after a failure: a random time
	// (full jitter) up to the base, doubled with each failure in a row, up to
	// the cap. Defaults 100 ms and 10 s.
	BackoffBase, BackoffCap time.Duration
	// MaxAttempts is how many times a record is sent before it goes to the dead
	// letter. Default: no bound; a record is tried until Close gives up.
	MaxAttempts int
	// MaxAge is how long after Put a record may still be sent again; a failure
	// later than that takes it to the dead letter. Default: no bound.
	MaxAge time.Duration

	// DeadLetter takes the records that can't be delivered. Default: the file
	// hydrant-dead-letter.ndjson in the working directory, made when the first
	// one comes.
	DeadLetter DeadLetter

	// OnCall is called after each put call, on the goroutine that made it, for
	// metrics and traces of calls; it must not block. Counters are in Stats.
	OnCall func(CallInfo)
	// Logger gets each call (debug), failed calls and refused records with the wait
	// before they are sent again (warn), and dead letters (error), without any
	// record's data. Default slog.Default().
	Logger *slog.Logger
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (c *Config) setDefaults() {
	orDefault(&c.Delimiter, "\n")
	if c.NoDelimiter {
		c.Delimiter = ""
	}
	orDefault(&c.PackBytes, wire.MaxRecordBytes)
	orDefault(&c.PackRecords, math.MaxInt)
	orDefault(&c.Linger, time.Second)
	orDefault(&c.BatchRecords, wire.MaxBatchRecords)
	orDefault(&c.BatchBytes, wire.MaxBatchBytes)
	orDefault(&c.InFlight, 16)
	orDefault(&c.MaxBuffer, 32<<20)
	orDefault(&c.CallTimeout, time.Minute)
	orDefault(&c.BackoffBase, 100*time.Millisecond)
	orDefault(&c.BackoffCap, 10*time.Second)
	if c.DeadLetter == nil {
		c.DeadLetter = NewDeadLetterFile("hydrant-dead-letter.ndjson")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// validate reports every bad field at once, with its value. It runs after
// setDefaults.
func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	within := func(field string, v, low, high int64) {
		if v < low || v > high {
			bad("%s is %d, it must be %d to %d", field, v, low, high)
		}
	}
	if err := wire.CheckStreamName(c.Stream); err != nil && (c.Stream != "" || c.Route == nil) {
		bad("Stream: %w", err)
	}
	within("Packing", int64(c.Packing), int64(PackAuto), int64(PackFixed))
	within("Compression", int64(c.Compression), int64(CompressNone), int64(CompressZstd))
	within("PackBytes", int64(c.PackBytes), 1, wire.MaxRecordBytes)
	within("PackRecords", int64(c.PackRecords), 1, math.MaxInt)
	within("BatchRecords", int64(c.BatchRecords), 1, wire.MaxBatchRecords)
	within("BatchBytes", int64(c.BatchBytes), 1, wire.MaxBatchBytes)
	within("InFlight", int64(c.InFlight), 1, 1024)
	within("MaxBuffer", c.MaxBuffer, 1<<20, 1<<40)
	within("MaxAttempts", int64(c.MaxAttempts), 0, 1<<31)
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"CallTimeout", c.CallTimeout}, {"BackoffBase", c.BackoffBase}, {"BackoffCap", c.BackoffCap}, {"MaxAge", c.MaxAge}} {
		if d.value < 0 {
			bad("%s is %v, it must not be negative", d.field, d.value)
		}
	}
	for _, v := range []float64{c.Rate.Calls, c.Rate.Records, c.Rate.Bytes} {
		if v < 0 || math.IsNaN(v) {
			bad("Rate is %+v, it must not be negative", c.Rate)
			break
		}
	}
	if c.BackoffCap < c.BackoffBase {
		bad("BackoffCap (%v) is less than BackoffBase (%v)", c.BackoffCap, c.BackoffBase)
	}
	if len(c.Delimiter) > 1024 {
		bad("Delimiter has %d bytes, the limit is 1,024", len(c.Delimiter))
	}
	if len(errs) > 0 {
		return fmt.Errorf("hydrant: bad configuration: %w", errors.Join(errs...))
	}
	return nil
}

// connect makes what sends the calls, and looks at once whether there are
// credentials: without them no call could ever succeed.
func (p *Producer) connect(ctx context.Context) error {
	c := &p.cfg
	single := c.BatchRecords == 1
	if c.Client != nil {
		p.sender = &sdkSender{c.Client, single}
		p.admin, _ = c.Client.(describer)
		p.quota, p.price = pace.Quota(wire.DefaultQuota("")), wire.PriceIn("")
		return nil
	}
	if c.AWS == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return fmt.Errorf("hydrant: load the AWS settings: %w", err)
		}
		c.AWS = &cfg
	}
	if c.AWS.Region == "" && c.AWS.BaseEndpoint == nil {
		return errors.New("hydrant: no AWS region: set AWS_REGION, or Region in Config.AWS")
	}
	if c.AWS.Credentials == nil {
		return errors.New("hydrant: no AWS credentials in Config.AWS")
	}
	if _, err := c.AWS.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("hydrant: get AWS credentials: %w", err)
	}
	if cache, ok := c.AWS.Credentials.(interface{ Invalidate() }); ok {
		p.renew = cache.Invalidate
	}
	p.quota, p.price = pace.Quota(wire.DefaultQuota(c.AWS.Region)), wire.PriceIn(c.AWS.Region)
	with := func(client aws.HTTPClient) *firehose.Client {
		return firehose.NewFromConfig(*c.AWS, func(o *firehose.Options) { o.HTTPClient = client })
	}
	o := firehose.NewFromConfig(*c.AWS).Options()
	if hooked(c.AWS, o) {
		client := with(keepbody.Client{HTTPClient: o.HTTPClient})
		p.sender, p.admin = &sdkSender{client, single}, client
		return nil
	}
	s, err := newHTTPSender(ctx, o, single)
	if err != nil {
		return err
	}
	p.sender, p.admin = s, with(s.client)
	return nil
}
