package stacks_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/internal/memnet"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	account    = "123456789012"
)

// world is a local Firehose with all that its stacks are made of, and its clients.
type world struct {
	*cloudformation.Client
	t       *testing.T
	cfg     local.Config
	backend *local.Backend
	aws     aws.Config
	streams *firehose.Client
	logs    *cloudwatchlogs.Client
	stop    func() // ends it before the test does
}

// newWorld serves a Firehose over a network in memory until the test ends.
func newWorld(t *testing.T, cfg local.Config) *world {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	b, err := local.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener := memnet.Listen()
	srv := &http.Server{Handler: b.Handler(server.Config{Credentials: map[string]string{testKey: testSecret}, Account: account, Logger: cfg.Logger})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.DialContext, MaxIdleConnsPerHost: 64}
	stop := sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		<-served
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	w := &world{t: t, cfg: cfg, stop: stop, backend: b, aws: aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://local"), HTTPClient: keepbody.Client{HTTPClient: &http.Client{Transport: transport}},
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}}
	w.Client, w.streams, w.logs = cloudformation.NewFromConfig(w.aws), firehose.NewFromConfig(w.aws), cloudwatchlogs.NewFromConfig(w.aws)
	return w
}

// m is a part of a template.
type m = map[string]any

func ref(id string) m { return m{"Ref": id} }

func attr(id, name string) m { return m{"Fn::GetAtt": []string{id, name}} }

func resource(kind string, properties m) m { return m{"Type": kind, "Properties": properties} }

// pipeline is a template with everything that is made for real.
func pipeline() m {
	return m{
		"Description": "a pipeline",
		"Parameters":  m{"Days": m{"Type": "Number", "Default": 14}, "Size": m{"Type": "Number", "Default": 5}, "Prefix": m{"Type": "String", "Default": ""}},
		"Conditions":  m{"HasPrefix": m{"Fn::Not": []any{m{"Fn::Equals": []any{ref("Prefix"), ""}}}}},
		"Resources": m{
			"Bucket": resource("AWS::S3::Bucket", m{"VersioningConfiguration": m{"Status": "Suspended"}}),
			"Group":  resource("AWS::Logs::LogGroup", m{"RetentionInDays": ref("Days"), "LogGroupName": m{"Fn::Sub": "/aws/kinesisfirehose/${AWS::StackName}"}}),
			"Log":    resource("AWS::Logs::LogStream", m{"LogGroupName": ref("Group"), "LogStreamName": "Delivery"}),
			"Role":   resource("AWS::IAM::Role", m{"AssumeRolePolicyDocument": m{}}),
			"Stream": resource("AWS::KinesisFirehose::DeliveryStream", m{
				"Tags": []any{m{"Key": "own", "Value": "1"}},
				"ExtendedS3DestinationConfiguration": m{
					"BucketARN": attr("Bucket", "Arn"), "RoleARN": attr("Role", "Arn"),
					"BufferingHints":           m{"SizeInMBs": ref("Size"), "IntervalInSeconds": 60},
					"Prefix":                   m{"Fn::If": []any{"HasPrefix", ref("Prefix"), ref("AWS::NoValue")}},
					"CloudWatchLoggingOptions": m{"Enabled": "true", "LogGroupName": ref("Group"), "LogStreamName": ref("Log")},
				},
			}),
		},
		"Outputs": m{
			"StreamName": m{"Value": ref("Stream"), "Description": "the stream"}, "BucketName": m{"Value": ref("Bucket")},
			"StreamArn": m{"Value": attr("Stream", "Arn"), "Export": m{"Name": m{"Fn::Sub": "${AWS::StackName}-arn"}}},
		},
	}
}

func resources(template m) m { return template["Resources"].(m) }

func body(template m) *string {
	text, err := json.Marshal(template)
	if err != nil {
		panic(err)
	}
	return aws.String(string(text))
}

func parameters(pairs ...string) (list []types.Parameter) {
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, types.Parameter{ParameterKey: &pair[0], ParameterValue: &pair[1]})
	}
	return list
}

var iam = []types.Capability{types.CapabilityCapabilityIam}

// create begins to create a stack, and returns its id.
func (w *world) create(name string, template m, edit ...func(*cloudformation.CreateStackInput)) string {
	w.t.Helper()
	in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: body(template), Capabilities: iam}
	for _, f := range edit {
		f(in)
	}
	out, err := w.CreateStack(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.StackId
}

