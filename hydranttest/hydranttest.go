// Package hydranttest runs a local Firehose inside a test, on a network in
// memory: real AWS SDK clients and Hydrant's producer talk to it as they would
// to AWS, with its limits, throttling and faults. Nothing leaves the process.
//
// It works inside a testing/synctest bubble too, where time is virtual: linger,
// back-off, quotas and buffers of 900 seconds then take no time at all. Start it
// in the bubble that uses it.
//
//	fh := hydranttest.Start(t, hydranttest.Options{})
//	fh.CreateStream("logs")
//	fh.SetFaults(hydranttest.Script(hydranttest.Refuse(1)))
//	// … put into it through fh.Client() or fh.AWSConfig() …
//	got := fh.Records("logs")
package hydranttest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/server"
)

// What AWSConfig signs with, and the bucket of CreateStream.
const (
	Region    = "us-east-1"
	AccessKey = "AKIAHYDRANTTEST00000"
	SecretKey = "hydranttest-secret-key"
	Bucket    = "hydranttest"
)

// Options says how the Firehose behaves. Zero values are the defaults.
type Options struct {
	// Quota is what each stream takes per second. Default: no limit.
	Quota local.Quota
	// Faults of the put calls. Default: none.
	Faults local.Faults
	// BufferMiB and IntervalSeconds are the buffering hints of CreateStream: 1
	// to 128 MiB, default 1, and 0 to 900 s, default 60. A negative interval
	// is 0.
	BufferMiB, IntervalSeconds int
	// OnRecord sees every record that a stream accepts, instead of Records, for
	// more of them than memory holds. It must be quick and not keep data.
	OnRecord func(stream string, data []byte)
	// Logger gets what the Firehose logs. Default: nothing is logged.
	Logger *slog.Logger
}

// Firehose is a running local Firehose. Its methods may be called from many
// goroutines, but CreateStream, Flush, Objects and Delivered end the test by
// Fatal when they can't do their work, so call those from the test's own.
type Firehose struct {
	t        testing.TB
	opts     Options
	backend  *local.Backend
	handler  http.Handler
	dir      string
	client   *http.Client
	serving  sync.RWMutex // held for reading by every call that is served
	switched sync.Mutex   // one SetDown at a time

	mu        sync.Mutex // guards the fields below
	up        *endpoint  // nil is down
	records   map[string][][]byte
	delivered map[string][]string // files, in order of delivery
}

// endpoint is one life of the server.
type endpoint struct {
	listener *memnet.Listener
	server   *http.Server
	stopped  chan struct{}
}

