package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
	"github.com/hydrant-go/hydrant/server"
)

// logRig is a local Firehose whose streams log their errors.
type logRig struct {
	*testing.T
	fh   *hydranttest.Firehose
	logs *cloudwatchlogs.Client
}

func newLogRig(t *testing.T) *logRig {
	fh := hydranttest.Start(t, hydranttest.Options{})
	return &logRig{t, fh, cloudwatchlogs.NewFromConfig(fh.AWSConfig())}
}

func (r *logRig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// log makes a log group and a log stream in it, if need be.
func (r *logRig) log(group, stream string) {
	r.Helper()
	_, _ = r.logs.CreateLogGroup(r.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	_, err := r.logs.CreateLogStream(r.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	r.must(err)
}

// stream makes a delivery stream that can't partition records without a member k.
func (r *logRig) stream(name, group, logStream string) {
	r.Helper()
	parameter := func(name types.ProcessorParameterName, value string) types.ProcessorParameter {
		return types.ProcessorParameter{ParameterName: name, ParameterValue: &value}
	}
	_, err := r.fh.Client().CreateDeliveryStream(r.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::b"),
			Prefix: aws.String("!{partitionKeyFromQuery:k}/"), ErrorOutputPrefix: aws.String("e/!{firehose:error-output-type}/"),
			BufferingHints:                   &types.BufferingHints{SizeInMBs: aws.Int32(64), IntervalInSeconds: aws.Int32(60)},
			DynamicPartitioningConfiguration: &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(true)},
			ProcessingConfiguration: &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{
				Type:       types.ProcessorTypeMetadataExtraction,
				Parameters: []types.ProcessorParameter{parameter("MetadataExtractionQuery", "{k: .k}"), parameter("JsonParsingEngine", "JQ-1.6")},
			}}},
			CloudWatchLoggingOptions: &types.CloudWatchLoggingOptions{Enabled: aws.Bool(true), LogGroupName: &group, LogStreamName: &logStream},
		},
	})
	r.must(err)
}

// put puts records, and has them processed.
func (r *logRig) put(stream string, records ...string) {
	r.Helper()
	for _, record := range records {
		_, err := r.fh.Client().PutRecord(r.Context(), &firehose.PutRecordInput{DeliveryStreamName: &stream, Record: &types.Record{Data: []byte(record)}})
		r.must(err)
	}
	r.fh.Flush()
}

// line puts an event of any time into a log.
func (r *logRig) line(group, stream string, at time.Time, message string) {
	r.Helper()
	_, err := r.logs.PutLogEvents(r.Context(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []logtypes.InputLogEvent{{Timestamp: aws.Int64(at.UnixMilli()), Message: &message}},
	})
	r.must(err)
}

// read runs the verb, and wants that exit code.
func (r *logRig) read(a *testApp, o logsOptions, want int, args ...string) {
	r.Helper()
	a.out.Reset()
	a.err.Reset()
	if o.since == "" {
		o.since = "1h"
	}
	code := 0
	if err := a.readLogs(r.Context(), r.fh.AWSConfig(), &o, args); err != nil {
		code = exitFailed
		a.explain(err)
	}
	if code != want {
		r.Errorf("exit code %d, want %d: %s", code, want, a.err.String())
	}
}

