package cloudwatch

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// boto3Script calls in the protocol of its fourth argument, which it forces upon
// boto3 by a copy of the API's model. Old versions know Query alone.
const boto3Script = `
import json, os, sys, tempfile
import botocore.loaders, botocore.exceptions
url, key, secret, protocol = sys.argv[1:5]
model = botocore.loaders.Loader().load_service_model('cloudwatch', 'service-2')
offered = model['metadata'].get('protocols', [model['metadata']['protocol']])
if protocol not in offered:
    print(json.dumps({'skip': 'this boto3 speaks %s' % offered}))
    sys.exit()
model['metadata']['protocol'], model['metadata']['protocols'] = protocol, [protocol]
data = tempfile.mkdtemp()
os.makedirs(data + '/cloudwatch/2010-08-01')
with open(data + '/cloudwatch/2010-08-01/service-2.json', 'w') as f:
    json.dump(model, f)
os.environ['AWS_DATA_PATH'] = data
import boto3, datetime
seen = []
c = boto3.client('cloudwatch', endpoint_url=url, region_name='us-east-1', aws_access_key_id=key, aws_secret_access_key=secret)
c.meta.events.register('before-send.cloudwatch.*', lambda request, **_: seen.append(request.headers.get('Content-Type').decode().split(';')[0] if isinstance(request.headers.get('Content-Type'), bytes) else request.headers.get('Content-Type').split(';')[0]))
utc = datetime.timezone.utc
now = datetime.datetime.now(utc).replace(second=0, microsecond=0)
hour = dict(StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(hours=1))
d = [{'Name': 'protocol', 'Value': protocol}]
c.put_metric_data(Namespace='N', MetricData=[
    {'MetricName': 'grüße & <x>', 'Dimensions': d, 'Unit': 'Bytes', 'Timestamp': now, 'Values': [1.5, 2], 'Counts': [2, 1]},
    {'MetricName': 'grüße & <x>', 'Dimensions': d, 'Unit': 'Bytes', 'Timestamp': now, 'Value': -1}])
# More than 10 KB: boto3 packs it.
c.put_metric_data(Namespace='N', MetricData=[{'MetricName': 'many', 'Dimensions': d, 'Timestamp': now, 'Value': i} for i in range(500)])
out = {'types': sorted(set(seen))}
metrics = [m for page in c.get_paginator('list_metrics').paginate(Namespace='N', Dimensions=[{'Name': 'protocol', 'Value': protocol}]) for m in page['Metrics']]
out['metrics'] = sorted(m['MetricName'] for m in metrics)
out['dimensions'] = metrics[0]['Dimensions'] == d
s = c.get_metric_statistics(Namespace='N', MetricName='grüße & <x>', Dimensions=d, Period=60, Statistics=['Sum', 'SampleCount', 'Minimum'], **hour)
p = s['Datapoints'][0]
out['statistics'] = [len(s['Datapoints']), s['Label'], p['Timestamp'] == now, p['Sum'], p['SampleCount'], p['Minimum'], p['Unit'], 'Maximum' in p]
query = lambda id, name, stat: {'Id': id, 'MetricStat': {'Metric': {'Namespace': 'N', 'MetricName': name, 'Dimensions': d}, 'Period': 60, 'Stat': stat}}
pages = list(c.get_paginator('get_metric_data').paginate(MetricDataQueries=[query('a', 'many', 'Sum'), query('b', 'grüße & <x>', 'Average'), query('c', 'none', 'Sum')], MaxDatapoints=1, **hour))
out['pages'] = [[[r['Id'], r['StatusCode'], r['Values'], [t == now for t in r['Timestamps']]] for r in page['MetricDataResults']] for page in pages]
def failure(call, **args):
    try:
        return call(**args)
    except botocore.exceptions.ClientError as e:
        return [e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code'], e.response['Error']['Message'], type(e).__name__]
out['aws'] = failure(c.put_metric_data, Namespace='AWS/X', MetricData=[{'MetricName': 'm', 'Value': 1}])
out['token'] = failure(c.get_metric_data, MetricDataQueries=[query('a', 'm', 'Sum')], NextToken='x', **hour)[:2]
out['stat'] = failure(c.get_metric_data, MetricDataQueries=[query('a', 'm', 'p99')], **hour)[:2]
out['alarms'] = failure(c.describe_alarms)[:2]
wrong = boto3.client('cloudwatch', endpoint_url=url, region_name='us-east-1', aws_access_key_id=key, aws_secret_access_key='x')
out['secret'] = failure(wrong.list_metrics)[:1]
print(json.dumps(out))
`

