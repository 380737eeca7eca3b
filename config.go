package hydrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/wire"
)

// Client is the two put calls of Firehose. *firehose.Client of the AWS SDK is
// one. The producer turns the SDK's own retries off for every call it makes, as
// retry lives in the producer alone.
type Client interface {
	PutRecord(context.Context, *firehose.PutRecordInput, ...func(*firehose.Options)) (*firehose.PutRecordOutput, error)
	PutRecordBatch(context.Context, *firehose.PutRecordBatchInput, ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// Config says where a [Producer] sends records and how. Only Stream is
// required; the zero value of every other field is its default.
type Config struct {
	// Stream is the name of the delivery stream: 1 to 64 letters, digits, '_',
	// '.' and '-'.
	Stream string

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

	// Linger is how long a record may wait for others to fill its call. Default
	// 1 s; negative: none.
	Linger time.Duration
	// BatchRecords is the most records of one call, 1 to 500. Default 500. With 1,
	// every record goes by PutRecord; otherwise all go by PutRecordBatch.
	BatchRecords int
	// BatchBytes is the most raw bytes of one call, 1 to 4,194,304, the service's
	// limit and the default. A longer record still goes, in a call of its own.
	BatchBytes int
	// InFlight is the most calls under way at once. Default 4. After a failure
	// there is one, until records get through again.
	InFlight int
	// MaxBuffer bounds the memory of the records that are accepted and not
	// settled, in bytes; each counts its length and 128 bytes. When it is full,
	// Put waits and TryPut refuses. Default 32 MiB; at least 1 MiB.
	MaxBuffer int64

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

	// DeadLetter takes the records that can't be delivered. Default: the file
	// hydrant-dead-letter.ndjson in the working directory, made when the first
	// one comes.
	DeadLetter DeadLetter

	// Logger gets failures and dead letters, without any record's data. Default
	// slog.Default().
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
	orDefault(&c.Linger, time.Second)
	orDefault(&c.BatchRecords, wire.MaxBatchRecords)
	orDefault(&c.BatchBytes, wire.MaxBatchBytes)
	orDefault(&c.InFlight, 4)
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
	if err := wire.CheckStreamName(c.Stream); err != nil {
		bad("Stream: %w", err)
	}
	within("BatchRecords", int64(c.BatchRecords), 1, wire.MaxBatchRecords)
	within("BatchBytes", int64(c.BatchBytes), 1, wire.MaxBatchBytes)
	within("InFlight", int64(c.InFlight), 1, 1024)
	within("MaxBuffer", c.MaxBuffer, 1<<20, 1<<40)
	within("MaxAttempts", int64(c.MaxAttempts), 0, 1<<31)
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"CallTimeout", c.CallTimeout}, {"BackoffBase", c.BackoffBase}, {"BackoffCap", c.BackoffCap}} {
		if d.value < 0 {
			bad("%s is %v, it must not be negative", d.field, d.value)
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
// credentials: without them no call could ever succeed. renew drops cached
// credentials.
func (c *Config) connect(ctx context.Context) (s sender, renew func(), err error) {
	renew = func() {}
	single := c.BatchRecords == 1
	if c.Client != nil {
		return &sdkSender{c.Client, c.Stream, single}, renew, nil
	}
	if c.AWS == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("hydrant: load the AWS settings: %w", err)
		}
		c.AWS = &cfg
	}
	if c.AWS.Region == "" && c.AWS.BaseEndpoint == nil {
		return nil, nil, errors.New("hydrant: no AWS region: set AWS_REGION, or Region in Config.AWS")
	}
	if c.AWS.Credentials == nil {
		return nil, nil, errors.New("hydrant: no AWS credentials in Config.AWS")
	}
	if _, err := c.AWS.Credentials.Retrieve(ctx); err != nil {
		return nil, nil, fmt.Errorf("hydrant: get AWS credentials: %w", err)
	}
	if cache, ok := c.AWS.Credentials.(interface{ Invalidate() }); ok {
		renew = cache.Invalidate
	}
	client := firehose.NewFromConfig(*c.AWS, func(o *firehose.Options) { o.HTTPClient = keepbody.Client{HTTPClient: o.HTTPClient} })
	if hooked(c.AWS, client.Options()) {
		return &sdkSender{client, c.Stream, single}, renew, nil
	}
	s, err = newHTTPSender(ctx, firehose.NewFromConfig(*c.AWS).Options(), c.Stream, single)
	return s, renew, err
}