// Errors of a real delivery, for people and as JSON.
func TestLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newLogRig(t), newTestApp()
		r.log("/g", "d")
		r.stream("s", "/g", "d")
		r.read(a, logsOptions{}, 0, "s")
		if a.out.Len() > 0 || !strings.Contains(a.err.String(), "no delivery errors of s since 1999-12-31 23:00 UTC") {
			t.Errorf("printed %q, told %q", a.out.String(), a.err.String())
		}
		time.Sleep(1234 * time.Millisecond)
		r.put("s", `{"n":1}`, `{"k":"fine"}`, `{"k":""}`)
		time.Sleep(10 * time.Second)
		r.put("s", `no json`)
		r.line("/g", "d", time.Now(), "a line of\x1b[2J somebody else")
		r.read(a, logsOptions{}, 0, "s")
		const first = `2000-01-01 00:00:01Z  DynamicPartitioning.MetadataExtractionFailed  arn:aws:s3:::b
  partitionKeys values must not be null or empty
  hint: the jq expression finds no key`
		text := a.out.String()
		if !strings.HasPrefix(text, first) || strings.Count(text, "2000-01-01 00:00:01Z  ") != 2 || strings.Count(text, "2000-01-01 00:00:11Z  ") != 1 ||
			strings.Count(text, "hint: ") != 1 || strings.Count(text, "  as before\n") != 1 || !strings.HasSuffix(text, "2000-01-01 00:00:11Z\n  a line of [2J somebody else\n") {
			t.Errorf("printed:\n%s", text)
		}
		a.json = true
		r.read(a, logsOptions{}, 0, "s")
		list := decode[deliveryErrorJSON](t, &a.out)
		if len(list) != 4 {
			t.Fatalf("%d events, want 4: %+v", len(list), list)
		}
		got := list[0]
		want := deliveryErrorJSON{
			Time: got.Time, Ingested: got.Ingested, Stream: "s", Destination: "arn:aws:s3:::b", Code: "DynamicPartitioning.MetadataExtractionFailed",
			Message: "partitionKeys values must not be null or empty", Remedy: got.Remedy, Version: "1", LogGroup: "/g", LogStream: "d", EventID: got.EventID, Raw: got.Raw,
		}
		if diff := gocmp.Diff(want, got); diff != "" || got.Remedy == "" || len(got.EventID) != 56 || !strings.HasPrefix(got.Raw, `{"deliveryStreamARN":`) ||
			time.Until(got.Time).Round(time.Second) != -10*time.Second || got.Ingested.Before(got.Time) {
			t.Errorf("%+v (-want +got):\n%s", got, diff)
		}
		if last := list[3]; last.Message != last.Raw || last.Stream != "s" || last.Code != "" {
			t.Errorf("%+v", last)
		}
		for _, tc := range []struct {
			o    logsOptions
			want int
			told string
		}{
			{logsOptions{since: "5s"}, 2, ""},
			{logsOptions{since: "2000-01-01T00:00:11Z"}, 2, ""},
			{logsOptions{limit: 1}, 1, "3 older ones are not shown"},
			{logsOptions{limit: 4}, 4, ""},
			{logsOptions{limit: 1 << 62}, 4, ""},
			{logsOptions{filter: `{ $.errorCode = "Dynamic*" }`}, 3, ""},
			{logsOptions{filter: "nothing"}, 0, "no delivery errors of s that match since"},
		} {
			r.read(a, tc.o, 0, "s")
			if got := decode[deliveryErrorJSON](t, &a.out); len(got) != tc.want || !strings.Contains(a.err.String(), tc.told) || tc.told == "" && a.err.Len() > 0 {
				t.Errorf("%+v: %d events, want %d; told %q", tc.o, len(got), tc.want, a.err.String())
			}
		}
	})
}

// All streams, in order of time: some share a log, one has none, and of one it is gone.
func TestLogsOfAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newLogRig(t), newTestApp()
		r.read(a, logsOptions{}, 0)
		if a.out.Len() > 0 || !strings.Contains(a.err.String(), "no delivery streams in this account and region") {
			t.Errorf("printed %q, told %q", a.out.String(), a.err.String())
		}
		r.fh.CreateStream("silent")
		r.read(a, logsOptions{}, exitFailed)
		if !strings.Contains(a.err.String(), "no stream of this account and region logs its delivery errors\nhint: make a log group") {
			t.Errorf("told %q", a.err.String())
		}
		r.read(a, logsOptions{}, exitFailed, "silent")
		if !strings.Contains(a.err.String(), "silent does not log its delivery errors\nhint: make a log group") {
			t.Errorf("told %q", a.err.String())
		}
		r.log("/shared", "d")
		r.log("/own", "d")
		r.stream("a", "/shared", "d")
		r.stream("b", "/shared", "d")
		r.stream("c", "/own", "d")
		order := []string{"a", "c", "b", "c", "a"}
		for _, name := range order {
			r.put(name, "bad")
			time.Sleep(time.Second)
		}
		a.json = true
		streams := func() (list []string) {
			for _, e := range decode[deliveryErrorJSON](t, &a.out) {
				list = append(list, e.Stream)
			}
			return list
		}
		r.read(a, logsOptions{}, 0)
		if got := streams(); !slices.Equal(got, order) || a.err.String() != "without a log of their delivery errors: silent\n" {
			t.Errorf("events of %q, want %q; told %q", got, order, a.err.String())
		}
		r.read(a, logsOptions{}, 0, "b") // and not what a has put there
		if got := streams(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("events of %q, want b", got)
		}
		r.stream("gone", "/gone", "d")
		r.read(a, logsOptions{}, exitFailed)
		if got := streams(); !slices.Equal(got, order) || !strings.Contains(a.err.String(), "read log stream d of /gone: ResourceNotFoundException: The specified log group does not exist.\nhint: Firehose makes no log groups") {
			t.Errorf("events of %q, want %q; told %q", got, order, a.err.String())
		}
	})
}

