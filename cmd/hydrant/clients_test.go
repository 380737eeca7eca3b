package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/wire"
)

// clients are what people call Firehose with. Each does the same on a stream of
// its own and reports what it was answered; see testdata/clients.
var clients = []struct {
	name  string
	first []byte // its PutRecord
	run   func(*testing.T, *clientCase) *clientReport
}{
	{"aws-sdk-go-v2", everyByte(), runGo},
	{"boto3", everyByte(), runBoto3},
	{"aws-sdk-js-v3", everyByte(), runJS},
	// Data is text in the AWS CLI's parameters.
	{"aws-cli", []byte("{\"text\":\"grüße 水 \\u0000 '\\\" $HOME ~?>\"}\n"), runCLI},
}

func everyByte() []byte {
	b := make([]byte, 256, 257)
	for i := range b {
		b[i] = byte(i)
	}
	return append(b, '\n')
}

// clientCase is what one client works with.
type clientCase struct {
	name         string     // of its stream and its bucket; NAME-gone is there to be deleted
	first        []byte     // to put by PutRecord
	batch        [][]byte   // to put by PutRecordBatch
	env          []string   // of its process
	dir          string     // its process runs here; holds the files first and batch
	cfg          aws.Config // of the SDK for Go, from the same environment
	shelf        []string   // streams that a list must hold, more than one page of them
	deliveredDir string     // where the Firehose delivers
	start        time.Time  // nothing was created before
}

// clientReport is what a client has been answered.
type clientReport struct {
	ARN             string                 `json:"arn"`
	BucketARN       string                 `json:"bucket_arn"`
	Created         float64                `json:"created"`    // seconds since 1970
	RecordIDs       []string               `json:"record_ids"` // of the first record, then of the batch
	Failed          int                    `json:"failed"`
	Pages           [][]string             `json:"pages"`            // of stream names
	IncomingRecords *float64               `json:"incoming_records"` // nil: the client reads no metrics
	Errors          map[string]clientError `json:"errors"`           // by what was wrong
}

type clientError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Other people's clients work with the lines that hydrant local prints and
// nothing else, and what they put is in the folder. An interrupt delivers what
// is still buffered.
func TestClients(t *testing.T) {
	start := time.Now()
	userBase := filepath.Join(os.Getenv("HOME"), ".local")
	dir := t.TempDir()
	local := startLocal(t, "--dir", dir)
	eventually(t, func() bool { // the two come through pipes of their own
		return strings.Contains(local.stderr.String(), "Ctrl-C ends it.") && strings.Contains(local.stdout.String(), "AWS_DEFAULT_REGION=")
	})
	printed := exports(t, local.stdout.String())
	cfg := goConfig(t, printed)
	fh := firehose.NewFromConfig(cfg)
	var shelf []string
	for i := range 12 {
		shelf = append(shelf, fmt.Sprintf("shelf-%02d", i))
		createStream(t, fh, shelf[i], 300)
	}

	t.Run("client", func(t *testing.T) {
		for _, client := range clients {
			t.Run(client.name, func(t *testing.T) {
				t.Parallel()
				c := &clientCase{
					name: client.name, first: client.first, dir: t.TempDir(), cfg: cfg, shelf: shelf, deliveredDir: dir, start: start,
					env: append(slices.Clone(printed),
						"PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true",
						"PYTHONUSERBASE="+userBase), // pip install --user puts packages there, which Python looks for below HOME
				}
				for i := range wire.MaxBatchRecords {
					c.batch = append(c.batch, fmt.Appendf(nil, `{"n":%d,"text":"grüße 水 ~?>"}`+"\n", i))
				}
				c.write(t, "first", c.first)
				c.write(t, "batch", bytes.Join(c.batch, nil))
				createStream(t, fh, c.name+"-gone", 300)
				c.check(t, client.run(t, c))
			})
		}
	})

	createStream(t, fh, "late", 900)
	for _, data := range []string{"one\n", "two\n", "three\n"} {
		if _, err := fh.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("late"), Record: &types.Record{Data: []byte(data)}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, dir, "late"); got != "" {
		t.Errorf("delivered before its time: %q", got)
	}
	local.stop(t, os.Interrupt)
	if got, want := contents(t, dir, "late"), "one\ntwo\nthree\n"; got != want {
		t.Errorf("delivered at the end: %q, want %q", got, want)
	}
}

