// Package local is a Firehose on one machine: a server.Backend that journals
// records before it answers, buffers them by size and interval, transforms and
// delivers them as AWS does, throttles by quota, fails on order, and keeps the
// metrics and the error logs that AWS publishes.
//
// A record's way through the source: a put call meets its fault and its stream
// (put.go), the stream's quota lets the record in (quota.go), it is written to the
// journal, which is a spool, and the call is answered. A reader takes it from
// there into a buffer (flow.go, buffer.go), with which it is delivered (plan.go).
package local

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/local/objects"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/local/stacks"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
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
	// State is the folder that keeps streams and what is not delivered yet, so
	// that the next Firehose with this folder goes on from there, also after a
	// crash. It belongs to one process at a time. Empty: all of it is in memory,
	// and gone with the process.
	State string
	// MaxJournal is the most bytes of records that may wait for delivery, of all
	// streams together; beyond it records are throttled. When three quarters of it
	// are used, buffers are delivered whatever their hints say. Default 4 GiB with
	// State, 256 MiB without.
	MaxJournal int64

	// Quota is what each stream takes per second. Default: no limit.
	Quota Quota
	// RegionQuota gives each stream what AWS gives it in its region, where Quota
	// says nothing, and the control operations what AWS gives them, where ControlQuota
	// does not.
	RegionQuota bool
	// ControlQuota is how many calls a second each control operation (all but the puts)
	// takes of an account in a region; AWS takes 5. Default: no limit.
	ControlQuota int
	// Faults says which put calls fail and how. Default: none.
	Faults Faults
	// StateDelay is how long streams stay CREATING, in which they take no
	// records, and DELETING, and their encryption ENABLING and DISABLING. Default
	// 0: no time at all.
	StateDelay time.Duration
	// Speed makes the clock of intervals, retries and StateDelay run so many times
	// as fast: with 60 a buffer of 300 s is delivered after 5 s. Default 1.
	Speed float64
	// EachCall delivers what a put call has brought before the call is answered,
	// whatever the buffering hints say.
	EachCall bool
	// MaxBuffered is how many bytes of records each stream takes from the journal
	// into memory, each record counting 64 bytes on top. Default 256 MiB.
	MaxBuffered int64
	// Lambda says where functions are that transform records. Default: nowhere, and
	// streams with one are refused.
	Lambda process.LambdaConfig
	// Tables has the columns of Glue tables, by DATABASE.TABLE, for format
	// conversion. Streams with another table are refused.
	Tables map[string][]convert.Column
	// AllowHTTP, which AWS does not have, lets HTTP endpoints be reached by http,
	// and at other ports than 443.
	AllowHTTP bool
	// EndpointTLS is for the connections to HTTP endpoints. Default: the system's
	// certificates.
	EndpointTLS *tls.Config
	// Accepted, if not nil, sees every record that a stream stores, in order of
	// arrival in that stream. It must be quick, keep nothing of data and call
	// nothing of the Backend.
	Accepted func(c server.Caller, stream string, data []byte)

	// Logger gets failed deliveries. Default slog.Default().
	Logger *slog.Logger
}

func (cfg *Config) setDefaults() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("local: "+format, args...)) }
	if err := cfg.Quota.validate(); err != nil {
		refuse("%w", err)
	}
	for name, n := range map[string]int64{"ControlQuota": int64(cfg.ControlQuota), "MaxBuffered": cfg.MaxBuffered, "MaxJournal": cfg.MaxJournal, "StateDelay": int64(cfg.StateDelay)} {
		if n < 0 {
			refuse("%s is %d, it must not be negative", name, n)
		}
	}
	if !(cfg.Speed >= 0 && cfg.Speed <= 1e6) {
		refuse("Speed is %v, it must be 0 to 1,000,000", cfg.Speed)
	}
	if cfg.Dir == "" && cfg.Destination == nil {
		refuse("no folder to deliver to: set Config.Dir")
	}
	cfg.MaxBuffered = cmp.Or(cfg.MaxBuffered, 256<<20)
	cfg.Speed = cmp.Or(cfg.Speed, 1)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	most := int64(256 << 20)
	if cfg.State != "" {
		most = 4 << 30
	}
	cfg.MaxJournal = cmp.Or(cfg.MaxJournal, most)
	return errors.Join(errs...)
}