// The descriptions of many streams are asked for no faster than AWS answers them.
func TestLogsOfManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newLogRig(t), newTestApp()
		r.log("/g", "d")
		for i := range 30 {
			r.stream(fmt.Sprintf("s%02d", i), "/g", "d")
		}
		r.put("s07", `{"n":1}`)
		req, err := http.NewRequest(http.MethodPut, "http://hydranttest/_hydrant/quota/control", strings.NewReader(`{"calls":5}`))
		r.must(err)
		req.Host = "localhost" // who else asks is sent away
		cfg := r.fh.AWSConfig()
		resp, err := cfg.HTTPClient.Do(req)
		r.must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
			t.Fatalf("the quota is not set: %s", resp.Status)
		}
		counter := &callCounter{HTTPClient: cfg.HTTPClient}
		cfg.HTTPClient = counter
		if err := a.readLogs(t.Context(), cfg, &logsOptions{since: "1h"}, nil); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(a.out.String(), "  s07  DynamicPartitioning.") {
			t.Errorf("printed %q", a.out.String())
		}
		if want := 1 + 30 + 1; counter.n != want {
			t.Errorf("%d calls, want %d: none that is throttled", counter.n, want)
		}
		// One that may not be looked at does not keep the others from being shown.
		counter.deny = `"DeliveryStreamName":"s03"`
		a = newTestApp()
		if err := a.readLogs(t.Context(), cfg, &logsOptions{since: "1h"}, nil); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(a.out.String(), "  s07  DynamicPartitioning.") || a.err.String() != "not permitted to ask where they log (firehose:DescribeDeliveryStream): s03\n" {
			t.Errorf("printed %q, told %q", a.out.String(), a.err.String())
		}
	})
}

// callCounter counts the calls that are made by it, and denies those with some text.
type callCounter struct {
	aws.HTTPClient
	n    int
	deny string
}

func (c *callCounter) Do(r *http.Request) (*http.Response, error) {
	c.n++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if c.deny != "" && bytes.Contains(body, []byte(c.deny)) {
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.WriteString(`{"__type":"AccessDeniedException","message":"no"}`)
		return w.Result(), nil
	}
	return c.HTTPClient.Do(r)
}