// With --json the same is one line, which tells the truth.
func TestLocalJSON(t *testing.T) {
	dir := t.TempDir()
	local := startLocal(t, "--dir", dir, "--json", "--region", "eu-west-1", "--credentials", "AKIDME:my:secret")
	eventually(t, func() bool { return strings.HasSuffix(local.stdout.String(), "\n") })
	var line struct {
		Endpoint, Dir, Region string
		Key                   string `json:"access_key_id"`
		Secret                string `json:"secret_access_key"`
	}
	if err := json.Unmarshal([]byte(local.stdout.String()), &line); err != nil {
		t.Fatalf("%v: %s", err, local.stdout.String())
	}
	fh := firehose.New(firehose.Options{
		BaseEndpoint: &line.Endpoint, Region: line.Region,
		Credentials: credentials.NewStaticCredentialsProvider(line.Key, line.Secret, ""),
	})
	createStream(t, fh, "s", 900)
	if _, err := fh.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte("data")}}); err != nil {
		t.Fatal(err)
	}
	local.stop(t, syscall.SIGTERM)
	if got := contents(t, line.Dir, "s"); got != "data" || line.Dir != dir {
		t.Errorf("delivered %q into %s, want \"data\" in %s", got, line.Dir, dir)
	}
}

// localProcess is a hydrant local.
type localProcess struct {
	cmd            *exec.Cmd
	stdout, stderr testkit.Buffer
}

func startLocal(t *testing.T, args ...string) *localProcess {
	t.Helper()
	p := &localProcess{cmd: command(t, nil, append([]string{"local", "--addr", "127.0.0.1:0"}, args...)...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// stop interrupts it and wants an orderly end.
func (p *localProcess) stop(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(p.cmd.Wait()); code != 0 {
		t.Errorf("hydrant local: exit code %d, want 0\n%s", code, p.stderr.String())
	}
}

// exports is the environment that lines of a shell make.
func exports(t *testing.T, lines string) (env []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		assignment, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "export ")
		if !ok {
			t.Fatalf("stdout holds %q, want only lines that export variables", line)
		}
		env = append(env, assignment)
	}
	return env
}

// goConfig is what the SDK for Go makes of env, for the rest of the test.
func goConfig(t *testing.T, env []string) aws.Config {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // sets it back at the end
			os.Unsetenv(name)
		}
	}
	for _, v := range slices.Concat(env, []string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", raceExit}) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = keepbody.Client{HTTPClient: awshttp.NewBuildableClient()}
	return cfg
}

// createStream makes a stream whose bucket has the same name.
func createStream(t *testing.T, fh *firehose.Client, name string, seconds int32) {
	t.Helper()
	if _, err := fh.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN:        aws.String("arn:aws:iam::000000000000:role/firehose"),
			BucketARN:      aws.String("arn:aws:s3:::" + name),
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: &seconds},
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// contents is what all objects of a bucket hold.
func contents(t *testing.T, dir, bucket string) string {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(filepath.Join(dir, bucket), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, data...)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(all)
}

func (c *clientCase) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// check judges what a client reports and what has been delivered of it.
func (c *clientCase) check(t *testing.T, r *clientReport) {
	if want := "arn:aws:firehose:us-east-1:000000000000:deliverystream/" + c.name; r.ARN != want {
		t.Errorf("ARN %q, want %q", r.ARN, want)
	}
	if want := "arn:aws:s3:::" + c.name; r.BucketARN != want {
		t.Errorf("bucket %q, want %q", r.BucketARN, want)
	}
	created := time.UnixMilli(int64(r.Created * 1000))
	if created.Before(c.start.Add(-time.Second)) || created.After(time.Now().Add(time.Second)) {
		t.Errorf("created at %v, want a time since %v", created, c.start)
	}
	records := 1 + len(c.batch)
	// AWS's record ids were seen to have 224 characters.
	badID := slices.IndexFunc(r.RecordIDs, func(id string) bool { return len(id) != 224 })
	if n := len(slices.Compact(slices.Sorted(slices.Values(r.RecordIDs)))); r.Failed != 0 || n != records || badID >= 0 {
		t.Errorf("%d records refused, %d different record ids, want 0 and %d; the first bad id is number %d", r.Failed, n, records, badID)
	}
	if r.IncomingRecords != nil && *r.IncomingRecords != float64(records) {
		t.Errorf("IncomingRecords is %v, want %d", *r.IncomingRecords, records)
	}
	c.checkPages(t, r.Pages)
	c.checkErrors(t, r.Errors)
	c.checkDelivered(t)
}