// Backend is a local Firehose. Its methods may be called from many goroutines.
// Close it, or what it holds is lost with the process, unless there is a
// Config.State.
type Backend struct {
	cfg     Config
	dest    deliver.Destination
	log     *slog.Logger
	journal *spool.Spool
	metrics cloudwatch.Store
	logs    *logs.Store
	stacks  *stacks.Store
	objects *objects.Handler // nil if there is no folder
	sampler *sampler
	calls   callQuota
	recent  recent
	ids     *recordIDs
	started time.Time

	control sync.Mutex // one change of the streams at a time, with the file that keeps them

	mu      sync.Mutex // guards the fields below; taken before a stream's own
	closed  bool
	quota   Quota
	faults  Faults
	streams map[streamKey]*stream
}

var _ server.Backend = (*Backend)(nil)

type streamKey struct {
	server.Caller
	name string
}

func compareStreams(a, b streamKey) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.name, b.name))
}

// New returns a local Firehose with the streams of Config.State, which goes on with
// their deliveries.
func New(cfg Config) (*Backend, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	b := &Backend{
		cfg: cfg, dest: cfg.Destination, log: cfg.Logger, started: time.Now(), ids: newRecordIDs(), quota: cfg.Quota, faults: cfg.Faults, streams: map[streamKey]*stream{},
	}
	b.sampler = newSampler(b)
	_ = b.SetControlQuota(cfg.ControlQuota) // it is checked
	if err := b.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("local: %w", err), b.close())
	}
	b.sampler.start()
	return b, nil
}

// open opens what is on the disk.
func (b *Backend) open() (err error) {
	if b.dest == nil {
		if b.dest, err = file.New(b.cfg.Dir); err != nil {
			return err
		}
	}
	if err := b.openJournal(); err != nil { // first, as its lock is that of all of Config.State
		return fmt.Errorf("open the journal: %w", err)
	}
	if b.cfg.Dir != "" {
		if b.objects, err = objects.New(objects.Config{Dir: b.cfg.Dir, Logger: b.log}); err != nil {
			return err
		}
	}
	cfg := logs.Config{Logger: b.log}
	if b.cfg.State != "" {
		cfg.Dir = filepath.Join(b.cfg.State, "logs")
		if err := b.metrics.Load(b.metricsFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.log.Error("the metrics of earlier are not there", slog.Any("error", err))
		}
	}
	if b.logs, err = logs.Open(cfg); err != nil {
		return err
	}
	if err := b.restore(); err != nil {
		return err
	}
	return b.openStacks()
}

func (b *Backend) metricsFile() string { return filepath.Join(b.cfg.State, "metrics") }

// close closes what open has opened.
func (b *Backend) close() error {
	b.sampler.stop()
	var errs []error
	if b.objects != nil {
		errs = append(errs, b.objects.Close())
	}
	if b.logs != nil {
		errs = append(errs, b.logs.Close())
	}
	if b.journal != nil {
		if b.cfg.State != "" {
			errs = append(errs, b.metrics.Save(b.metricsFile()))
		}
		errs = append(errs, b.journal.Close())
	}
	return errors.Join(errs...)
}

func (b *Backend) openJournal() (err error) {
	o := spool.Options{MaxBytes: b.cfg.MaxJournal, Refuse: true, OnDamage: func(d spool.Damage) {
		b.log.Error("the journal is damaged", slog.String("damage", d.String()), slog.Int64("records", d.Records))
	}}
	dir := filepath.Join(b.cfg.State, "journal")
	if b.cfg.State == "" {
		o.FS, o.SyncEvery, o.SegmentBytes, dir = vfs.NewMemory(), -1, 4<<20, "journal"
	}
	b.journal, err = spool.Open(dir, o)
	return err
}

// restore brings back the streams that Config.State has.
func (b *Backend) restore() error {
	if b.cfg.State == "" {
		return nil
	}
	list, err := loadSettings(b.cfg.State)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, set := range list {
		s, err := newStream(b, set, true)
		if err != nil {
			return fmt.Errorf("bring back delivery stream %s: %w\nhint: it needs what it was made with: Lambda, Tables, AllowHTTP (--lambda-endpoint, --table, --allow-http)", set.Name, err)
		}
		b.enter(s)
		known[set.ID] = true
	}
	for _, q := range b.journal.Queues() { // of streams whose deletion a crash cut short
		if !known[q.Name()] {
			if err := b.journal.Remove(q); err != nil {
				return err
			}
		}
	}
	for _, s := range b.streams {
		s.start()
	}
	return nil
}

