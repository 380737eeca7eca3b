package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

const boto3Script = `
import boto3, botocore.exceptions, json, sys, time
url, key, secret = sys.argv[1:4]
c = boto3.client('logs', endpoint_url=url, region_name='us-east-1', aws_access_key_id=key, aws_secret_access_key=secret)
def failure(call, **args):
    try:
        return call(**args)
    except botocore.exceptions.ClientError as e:
        return [e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code'], e.response['Error']['Message'], type(e).__name__]
g, s = dict(logGroupName='b'), dict(logStreamName='s')
c.create_log_group(tags={'k': 'v'}, **g)
c.put_retention_policy(retentionInDays=14, **g)
c.create_log_stream(**g, **s)
now = int(time.time() * 1000)
put = c.put_log_events(**g, **s, logEvents=[{'timestamp': now - 20 * 24 * 3600 * 1000, 'message': 'old'}] + [{'timestamp': now, 'message': 'grüße 水 %d' % i} for i in range(5)])
out = {'rejected': put['rejectedLogEventsInfo'], 'token': len(put['nextSequenceToken'])}
group = c.describe_log_groups(logGroupNamePrefix='b')['logGroups'][0]
out['group'] = [group['logGroupName'], group['retentionInDays'], group['arn'], group['storedBytes'], group['logGroupClass']]
out['tags'] = c.list_tags_for_resource(resourceArn=group['logGroupArn'])['tags']
out['streams'] = [x['logStreamName'] for page in c.get_paginator('describe_log_streams').paginate(**g) for x in page['logStreams']]
out['filtered'] = [x['message'] for page in c.get_paginator('filter_log_events').paginate(filterPattern='grüße -3', PaginationConfig={'PageSize': 1}, **g) for x in page['events']]
got = c.get_log_events(startFromHead=True, limit=2, **g, **s)
out['first'] = [x['message'] for x in got['events']]
got = c.get_log_events(nextToken=got['nextForwardToken'], startFromHead=True, **g, **s)
out['rest'] = [x['message'] for x in got['events']]
end = c.get_log_events(nextToken=got['nextForwardToken'], startFromHead=True, **g, **s)
out['end'] = [end['events'], end['nextForwardToken'] == got['nextForwardToken']]
out['exists'] = failure(c.create_log_group, **g)
out['missing'] = failure(c.put_log_events, logGroupName='b', logStreamName='x', logEvents=[{'timestamp': now, 'message': 'x'}])
c.delete_log_stream(**g, **s)
c.delete_log_group(**g)
out['left'] = c.describe_log_groups()['logGroups']
print(json.dumps(out))
`

func TestBoto3(t *testing.T) {
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed: python3 -m pip install boto3")
	}
	t.Parallel()
	url, _ := serve(t, open(t, Config{}))
	text, err := exec.CommandContext(t.Context(), "python3", "-c", boto3Script, url, testKey, testSecret).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr(err))
	}
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if err := json.Unmarshal([]byte(`{
		"rejected": {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 1}, "token": 56,
		"group": ["b", 14, "arn:aws:logs:us-east-1:123456789012:log-group:b:*", 195, "STANDARD"],
		"tags": {"k": "v"}, "streams": ["s"],
		"filtered": ["grüße 水 0", "grüße 水 1", "grüße 水 2", "grüße 水 4"],
		"first": ["grüße 水 0", "grüße 水 1"], "rest": ["grüße 水 2", "grüße 水 3", "grüße 水 4"], "end": [[], true],
		"exists": [400, "ResourceAlreadyExistsException", "The specified log group already exists", "ResourceAlreadyExistsException"],
		"missing": [400, "ResourceNotFoundException", "The specified log stream does not exist.", "ResourceNotFoundException"],
		"left": []
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func stderr(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}

// cli runs the AWS CLI at path. Debian's of version 2 is in /usr/bin.
func cli(t *testing.T, path, url string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, append(args, "--endpoint-url", url)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "AWS_DEFAULT_REGION="+me.Region, "AWS_PAGER=")
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", path, args, err, stderr(err))
	}
	return string(text)
}

func TestCLI(t *testing.T) {
	t.Parallel()
	s := open(t, Config{}).with(t, "g/s")
	for i := range 3 {
		if err := s.Put(me, "g", "s", []Event{{time.Now(), fmt.Sprintf(`{"errorCode":"E%d"}`, i)}}); err != nil {
			t.Fatal(err)
		}
	}
	url, _ := serve(t, s)
	t.Run("filter", func(t *testing.T) {
		path, err := exec.LookPath("aws")
		if err != nil {
			t.Skip("the AWS CLI is not installed: https://docs.aws.amazon.com/cli/ tells how")
		}
		got := cli(t, path, url, "logs", "filter-log-events", "--log-group-name", "g", "--filter-pattern", `{ $.errorCode = "E1" }`, "--output", "text", "--query", "events[].message")
		if got != `{"errorCode":"E1"}`+"\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("tail", func(t *testing.T) {
		for _, name := range []string{"aws", "/usr/bin/aws"} {
			path, err := exec.LookPath(name)
			if err != nil {
				continue
			}
			if version, err := exec.CommandContext(t.Context(), path, "--version").Output(); err != nil || !strings.HasPrefix(string(version), "aws-cli/2") {
				continue
			}
			got := cli(t, path, url, "logs", "tail", "g", "--since", "1h", "--format", "short")
			if lines := strings.Split(got, "\n"); len(lines) != 4 || !strings.HasSuffix(lines[0], ` {"errorCode":"E0"}`) || !strings.HasSuffix(lines[2], ` {"errorCode":"E2"}`) {
				t.Errorf("%q", got)
			}
			return
		}
		t.Skip("no AWS CLI of version 2 is installed, which alone has logs tail: apt-get install awscli")
	})
}
