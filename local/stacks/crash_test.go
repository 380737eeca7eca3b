package stacks_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/local/stacks"
	"github.com/hydrant-go/hydrant/server"
)

var all = flag.Bool("crash-all", false, "crash before and after every call, not before one and after the next")

var me = awsapi.Caller{Account: account, Region: "us-east-1"}

// outside is what stacks change in the world, and outlives the store of stacks.
type outside struct {
	dir      *file.Dir
	firehose server.Config
	logs     *logs.Store
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	path := t.TempDir()
	b, err := local.New(local.Config{Dir: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	o := &outside{firehose: server.Config{Backend: b}}
	if o.dir, err = file.New(path); err != nil {
		t.Fatal(err)
	}
	if o.logs, err = logs.Open(logs.Config{}); err != nil {
		t.Fatal(err)
	}
	return o
}

// real is what there is.
func (o *outside) real(t *testing.T) (names []string) {
	t.Helper()
	buckets, err := o.dir.Buckets()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		names = append(names, "bucket "+b.Name())
	}
	var streams struct{ DeliveryStreamNames []string }
	out, err := o.firehose.Control(t.Context(), me, "ListDeliveryStreams", []byte("{}"))
	if err == nil {
		err = json.Unmarshal(out, &streams)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range streams.DeliveryStreamNames {
		out, err := o.firehose.Control(t.Context(), me, "DescribeDeliveryStream", []byte(`{"DeliveryStreamName": "`+name+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		_, prefix, _ := strings.Cut(string(out), `"Prefix":"`)
		prefix, _, _ = strings.Cut(prefix, `"`)
		names = append(names, "stream "+name+" "+prefix)
	}
	for _, g := range []string{"one", "two"} {
		if o.logs.HasGroup(me, g) {
			names = append(names, "group "+g)
		}
		if o.logs.HasStream(me, g, "log") {
			names = append(names, "log "+g)
		}
	}
	return names
}

// crasher lets a store's calls through, and crashes it at one of them: before or after it
// is done. What the store has written down by then is kept in dead.
type crasher struct {
	*outside
	at    int // which call; -1: none
	after bool
	dir   string
	dead  string

	mu      sync.Mutex // guards the fields below
	calls   int
	crashed chan struct{}
	err     error
}

var errDead = errors.New("nobody is alive")

func (c *crasher) call(f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.calls
	c.calls++
	switch {
	case c.at < 0 || n < c.at:
		return f()
	case n == c.at:
		if c.after {
			_ = f() // nobody learns what has come of it
		}
		c.err = copyStacks(c.dead, c.dir)
		close(c.crashed)
	}
	return errDead
}

func copyStacks(to, from string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.json"))
	for _, name := range files {
		text, rerr := os.ReadFile(name)
		err = errors.Join(err, rerr, os.WriteFile(filepath.Join(to, filepath.Base(name)), text, 0o600))
	}
	return err
}

func (c *crasher) firehoseCall(ctx context.Context, caller awsapi.Caller, operation string, in []byte) (out []byte, err error) {
	err = c.call(func() (err error) {
		out, err = c.firehose.Control(ctx, caller, operation, in)
		return err
	})
	return out, err
}

func (c *crasher) HasBucket(_ context.Context, name string) (has bool, err error) {
	err = c.call(func() (err error) {
		has, err = c.outside.dir.HasBucket(name)
		return err
	})
	return has, err
}

func (c *crasher) MakeBucket(_ context.Context, name string) error {
	return c.call(func() error { return c.outside.dir.MakeBucket(name) })
}

func (c *crasher) RemoveBucket(_ context.Context, name string) error {
	return c.call(func() error { return c.outside.dir.RemoveBucket(name) })
}

func (c *crasher) EmptyBucket(context.Context, string) error {
	return c.call(func() error { return nil })
}

func (c *crasher) ReadObject(context.Context, string, string, int64) ([]byte, error) {
	return nil, fs.ErrNotExist
}

func (c *crasher) HasGroup(caller awsapi.Caller, name string) (has bool) {
	_ = c.call(func() error {
		has = c.logs.HasGroup(caller, name)
		return nil
	})
	return has
}

func (c *crasher) CreateGroup(caller awsapi.Caller, g logs.Group) error {
	return c.call(func() error { return c.logs.CreateGroup(caller, g) })
}

func (c *crasher) SetRetention(caller awsapi.Caller, name string, days int) error {
	return c.call(func() error { return c.logs.SetRetention(caller, name, days) })
}

func (c *crasher) SetTags(caller awsapi.Caller, name string, tags map[string]string) error {
	return c.call(func() error { return c.logs.SetTags(caller, name, tags) })
}

func (c *crasher) DeleteGroup(caller awsapi.Caller, name string) error {
	return c.call(func() error { return c.logs.DeleteGroup(caller, name) })
}

func (c *crasher) HasStream(caller awsapi.Caller, group, name string) (has bool) {
	_ = c.call(func() error {
		has = c.logs.HasStream(caller, group, name)
		return nil
	})
	return has
}

func (c *crasher) CreateStream(caller awsapi.Caller, group, name string) error {
	return c.call(func() error { return c.logs.CreateStream(caller, group, name) })
}

func (c *crasher) DeleteStream(caller awsapi.Caller, group, name string) error {
	return c.call(func() error { return c.logs.DeleteStream(caller, group, name) })
}

// open opens a store in dir, which may crash, and returns a world with it.
func (o *outside) open(t *testing.T, dir string, at int, after bool) (*world, *crasher, *stacks.Store) {
	t.Helper()
	c := &crasher{outside: o, at: at, after: after, dir: dir, dead: t.TempDir(), crashed: make(chan struct{})}
	s, err := stacks.Open(stacks.Config{Dir: dir, Firehose: c.firehoseCall, Logs: c, Buckets: c, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	listener := memnet.Listen()
	srv := &http.Server{Handler: awsapi.New(awsapi.Config{Services: []*awsapi.Service{stacks.Service(s)}, NoAuth: true, Account: account, Logger: slog.New(slog.DiscardHandler)})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.DialContext}
	t.Cleanup(func() {
		_ = s.Close()
		transport.CloseIdleConnections()
		_ = srv.Close()
		<-served
	})
	return &world{t: t, Client: cloudformation.New(cloudformation.Options{
		BaseEndpoint: aws.String("http://local"), Region: me.Region, HTTPClient: keepbody.Client{HTTPClient: &http.Client{Transport: transport}}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	})}, c, s
}

// version is a template whose update replaces a bucket, changes a stream, makes a group
// and removes another.
func version(n int) m {
	stream := func(prefix string) m {
		return m{"DeliveryStreamName": "s", "ExtendedS3DestinationConfiguration": m{
			"BucketARN": attr("Bucket", "Arn"), "RoleARN": "arn:aws:iam::123456789012:role/r", "Prefix": prefix,
		}}
	}
	if n == 1 {
		return m{"Resources": m{
			"Bucket": resource("AWS::S3::Bucket", m{"BucketName": "one"}),
			"Empty":  resource("Custom::EmptyBucket", m{"ServiceToken": "x", "BucketName": ref("Bucket")}),
			"One":    resource("AWS::Logs::LogGroup", m{"LogGroupName": "one"}),
			"Log":    resource("AWS::Logs::LogStream", m{"LogGroupName": ref("One"), "LogStreamName": "log"}),
			"Stream": resource("AWS::KinesisFirehose::DeliveryStream", stream("one/")),
		}}
	}
	return m{"Resources": m{
		"Bucket": resource("AWS::S3::Bucket", m{"BucketName": "two"}),
		"Empty":  resource("Custom::EmptyBucket", m{"ServiceToken": "x", "BucketName": ref("Bucket")}),
		"Two":    resource("AWS::Logs::LogGroup", m{"LogGroupName": "two"}),
		"Log":    resource("AWS::Logs::LogStream", m{"LogGroupName": ref("Two"), "LogStreamName": "log"}),
		"Stream": resource("AWS::KinesisFirehose::DeliveryStream", stream("two/")),
	}}
}

var (
	firstWorld  = []string{"bucket one", "stream s one/", "group one", "log one"}
	secondWorld = []string{"bucket two", "stream s two/", "group two", "log two"}
)

// A store that is killed at any call, before or after it is done, is opened again: what
// was begun is rolled back or goes on, and nothing is left or lost that the stack does
// not say.
func TestCrashAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("a crash at every call")
	}
	one := func(w *world) {
		w.create("s", version(1))
		w.want("s", types.StackStatusCreateComplete, "")
	}
	failing := func() m {
		template := version(2)
		resources(template)["Bad"] = m{"Type": "AWS::S3::Bucket", "DependsOn": []string{"Stream", "Log", "Empty"}, "Properties": m{"BucketName": "-"}}
		return template
	}
	operations := map[string]struct {
		prepare func(w *world) // what comes before, with another store; nil: nothing
		run     func(w *world) error
		want    map[types.StackStatus][]string // the world, by how it ends
	}{
		"create": {nil, func(w *world) error {
			_, err := w.CreateStack(w.t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(version(1))})
			return err
		}, map[types.StackStatus][]string{types.StackStatusRollbackComplete: nil, types.StackStatusCreateComplete: firstWorld}},
		"update": {one, func(w *world) error {
			_, err := w.UpdateStack(w.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(version(2))})
			return err
		}, map[types.StackStatus][]string{types.StackStatusUpdateRollbackComplete: firstWorld, types.StackStatusUpdateComplete: secondWorld}},
		"failing update": {one, func(w *world) error {
			_, err := w.UpdateStack(w.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(failing())})
			return err
		}, map[types.StackStatus][]string{types.StackStatusUpdateRollbackComplete: firstWorld}},
		"update after one that failed": {func(w *world) {
			one(w)
			w.update("s", failing(), func(in *cloudformation.UpdateStackInput) { in.DisableRollback = aws.Bool(true) })
			w.want("s", types.StackStatusUpdateFailed, "The following resource(s) failed to create: [Bad]. ")
		}, func(w *world) error {
			template := version(2)
			resources(template)["Bucket"] = resource("AWS::S3::Bucket", m{"BucketName": "three"})
			_, err := w.UpdateStack(w.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(template)})
			return err
		}, map[types.StackStatus][]string{
			types.StackStatusUpdateRollbackComplete: firstWorld, types.StackStatusUpdateComplete: {"bucket three", "stream s two/", "group two", "log two"},
			types.StackStatusUpdateFailed: {"bucket one", "bucket two", "stream s two/", "group one", "log one", "group two", "log two"}, // nothing had begun
		}},
		"delete": {one, func(w *world) error {
			_, err := w.DeleteStack(w.t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
			return err
		}, map[types.StackStatus][]string{types.StackStatusDeleteComplete: nil}},
	}
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var points atomic.Int32
			var end atomic.Bool
			for at := 0; !end.Load(); at += 4 {
				t.Run("", func(t *testing.T) { // most of the time goes to the disk
					for i := range 8 {
						if !*all && (i/2+i)%2 == 1 {
							continue
						}
						t.Run("", func(t *testing.T) {
							t.Parallel()
							if crashOnce(t, op.prepare, op.run, op.want, at+i/2, i%2 == 1) {
								points.Add(1)
							} else {
								end.Store(true)
							}
						})
					}
				})
			}
			t.Logf("crashed at %d points", points.Load())
			if points.Load() < 6 {
				t.Errorf("only %d points", points.Load())
			}
		})
	}
}