// scaled is a time of the Firehose's clock as one of the machine's.
func (b *Backend) scaled(d time.Duration) time.Duration {
	if b.cfg.Speed == 1 {
		return d
	}
	return time.Duration(float64(d) / b.cfg.Speed)
}

// Handler serves b's streams, and beside them what AWS has there: CloudWatch with
// their metrics, CloudWatch Logs with their errors, CloudFormation with stacks that have
// such streams, STS as far as that is asked for, and S3 with what was delivered into
// Config.Dir. Under /_hydrant/ are the state (State in JSON) and calls to flush,
// to reset, and to set quotas and faults, and at / there is a page for people; these
// are not signed, and are refused to pages of other sites. cfg.Backend is b, whatever
// it says.
func (b *Backend) Handler(cfg server.Config) http.Handler {
	cfg.Backend = b
	var s3 http.Handler
	if b.objects != nil {
		s3 = b.objects
	}
	metrics := cloudwatch.Service(&b.metrics)
	put := metrics.Operations["PutMetricData"]
	metrics.Operations["PutMetricData"] = func(ctx context.Context, c *awsapi.Call) (any, error) {
		defer b.sampler.wake() // what was put is to be kept
		return put(ctx, c)
	}
	return awsapi.New(awsapi.Config{
		S3: s3, Mine: mine,
		Services:    []*awsapi.Service{b.calls.limit(cfg.Service()), metrics, logs.Service(b.logs), stacks.Service(b.stacks), stacks.STS()},
		Other:       b.own(),
		Credentials: cfg.Credentials, NoAuth: cfg.NoAuth, Account: cfg.Account, Region: cfg.Region, Logger: cfg.Logger,
	})
}

// SetQuota replaces the quota of every stream that has none of its own, as AWS
// does when it raises one.
func (b *Backend) SetQuota(q Quota) error {
	if err := q.validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quota = q
	for _, s := range b.streams {
		s.mu.Lock()
		if s.set.Quota == nil {
			s.meter = s.quotaLocked().meter()
		}
		s.mu.Unlock()
	}
	b.sampler.wake()
	return nil
}

// SetFaults replaces the faults; nil is none. Calls under way keep theirs.
func (b *Backend) SetFaults(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// enter makes a stream known, with the quota of this moment.
func (b *Backend) enter(s *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.meter = s.quotaLocked().meter()
	b.streams[s.key] = s
	b.sampler.wake()
}

func (b *Backend) all() []*stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.streams))
}

// relieve delivers early when the journal is nearly full: else buffers that are
// large, or wait long for their last record, would have it refuse others.
func (b *Backend) relieve() {
	if b.journal.Totals().Bytes < b.cfg.MaxJournal/4*3 {
		return
	}
	for _, s := range b.all() {
		s.flow.dueAll()
	}
}

// Flush delivers now what every stream has accepted before. When something can't
// be delivered, its records stay buffered, later ones with them, and Flush goes on
// with the next stream; it returns all the errors, or ctx's when it ends first.
func (b *Backend) Flush(ctx context.Context) error { return flush(ctx, b.all()) }

func flush(ctx context.Context, streams []*stream) error {
	var errs []error
	for _, s := range streams {
		errs = append(errs, s.flow.flush(ctx))
	}
	return errors.Join(errs...)
}

// Close refuses further calls, stops stacks where they are, flushes, and stops every goroutine and timer. An
// error says what could not be delivered: it is in Config.State for the next
// Firehose, or lost if there is none. A second Close does nothing.
func (b *Backend) Close(ctx context.Context) error {
	err := b.stacks.Close() // before the streams that they may be waiting for
	b.control.Lock()        // a change under way ends, and finds what it needs
	defer b.control.Unlock()
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	streams := slices.Collect(maps.Values(b.streams))
	b.mu.Unlock()

	for _, s := range streams {
		s.refuse(errClosed)
	}
	b.journal.Stop() // a put may be past that
	err = errors.Join(err, flush(ctx, streams))
	for _, s := range streams {
		if n := s.stop(); n > 0 && b.cfg.State == "" {
			err = errors.Join(err, fmt.Errorf("local: %d records of delivery stream %q were not delivered and are lost", n, s.key.name))
		} else if n > 0 {
			err = errors.Join(err, fmt.Errorf("local: %d records of delivery stream %q were not delivered; the next start with %s goes on with them", n, s.key.name, b.cfg.State))
		}
	}
	return errors.Join(err, b.close())
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