// checkPages allows for the streams of clients that run meanwhile.
func (c *clientCase) checkPages(t *testing.T, pages [][]string) {
	names := slices.Concat(pages...)
	missing := slices.ContainsFunc(slices.Concat(c.shelf, []string{c.name}), func(name string) bool { return !slices.Contains(names, name) })
	if missing || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("listed %q\nwant %q and %v, in order, each once", names, c.name, c.shelf)
	}
	// Ten names a page (API reference).
	if len(pages) != 2 || len(pages[0]) != 10 {
		t.Errorf("pages %q, want two, the first of 10", pages)
	}
}

func (c *clientCase) checkErrors(t *testing.T, got map[string]clientError) {
	want := map[string]clientError{
		"too_large": {"ValidationException", fmt.Sprintf(
			"1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=%d cap=%[1]d]' at 'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to %d",
			wire.MaxRecordBytes+1, wire.MaxRecordBytes)},
		"unknown_stream": {"ResourceNotFoundException", fmt.Sprintf("Firehose %s-gone under account 000000000000 not found.", c.name)},
		"unknown_key":    {"UnrecognizedClientException", "The security token included in the request is invalid."},
		"wrong_secret": {"InvalidSignatureException", "The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// checkDelivered wants every byte once: the batch's records in order, in one
// object with the first record or in another.
func (c *clientCase) checkDelivered(t *testing.T) {
	first, batch := string(c.first), string(bytes.Join(c.batch, nil))
	var got string
	eventually(t, func() bool {
		got = contents(t, c.deliveredDir, c.name)
		return len(got) >= len(first)+len(batch)
	})
	if got != first+batch && got != batch+first {
		t.Errorf("delivered %d bytes, want the %d and %d that were put; they begin %.300q", len(got), len(first), len(batch), got)
	}
}

// notInstalled is the exit code of a program that lacks its SDK.
const notInstalled = 77

// runScript runs a client's program, or skips the test where it is missing.
func (c *clientCase) runScript(t *testing.T, missing, interpreter, script string) *clientReport {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "clients", script))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.command(t, missing, interpreter, script, c.name, "first", "batch").Output()
	if exitCode(err) == notInstalled {
		t.Skip(missing)
	}
	r := &clientReport{}
	if err := cmp.Or(err, json.Unmarshal(out, r)); err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderrOf(err))
	}
	return r
}

// command is one of the client's processes, which has a minute.
func (c *clientCase) command(t *testing.T, missing, name string, args ...string) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(missing)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = c.env, c.dir, time.Second
	return cmd
}

func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

func runBoto3(t *testing.T, c *clientCase) *clientReport {
	return c.runScript(t, "boto3 is not installed: python3 -m pip install boto3", "python3", "boto3_client.py")
}

func runJS(t *testing.T, c *clientCase) *clientReport {
	if _, err := os.Stat("testdata/clients/js/node_modules/@aws-sdk/client-firehose"); err != nil {
		t.Skip("the AWS SDK for JavaScript is not installed: npm ci --prefix cmd/hydrant/testdata/clients/js")
	}
	return c.runScript(t, "Node.js is not installed: see https://nodejs.org", "node", "js/client.mjs")
}

// cli calls the AWS CLI, which takes half a second for each call.
type cli struct {
	*testing.T
	*clientCase
}

func (c cli) run(env []string, service, operation string, args ...string) ([]byte, error) {
	cmd := c.command(c.T, "the AWS CLI is not installed: https://docs.aws.amazon.com/cli/ tells how", "aws",
		slices.Concat([]string{service, operation, "--output", "json"}, args)...)
	cmd.Env = slices.Concat(c.env, env)
	return cmd.Output()
}

// call reads the answer into out.
func (c cli) call(out any, service, operation string, args ...string) {
	c.Helper()
	text, err := c.run(nil, service, operation, args...)
	if err == nil && out != nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		c.Fatalf("aws %s %s: %v\n%s%s", service, operation, err, text, stderrOf(err))
	}
}

var cliError = regexp.MustCompile(`An error occurred \((\w+)\) when calling the \w+ operation: (.*)`)

