package stacks_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// site serves a Firehose to other programs, and returns its URL, its folder, and the
// environment that leads there.
func site(t *testing.T) (url, dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	b, err := local.New(local.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(b.Handler(server.Config{Credentials: map[string]string{testKey: testSecret}, Account: account, Logger: slog.New(slog.DiscardHandler)}))
	t.Cleanup(func() {
		srv.Close()
		if err := b.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return srv.URL, dir, append(os.Environ(), "HOME="+t.TempDir(), "AWS_ENDPOINT_URL="+srv.URL, "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "CDK_DISABLE_CLI_TELEMETRY=1", "NO_COLOR=1")
}

// run runs a program, and returns what it says.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	if err != nil {
		text := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			text = string(exit.Stderr)
		}
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, text)
	}
	return string(out)
}

const boto3Script = `
import boto3, botocore.exceptions, json, sys
c = boto3.client('cloudformation')
template = open(sys.argv[1]).read()
def failure(call, **args):
    try:
        return call(**args)
    except botocore.exceptions.ClientError as e:
        return [e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code'], e.response['Error']['Message'], e.response['Error']['Type'], type(e).__name__]
n = dict(StackName='s')
fast = dict(WaiterConfig={'Delay': 1, 'MaxAttempts': 20})
out = {'missing': failure(c.describe_stacks, **n)}
id = c.create_stack(TemplateBody=template, Capabilities=['CAPABILITY_IAM'], Parameters=[{'ParameterKey': 'Days', 'ParameterValue': '30'}], Tags=[{'Key': 'a', 'Value': 'b'}], **n)['StackId']
c.get_waiter('stack_create_complete').wait(**n, **fast)
st = c.describe_stacks(**n)['Stacks'][0]
out['id'] = st['StackId'] == id
out['stack'] = {k: st[k] for k in ('StackName', 'Description', 'StackStatus', 'DisableRollback', 'NotificationARNs', 'Capabilities', 'Tags', 'EnableTerminationProtection', 'DriftInformation', 'RollbackConfiguration')}
out['outputs'] = sorted(o['OutputKey'] for o in st['Outputs'])
out['parameters'] = {p['ParameterKey']: p['ParameterValue'] for p in st['Parameters']}
out['exists'] = failure(c.create_stack, TemplateBody=template, Capabilities=['CAPABILITY_IAM'], **n)
out['same'] = failure(c.update_stack, UsePreviousTemplate=True, Capabilities=['CAPABILITY_IAM'], Parameters=[{'ParameterKey': 'Days', 'UsePreviousValue': True}], **n)
out['capabilities'] = failure(c.create_stack, TemplateBody=template, StackName='t')
events = [e for page in c.get_paginator('describe_stack_events').paginate(**n) for e in page['StackEvents']]
out['events'] = [len(events), events[0]['ResourceStatus'], events[-1]['ResourceStatusReason'], len(set(e['EventId'] for e in events))]
out['resources'] = sorted(r['ResourceType'] for page in c.get_paginator('list_stack_resources').paginate(**n) for r in page['StackResourceSummaries'])
out['template'] = c.get_template(**n)['TemplateBody'] == json.loads(template)
out['exports'] = [[e['Name'], e['ExportingStackId'] == id] for e in c.list_exports()['Exports']]
out['noset'] = failure(c.describe_change_set, ChangeSetName='x', **n)
c.create_change_set(ChangeSetName='x', UsePreviousTemplate=True, Capabilities=['CAPABILITY_IAM'], Parameters=[{'ParameterKey': 'Days', 'ParameterValue': '7'}], **n)
c.get_waiter('change_set_create_complete').wait(ChangeSetName='x', **n, **fast)
out['changes'] = [[x['ResourceChange']['Action'], x['ResourceChange']['LogicalResourceId'], x['ResourceChange']['Replacement'], x['ResourceChange']['Scope']] for x in c.describe_change_set(ChangeSetName='x', **n)['Changes']]
c.execute_change_set(ChangeSetName='x', **n)
c.get_waiter('stack_update_complete').wait(**n, **fast)
c.delete_stack(**n)
c.get_waiter('stack_delete_complete').wait(StackName=id, **fast)
out['deleted'] = [s['StackStatus'] for s in c.list_stacks()['StackSummaries']]
who = boto3.client('sts').get_caller_identity()
out['who'] = [who['Account'], who['Arn'], who['UserId']]
print(json.dumps(out))
`