// Following shows each event once, however late it comes, goes on when the service does
// not answer for a while, and ends well.
func TestLogsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newLogRig(t), newTestApp()
		r.log("/g", "d")
		r.stream("s", "/g", "d")
		r.stream("t", "/later", "d")
		r.line("/g", "d", time.Now().Add(-50*time.Minute), "old")
		a.json = true
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		o := logsOptions{since: "1h", follow: true}
		go func() { ended <- a.readLogs(ctx, r.fh.AWSConfig(), &o, nil) }()
		want := func(messages ...string) {
			t.Helper()
			time.Sleep(followEvery)
			synctest.Wait()
			var got []string
			for _, e := range decode[deliveryErrorJSON](t, &a.out) {
				got = append(got, e.Message)
			}
			if !slices.Equal(got, messages) {
				t.Errorf("at %v: %q, want %q", time.Now(), got, messages)
			}
		}
		time.Sleep(time.Second) // so that no poll falls together with what follows
		want("old")
		if n := strings.Count(a.err.String(), "/later"); n != 1 {
			t.Errorf("told %d times that a log is not there: %q", n, a.err.String())
		}
		r.put("s", `{"n":1}`)
		want("partitionKeys values must not be null or empty")
		want()
		r.line("/g", "d", time.Now().Add(-9*time.Minute), "late")
		want("late")
		r.log("/later", "d")
		r.line("/later", "d", time.Now().Add(-time.Minute), "from before it was there")
		want("from before it was there")
		a.err.Reset()
		r.fh.SetDown(true)
		time.Sleep(5 * time.Minute)
		r.fh.SetDown(false)
		r.line("/g", "d", time.Now().Add(-4*time.Minute), "while nobody could look")
		time.Sleep(time.Minute)
		want("while nobody could look")
		if n := strings.Count(a.err.String(), "can't be reached"); n != 2 {
			t.Errorf("told %d times that two logs can't be read: %q", n, a.err.String())
		}
		want()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended by %v", err)
		}
		if err := a.readLogs(t.Context(), r.fh.AWSConfig(), &logsOptions{since: "1h", follow: true}, []string{"none"}); err == nil {
			t.Error("a stream that is not there is followed")
		}
	})
}

// A bucket that is not there, asked of another S3: what Firehose logs of it is shown with
// what to do.
func TestLogsOfAMissingBucket(t *testing.T) {
	elsewhere, stop, err := startSite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(localAccessKey, localSecretKey, "")}
	destination, err := s3.New(s3.Config{AWS: cfg, Endpoint: elsewhere.url, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := local.New(local.Config{Destination: destination})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(b.Handler(server.Config{Credentials: map[string]string{localAccessKey: localSecretKey}}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what can't be delivered is not waited for
	defer b.Close(ctx)
	cfg.BaseEndpoint = &srv.URL
	logs, fh := cloudwatchlogs.NewFromConfig(cfg), firehose.NewFromConfig(cfg)
	_, err1 := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")})
	_, err2 := logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("d")})
	_, err3 := fh.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("s"), ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::deleted"),
			BufferingHints:           &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(0)},
			CloudWatchLoggingOptions: &types.CloudWatchLoggingOptions{Enabled: aws.Bool(true), LogGroupName: aws.String("g"), LogStreamName: aws.String("d")},
		},
	})
	_, err4 := fh.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte("x")}})
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	a := newTestApp()
	eventually(t, func() bool {
		if err := a.readLogs(t.Context(), cfg, &logsOptions{since: "1h", limit: 1}, []string{"s"}); err != nil {
			t.Fatal(err)
		}
		return a.out.Len() > 0
	})
	if text := a.out.String(); !strings.Contains(text, "  S3.NoSuchBucket  arn:aws:s3:::deleted\n") || !strings.Contains(text, "\n  hint: create the bucket again") {
		t.Errorf("printed:\n%s", text)
	}
}

// Ctrl-C ends logs --follow, which is no failure.
func TestLogsFollowInterrupted(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	if err := createLogging(fh.url, "l", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	var stdout testkit.Buffer
	cmd := command(t, fh.env, "logs", "l", "-f")
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, fh.env, "put", "l", "x").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := fh.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(stdout.String(), "HttpEndpoint.ConnectionFailed") })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd.Wait()); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestNewestOf(t *testing.T) {
	for total := range 12 {
		for n := 1; n < 14; n++ {
			var all []*logEntry
			for i := range total {
				e := &logEntry{}
				e.Message = fmt.Sprint(i)
				all = append(all, e)
			}
			kept, dropped := newestOf(slices.Values(all), n)
			if want := all[max(0, total-n):]; !slices.Equal(kept, want) || dropped != total-len(want) {
				t.Errorf("the newest %d of %d: %d, and %d dropped", n, total, len(kept), dropped)
			}
		}
	}
}