// fail is the error of a call with env on top.
func (c cli) fail(env string, operation string, args ...string) clientError {
	c.Helper()
	_, err := c.run([]string{env}, "firehose", operation, args...)
	m := cliError.FindStringSubmatch(stderrOf(err))
	if m == nil {
		c.Fatalf("aws firehose %s: %v, want an error of the service\n%s", operation, err, stderrOf(err))
	}
	return clientError{m[1], m[2]}
}

// records writes data for a parameter and returns the parameter.
func (c cli) records(file string, data any) string {
	text, err := json.Marshal(data)
	if err != nil {
		c.Fatal(err)
	}
	c.write(c.T, file, text)
	return "file://" + file
}

func runCLI(t *testing.T, cc *clientCase) *clientReport {
	c := cli{t, cc}
	c.configure()
	type record struct{ Data string }
	name, gone := "--delivery-stream-name="+c.name, "--delivery-stream-name="+c.name+"-gone"
	var batch []record
	for _, data := range c.batch {
		batch = append(batch, record{string(data)})
	}
	one := "--record=" + c.records("record.json", record{string(c.first)})
	oversize := []record{{"fits\n"}, {strings.Repeat("x", wire.MaxRecordBytes+1)}}

	c.call(nil, "firehose", "create-delivery-stream", name, "--s3-destination-configuration",
		"RoleARN=arn:aws:iam::000000000000:role/firehose,BucketARN=arn:aws:s3:::"+c.name+",BufferingHints={SizeInMBs=1,IntervalInSeconds=0}")
	r := c.describe(name)
	var first struct{ RecordId string }
	c.call(&first, "firehose", "put-record", name, one)
	var many struct {
		FailedPutCount   int
		RequestResponses []struct{ RecordId string }
	}
	c.call(&many, "firehose", "put-record-batch", name, "--records="+c.records("batch.json", batch))
	r.Failed, r.RecordIDs = many.FailedPutCount, []string{first.RecordId}
	for _, e := range many.RequestResponses {
		r.RecordIDs = append(r.RecordIDs, e.RecordId)
	}
	c.call(nil, "firehose", "delete-delivery-stream", gone)
	r.Errors = map[string]clientError{
		"too_large":      c.fail("", "put-record-batch", name, "--records="+c.records("oversize.json", oversize)),
		"unknown_stream": c.fail("", "put-record", gone, one),
		"wrong_secret":   c.fail("AWS_SECRET_ACCESS_KEY=wrong", "list-delivery-streams"),
		"unknown_key":    c.fail("AWS_ACCESS_KEY_ID=AKIDNOBODY", "list-delivery-streams"),
	}
	r.Pages = c.pages()
	r.IncomingRecords = c.incomingRecords()
	return r
}

// configure has version 2 take Data as text, as version 1 does, and both print
// times in one form.
func (c cli) configure() {
	c.write(c.T, "config", []byte("[default]\ncli_binary_format = raw-in-base64-out\ncli_timestamp_format = iso8601\n"))
	c.env = append(c.env, "AWS_CONFIG_FILE="+filepath.Join(c.dir, "config"))
}

// describe waits until the stream is active.
func (c cli) describe(name string) *clientReport {
	for {
		var out struct {
			DeliveryStreamDescription struct {
				DeliveryStreamARN, DeliveryStreamStatus string
				CreateTimestamp                         time.Time
				Destinations                            []struct{ ExtendedS3DestinationDescription struct{ BucketARN string } }
			}
		}
		c.call(&out, "firehose", "describe-delivery-stream", name)
		if d := out.DeliveryStreamDescription; d.DeliveryStreamStatus == "ACTIVE" {
			return &clientReport{
				ARN: d.DeliveryStreamARN, BucketARN: d.Destinations[0].ExtendedS3DestinationDescription.BucketARN,
				Created: float64(d.CreateTimestamp.UnixMilli()) / 1000,
			}
		}
	}
}

func (c cli) pages() (pages [][]string) {
	var after []string
	for {
		var page struct {
			DeliveryStreamNames    []string
			HasMoreDeliveryStreams bool
		}
		c.call(&page, "firehose", "list-delivery-streams", after...)
		pages = append(pages, page.DeliveryStreamNames)
		if !page.HasMoreDeliveryStreams {
			return pages
		}
		after = []string{"--exclusive-start-delivery-stream-name", page.DeliveryStreamNames[len(page.DeliveryStreamNames)-1]}
	}
}