// Start starts a Firehose, which ends with the test: register whatever uses it
// for clean-up later than this call, so that it ends first.
func Start(t testing.TB, o Options) *Firehose {
	t.Helper()
	f := &Firehose{t: t, opts: o, dir: t.TempDir(), records: map[string][][]byte{}, delivered: map[string][]string{}}
	dir, err := file.New(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f.backend, err = local.New(local.Config{
		Destination: &listing{dir, f},
		Quota:       o.Quota,
		Faults:      o.Faults,
		Accepted:    f.accepted,
		Logger:      logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.handler = f.backend.Handler(server.Config{
		Credentials: map[string]string{AccessKey: SecretKey},
		Logger:      logger,
	})
	f.client = &http.Client{Transport: &http.Transport{DialContext: f.dial, MaxIdleConnsPerHost: 64}}
	f.SetDown(false)
	t.Cleanup(f.close)
	return f
}

func (f *Firehose) close() {
	f.SetDown(true)
	if err := f.backend.Close(context.Background()); err != nil {
		f.t.Error(err)
	}
}

// AWSConfig is a configuration for any client of the AWS SDK: region,
// credentials, endpoint and network. Firehose, CloudWatch's metrics and CloudWatch Logs
// are what answers there.
func (f *Firehose) AWSConfig() aws.Config {
	return aws.Config{
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		BaseEndpoint: aws.String("http://hydranttest"),
		HTTPClient:   keepbody.Client{HTTPClient: f.client},
	}
}

// Client is a Firehose client of the AWS SDK with the SDK's defaults; it retries
// whole calls up to twice.
func (f *Firehose) Client() *firehose.Client { return firehose.NewFromConfig(f.AWSConfig()) }

// CreateStream makes a delivery stream that delivers uncompressed objects. For
// others call CreateDeliveryStream of Client.
func (f *Firehose) CreateStream(name string) {
	f.t.Helper()
	_, err := f.Client().CreateDeliveryStream(context.Background(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN:   aws.String("arn:aws:iam::000000000000:role/firehose"),
			BucketARN: aws.String("arn:aws:s3:::" + Bucket),
			BufferingHints: &types.BufferingHints{
				SizeInMBs:         aws.Int32(int32(cmp.Or(f.opts.BufferMiB, 1))),
				IntervalInSeconds: aws.Int32(int32(max(cmp.Or(f.opts.IntervalSeconds, 60), 0))),
			},
		},
	})
	if err != nil {
		f.t.Fatalf("create delivery stream %q: %v", name, err)
	}
}

// Dir is the folder that objects are delivered into, as BUCKET/KEY.
func (f *Firehose) Dir() string { return f.dir }

// Flush delivers what the streams have buffered.
func (f *Firehose) Flush() {
	f.t.Helper()
	if err := f.backend.Flush(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

// Objects is what has been delivered for a stream so far, an element for each
// object, in order of delivery and as the object is stored.
func (f *Firehose) Objects(stream string) [][]byte {
	f.t.Helper()
	f.mu.Lock()
	names := slices.Clone(f.delivered[stream])
	f.mu.Unlock()
	objects := [][]byte{}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.t.Fatal(err)
		}
		objects = append(objects, body)
	}
	return objects
}

// Delivered flushes, and returns all objects of a stream joined in order of
// delivery.
func (f *Firehose) Delivered(stream string) []byte {
	f.t.Helper()
	f.Flush()
	return bytes.Join(f.Objects(stream), nil)
}

// Records is every record that a stream has accepted, exactly as it was put and
// in order of arrival, whether delivered yet or not. A record that was accepted
// twice is there twice. Do not change the bytes.
func (f *Firehose) Records(stream string) [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.records[stream])
}

func (f *Firehose) accepted(_ server.Caller, stream string, data []byte) {
	if f.opts.OnRecord != nil {
		f.opts.OnRecord(stream, data)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[stream] = append(f.records[stream], slices.Clone(data))
}

// SetFaults replaces the faults; nil is none.
func (f *Firehose) SetFaults(faults local.Faults) { f.backend.SetFaults(faults) }

// SetQuota replaces the quota of every stream, now and to come.
func (f *Firehose) SetQuota(q local.Quota) {
	f.t.Helper()
	if err := f.backend.SetQuota(q); err != nil {
		f.t.Fatal(err)
	}
}

// SetDown takes the endpoint off the network, or puts it back: connections are
// refused, open ones break, and calls under way lose their answer. It returns
// when none is under way any more. Streams and their records stay.
func (f *Firehose) SetDown(down bool) {
	f.switched.Lock()
	defer f.switched.Unlock()
	f.mu.Lock()
	was := f.up
	f.up = nil
	if !down {
		f.up = was
		if was == nil {
			f.up = f.serve()
		}
	}
	f.mu.Unlock()
	if down && was != nil {
		_ = was.listener.Close()
		_ = was.server.Close()
		<-was.stopped
		f.client.CloseIdleConnections() // or the next call might still find one of them
		f.serving.Lock()                // waits for the calls under way; later ones see that the endpoint is down
		defer f.serving.Unlock()
	}
}

func (f *Firehose) serve() *endpoint {
	e := &endpoint{listener: memnet.Listen(), stopped: make(chan struct{})}
	e.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.serving.RLock()
			defer f.serving.RUnlock()
			if f.endpoint() != e {
				panic(http.ErrAbortHandler)
			}
			f.handler.ServeHTTP(w, r)
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	go func() {
		defer close(e.stopped)
		_ = e.server.Serve(e.listener)
	}()
	return e
}

func (f *Firehose) endpoint() *endpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.up
}

func (f *Firehose) dial(ctx context.Context, network, address string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	e := f.endpoint()
	if e == nil {
		return nil, refused
	}
	c, err := e.listener.DialContext(ctx, network, address)
	if errors.Is(err, net.ErrClosed) {
		return nil, refused // it went down meanwhile
	}
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

// conn fails as TCP does when the other end is gone.
type conn struct{ net.Conn }

func (c conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ECONNRESET)}
	}
	return n, err
}

// listing is a folder that remembers the order of its objects.
type listing struct {
	deliver.Destination
	f *Firehose
}

func (l *listing) Put(ctx context.Context, o *deliver.Object) error {
	if err := l.Destination.Put(ctx, o); err != nil {
		return err
	}
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.delivered[o.Stream] = append(l.f.delivered[o.Stream], filepath.Join(l.f.dir, o.Bucket, filepath.FromSlash(o.Key)))
	return nil
}
