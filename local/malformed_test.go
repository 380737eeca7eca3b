package local_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// front is a local Firehose that lets everybody call, with the streams and the bucket
// that the calls below are for.
type front struct {
	http.Handler
	backend     *local.Backend
	parent, dir string // dir is in parent, alone
}

func newFront(t *testing.T, cfg local.Config) *front {
	t.Helper()
	f := &front{parent: t.TempDir()}
	f.dir = filepath.Join(f.parent, "dir")
	cfg.Dir, cfg.Logger = f.dir, slog.New(unharmed{slog.DiscardHandler, t})
	var err error
	if f.backend, err = local.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.backend.Close(context.Background()) }) // what cannot be delivered is told of there
	f.Handler = f.backend.Handler(server.Config{NoAuth: true, Logger: cfg.Logger})
	f.makeStream(t, "s", "")
	if status, answer := f.do(t, "PUT /b HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	return f
}

const streamSettings = `{"DeliveryStreamName":%q,"ExtendedS3DestinationConfiguration":{"RoleARN":"arn:aws:iam::000000000000:role/r","BucketARN":"arn:aws:s3:::b","Prefix":%q}}`

func (f *front) makeStream(t *testing.T, name, prefix string) {
	t.Helper()
	body := fmt.Sprintf(streamSettings, name, prefix)
	if status, answer := f.do(t, call("Firehose_20150804.CreateDeliveryStream", body)); status != 200 && !strings.Contains(answer, "ResourceInUse") {
		t.Fatalf("%d %s", status, answer)
	}
}

// call is a call in JSON as it travels.
func call(target, body string) string { return post("/", body, "X-Amz-Target: "+target) }

func post(path, body string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%s\r\n\r\n%s", path, len(body), strings.Join(headers, "\r\n"), body)
}

// do has a request served as it travels; the status is 0 if it is not HTTP.
func (f *front) do(t *testing.T, raw string) (status int, answer string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return 0, err.Error()
	}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			t.Errorf("%q: panic: %v", raw, p)
			panic(p)
		}
	}()
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r.WithContext(t.Context()))
	return w.Code, w.Body.String()
}

