package infra_test

import (
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/local/objects"
)

// cloud answers CloudFormation's calls as AWS is known to, for what no other ground
// does on demand: operations that take their time, and that fail. What an operation
// does is a script, one step of which runs at each look at the stack. Its buckets are
// folders behind a real S3.
type cloud struct {
	t   *testing.T
	dir string
	s3  http.Handler

	stacks  []*stack
	calls   []string // CloudFormation's, by action
	lists   int      // of versions
	pageLen int      // of events

	// create, update and remove are the scripts of the next operations, the last one for
	// ever.
	create, update, remove [][]step
	// answer, if it is there, may answer a call itself, as with an error.
	answer func(action string, form url.Values) string
}

type step func(*cloud, *stack)

type stack struct {
	name, id, status, reason, template string

	protected bool
	params    url.Values // of the last order
	outputs   [][2]string
	events    []infra.Event // the oldest first
	resources map[string]*infra.Event
	script    []step
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	dir := t.TempDir()
	h, err := objects.New(objects.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{t: t, dir: dir, s3: h, pageLen: 4}
	c.create = [][]step{{
		resource("Bucket", bucketType, "hydrant-bucket", "CREATE_COMPLETE"), makeBucket("hydrant-bucket"),
		resource("Stream", streamType, "hydrant-stream", "CREATE_COMPLETE"), output("StreamName", "hydrant-stream"), state("CREATE_COMPLETE"),
	}}
	c.update = [][]step{{resource("Stream", streamType, "hydrant-stream", "UPDATE_COMPLETE"), state("UPDATE_COMPLETE")}}
	c.remove = [][]step{{resource("Stream", streamType, "hydrant-stream", "DELETE_COMPLETE"), removeBucket("Bucket", "hydrant-bucket"), ending}}
	return c
}

const (
	bucketType = "AWS::S3::Bucket"
	streamType = "AWS::KinesisFirehose::DeliveryStream"
	stackType  = "AWS::CloudFormation::Stack"
)

// event changes a resource's state.
func (c *cloud) event(s *stack, id, kind, physical, status, reason string) {
	e := infra.Event{Time: time.Now(), LogicalID: id, Type: kind, PhysicalID: physical, Status: status, Reason: reason}
	s.events = append(s.events, e)
	if kind != stackType {
		s.resources[id] = &e
	}
}

func resource(id, kind, physical, status string) step { return because(id, kind, physical, status, "") }

func because(id, kind, physical, status, reason string) step {
	return func(c *cloud, s *stack) { c.event(s, id, kind, physical, status, reason) }
}

func output(key, value string) step {
	return func(_ *cloud, s *stack) { s.outputs = append(s.outputs, [2]string{key, value}) }
}

// state changes the stack's.
func state(status string) step {
	return func(c *cloud, s *stack) {
		s.status = status
		c.event(s, s.name, stackType, s.id, status, s.reason)
	}
}

func makeBucket(name string) step {
	return func(c *cloud, _ *stack) {
		if err := os.MkdirAll(filepath.Join(c.dir, name), 0o777); err != nil {
			c.t.Error(err)
		}
	}
}

// removeBucket fails as S3 does if there is something in it.
func removeBucket(id, name string) step {
	return func(c *cloud, s *stack) {
		if s.resources[id] != nil && s.resources[id].Status == "DELETE_COMPLETE" {
			return
		}
		w := httptest.NewRecorder()
		c.s3.ServeHTTP(w, httptest.NewRequest("DELETE", "/"+name, nil))
		if w.Code != http.StatusNoContent && w.Code != http.StatusNotFound {
			c.event(s, id, bucketType, name, "DELETE_FAILED", "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)")
			return
		}
		c.event(s, id, bucketType, name, "DELETE_COMPLETE", "")
	}
}

// ending is DELETE_COMPLETE, or DELETE_FAILED if a resource is left.
func ending(c *cloud, s *stack) {
	for _, r := range s.resources {
		if r.Status == "DELETE_FAILED" {
			s.reason = "The following resource(s) failed to delete: [" + r.LogicalID + "]. "
			state("DELETE_FAILED")(c, s)
			return
		}
	}
	state("DELETE_COMPLETE")(c, s)
}

// deliver is what Firehose may do at any moment.
func deliver(bucket, key string) step {
	return func(c *cloud, _ *stack) { c.put(bucket, key) }
}

func (c *cloud) put(bucket, key string) {
	path := filepath.Join(c.dir, bucket, filepath.FromSlash(key))
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, []byte("0123456789"), 0o666)
	}
	if err != nil {
		c.t.Error(err)
	}
}