// crashOnce tells whether there was a call to crash at.
func crashOnce(t *testing.T, prepare func(*world), run func(*world) error, want map[types.StackStatus][]string, at int, after bool) bool {
	t.Helper()
	o, dir := newOutside(t), t.TempDir()
	if prepare != nil {
		w, _, s := o.open(t, dir, -1, false)
		prepare(w)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w, c, s := o.open(t, dir, at, after)
	if err := run(w); err != nil {
		t.Fatal(err)
	}
	for settled := false; !settled; {
		select {
		case <-c.crashed:
			settled = true
			continue
		default:
			out, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("s")})
			if err != nil || !strings.HasSuffix(string(out.Stacks[0].StackStatus), "_IN_PROGRESS") {
				select {
				case <-c.crashed:
				default:
					return false
				}
			}
			w.pause()
		}
	}
	if err := s.Close(); err != nil || c.err != nil {
		t.Fatal(err, c.err)
	}
	where := fmt.Sprintf("crashed at call %d (after it: %t)", at, after)
	w, _, _ = o.open(t, c.dead, -1, false)
	list, err := w.ListStacks(t.Context(), &cloudformation.ListStacksInput{})
	if err != nil || len(list.StackSummaries) != 1 {
		t.Fatalf("%s: %+v, %v", where, list, err)
	}
	id := *list.StackSummaries[0].StackId
	st := w.settled(id)
	world, ok := want[st.StackStatus]
	if !ok {
		t.Errorf("%s: the stack ends %s %s\n%s", where, st.StackStatus, aws.ToString(st.StackStatusReason), strings.Join(w.events(id), "\n"))
	}
	if diff := cmp.Diff(world, o.real(t)); diff != "" {
		t.Errorf("%s: the stack is %s (-want +got):\n%s\n%s", where, st.StackStatus, diff, strings.Join(w.events(id), "\n"))
	}
	if st.StackStatus != types.StackStatusDeleteComplete {
		w.delete("s")
		w.want(id, types.StackStatusDeleteComplete, "")
	}
	again := w.create("s", version(1)) // by the same names
	w.want(again, types.StackStatusCreateComplete, "")
	if diff := cmp.Diff(firstWorld, o.real(t)); diff != "" {
		t.Errorf("%s: made again (-want +got):\n%s", where, diff)
	}
	return true
}
