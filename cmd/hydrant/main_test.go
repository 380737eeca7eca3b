package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/fxamacker/cbor/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// raceExit has processes under the race detector end at once. They would wait for a second,
// each of them, for races that other threads may still run into.
const raceExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hydrant": main})
}

// TestScript runs the real command against a local Firehose of each script's
// own; FIREHOSE_DIR is where that one delivers.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"jsonfield": jsonField,
			"bytes":     writeBytes,
			"faults":    setFaults,
			"delivered": delivered,
			"gzipped":   gzipped,
			"torn":      torn,
			"cloudlog":  cloudLogTo,
			"deny":      deny,
			"tagstream": tagStream,
			"logging":   makeLogging,
			"flush":     func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(site(ts).Flush(context.Background())) },
		},
	})
}

// TestLocalListensAtHome: nobody reaches hydrant local from elsewhere who was not let in
// by --addr.
func TestLocalListensAtHome(t *testing.T) {
	addr := new(app).local().Flags().Lookup("addr").DefValue
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || !ip.IsLoopback() {
		t.Errorf("--addr is %q, want a loopback address", addr)
	}
}

// testSite is a local Firehose on a real socket, beside the process under test.
type testSite struct {
	*local.Backend
	url     string
	dir     string
	env     []string     // what points an SDK at it
	calls   atomic.Int64 // put calls
	signer  atomic.Value // access key id of the last put call
	watcher atomic.Value // func(*http.Request), which sees every call

	ahead atomic.Int64 // of the clock that it tells, in nanoseconds

	mu     sync.Mutex // guards the fields below
	stored [][]byte   // every record, in order of arrival
	denied []string   // operations
}

// secondAccessKey has localSecretKey as well.
const secondAccessKey = "AKIDHYDRANTSECOND"

const stream = "s" // exists on every site of newSite

func startSite(dir string) (f *testSite, stop func() error, err error) {
	return startSiteOf(local.Config{Dir: dir})
}

func startSiteOf(cfg local.Config) (f *testSite, stop func() error, err error) {
	f = &testSite{dir: cfg.Dir}
	cfg.AllowHTTP, cfg.Accepted = true, func(_ server.Caller, _ string, data []byte) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stored = append(f.stored, slices.Clone(data))
	}
	f.Backend, err = local.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	handler := f.Handler(server.Config{
		AllowHTTP:   true,
		Credentials: map[string]string{localAccessKey: localSecretKey, secondAccessKey: localSecretKey},
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if see, ok := f.watcher.Load().(func(*http.Request)); ok {
			see(r)
		}
		op := operationOf(r)
		if strings.HasPrefix(op, "PutRecord") {
			_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			key, _, _ := strings.Cut(credential, "/")
			f.signer.Store(key)
			f.calls.Add(1)
		}
		if ahead := f.ahead.Load(); ahead != 0 {
			w.Header().Set("Date", time.Now().Add(time.Duration(ahead)).UTC().Format(http.TimeFormat))
		}
		if f.denies(op) {
			answerDenied(w, r, op)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	f.url = srv.URL
	f.env = []string{
		"AWS_ENDPOINT_URL=" + srv.URL, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=" + localAccessKey, "AWS_SECRET_ACCESS_KEY=" + localSecretKey,
	}
	return f, func() error {
		srv.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return f.Close(ctx)
	}, nil
}

// operationOf is the operation that a call is for; S3 for any of S3, Query for any by
// that protocol.
func operationOf(r *http.Request) string {
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return op
	}
	if _, op, ok := strings.Cut(r.URL.Path, "/operation/"); ok {
		return op
	}
	if r.Method == http.MethodPost && r.URL.Path == "/" { // of a Query API
		return "Query"
	}
	return "S3"
}

func (f *testSite) denies(op string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.denied, op)
}

// answerDenied refuses a call as AWS does, in the call's own protocol.
func answerDenied(w http.ResponseWriter, r *http.Request, op string) {
	answer := map[string]string{"__type": "AccessDeniedException", "message": "not authorized to perform " + op}
	switch protocol := r.Header.Get("Smithy-Protocol"); {
	case op == "S3":
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
	case op == "Query":
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
	case protocol != "":
		w.Header().Set("Smithy-Protocol", protocol)
		w.Header().Set("Content-Type", "application/cbor")
		w.WriteHeader(http.StatusBadRequest)
		_ = cbor.NewEncoder(w).Encode(answer)
	default:
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// deny [OPERATION…] has the site refuse these calls, and no others, from now on.
func deny(ts *testscript.TestScript, _ bool, args []string) {
	f := site(ts)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.denied = args
}

// tagStream STREAM KEY VALUE tags a stream.
func tagStream(ts *testscript.TestScript, _ bool, args []string) {
	_, err := firehose.NewFromConfig(site(ts).sdk()).TagDeliveryStream(context.Background(), &firehose.TagDeliveryStreamInput{
		DeliveryStreamName: &args[0], Tags: []types.Tag{{Key: &args[1], Value: &args[2]}},
	})
	ts.Check(err)
}

// newSite starts one that has a stream.
func newSite(t *testing.T) *testSite {
	t.Helper()
	f := newSiteOf(t, local.Config{Dir: t.TempDir()})
	if out, err := command(t, f.env, "streams", "create", stream, "--bucket-arn", "arn:aws:s3:::b", "--role-arn", "arn:aws:iam::000000000000:role/r").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return f
}

func newSiteOf(t *testing.T, cfg local.Config) *testSite {
	t.Helper()
	f, stop, err := startSiteOf(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// waitFor waits until n records are stored.
func (f *testSite) waitFor(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.stored) >= n
	})
}

// waitForCalls waits until n put calls have come.
func (f *testSite) waitForCalls(t *testing.T, n int64) {
	t.Helper()
	eventually(t, func() bool { return f.calls.Load() >= n })
}

// eventually waits for another process, which no bubble can hold, until a
// minute is over.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("nothing came in a minute")
		}
	}
}

