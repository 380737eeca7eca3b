package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// TestPermissions runs every verb, and compares what it calls, as the server sees it, with
// the policies of docs/aws.md: no more and no less.
func TestPermissions(t *testing.T) {
	policies := readPolicies(t)
	verbs := map[string][][]string{ // heading: the commands, which run one after the other
		"send":                      {{"send", stream, "FILE"}},
		"tail":                      {{"tail", "FILE", "--stream", stream}},
		"replay":                    {{"replay", "DEAD"}},
		"spool drain":               {{"spool", "drain", "SPOOL"}},
		"put":                       {{"put", stream, "x"}},
		"Any verb with --stack":     {{"put", "--stack", "st", "x"}},
		"Any verb with --log-group": {{"put", stream, "x", "--log-group", "g", "--log-level", "debug"}},
		"metrics":                   {{"metrics", stream}, {"metrics"}},
		"logs":                      {{"logs", logged}, {"logs"}},
		"doctor":                    {{"doctor", logged, "--put"}, {"doctor"}},
		"scenario":                  {{"scenario", "--stream", logged}},
		"streams": {
			{"streams", "create", "new", "--bucket-arn", "arn:aws:s3:::b", "--role-arn", "arn:aws:iam::000000000000:role/r"},
			{"streams", "list"},
			{"streams", "describe", "new"},
			{"streams", "delete", "new"},
		},
		"deploy":  {{"deploy", "--stack", "new"}, {"deploy", "--stack", "new", "--parameter", "BufferSizeMiB=5"}, {"deploy", "--stack", "torn"}},
		"destroy": {{"destroy", "--stack", "full", "--yes"}},
	}
	// What other headings tell of: a command is given by more than one.
	shared := map[string]string{"Any verb with --stack": "put", "Any verb with --log-group": "put"}
	for heading, commands := range verbs {
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			want, ok := policies[heading]
			if !ok {
				t.Fatalf("docs/aws.md has no heading and policy of %q", heading)
			}
			if other := shared[heading]; other != "" {
				want = union(want, policies[other])
			}
			got := callsOf(t, commands)
			switch heading {
			case "streams":
				got = union(got, []string{"iam:PassRole"}) // which CreateDeliveryStream asks for
			case "replay", "spool drain": // they ask while they send, and may be done before
				got = union(got, []string{"firehose:DescribeDeliveryStream"})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("docs/aws.md and what is called (-docs +called):\n%s", diff)
			}
		})
	}
	// What needs nothing says so.
	text, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, silent, _ := strings.Cut(string(text), "needs no permission.")
	silent, _, _ = strings.Cut(silent, "call nothing of AWS")
	for _, verb := range new(app).root().Commands() {
		if name := verb.Name(); verbs[name] == nil && !strings.Contains(silent, "`"+name) && name != "help" && name != "completion" {
			t.Errorf("docs/aws.md says nothing of %s", name)
		}
	}
}

// TestResourcePermissions: docs/aws.md knows each type of resource in the template.
func TestResourcePermissions(t *testing.T) {
	needs := map[string]string{ // an action that no other type asks for
		"AWS::S3::Bucket": "s3:CreateBucket", "AWS::S3::BucketPolicy": "s3:PutBucketPolicy", "AWS::IAM::Role": "iam:CreateRole",
		"AWS::IAM::ManagedPolicy": "iam:CreatePolicy", "AWS::Logs::LogGroup": "logs:CreateLogGroup", "AWS::Logs::LogStream": "logs:CreateLogStream",
		"AWS::KinesisFirehose::DeliveryStream": "firehose:CreateDeliveryStream", "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
		"AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
	}
	documented := readPolicies(t)["What CloudFormation does in your name"]
	text, err := os.ReadFile("../../infra/template.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct{ Type string }
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for id, r := range template.Resources {
		if action := needs[r.Type]; action == "" || !slices.Contains(documented, action) {
			t.Errorf("docs/aws.md has not what %s, a %s, needs", id, r.Type)
		}
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// readPolicies are the actions of docs/aws.md, by what the headings name.
func readPolicies(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string][]string{}
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		_, code, found := strings.Cut(body, "```json\n")
		code, _, _ = strings.Cut(code, "```")
		var policy struct {
			Version   string
			Statement []struct {
				Sid, Effect string
				Action      any
				Resource    any
				Condition   any
			}
		}
		dec := json.NewDecoder(strings.NewReader(code))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&policy); !found || err != nil {
			t.Errorf("the policy of %s: %v", heading, err)
		}
		var actions []string
		for _, s := range policy.Statement {
			if s.Effect != "Allow" || s.Resource == nil || !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s.Sid) {
				t.Errorf("%s: the statement %+v is not one of IAM", heading, s)
			}
			switch a := s.Action.(type) {
			case string:
				actions = append(actions, a)
			case []any:
				for _, action := range a {
					actions = append(actions, action.(string))
				}
			}
		}
		for name := range strings.SplitSeq(heading, ", ") {
			policies[name] = union(actions, nil)
		}
	}
	return policies
}

