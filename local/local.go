// Package local is a Firehose on one machine: a server.Backend that buffers
// records by size and interval, delivers them into a folder laid out as S3 keys,
// throttles by quota as AWS does, fails on order, and keeps the metrics that
// AWS publishes.
//
// A record's way through the source: a put call meets its fault and its stream
// (put.go), the stream's quota lets the record in (quota.go), it waits in the
// stream's buffer and is delivered with it (stream.go). Streams and what waits
// in them live in memory: what is not delivered when the process ends is gone.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// Config says how a local Firehose behaves. Dir or Destination is required; the
// zero value of every other field is its default.
type Config struct {
	// Dir is the folder that objects go to, as Dir/BUCKET/KEY. It is made if
	// need be.
	Dir string
	// Destination is used instead of Dir.
	Destination deliver.Destination

	// Quota is what each stream takes per second. Default: no limit.
	Quota Quota
	// Faults says which put calls fail and how. Default: none.
	Faults Faults
	// CreateDelay is how long a new stream stays CREATING and takes no
	// records. Default 0: it is ACTIVE at once.
	CreateDelay time.Duration
	// MaxBuffered is how many bytes of records may wait for delivery in one
	// stream, each record counting 64 bytes on top; beyond it records are
	// throttled. Default 256 MiB.
	MaxBuffered int64
	// Accepted, if not nil, sees every record that a stream stores, in order of
	// arrival in that stream. It must be quick, keep data unchanged and call
	// nothing of the Backend.
	Accepted func(c server.Caller, stream string, data []byte)

	// Logger gets failed deliveries. Default slog.Default().
	Logger *slog.Logger
}

// Backend is a local Firehose. Its methods may be called from many goroutines.
// Close it, or what it holds is lost with the process.
type Backend struct {
	cfg     Config
	dest    deliver.Destination
	log     *slog.Logger
	metrics cloudwatch.Store

	mu      sync.Mutex // guards the fields below; taken before a stream's own
	closed  bool
	faults  Faults
	streams map[streamKey]*stream
}

var _ server.Backend = (*Backend)(nil)

type streamKey struct {
	server.Caller
	name string
}