func TestBoto3(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed: python3 -m pip install boto3")
	}
	t.Parallel()
	_, dir, env := site(t)
	file := filepath.Join(t.TempDir(), "template.json")
	if err := os.WriteFile(file, []byte(*body(pipeline())), 0o600); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal([]byte(run(t, "", env, "python3", "-c", boto3Script, file)), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
		"missing": [400, "ValidationError", "Stack with id s does not exist", "Sender", "ClientError"], "id": true,
		"stack": {
			"StackName": "s", "Description": "a pipeline", "StackStatus": "CREATE_COMPLETE", "DisableRollback": false, "NotificationARNs": [], "Capabilities": ["CAPABILITY_IAM"],
			"Tags": [{"Key": "a", "Value": "b"}], "EnableTerminationProtection": false, "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}, "RollbackConfiguration": {}
		},
		"outputs": ["BucketName", "StreamArn", "StreamName"], "parameters": {"Days": "30", "Size": "5", "Prefix": ""},
		"exists": [400, "AlreadyExistsException", "Stack [s] already exists", "Sender", "AlreadyExistsException"],
		"same": [400, "ValidationError", "No updates are to be performed.", "Sender", "ClientError"],
		"capabilities": [400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]", "Sender", "InsufficientCapabilitiesException"],
		"events": [17, "CREATE_COMPLETE", "User Initiated", 17],
		"resources": ["AWS::IAM::Role", "AWS::KinesisFirehose::DeliveryStream", "AWS::Logs::LogGroup", "AWS::Logs::LogStream", "AWS::S3::Bucket"],
		"template": true, "exports": [["s-arn", true]],
		"noset": [404, "ChangeSetNotFound", "ChangeSet [x] does not exist", "Sender", "ChangeSetNotFoundException"],
		"changes": [["Modify", "Group", "False", ["Properties"]]], "deleted": ["DELETE_COMPLETE"],
		"who": ["123456789012", "arn:aws:iam::123456789012:root", "123456789012"]
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantEmpty(t, dir)
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, "[^.]*")); err != nil || left != nil {
		t.Errorf("left: %q, %v", left, err)
	}
}

// aws cloudformation deploy, also by way of a bucket, and wait.
func TestCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed: https://docs.aws.amazon.com/cli/ tells how")
	}
	t.Parallel()
	url, dir, env := site(t)
	file := filepath.Join(t.TempDir(), "template.json")
	if err := os.WriteFile(file, []byte(*body(pipeline())), 0o600); err != nil {
		t.Fatal(err)
	}
	// Versions of before 2023 don't read AWS_ENDPOINT_URL.
	cli := func(args ...string) string { return run(t, "", env, path, append(args, "--endpoint-url", url)...) }
	deploy := []string{"cloudformation", "deploy", "--stack-name", "s", "--template-file", file, "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Days=30"}
	if out := cli(deploy...); !strings.Contains(out, "Successfully created/updated stack - s") {
		t.Errorf("%s", out)
	}
	cli("s3", "mb", "s3://templates")
	if out := cli(append(deploy, "--no-fail-on-empty-changeset", "--s3-bucket", "templates")...); !strings.Contains(out, "No changes to deploy. Stack s is up to date") {
		t.Errorf("%s", out)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "templates")); err != nil || len(files) != 1 {
		t.Errorf("the template in S3: %v, %v", files, err)
	}
	bucket := strings.TrimSpace(cli("cloudformation", "describe-stacks", "--stack-name", "s", "--query", "Stacks[0].Outputs[?OutputKey=='BucketName'].OutputValue", "--output", "text"))
	if _, err := os.Stat(filepath.Join(dir, bucket)); err != nil || bucket == "" {
		t.Errorf("%q: %v", bucket, err)
	}
	cli("cloudformation", "delete-stack", "--stack-name", "s")
	cli("cloudformation", "wait", "stack-delete-complete", "--stack-name", "s")
	if err := os.RemoveAll(filepath.Join(dir, "templates")); err != nil {
		t.Error(err)
	}
	wantEmpty(t, dir)
}

// cdkCLI finds the CDK's command: where the cdk folder of this module has it, where
// HYDRANT_CDK says, or in the path.
func cdkCLI() string {
	for _, name := range []string{os.Getenv("HYDRANT_CDK"), "../../cdk/node_modules/.bin/cdk", "cdk"} {
		if path, err := exec.LookPath(name); err == nil {
			if path, err = filepath.Abs(path); err == nil {
				return path
			}
		}
	}
	return ""
}

// The CDK deploys, finds nothing to do, deploys a change, and destroys.
func TestCDK(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	cdk := cdkCLI()
	if cdk == "" {
		t.Skip("the CDK's command is not there: npm install in cdk, or set HYDRANT_CDK to it")
	}
	t.Parallel()
	_, dir, env := site(t)
	app := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(app, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("manifest.json", `{"version": "36.0.0", "artifacts": {"s": {
		"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region", "properties": {"templateFile": "s.json", "tags": {"a": "b"}}}}}`)
	deploy := func() string {
		return run(t, "", env, cdk, "--app", app, "deploy", "--require-approval", "never", "--no-notices", "--outputs-file", filepath.Join(app, "outputs.json"), "s")
	}
	write("s.json", *body(pipeline()))
	deploy()
	outputs, err := os.ReadFile(filepath.Join(app, "outputs.json"))
	if err != nil || !strings.Contains(string(outputs), `"StreamName": "s-Stream-`) {
		t.Errorf("%s, %v", outputs, err)
	}
	deploy()
	write("s.json", *body(edited("Bucket", m{"BucketName": "another"})))
	deploy()
	if _, err := os.Stat(filepath.Join(dir, "another")); err != nil {
		t.Error(err)
	}
	run(t, "", env, cdk, "--app", app, "destroy", "--force", "--no-notices", "s")
	wantEmpty(t, dir)
}