func (w *world) update(name string, template m, edit ...func(*cloudformation.UpdateStackInput)) {
	w.t.Helper()
	in := &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: body(template), Capabilities: iam}
	for _, f := range edit {
		f(in)
	}
	if _, err := w.UpdateStack(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) delete(name string) {
	w.t.Helper()
	if _, err := w.DeleteStack(w.t.Context(), &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) describe(name string) types.Stack {
	w.t.Helper()
	out, err := w.DescribeStacks(w.t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Stacks[0]
}

// settled is the stack when nothing is in progress any more.
func (w *world) settled(name string) types.Stack {
	w.t.Helper()
	for range 10_000 {
		st := w.describe(name)
		if st.StackStatus == types.StackStatusReviewInProgress || !strings.HasSuffix(string(st.StackStatus), "_IN_PROGRESS") {
			return st
		}
		w.pause()
	}
	w.t.Fatalf("stack %s does not settle: %+v", name, w.describe(name))
	panic("unreachable")
}

// pause lets others go on.
func (w *world) pause() {
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}

func (w *world) want(name string, status types.StackStatus, reason string) types.Stack {
	w.t.Helper()
	st := w.settled(name)
	if st.StackStatus != status || aws.ToString(st.StackStatusReason) != reason {
		w.t.Errorf("stack %s is %s %q\nwant %s %q\n%s", name, st.StackStatus, aws.ToString(st.StackStatusReason), status, reason, strings.Join(w.events(name), "\n"))
	}
	return st
}

// events are the stack's, the oldest first, as text; the stack is called so.
func (w *world) events(name string) (lines []string) {
	w.t.Helper()
	p := cloudformation.NewDescribeStackEventsPaginator(w, &cloudformation.DescribeStackEventsInput{StackName: &name})
	for p.HasMorePages() {
		page, err := p.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page.StackEvents {
			line := *e.LogicalResourceId
			if *e.ResourceType == "AWS::CloudFormation::Stack" {
				line = "stack"
			}
			line += " " + string(e.ResourceStatus)
			if e.ResourceStatusReason != nil {
				line += ": " + *e.ResourceStatusReason
			}
			lines = append(lines, line)
		}
	}
	slices.Reverse(lines)
	return lines
}

// of are the events of one resource.
func of(lines []string, id string) (some []string) {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, id+" "); ok {
			some = append(some, rest)
		}
	}
	return some
}

// physical is what a resource is called outside of the stack, "" if it was not made.
func (w *world) physical(stack, id string) string {
	w.t.Helper()
	out, err := w.DescribeStackResource(w.t.Context(), &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: &id})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.StackResourceDetail.PhysicalResourceId)
}

// real is what there is in the world: buckets, streams, log groups with their streams.
func (w *world) real() (names []string) {
	w.t.Helper()
	dirs, err := os.ReadDir(w.cfg.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range dirs {
		if d.Name()[0] != '.' {
			names = append(names, "bucket "+d.Name())
		}
	}
	streams, err := w.streams.ListDeliveryStreams(w.t.Context(), &firehose.ListDeliveryStreamsInput{Limit: aws.Int32(100)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range streams.DeliveryStreamNames {
		names = append(names, "stream "+name)
	}
	groups, err := w.logs.DescribeLogGroups(w.t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range groups.LogGroups {
		names = append(names, "group "+*g.LogGroupName)
		logs, err := w.logs.DescribeLogStreams(w.t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: g.LogGroupName})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, l := range logs.LogStreams {
			names = append(names, "log "+*g.LogGroupName+" "+*l.LogStreamName)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) wantNothing() {
	w.t.Helper()
	if left := w.real(); left != nil {
		w.t.Errorf("left: %q", left)
	}
}

// put writes an object.
func (w *world) put(bucket, key string) { w.putText(bucket, key, "x") }

func (w *world) putText(bucket, key, text string) {
	w.t.Helper()
	name := filepath.Join(w.cfg.Dir, bucket, filepath.FromSlash(key))
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(text), 0o666)); err != nil {
		w.t.Fatal(err)
	}
}

// code is an error as the caller sees it, or "ok".
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return err.Error()
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); !strings.HasPrefix(got, want) {
		t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}