// logged is a stream of callsOf's site that logs its errors, and has a bucket.
const logged = "logged"

// callsOf runs commands against a site that has what they look for, and returns the
// actions that their calls need.
func callsOf(t *testing.T, commands [][]string) []string {
	f := newSite(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"file": "a\nb\n",
		"dead": `{"stream":"s","data":"YQ=="}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) {
		t.Helper()
		cmd := command(t, f.env, args...)
		if out, err := cmd.CombinedOutput(); exitCode(err) != want {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	run(0, "deploy", "--stack", "st", "--parameter", "StreamName="+logged)
	run(0, "deploy", "--stack", "full")
	run(1, "deploy", "--stack", "torn", "--parameter", "StreamName="+stream) // which is there
	run(4, "send", stream, filepath.Join(dir, "file"), "--spool", filepath.Join(dir, "spool"), "--endpoint-url", "http://127.0.0.1:1", "--deadline", "1s", "--drain", "100ms")
	f.fill(t, "full-bucket")

	var mu sync.Mutex
	called := map[string]bool{}
	f.watcher.Store(func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range actions(t, r) {
			called[a] = true
		}
	})
	for _, args := range commands {
		for i, arg := range args {
			switch arg {
			case "FILE", "DEAD", "SPOOL":
				args[i] = filepath.Join(dir, strings.ToLower(arg))
			}
		}
		cmd := command(t, f.env, args...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		if args[0] == "tail" {
			f.waitFor(t, 1)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for running := true; running; {
			select {
			case err := <-ended:
				running = false
				if err != nil {
					t.Errorf("%q: %v\n%s", args, err, &out)
				}
			case <-tick.C: // scenario waits for what it reads back
				if err := f.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return slices.Sorted(maps.Keys(called))
}

// fill puts an object, and an upload that is not ended, into the bucket whose name begins so.
func (f *testSite) fill(t *testing.T, prefix string) {
	t.Helper()
	buckets, err := filepath.Glob(filepath.Join(f.dir, prefix+"*"))
	if err != nil || len(buckets) != 1 {
		t.Fatalf("buckets %q, %v", buckets, err)
	}
	if err := os.WriteFile(filepath.Join(buckets[0], "k"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(localAccessKey, localSecretKey, "")}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &f.url, true })
	if _, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(filepath.Base(buckets[0])), Key: aws.String("u")}); err != nil {
		t.Fatal(err)
	}
}

// actions are what IAM asks for a call.
func actions(t *testing.T, r *http.Request) []string {
	target := r.Header.Get("X-Amz-Target")
	service, operation, _ := strings.Cut(target, ".")
	switch {
	case service == "Firehose_20150804":
		return []string{"firehose:" + operation}
	case service == "Logs_20140328":
		return []string{"logs:" + operation}
	case strings.HasPrefix(r.URL.Path, "/service/GraniteServiceVersion20100801/"):
		return []string{"cloudwatch:" + path.Base(r.URL.Path)}
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		switch form.Get("Version") {
		case "2010-05-15":
			return []string{"cloudformation:" + form.Get("Action")}
		case "2011-06-15":
			return nil // GetCallerIdentity needs no permission (API reference)
		}
	}
	return actionsS3(t, r)
}

// actionsS3 are those of S3's calls, which have other names (user guide, required
// permissions for S3 API operations).
func actionsS3(t *testing.T, r *http.Request) []string {
	query := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	call := r.Method
	for _, parameter := range []string{"versions", "uploads", "uploadId", "delete"} {
		if query.Has(parameter) {
			call += " " + parameter
		}
	}
	switch {
	case call == "GET" && key != "":
		return []string{"s3:GetObject"}
	case call == "GET" || call == "HEAD":
		return []string{"s3:ListBucket"}
	case call == "GET versions":
		return []string{"s3:ListBucketVersions"}
	case call == "GET uploads":
		return []string{"s3:ListBucketMultipartUploads"}
	case call == "DELETE uploadId":
		return []string{"s3:AbortMultipartUpload"}
	case call == "POST delete":
		return []string{"s3:DeleteObject", "s3:DeleteObjectVersion"} // which of them, the versions decide
	}
	t.Errorf("a call that is not known: %s %s %s", r.Method, r.URL, r.Header.Get("X-Amz-Target"))
	return nil
}
