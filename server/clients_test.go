package server

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/wire"
)

// TestCurl calls with the signatures of curl, which signs as none of the SDKs do.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not on this machine: its signatures go untested")
	}
	m := newMemory()
	url := serveLoopback(t, quiet(Config{Backend: m, Credentials: map[string]string{testKey: testSecret}}))
	run := func(secret string) string {
		cmd := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:firehose", "--user", testKey+":"+secret,
			"--header", "X-Amz-Target: Firehose_20150804.ListDeliveryStreams", "--header", "Content-Type: application/x-amz-json-1.1", "--data", "{}", url)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "aws-sigv4") {
			t.Skipf("this curl cannot sign: %s", out)
		}
		if err != nil {
			t.Fatalf("curl: %v: %s", err, out)
		}
		return string(out)
	}
	if got := run(testSecret); got != `{"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}` {
		t.Errorf("the right secret: %s", got)
	}
	if got := run("wrong"); !strings.Contains(got, wire.CodeInvalidSignature) {
		t.Errorf("a wrong secret: %s", got)
	}
}

const boto3Script = `
import boto3, botocore.exceptions, json, sys
url, key, secret = sys.argv[1:4]
def client(service, key=key, secret=secret):
    return boto3.client(service, endpoint_url=url, region_name='us-west-2', aws_access_key_id=key, aws_secret_access_key=secret)
def failure(call, **args):
    try:
        return call(**args)
    except botocore.exceptions.ClientError as e:
        return [e.response['ResponseMetadata']['HTTPStatusCode'], e.response['Error']['Code'], type(e).__name__]
f, out = client('firehose'), {}
out['arn'] = f.create_delivery_stream(DeliveryStreamName='b', S3DestinationConfiguration={
    'RoleARN': 'arn:aws:iam::000000000000:role/r', 'BucketARN': 'arn:aws:s3:::b'})['DeliveryStreamARN']
out['put'] = f.put_record(DeliveryStreamName='b', Record={'Data': b'\x00one'})['RecordId']
out['batch'] = f.put_record_batch(DeliveryStreamName='b', Records=[{'Data': b'two'}, {'Data': b''}])['FailedPutCount']
out['list'] = f.list_delivery_streams()['DeliveryStreamNames']
d = f.describe_delivery_stream(DeliveryStreamName='b')['DeliveryStreamDescription']
out['created'], out['hints'] = d['CreateTimestamp'].timestamp(), d['Destinations'][0]['ExtendedS3DestinationDescription']['BufferingHints']
s3 = {'RoleARN': 'arn:aws:iam::000000000000:role/r', 'BucketARN': 'arn:aws:s3:::b'}
f.update_destination(DeliveryStreamName='b', CurrentDeliveryStreamVersionId='1', DestinationId=d['Destinations'][0]['DestinationId'], ExtendedS3DestinationUpdate={
    'Prefix': 'p/', 'ProcessingConfiguration': {'Enabled': True, 'Processors': [{'Type': 'Lambda', 'Parameters': [
        {'ParameterName': 'LambdaArn', 'ParameterValue': 'arn:aws:lambda:us-west-2:000000000000:function:f'}]}]}})
d = f.describe_delivery_stream(DeliveryStreamName='b')['DeliveryStreamDescription']
x = d['Destinations'][0]['ExtendedS3DestinationDescription']
out['updated'] = [x['Prefix'], x['CompressionFormat'], [p['ParameterValue'] for p in x['ProcessingConfiguration']['Processors'][0]['Parameters']], d['LastUpdateTimestamp'].timestamp()]
out['stale'] = failure(f.update_destination, DeliveryStreamName='b', CurrentDeliveryStreamVersionId='1', DestinationId='destinationId-000000000001', S3DestinationUpdate=s3)
f.tag_delivery_stream(DeliveryStreamName='b', Tags=[{'Key': 'k', 'Value': 'v'}, {'Key': 'l'}])
f.untag_delivery_stream(DeliveryStreamName='b', TagKeys=['l'])
t = f.list_tags_for_delivery_stream(DeliveryStreamName='b')
out['tags'] = [t['Tags'], t['HasMoreTags']]
f.start_delivery_stream_encryption(DeliveryStreamName='b')
out['started'] = f.describe_delivery_stream(DeliveryStreamName='b')['DeliveryStreamDescription']['DeliveryStreamEncryptionConfiguration']
f.stop_delivery_stream_encryption(DeliveryStreamName='b')
out['stopped'] = f.describe_delivery_stream(DeliveryStreamName='b')['DeliveryStreamDescription']['DeliveryStreamEncryptionConfiguration']
f.create_delivery_stream(DeliveryStreamName='h', HttpEndpointDestinationConfiguration={
    'EndpointConfiguration': {'Url': 'https://example.com', 'AccessKey': 'geheim'}, 'S3Configuration': s3})
x = f.describe_delivery_stream(DeliveryStreamName='h')['DeliveryStreamDescription']['Destinations'][0]['HttpEndpointDestinationDescription']
out['endpoint'] = [x['EndpointConfiguration'], x['S3BackupMode'], x['S3DestinationDescription']['BucketARN']]
out['deleted'] = [f.delete_delivery_stream(DeliveryStreamName='h')['ResponseMetadata']['HTTPStatusCode'], f.list_delivery_streams(Limit=1)['DeliveryStreamNames']]
out['unknown'] = failure(f.put_record, DeliveryStreamName='nope', Record={'Data': b'x'})
out['wrong key'] = failure(client('firehose', key='AKIDNOBODY').list_delivery_streams)
out['wrong secret'] = failure(client('firehose', secret='x').list_delivery_streams)
print(json.dumps(out))
`