// New returns a local Firehose without streams.
func New(cfg Config) (*Backend, error) {
	b := &Backend{cfg: cfg, dest: cfg.Destination, log: cfg.Logger, faults: cfg.Faults, streams: map[streamKey]*stream{}}
	if err := cfg.Quota.validate(); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if cfg.MaxBuffered < 0 {
		return nil, fmt.Errorf("local: MaxBuffered is %d, it must not be negative", cfg.MaxBuffered)
	}
	if b.dest == nil {
		if cfg.Dir == "" {
			return nil, errors.New("local: no folder to deliver to: set Config.Dir")
		}
		dir, err := file.New(cfg.Dir)
		if err != nil {
			return nil, fmt.Errorf("local: %w", err)
		}
		b.dest = dir
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	b.cfg.MaxBuffered = cmp.Or(cfg.MaxBuffered, 256<<20)
	return b, nil
}

// Handler serves b's streams, and their metrics as CloudWatch does. cfg.Backend is
// b, whatever it says.
func (b *Backend) Handler(cfg server.Config) http.Handler {
	return awsapi.New(awsapi.Config{
		Services:    []*awsapi.Service{server.Service(b), cloudwatch.Service(&b.metrics)},
		Credentials: cfg.Credentials, NoAuth: cfg.NoAuth, Account: cfg.Account, Region: cfg.Region, Logger: cfg.Logger,
	})
}

// SetQuota replaces the quota of every stream, as AWS does when it raises one.
func (b *Backend) SetQuota(q Quota) error {
	if err := q.validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg.Quota = q
	for _, s := range b.streams {
		s.mu.Lock()
		s.meter = q.meter()
		s.mu.Unlock()
	}
	return nil
}

// SetFaults replaces the faults; nil is none. Calls under way keep theirs.
func (b *Backend) SetFaults(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// Flush delivers now what every stream has accepted before. When an object
// can't be delivered, its records stay buffered, later ones with them, and
// Flush goes on with the next stream; it returns all the errors, or ctx's when
// it ends first.
func (b *Backend) Flush(ctx context.Context) error {
	b.mu.Lock()
	streams := slices.Collect(maps.Values(b.streams))
	b.mu.Unlock()
	return flush(ctx, streams)
}

func flush(ctx context.Context, streams []*stream) error {
	var errs []error
	for _, s := range streams {
		errs = append(errs, s.flush(ctx))
	}
	return errors.Join(errs...)
}

// Close refuses further calls, flushes, and stops every goroutine and timer. An
// error says which records could not be delivered; they are lost. A second
// Close does nothing.
func (b *Backend) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	streams := slices.Collect(maps.Values(b.streams))
	clear(b.streams)
	b.mu.Unlock()

	for _, s := range streams {
		s.refuse(errClosed)
	}
	err := flush(ctx, streams)
	for _, s := range streams {
		if n := s.stop(); n > 0 {
			err = errors.Join(err, fmt.Errorf("local: %d records of delivery stream %q were not delivered and are lost", n, s.key.name))
		}
	}
	return err
}

func notFound(c server.Caller, name string) error {
	return wire.Errorf(wire.CodeResourceNotFound, "Firehose %s under account %s not found.", name, c.Account)
}

var errClosed = &wire.Error{Status: 503, Code: wire.CodeServiceUnavailable, Message: "The local Firehose has been shut down."}

// lookup finds a stream, in whatever state.
func (b *Backend) lookup(c server.Caller, name string) (*stream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	s := b.streams[streamKey{c, name}]
	if s == nil {
		return nil, notFound(c, name)
	}
	return s, nil
}

// CreateDeliveryStream makes a stream, which is ACTIVE after Config.CreateDelay.
// Nothing is checked of the role, and the bucket needs no making.
func (b *Backend) CreateDeliveryStream(_ context.Context, c server.Caller, in *server.CreateDeliveryStreamInput) (*server.CreateDeliveryStreamOutput, error) {
	spec, err := specOf(in)
	if err != nil {
		return nil, err
	}
	key := streamKey{c, in.DeliveryStreamName}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	if b.streams[key] != nil {
		return nil, wire.Errorf(wire.CodeResourceInUse, "Firehose %s under accountId %s already exists", key.name, c.Account)
	}
	s := newStream(b, key, in.Destination, spec)
	b.streams[key] = s
	return &server.CreateDeliveryStreamOutput{DeliveryStreamARN: s.arn()}, nil
}

// specOf tells how the stream's objects are made, or why they could not be.
// Refusing here is better than a delivery that fails for ever.
func specOf(in *server.CreateDeliveryStreamInput) (*deliver.Spec, error) {
	d := in.Destination
	spec := &deliver.Spec{
		Bucket:      d.Bucket(),
		Prefix:      d.Prefix,
		Stream:      in.DeliveryStreamName,
		Version:     firstVersion,
		Compression: d.CompressionFormat,
		Extension:   d.FileExtension,
	}
	refuse := func(format string, args ...any) (*deliver.Spec, error) {
		return nil, wire.Errorf(wire.CodeInvalidArgument, format, args...)
	}
	if err := spec.Validate(); err != nil {
		return refuse("%v", err)
	}
	if d.CustomTimeZone != "" {
		zone, err := time.LoadLocation(d.CustomTimeZone)
		if err != nil || d.CustomTimeZone == "Local" {
			return refuse("CustomTimeZone %s is not the name of a time zone", d.CustomTimeZone)
		}
		spec.Zone = zone
	}
	// S3's limit on keys, and that of common file systems on a name.
	if n := len(spec.Key(time.Now())); n > 1024 {
		return refuse("Prefix, name and FileExtension make keys of %d bytes, S3's limit is 1024", n)
	}
	for part := range strings.SplitSeq(spec.Key(time.Now()), "/") {
		if len(part) > 255 {
			return refuse("Prefix, name and FileExtension make a key with a part of %d bytes between slashes; the local Firehose delivers into files, whose names hold 255", len(part))
		}
	}
	return spec, nil
}

// DeleteDeliveryStream removes a stream at once, with what it has buffered, as
// AWS does. Its metrics stay.
func (b *Backend) DeleteDeliveryStream(_ context.Context, c server.Caller, in *server.DeleteDeliveryStreamInput) error {
	s, err := b.lookup(c, in.DeliveryStreamName)
	if err != nil {
		return err
	}
	if s.status() == server.Creating {
		// The code is AWS's, the words are ours.
		return wire.Errorf(wire.CodeResourceInUse, "Firehose %s under account %s is being created and can't be deleted yet.", s.key.name, c.Account)
	}
	b.mu.Lock()
	if b.streams[s.key] == s {
		delete(b.streams, s.key)
	}
	b.mu.Unlock()
	s.refuse(notFound(c, s.key.name))
	s.stop()
	return nil
}

// DescribeDeliveryStream describes a stream.
func (b *Backend) DescribeDeliveryStream(_ context.Context, c server.Caller, in *server.DescribeDeliveryStreamInput) (*server.DescribeDeliveryStreamOutput, error) {
	s, err := b.lookup(c, in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	return &server.DescribeDeliveryStreamOutput{
		DeliveryStreamName: s.key.name,
		DeliveryStreamARN:  s.arn(),
		Status:             s.status(),
		VersionID:          s.spec.Version,
		Created:            s.created,
		Destination:        s.destination,
	}, nil
}

// ListDeliveryStreams lists the caller's streams. All of them are of the type
// DirectPut.
func (b *Backend) ListDeliveryStreams(_ context.Context, c server.Caller, in *server.ListDeliveryStreamsInput) (*server.ListDeliveryStreamsOutput, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	var names []string
	for key := range b.streams {
		if key.Caller == c && key.name > in.After && (in.Type == "" || in.Type == "DirectPut") {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	n := min(in.Limit, len(names))
	return &server.ListDeliveryStreamsOutput{Names: names[:n], HasMore: n < len(names)}, nil
}