// has makes a stack that is there, by a script.
func (c *cloud) has(name string, script ...step) *stack {
	s := c.add(name)
	for _, do := range script {
		do(c, s)
	}
	return s
}

func (c *cloud) add(name string) *stack {
	s := &stack{
		name: name, id: fmt.Sprintf("arn:aws:cloudformation:eu-west-1:123456789012:stack/%s/%d", name, len(c.stacks)),
		template: infra.Template(), resources: map[string]*infra.Event{},
	}
	c.stacks = append(c.stacks, s)
	return s
}

// find looks a stack up by its name, or its id.
func (c *cloud) find(name string) *stack {
	for _, s := range slices.Backward(c.stacks) {
		if s.id == name || s.name == name && s.status != "DELETE_COMPLETE" {
			return s
		}
	}
	return nil
}

// config is the settings of clients that talk to the cloud.
func (c *cloud) config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://aws.test"), HTTPClient: c,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	}
}

// Do is an HTTP client's, without a network.
func (c *cloud) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), nil
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "123456789012" {
			c.t.Errorf("%s %s expects the owner %q", r.Method, r.URL, owner)
		}
		if r.URL.Query().Has("versions") {
			c.lists++
		}
		c.s3.ServeHTTP(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		c.t.Error(err)
	}
	action := r.Form.Get("Action")
	c.calls = append(c.calls, action)
	answer := ""
	if c.answer != nil {
		answer = c.answer(action, r.Form)
	}
	if answer == "" {
		answer = c.run(action, r.Form)
	}
	if strings.HasPrefix(answer, "<ErrorResponse>") {
		w.WriteHeader(http.StatusBadRequest)
	}
	fmt.Fprint(w, answer)
}

func refusal(code, message string) string {
	return fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>", code, message)
}

func (c *cloud) run(action string, form url.Values) string {
	if s := c.find(form.Get("StackName")); s != nil && action == "DescribeStacks" && len(s.script) > 0 {
		s.script[0](c, s)
		s.script = s.script[1:]
	}
	s := c.find(form.Get("StackName"))
	if s == nil && action != "CreateStack" {
		if action == "DescribeStacks" {
			return refusal("ValidationError", "Stack with id "+form.Get("StackName")+" does not exist")
		}
		return refusal("ValidationError", "Stack ["+form.Get("StackName")+"] does not exist")
	}
	result := ""
	switch action {
	case "CreateStack":
		if s != nil {
			return refusal("AlreadyExistsException", "Stack ["+s.name+"] already exists")
		}
		result = c.begin(c.add(form.Get("StackName")), "CREATE_IN_PROGRESS", &c.create, form)
	case "UpdateStack":
		if !strings.HasSuffix(s.status, "_COMPLETE") || s.status == "ROLLBACK_COMPLETE" {
			return refusal("ValidationError", "Stack:"+s.id+" is in "+s.status+" state and can not be updated.")
		}
		result = c.begin(s, "UPDATE_IN_PROGRESS", &c.update, form)
	case "DeleteStack":
		c.begin(s, "DELETE_IN_PROGRESS", &c.remove, form)
	case "DescribeStacks":
		result = "<Stacks><member>" + c.describe(s) + "</member></Stacks>"
	case "DescribeStackEvents":
		result = c.page(s, form.Get("NextToken"))
	case "ListStackResources":
		result = "<StackResourceSummaries>"
		for _, r := range s.resources {
			result += "<member>" + text("LogicalResourceId", r.LogicalID, "ResourceType", r.Type, "PhysicalResourceId", r.PhysicalID, "ResourceStatus", r.Status) + "</member>"
		}
		result += "</StackResourceSummaries>"
	case "GetTemplate":
		result = text("TemplateBody", s.template)
	default:
		c.t.Errorf("call of %s", action)
	}
	return fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", action, result)
}