// TestTruncatedPuts: of a put that is cut off after any of its bytes nothing is stored,
// and the answer is an error of the API's.
func TestTruncatedPuts(t *testing.T) {
	t.Parallel()
	f := newFront(t, local.Config{})
	for op, bodies := range map[string][]string{
		"PutRecordBatch": {
			`{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"YmNk"}]}`,
			` { "Records" : [ { "Data" : "Y\/\/=" } , {"Data":"","x":{"y":[1,-2.5e3,null]}} ] , "DeliveryStreamName" : "\u0073" } `,
		},
		"PutRecord": {
			`{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`,
			"{\"Record\":{\"Data\":\"Y\\u0051==\"},\n\"DeliveryStreamName\":\"s\"}",
		},
	} {
		for _, body := range bodies {
			whole := len(strings.TrimRight(body, " "))
			for n := range whole {
				status, answer := f.do(t, call("Firehose_20150804."+op, body[:n]))
				if status != 400 || !strings.HasPrefix(answer, `{"__type":"SerializationException","message":"`) {
					t.Errorf("%s %q: %d %s", op, body[:n], status, answer)
				}
			}
		}
	}
	if n := f.backend.State().Streams[0].Totals.Records; n != 0 {
		t.Errorf("%d records are stored", n)
	}
	if status, answer := f.do(t, call("Firehose_20150804.PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`)); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}

const stackTemplate = `{"Parameters":{"P":{"Type":"String","Default":"x"}},"Resources":{"M":{"Type":"AWS::CDK::Metadata","Properties":{"X":{"Fn::Sub":"${P}-${AWS::Region}"}}}},"Outputs":{"O":{"Value":{"Ref":"M"}}}}`

// requests are calls of all APIs, which are good.
func requests(t testing.TB) []string {
	encode := func(v any) string {
		text, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	zip := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		return b.String()
	}
	const (
		fh, cw, logs = "Firehose_20150804.", "GraniteServiceVersion20100801.", "Logs_20140328."
		cborPath     = "/service/GraniteServiceVersion20100801/operation/"
		rpc, form    = "Smithy-Protocol: rpc-v2-cbor", "Content-Type: application/x-www-form-urlencoded"
		cfn          = "&Version=2010-05-15"
		metric       = `{"Namespace":"N","MetricData":[{"MetricName":"m","Dimensions":[{"Name":"d","Value":"v"}],"Values":[1,2],"Counts":[1,3],"Unit":"Count"}]}`
	)
	day := map[string]any{"Namespace": "N", "MetricName": "m", "StartTime": cbor.Tag{Number: 1, Content: 1.7e9}, "EndTime": cbor.Tag{Number: 1, Content: 1.70005e9}, "Period": 60, "Statistics": []string{"Sum"}}
	put := func(key, body string, headers ...string) string {
		return strings.Replace(post("/b/"+key, body, headers...), "POST", "PUT", 1)
	}
	plain := func(method, path string, headers ...string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, strings.Join(append(headers, ""), "\r\n"))
	}
	return []string{
		call(fh+"PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"aGVsbG8="}}`),
		call(fh+"PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"YmNk"}]}`),
		call(fh+"PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":"Y\/\u002B="}],"x":[{}]}`),
		call(fh+"CreateDeliveryStream", fmt.Sprintf(streamSettings, "t", "p/!{timestamp:yyyy}/")),
		call(fh+"DescribeDeliveryStream", `{"DeliveryStreamName":"s","Limit":1}`),
		call(fh+"ListDeliveryStreams", `{"Limit":10,"ExclusiveStartDeliveryStreamName":"a"}`),
		call(fh+"UpdateDestination", `{"DeliveryStreamName":"s","CurrentDeliveryStreamVersionId":"1","DestinationId":"destinationId-000000000001","ExtendedS3DestinationUpdate":{"BufferingHints":{"SizeInMBs":2,"IntervalInSeconds":60},"ProcessingConfiguration":{"Enabled":true,"Processors":[{"Type":"AppendDelimiterToRecord","Parameters":[{"ParameterName":"Delimiter","ParameterValue":"\\n"}]}]}}}`),
		call(fh+"TagDeliveryStream", `{"DeliveryStreamName":"s","Tags":[{"Key":"k","Value":"v"}]}`),
		call(fh+"UntagDeliveryStream", `{"DeliveryStreamName":"s","TagKeys":["k"]}`),
		call(fh+"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK"}}`),
		call(fh+"DeleteDeliveryStream", `{"DeliveryStreamName":"t"}`),
		call(cw+"PutMetricData", metric),
		post("/", zip(metric), "X-Amz-Target: "+cw+"PutMetricData", "Content-Encoding: gzip"),
		call(cw+"ListMetrics", `{"Namespace":"N","NextToken":"YQ"}`),
		call(cw+"GetMetricData", `{"StartTime":1700000000,"EndTime":1700003600,"MetricDataQueries":[{"Id":"a","MetricStat":{"Metric":{"Namespace":"N","MetricName":"m"},"Period":60,"Stat":"Sum"}}],"NextToken":"0 0"}`),
		post(cborPath+"GetMetricStatistics", encode(day), rpc),
		post(cborPath+"PutMetricData", encode(map[string]any{"Namespace": "N", "MetricData": []any{map[string]any{"MetricName": "m", "Value": 1.5, "Timestamp": cbor.Tag{Number: 1, Content: 1.7e9}}}}), rpc),
		post(cborPath+"ListMetrics", encode(map[string]any{"Namespace": "N"}), rpc),
		post("/", "Action=PutMetricData&Version=2010-08-01&Namespace=N&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1&MetricData.member.1.Dimensions.member.1.Name=d&MetricData.member.1.Dimensions.member.1.Value=v", form),
		post("/", "Action=CreateStack&StackName=st&TemplateBody="+url.QueryEscape(stackTemplate)+"&Parameters.member.1.ParameterKey=P&Parameters.member.1.ParameterValue=x&Tags.member.1.Key=k&Tags.member.1.Value=v&OnFailure=DELETE"+cfn, form),
		post("/", "Action=UpdateStack&StackName=st&UsePreviousTemplate=true&Parameters.member.1.ParameterKey=P&Parameters.member.1.ParameterValue=y"+cfn, form),
		post("/", "Action=CreateChangeSet&StackName=st&ChangeSetName=c&ChangeSetType=UPDATE&TemplateBody="+url.QueryEscape(stackTemplate)+cfn, form),
		post("/", "Action=DescribeChangeSet&StackName=st&ChangeSetName=c"+cfn, form),
		post("/", "Action=ExecuteChangeSet&StackName=st&ChangeSetName=c"+cfn, form),
		post("/", "Action=DescribeStacks&StackName=st"+cfn, form),
		post("/", "Action=DescribeStackEvents&StackName=st&NextToken=Mw"+cfn, form),
		post("/", "Action=ListStackResources&StackName=st"+cfn, form),
		post("/", "Action=GetTemplateSummary&TemplateURL=https%3A%2F%2Fs3.amazonaws.com%2Fb%2Fk"+cfn, form),
		post("/", "Action=DeleteStack&StackName=st&RetainResources.member.1=M"+cfn, form),
		post("/", "Action=GetCallerIdentity&Version=2011-06-15", form),
		post("/", "Action=GetMetricStatistics&Version=2010-08-01&Namespace=N&MetricName=m&StartTime=2026-01-01T00%3A00%3A00Z&EndTime=2026-01-02T00%3A00%3A00Z&Period=60&Statistics.member.1=Sum", form),
		call(logs+"CreateLogGroup", `{"logGroupName":"g","tags":{"k":"v"}}`),
		call(logs+"CreateLogStream", `{"logGroupName":"g","logStreamName":"t"}`),
		call(logs+"PutLogEvents", `{"logGroupName":"g","logStreamName":"t","logEvents":[{"timestamp":1900000000000,"message":"m"}],"sequenceToken":"0"}`),
		call(logs+"GetLogEvents", `{"logGroupName":"g","logStreamName":"t","nextToken":"f/00000000000000000000000000000000000100000000000000000001/s"}`),
		call(logs+"FilterLogEvents", `{"logGroupName":"g","filterPattern":"{ $.a = \"b*\" && ($.c > 1.5 || $.d IS NULL) }","limit":5}`),
		call(logs+"FilterLogEvents", `{"logGroupName":"g","filterPattern":"error -debug \"two words\""}`),
		call(logs+"DescribeLogStreams", `{"logGroupName":"g","orderBy":"LastEventTime","descending":true,"nextToken":"e30"}`),
		call(logs+"DescribeLogGroups", `{"logGroupNamePrefix":"g","limit":1}`),
		call(logs+"PutRetentionPolicy", `{"logGroupName":"g","retentionInDays":7}`),
		put("folder/key", "content", "Content-Encoding: gzip"),
		put("key", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: 5", "Content-Encoding: aws-chunked"),
		put("copy", "", "X-Amz-Copy-Source: /b/folder%2Fkey"),
		plain("GET", "/b/folder/key", "Range: bytes=1-3", "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT"),
		plain("HEAD", "/b/key", `If-None-Match: "x"`),
		plain("GET", "/b?list-type=2&prefix=f&delimiter=%2F&max-keys=2&continuation-token=YQ==&encoding-type=url"),
		plain("GET", "/b?marker=a&max-keys=1"),
		plain("GET", "/b?location="),
		plain("GET", "/b?uploads="),
		"GET /key HTTP/1.1\r\nHost: b.localhost\r\n\r\n",
		post("/b/big?uploads=", ""),
		post("/b/big?uploadId=x", `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"e"</ETag></Part></CompleteMultipartUpload>`),
		post("/b?delete=", `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>copy</Key></Object><Quiet>true</Quiet></Delete>`),
		plain("DELETE", "/b/copy"),
		plain("GET", "/"),
		plain("GET", "/_hydrant/state"),
		plain("GET", "/_hydrant/page/main.js"),
		strings.Replace(post("/_hydrant/quota?stream=s", `{"records":100,"calls":5,"bytes":1000}`), "POST", "PUT", 1),
		strings.Replace(post("/_hydrant/faults", `{"seed":1,"refuse":0.5,"delay":"1ms","rules":[{"op":"PutRecord","share":1,"status":500,"code":"X"}]}`), "POST", "PUT", 1),
		post("/_hydrant/flush?stream=s", ""),
		post("/_hydrant/reset", ""),
	}
}

// TestDamagedRequests damages good calls: no answer says that the server is to blame,
// and it is not.
func TestDamagedRequests(t *testing.T) {
	t.Parallel()
	f := newFront(t, local.Config{MaxJournal: 1 << 20})
	good := requests(t)
	for _, raw := range good {
		if status, answer := f.do(t, raw); status == 0 || status >= 500 {
			t.Errorf("%q: %d %s", raw, status, answer)
		}
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	statuses := map[int]int{}
	for range 3000 {
		f.makeStream(t, "s", "") // a call may have deleted it
		f.backend.SetFaults(nil)
		_ = f.backend.SetQuota(local.Quota{})
		raw := damage(rng, good[rng.IntN(len(good))])
		status, answer := f.do(t, raw)
		if status >= 500 && status != http.StatusNotImplemented {
			t.Errorf("seed %d: %q: %d %s", seed, raw, status, answer)
		}
		statuses[status]++
	}
	if statuses[200] < 100 || statuses[400] < 100 {
		t.Errorf("the answers are %v, which proves little", statuses)
	}
	wantAlone(t, f)
}

var lengthRE = regexp.MustCompile(`Content-Length: [0-9]+`)

// damage flips bits of a request, or changes a part of its body, whose length it then
// is again.
func damage(rng *rand.Rand, request string) string {
	raw := []byte(request)
	body := bytes.Index(raw, []byte("\r\n\r\n")) + 4
	if body == len(raw) || rng.IntN(4) == 0 {
		body = 0
	}
	n := len(raw) - body
	if rng.IntN(2) == 0 {
		for range 1 + rng.IntN(4) {
			raw[body+rng.IntN(n)] ^= 1 << rng.IntN(8)
		}
		return string(raw)
	}
	from := body + rng.IntN(n)
	to := from + rng.IntN(min(len(raw)-from, 40)+1)
	odd := []string{
		"", string(raw[from:to]) + string(raw[from:to]), "0", "-1", "99999999999999999999", "1e999", "null", "[]", "{}", "\"", "\x00", "\xff", `\u0000`, "..%2F", "../",
		"&", "=", ".", "<a>", "]]>", "&#0;", "\xbb\xff", "\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", strings.Repeat("9", 5000),
	}
	changed := string(raw[:from]) + odd[rng.IntN(len(odd))] + string(raw[to:])
	if head, body, ok := strings.Cut(changed, "\r\n\r\n"); ok {
		return lengthRE.ReplaceAllString(head, fmt.Sprintf("Content-Length: %d", len(body))) + "\r\n\r\n" + body
	}
	return changed
}

// wantAlone wants nothing beside the folder.
func wantAlone(t *testing.T, f *front) {
	t.Helper()
	entries, err := os.ReadDir(f.parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the folder are %v, %v", entries, err)
	}
}
