package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
)

// sdk is the configuration of clients that talk to the site.
func (f *testSite) sdk() aws.Config {
	_, url, _ := strings.Cut(f.env[0], "=")
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider(localAccessKey, localSecretKey, ""),
	}
}

// logged are the events of a log group, a line for each: its stream and its text.
func (f *testSite) logged(group string) (string, error) {
	var text strings.Builder
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(cloudwatchlogs.NewFromConfig(f.sdk()), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return "", err
		}
		for _, e := range page.Events {
			fmt.Fprintf(&text, "%s %s\n", *e.LogStreamName, *e.Message)
		}
	}
	return text.String(), nil
}

// cloudLogTo GROUP FILE writes the events of a log group to FILE.
func cloudLogTo(ts *testscript.TestScript, _ bool, args []string) {
	text, err := site(ts).logged(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// canaryRun is a run of the command that must not log any canary.
type canaryRun struct {
	args        []string
	stdin       string
	refuse, err float64 // faults
	service     bool    // it ends by an interrupt
}

// No verb logs a record's data or a secret, at any level, on stderr or in CloudWatch
// Logs, whatever goes wrong.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	const data = "canaryrecord"
	fh := newSite(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lines := strings.Repeat(`{"id":"`+data+`"}`+"\n", 50)
	long := data + strings.Repeat("x", 1_100_000) + "\n"
	bad := write("bad.ndjson", lines+`{"id":`+data+"}\n"+data+"\n"+lines)
	array := write("bad.json", `[{"id":"`+data+`"},`+data+`]`)
	spool, dead := filepath.Join(dir, "spool"), filepath.Join(dir, "dead.ndjson")
	for _, run := range []canaryRun{
		{args: []string{"put", stream, data}, refuse: 0.3, err: 0.3},
		{args: []string{"put", stream, data, "--timeout", "100ms"}, err: 1},
		{args: []string{"put", stream}, stdin: long},
		{args: []string{"put", "nope", data}},
		{args: []string{"send", stream, "--no-pack", "--linger", "0"}, stdin: lines, refuse: 0.3, err: 0.3},
		{args: []string{"send", stream, bad, "--dead-letter", dead}},
		{args: []string{"send", stream, array, "--dead-letter", dead}},
		{args: []string{"send", stream, "--dead-letter", dead}, stdin: long},
		{args: []string{"send", stream, "--max-attempts", "2", "--dead-letter", dead}, stdin: lines, err: 1},
		{args: []string{"send", stream, "--spool", spool, "--deadline", "300ms", "--drain", "100ms"}, stdin: lines, err: 1},
		{args: []string{"spool", "ls", spool}},
		{args: []string{"spool", "show", spool}},
		{args: []string{"spool", "verify", spool}},
		{args: []string{"spool", "drain", spool}, refuse: 0.3, err: 0.3},
		{args: []string{"dead", "ls", dead}},
		{args: []string{"replay", dead}, refuse: 0.3, err: 0.3},
		{args: []string{"estimate", bad}},
		{args: []string{"scenario", "--records", "200"}},
		{args: []string{"scenario", "--stream", stream, "--records", "200", "--wait", "1s"}},
		{args: []string{"streams", "list"}},
		{args: []string{"streams", "describe", stream}},
		{args: []string{"streams", "describe", "nope"}},
		{args: []string{"metrics", stream}},
		{args: []string{"logs", stream}},
		{args: []string{"doctor", stream, "--put", "--spool", spool}},
		{args: []string{"doctor", "nope"}},
		{args: []string{"deploy", "--stack", "canary"}},
		{args: []string{"destroy", "--stack", "canary", "--yes"}},
		{args: []string{"generate", "--records", "10"}},
		{args: []string{"tail", write("tail.log", lines), "--stream", stream, "--linger", "0"}, refuse: 0.3, err: 0.3, service: true},
		{args: []string{"local", "--addr", "127.0.0.1:0", "--dir", filepath.Join(dir, "s3")}, service: true},
	} {
		fh.SetFaults(&local.Plan{Seed: 1, Refuse: run.refuse, Error: run.err})
		var stderr bytes.Buffer
		cmd := command(t, append(fh.env, "AWS_SESSION_TOKEN=canarytoken"), append(run.args, "--log-level", "debug", "--log-group", "/canary")...)
		cmd.Stdin, cmd.Stderr, cmd.Dir = strings.NewReader(run.stdin), &stderr, dir
		var stdout testkit.Buffer
		cmd.Stdout = &stdout
		stored := len(fh.sorted())
		err := cmd.Start()
		if err == nil && run.service {
			eventually(t, func() bool { return stdout.String() != "" || len(fh.sorted()) >= stored+len(lines) })
			interrupt(t, cmd)
		}
		if err == nil {
			err = cmd.Wait()
		}
		if code := exitCode(err); code < 0 {
			t.Fatalf("%.60v: %v", run.args, err)
		}
		checkNoCanary(t, fmt.Sprintf("%.60v", run.args), stderr.String(), data)
	}
	text, err := fh.logged("/canary")
	if err != nil {
		t.Fatal(err)
	}
	checkNoCanary(t, "CloudWatch Logs", text, data)
	for _, want := range []string{`"msg":"put call"`, `"msg":"put call failed"`, `"msg":"records refused"`, `"msg":"records in the dead letter"`, `"msg":"bad record"`, `"msg":"control call"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s was logged: the test shows little", want)
		}
	}
}

func checkNoCanary(t *testing.T, where, text, data string) {
	t.Helper()
	for _, canary := range []string{data, base64.StdEncoding.EncodeToString([]byte(data)), localSecretKey, "canarytoken"} {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("%s: %q is logged: %.300s", where, canary, text[max(0, i-200):])
		}
	}
}

// silent is an endpoint that takes calls and never answers; called tells whether one has
// come.
func silent(t *testing.T) (url string, called func() bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // at the end of all
			calls.Add(1)
		}
	}()
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String(), func() bool { return calls.Load() > 0 }
}

// A verb that ends by an interrupt has its log sent, and the log says so.
func TestInterruptedLog(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	cmd := command(t, fh.env, "tail", filepath.Join(t.TempDir(), "*.log"), "--stream", stream, "--log-group", "/tail", "--log-stream", "one")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		text, err := fh.logged("/tail")
		return err == nil && strings.Contains(text, "hydrant begins")
	})
	interrupt(t, cmd)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	text, err := fh.logged("/tail")
	if err != nil || !strings.Contains(text, `"msg":"hydrant ends","exit_code":0`) {
		t.Errorf("%v: %s", err, text)
	}
}

func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// While the end waits for CloudWatch Logs an interrupt ends it: the first one if the
// verb was done, the second one if that was itself interrupted.
func TestInterruptWhileTheLogIsSent(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), []byte("line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args        []string
		interrupted bool // the verb itself
		done        string
		want        string
	}{
		{[]string{"put", stream, "x"}, false, "\n", "exit status 0"},
		{[]string{"tail", filepath.Join(dir, "*.log"), "--stream", stream, "--linger", "0"}, true, "delivered", "signal: interrupt"},
	} {
		var stdout testkit.Buffer
		url, called := silent(t)
		cmd := command(t, append(fh.env, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS="+url), append(tc.args, "--log-group", "/g")...)
		cmd.Stdout = &stdout
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if tc.interrupted {
			fh.waitFor(t, 2)
			interrupt(t, cmd)
		}
		eventually(t, func() bool { return strings.Contains(stdout.String(), tc.done) && called() })
		began := time.Now()
		interrupt(t, cmd)
		_ = cmd.Wait()
		if got, took := cmd.ProcessState.String(), time.Since(began); got != tc.want || took > logFlushTime*4/5 {
			t.Errorf("%s: %s after %v, want %s", tc.args[0], got, took, tc.want)
		}
	}
}