// TestBoto3 is the whole API by the SDK for Python.
func TestBoto3(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.CommandContext(t.Context(), python, "-c", "import boto3").Run()
	}
	if err != nil {
		t.Skip("python3 with boto3 is not on this machine: the Python SDK goes untested")
	}
	m := newMemory()
	url := serveLoopback(t, quiet(Config{Backend: m, Credentials: map[string]string{testKey: testSecret}}))
	cmd := exec.CommandContext(t.Context(), python, "-c", boto3Script, url, testKey, testSecret)
	// No settings of this machine, and no proxy.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_PROXY=*", "AWS_MAX_ATTEMPTS=1"}
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	type list = []any
	want := map[string]any{
		"arn":     "arn:aws:firehose:us-west-2:000000000000:deliverystream/b",
		"put":     "id1",
		"batch":   0.0,
		"list":    list{"b"},
		"created": 1700000000.25,
		"hints":   map[string]any{"SizeInMBs": 5.0, "IntervalInSeconds": 300.0},
		"updated": list{"p/", "UNCOMPRESSED", list{
			"arn:aws:lambda:us-west-2:000000000000:function:f", "3", "arn:aws:iam::000000000000:role/r", "1", "60",
		}, 1700000060.25},
		"stale":        list{400.0, "ConcurrentModificationException", "ConcurrentModificationException"},
		"tags":         list{list{map[string]any{"Key": "k", "Value": "v"}}, false},
		"started":      map[string]any{"Status": "ENABLING", "KeyType": "AWS_OWNED_CMK"},
		"stopped":      map[string]any{"Status": "DISABLING"},
		"endpoint":     list{map[string]any{"Url": "https://example.com"}, "FailedDataOnly", "arn:aws:s3:::b"},
		"deleted":      list{200.0, list{"b"}},
		"unknown":      list{400.0, "ResourceNotFoundException", "ResourceNotFoundException"},
		"wrong key":    list{400.0, "UnrecognizedClientException", "ClientError"},
		"wrong secret": list{400.0, "InvalidSignatureException", "ClientError"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("boto3 (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"\x00one", "two", ""}, m.records[streamID{Caller{Account: "000000000000", Region: "us-west-2"}, "b"}]); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}