func (c *cloud) begin(s *stack, status string, scripts *[][]step, form url.Values) string {
	s.script, s.reason = (*scripts)[0], ""
	if len(*scripts) > 1 {
		*scripts = (*scripts)[1:]
	}
	if status != "DELETE_IN_PROGRESS" {
		s.params = form
		s.template = form.Get("TemplateBody")
	}
	if form.Get("ClientRequestToken") == "" {
		c.t.Errorf("%s without a token", status)
	}
	state(status)(c, s)
	return text("StackId", s.id)
}

func (c *cloud) describe(s *stack) string {
	out := text("StackName", s.name, "StackId", s.id, "StackStatus", s.status, "StackStatusReason", s.reason)
	if s.protected {
		out += text("EnableTerminationProtection", "true")
	}
	out += "<Outputs>"
	for _, o := range s.outputs {
		out += "<member>" + text("OutputKey", o[0], "OutputValue", o[1]) + "</member>"
	}
	out += "</Outputs><Parameters>"
	for i := 1; s.params.Has(fmt.Sprintf("Parameters.member.%d.ParameterKey", i)); i++ {
		out += "<member>" + text("ParameterKey", s.params.Get(fmt.Sprintf("Parameters.member.%d.ParameterKey", i))) + "</member>"
	}
	return out + "</Parameters>"
}

// page is some events, the latest first.
func (c *cloud) page(s *stack, token string) string {
	from := 0
	if token != "" {
		fmt.Sscanf(token, "after-%d", &from)
	}
	end := min(from+c.pageLen, len(s.events))
	out := "<StackEvents>"
	for i := from; i < end; i++ {
		n := len(s.events) - 1 - i
		e := &s.events[n]
		out += "<member>" + text("EventId", fmt.Sprintf("%s-%d", s.id, n), "StackId", s.id, "StackName", s.name, "LogicalResourceId", e.LogicalID, "ResourceType", e.Type,
			"PhysicalResourceId", e.PhysicalID, "ResourceStatus", e.Status, "ResourceStatusReason", e.Reason, "Timestamp", e.Time.UTC().Format(time.RFC3339Nano)) + "</member>"
	}
	out += "</StackEvents>"
	if end < len(s.events) {
		out += text("NextToken", fmt.Sprintf("after-%d", end))
	}
	return out
}

// text is elements of names and values.
func text(pairs ...string) string {
	var b strings.Builder
	for ; len(pairs) > 0; pairs = pairs[2:] {
		if pairs[1] != "" {
			fmt.Fprintf(&b, "<%s>", pairs[0])
			if err := xml.EscapeText(&b, []byte(pairs[1])); err != nil {
				panic(err)
			}
			fmt.Fprintf(&b, "</%s>", pairs[0])
		}
	}
	return b.String()
}

// told keeps what callbacks were told.
type told struct {
	events []infra.Event
	said   []string
}

func (l *told) callbacks() infra.Callbacks {
	return infra.Callbacks{
		Event: func(e infra.Event) { l.events = append(l.events, e) },
		Say:   func(format string, args ...any) { l.said = append(l.said, fmt.Sprintf(format, args...)) },
	}
}

// lines are the events in short.
func (l *told) lines() (list []string) {
	for _, e := range l.events {
		list = append(list, e.LogicalID+" "+e.Status)
	}
	return list
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