func site(ts *testscript.TestScript) *testSite { return ts.Value("site").(*testSite) }

func setUpScript(env *testscript.Env) error {
	f, stop, err := startSite(filepath.Join(env.WorkDir, "s3"))
	if err != nil {
		return err
	}
	env.Defer(func() {
		if err := stop(); err != nil {
			env.T().Log(err)
		}
	})
	env.Values["site"] = f
	env.Vars = append(env.Vars, f.env...)
	env.Vars = append(env.Vars, "HOME="+env.WorkDir, "AWS_EC2_METADATA_DISABLED=true", raceExit, "FIREHOSE_DIR="+f.dir)
	return nil
}

// exits CODE COMMAND… runs hydrant and wants that exit code. The output is for
// stdout and stderr as exec's is.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("hydrant", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("hydrant %s: exit code %d, want %d\n%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stderr"))
	}
}

// jsonField PATH OP VALUE looks into the last line of stdout, as in
// "jsonfield put_record.records = 100" or "jsonfield retries > 0".
func jsonField(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var v any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	for _, key := range strings.Split(args[0], ".") {
		object, ok := v.(map[string]any)
		if !ok {
			ts.Fatalf("%s: no object there", args[0])
		}
		if v, ok = object[key]; !ok {
			ts.Fatalf("%s: not there in %s", args[0], lines[len(lines)-1])
		}
	}
	got := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		got = strconv.FormatFloat(f, 'f', -1, 64)
	}
	ok := got == args[2]
	if args[1] == ">" {
		ok = v.(float64) > mustFloat(ts, args[2])
	}
	if !ok {
		ts.Fatalf("%s is %s, want %s %s", args[0], got, args[1], args[2])
	}
}

func mustFloat(ts *testscript.TestScript, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	ts.Check(err)
	return f
}

// bytes FILE N… writes lines of N bytes each, line end included; N*COUNT is as
// many of them.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	var buf bytes.Buffer
	for i, arg := range args[1:] {
		size, times, many := strings.Cut(arg, "*")
		n, err := strconv.Atoi(size)
		ts.Check(err)
		count := 1
		if many {
			count, err = strconv.Atoi(times)
			ts.Check(err)
		}
		line := append(bytes.Repeat([]byte{byte('a' + i%26)}, n-1), '\n')
		buf.Write(bytes.Repeat(line, count))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), buf.Bytes(), 0o600))
}

// faults REFUSE ERROR sets the local Firehose's shares of refused records and
// failed calls.
func setFaults(ts *testscript.TestScript, _ bool, args []string) {
	site(ts).SetFaults(&local.Plan{Seed: 1, Refuse: mustFloat(ts, args[0]), Error: mustFloat(ts, args[1])})
}

// gzipped FILE NAME [-N] compresses a file, and cuts the last N bytes off.
func gzipped(ts *testscript.TestScript, _ bool, args []string) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(errors.Join(err, w.Close()))
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		buf.Truncate(buf.Len() + n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), buf.Bytes(), 0o600))
}

// makeLogging is "logging STREAM URL".
func makeLogging(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(createLogging(ts.Getenv("AWS_ENDPOINT_URL"), args[0], args[1]))
}

// createLogging makes a stream that posts to an HTTP endpoint, once, and logs its errors
// as those do that AWS's console makes.
func createLogging(endpoint, name, url string) error {
	group, logStream := "/aws/kinesisfirehose/"+name, "DestinationDelivery"
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider(localAccessKey, localSecretKey, "")}
	logs, ctx := cloudwatchlogs.NewFromConfig(cfg), context.Background()
	_, err1 := logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	_, err2 := logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &logStream})
	_, err3 := firehose.NewFromConfig(cfg).CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name, HttpEndpointDestinationConfiguration: &types.HttpEndpointDestinationConfiguration{
			EndpointConfiguration:    &types.HttpEndpointConfiguration{Url: &url},
			RetryOptions:             &types.HttpEndpointRetryOptions{DurationInSeconds: aws.Int32(0)},
			CloudWatchLoggingOptions: &types.CloudWatchLoggingOptions{Enabled: aws.Bool(true), LogGroupName: &group, LogStreamName: &logStream},
			S3Configuration: &types.S3DestinationConfiguration{
				RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::b"),
			},
		},
	})
	return errors.Join(err1, err2, err3)
}

// torn FILE appends half a line to a file, as a crash does.
func torn(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+`{"stream":"s","da`), 0o600))
}

// delivered BUCKET FILE compares what came into the bucket with FILE, as sorted
// lines.
func delivered(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(site(ts).Flush(context.Background()))
	got := objectsIn(ts, filepath.Join(ts.Getenv("FIREHOSE_DIR"), args[0]))
	want, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if same := sortedLines(got) == sortedLines(want); same == neg {
		ts.Fatalf("bucket %s holds %d bytes, %s %d; the same lines: %v", args[0], len(got), args[1], len(want), same)
	}
}

// objectsIn is what the objects of a folder hold, decompressed. What hydrant local itself
// keeps there is none.
func objectsIn(ts *testscript.TestScript, root string) (all []byte) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		data, err := os.ReadFile(path)
		if strings.HasSuffix(path, ".gz") {
			r, err := gzip.NewReader(bytes.NewReader(data))
			ts.Check(err)
			data, err = io.ReadAll(r)
			ts.Check(err)
		}
		all = append(all, data...)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	return all
}

func sortedLines(data []byte) string {
	lines := strings.SplitAfter(string(data), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