// TestBoto3 calls by boto3 in each of the three protocols.
func TestBoto3(t *testing.T) {
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed: python3 -m pip install boto3")
	}
	s := &Store{}
	url, _ := serve(t, s)
	for protocol, contentType := range map[string]string{
		"smithy-rpc-v2-cbor": "application/cbor", "json": "application/x-amz-json-1.0", "query": "application/x-www-form-urlencoded",
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "python3", "-c", boto3Script, url, testKey, testSecret, protocol)
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
			text, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, stderr(err))
			}
			var got map[string]any
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if skip, ok := got["skip"]; ok {
				t.Skip(skip)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(`{
				"types": ["`+contentType+`"],
				"metrics": ["grüße & <x>", "many"],
				"dimensions": true,
				"statistics": [1, "grüße & <x>", true, 4, 4, -1, "Bytes", false],
				"pages": [
					[["a", "Complete", [124750], [true]], ["b", "PartialData", [], []], ["c", "Complete", [], []]],
					[["a", "Complete", [], []], ["b", "Complete", [1], [true]], ["c", "Complete", [], []]]
				],
				"aws": [400, "InvalidParameterValue", "The value AWS/X for parameter Namespace is invalid: AWS/ is for the metrics of AWS.", "InvalidParameterValueException"],
				"token": [400, "InvalidNextToken"],
				"stat": [400, "ValidationError"],
				"alarms": [501, "NotImplementedException"],
				"secret": [400]
			}`), &want); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func stderr(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return ""
}

// TestCLI calls by the AWS CLI: the one in the path, and Debian's, whose version 2
// of 2022 speaks Query.
func TestCLI(t *testing.T) {
	for _, name := range []string{"aws", "/usr/bin/aws"} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed: apt-get install awscli, or https://docs.aws.amazon.com/cli/", name)
			}
			t.Parallel()
			s := &Store{}
			url, _ := serve(t, s)
			now := time.Now().UTC().Truncate(time.Minute)
			s.Series(metric("m")).Add(now, 7)
			cmd := exec.CommandContext(t.Context(), path, "cloudwatch", "get-metric-data", "--endpoint-url", url, "--output", "json", "--start-time", now.Add(-time.Hour).Format(time.RFC3339), "--end-time", now.Add(time.Hour).Format(time.RFC3339), "--metric-data-queries",
				`[{"Id":"q","MetricStat":{"Metric":{"Namespace":"N","MetricName":"m","Dimensions":[{"Name":"a","Value":"1"},{"Name":"b","Value":"2"}]},"Period":60,"Stat":"Maximum"}}]`)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "AWS_DEFAULT_REGION="+me.Region, "AWS_PAGER=")
			data, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, stderr(err))
			}
			var got struct {
				MetricDataResults []struct {
					ID, Label, StatusCode string
					Values                []float64
					Timestamps            []any // as the CLI is set up
				}
			}
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			if r := got.MetricDataResults; len(r) != 1 || r[0].ID != "q" || r[0].Label != "m" || r[0].StatusCode != "Complete" || len(r[0].Values) != 1 || r[0].Values[0] != 7 || len(r[0].Timestamps) != 1 {
				t.Errorf("get-metric-data: %s", data)
			}
		})
	}
}