func (c cli) incomingRecords() *float64 {
	var out struct{ Datapoints []struct{ Sum float64 } }
	c.call(&out, "cloudwatch", "get-metric-statistics", "--namespace=AWS/Firehose", "--metric-name=IncomingRecords",
		"--dimensions=Name=DeliveryStreamName,Value="+c.name, "--period=60", "--statistics=Sum",
		"--start-time="+c.start.Add(-time.Hour).Format(time.RFC3339), "--end-time="+time.Now().Add(time.Minute).Format(time.RFC3339))
	sum := 0.0
	for _, p := range out.Datapoints {
		sum += p.Sum
	}
	return &sum
}

// runGo runs the SDK for Go v2 in this process.
func runGo(t *testing.T, c *clientCase) *clientReport {
	ctx, fh := t.Context(), firehose.NewFromConfig(c.cfg)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	createStream(t, fh, c.name, 0)
	describe := &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &c.name}
	var d *types.DeliveryStreamDescription
	eventually(t, func() bool {
		out, err := fh.DescribeDeliveryStream(ctx, describe)
		must(err)
		d = out.DeliveryStreamDescription
		return d.DeliveryStreamStatus == types.DeliveryStreamStatusActive
	})

	put := &firehose.PutRecordInput{DeliveryStreamName: &c.name, Record: &types.Record{Data: c.first}}
	one, err := fh.PutRecord(ctx, put)
	must(err)
	putBatch := &firehose.PutRecordBatchInput{DeliveryStreamName: &c.name}
	for _, data := range c.batch {
		putBatch.Records = append(putBatch.Records, types.Record{Data: data})
	}
	many, err := fh.PutRecordBatch(ctx, putBatch)
	must(err)
	r := &clientReport{
		ARN: *d.DeliveryStreamARN, BucketARN: *d.Destinations[0].ExtendedS3DestinationDescription.BucketARN,
		Created:   float64(d.CreateTimestamp.UnixMilli()) / 1000,
		RecordIDs: []string{*one.RecordId}, Failed: int(*many.FailedPutCount),
	}
	for _, e := range many.RequestResponses {
		r.RecordIDs = append(r.RecordIDs, aws.ToString(e.RecordId))
	}

	putBatch.Records = []types.Record{{Data: []byte("fits\n")}, {Data: bytes.Repeat([]byte("x"), wire.MaxRecordBytes+1)}}
	_, tooLarge := fh.PutRecordBatch(ctx, putBatch)
	put.DeliveryStreamName = aws.String(c.name + "-gone")
	_, err = fh.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: put.DeliveryStreamName})
	must(err)
	_, unknown := fh.PutRecord(ctx, put)
	if _, ok := errors.AsType[*types.ResourceNotFoundException](unknown); !ok {
		t.Errorf("unknown stream: %v, want a *types.ResourceNotFoundException", unknown)
	}
	keys, err := c.cfg.Credentials.Retrieve(ctx)
	must(err)
	r.Errors = map[string]clientError{
		"too_large":      goError(t, tooLarge),
		"unknown_stream": goError(t, unknown),
		"wrong_secret":   goError(t, listAs(ctx, c.cfg, keys.AccessKeyID, "wrong")),
		"unknown_key":    goError(t, listAs(ctx, c.cfg, "AKIDNOBODY", keys.SecretAccessKey)),
	}
	r.Pages = goPages(t, fh)
	sums, err := admin.MetricSums(ctx, cloudwatch.NewFromConfig(c.cfg), c.name, c.start, time.Now().Add(time.Minute), "IncomingRecords")
	must(err)
	r.IncomingRecords = aws.Float64(sums["IncomingRecords"])
	return r
}

func goError(t *testing.T, err error) clientError {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("%v, want an error of the service", err)
	}
	return clientError{e.ErrorCode(), e.ErrorMessage()}
}

func listAs(ctx context.Context, cfg aws.Config, key, secret string) error {
	cfg.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "")
	_, err := firehose.NewFromConfig(cfg).ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{})
	return err
}

func goPages(t *testing.T, fh *firehose.Client) (pages [][]string) {
	in := &firehose.ListDeliveryStreamsInput{}
	for {
		page, err := fh.ListDeliveryStreams(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page.DeliveryStreamNames)
		if !*page.HasMoreDeliveryStreams {
			return pages
		}
		in.ExclusiveStartDeliveryStreamName = aws.String(page.DeliveryStreamNames[len(page.DeliveryStreamNames)-1])
	}
}
