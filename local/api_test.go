package local_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
)

// The whole stack: the SDK's clients, HTTP, the server and the local Firehose.

func start(t *testing.T, o hydranttest.Options) (*hydranttest.Firehose, *firehose.Client) {
	fh := hydranttest.Start(t, o)
	fh.CreateStream("s")
	return fh, firehose.NewFromConfig(fh.AWSConfig(), func(o *firehose.Options) { o.RetryMaxAttempts = 1 })
}

func records(sizes ...int) []types.Record {
	var list []types.Record
	for _, n := range sizes {
		list = append(list, types.Record{Data: make([]byte, n)})
	}
	return list
}

func many(n, size int) []types.Record {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return records(sizes...)
}

// outcome words an error as its status, code and message.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	apiErr, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err.Error()
	}
	status := 0
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = resp.HTTPStatusCode()
		if resp.ServiceRequestID() == "" {
			return "an answer without a request id"
		}
	}
	return fmt.Sprintf("%d %s: %s", status, apiErr.ErrorCode(), apiErr.ErrorMessage())
}

func TestPutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh, client := start(t, hydranttest.Options{})
		const full = 1_024_000
		stored := 0
		for _, tt := range []struct {
			what    string
			stream  string
			records []types.Record // one goes by PutRecord too
			want    string
		}{
			{"a record", "s", records(1), "ok"},
			{"an empty record", "s", records(0), "ok"},
			{"1,024,000 bytes", "s", records(full), "ok"},
			{"500 records", "s", many(500, 1), "ok"},
			{"4,194,304 bytes", "s", records(full, full, full, full, 98_304), "ok"},
			{"1,024,001 bytes", "s", records(full + 1), "400 ValidationException: 1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' at 'PATH' failed to satisfy constraint: Member must have length less than or equal to 1024000"},
			{"501 records", "s", many(501, 1), "400 ValidationException: 1 validation error detected: Value '[501 records]' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"},
			{"4,194,305 bytes", "s", records(full, full, full, full, 98_305), "400 InvalidArgumentException: Records size exceeds 4 MB limit"},
			{"no records", "s", []types.Record{}, "400 ValidationException: 1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"},
			{"unknown stream", "nope", records(1), "400 ResourceNotFoundException: Firehose nope under account 000000000000 not found."},
			{"bad name", "a b", records(1), "400 ValidationException: 1 validation error detected: Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
			{"long name", strings.Repeat("n", 65), records(1), "400 ValidationException: 1 validation error detected: Value '" + strings.Repeat("n", 65) + "' at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		} {
			check := func(op, path string, n int, err error) {
				t.Helper()
				if got, want := outcome(err), strings.ReplaceAll(tt.want, "PATH", path); got != want {
					t.Errorf("%s by %s:\n%s\nwant\n%s", tt.what, op, got, want)
				}
				if tt.want == "ok" {
					stored += n
				}
			}
			_, err := client.PutRecordBatch(t.Context(), &firehose.PutRecordBatchInput{DeliveryStreamName: &tt.stream, Records: tt.records})
			check("PutRecordBatch", "records.1.member.data", len(tt.records), err)
			if len(tt.records) == 1 {
				_, err = client.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: &tt.stream, Record: &tt.records[0]})
				check("PutRecord", "record.data", 1, err)
			}
		}
		if got := len(fh.Records("s")); got != stored {
			t.Errorf("%d records are stored, want %d: a refused call stores nothing", got, stored)
		}
	})
}

// raw posts a signed body as it is.
func raw(t *testing.T, fh *hydranttest.Firehose, op, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hydranttest/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "Firehose_20150804."+op)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	cfg := fh.AWSConfig()
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(hash[:]), "firehose", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := cfg.HTTPClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amzn-Requestid": "", "X-Amz-Id-2": ""} {
		if got := resp.Header.Get(header); got == "" || want != "" && got != want {
			t.Errorf("%s %s: header %s is %q", op, body, header, got)
		}
	}
	return resp.StatusCode, string(text)
}

// TestRawAnswers sends what no SDK would.
func TestRawAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh, _ := start(t, hydranttest.Options{})
		for _, tt := range []struct {
			op, body string
			status   int
			want     string // in the answer
		}{
			{"PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"YQ=="}}`, 200, `"Encrypted":false`},
			{"PutRecord", `{"DeliveryStreamName":"s","Record":{"Data":"YQ"}}`, 400, `"__type":"SerializationException"`},
			{"PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"%%"}]}`, 400, `"__type":"SerializationException"`},
			{"PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data"`, 400, `"__type":"SerializationException"`},
			{"PutRecordBatch", ``, 400, `"__type":"SerializationException"`},
			{"PutRecordBatch", `{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{}]}`, 400, `Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null`},
			{"PutRecord", `{"DeliveryStreamName":"s"}`, 400, `Value null at 'record' failed to satisfy constraint: Member must not be null`},
			{"PutRecord", `{}`, 400, `2 validation errors detected: `},
			{"CreateDeliveryStream", `{"DeliveryStreamName":`, 400, `"__type":"SerializationException"`},
			{"Nonsense", `{}`, 400, `"__type":"UnknownOperationException"`},
		} {
			status, answer := raw(t, fh, tt.op, tt.body)
			if status != tt.status || !strings.Contains(answer, tt.want) {
				t.Errorf("%s %s: %d %s\nwant %d …%s…", tt.op, tt.body, status, answer, tt.status, tt.want)
			}
		}
		if got := fh.Records("s"); len(got) != 1 {
			t.Errorf("%d records are stored, want 1", len(got))
		}
	})
}

func TestControlAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := start(t, hydranttest.Options{})
		create := func(name string, change func(*types.ExtendedS3DestinationConfiguration)) func(context.Context) error {
			return func(ctx context.Context) error {
				in := &firehose.CreateDeliveryStreamInput{DeliveryStreamName: &name}
				if change != nil {
					in.ExtendedS3DestinationConfiguration = &types.ExtendedS3DestinationConfiguration{
						RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::b"),
					}
					change(in.ExtendedS3DestinationConfiguration)
				}
				_, err := client.CreateDeliveryStream(ctx, in)
				return err
			}
		}
		plain := func(*types.ExtendedS3DestinationConfiguration) {}
		for _, tt := range []struct {
			what string
			call func(context.Context) error
			want string // the outcome's beginning
		}{
			{"create", create("new", plain), "ok"},
			{"create again", create("new", plain), "400 ResourceInUseException: Firehose new under accountId 000000000000 already exists"},
			{"no destination", create("x", nil), "400 InvalidArgumentException: Exactly one destination configuration is supported for a Firehose"},
			{"bad name", create("a/b", plain), "400 ValidationException: 1 validation error detected: Value 'a/b' at 'deliveryStreamName'"},
			{"bad format", create("x", func(c *types.ExtendedS3DestinationConfiguration) { c.CompressionFormat = "gzip" }), "400 ValidationException: 1 validation error detected: Value 'gzip' at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]"},
			{"no such zone", create("x", func(c *types.ExtendedS3DestinationConfiguration) { c.CustomTimeZone = aws.String("Nowhere") }), "400 InvalidArgumentException: Provided custom time zone is not supported."},
			{"processors", create("x", func(c *types.ExtendedS3DestinationConfiguration) {
				c.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{Type: "AppendDelimiterToRecord"}}}
			}), "ok"},
			{"a function, and nowhere to call it", create("y", func(c *types.ExtendedS3DestinationConfiguration) {
				c.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{Type: "Lambda", Parameters: []types.ProcessorParameter{
					{ParameterName: "LambdaArn", ParameterValue: aws.String("arn:aws:lambda:us-east-1:000000000000:function:f")},
				}}}}
			}), "501 NotImplementedException: "},
			{"describe", func(ctx context.Context) error {
				_, err := client.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String("nope")})
				return err
			}, "400 ResourceNotFoundException: Firehose nope under account 000000000000 not found."},
			{"delete", func(ctx context.Context) error {
				_, err := client.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String("nope")})
				return err
			}, "400 ResourceNotFoundException: Firehose nope under account 000000000000 not found."},
			{"update", func(ctx context.Context) error {
				_, err := client.UpdateDestination(ctx, &firehose.UpdateDestinationInput{
					DeliveryStreamName: aws.String("s"), CurrentDeliveryStreamVersionId: aws.String("1"), DestinationId: aws.String("destinationId-000000000001"),
				})
				return err
			}, "400 InvalidArgumentException: At least one destination"},
		} {
			if got := outcome(tt.call(t.Context())); got != tt.want && (tt.want == "ok" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s:\n%s\nwant\n%s", tt.what, got, tt.want)
			}
		}
	})
}

// TestLifeOfAStream: create, wait, describe, put, deliver, read the metrics,
// delete, through the SDK alone.
func TestLifeOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh, client := start(t, hydranttest.Options{Quota: local.Quota{Records: 4}})
		ctx := t.Context()
		name := aws.String("life")
		created, err := client.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
			DeliveryStreamName: name,
			//lint:ignore SA1019 deprecated, and still what many programs send
			S3DestinationConfiguration: &types.S3DestinationConfiguration{
				RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::b"), Prefix: aws.String("in/"), CompressionFormat: types.CompressionFormatGzip,
			},
		})
		if err != nil || *created.DeliveryStreamARN != "arn:aws:firehose:us-east-1:000000000000:deliverystream/life" {
			t.Fatalf("create: %+v, %v", created, err)
		}
		out, err := client.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: name})
		if err != nil {
			t.Fatal(err)
		}
		d := out.DeliveryStreamDescription
		if d.DeliveryStreamStatus != types.DeliveryStreamStatusActive || len(d.Destinations) != 1 || !d.CreateTimestamp.Equal(time.Now()) {
			t.Errorf("describe: %+v", d)
		}
		if e := d.Destinations[0].ExtendedS3DestinationDescription; *e.BufferingHints.IntervalInSeconds != 300 || *e.BufferingHints.SizeInMBs != 5 || *e.Prefix != "in/" {
			t.Errorf("describe: %+v", e)
		}

		in := &firehose.PutRecordBatchInput{DeliveryStreamName: name}
		for i := range 6 {
			in.Records = append(in.Records, types.Record{Data: fmt.Appendf(nil, "r%d", i)})
		}
		resp, err := client.PutRecordBatch(ctx, in)
		if err != nil || *resp.FailedPutCount != 2 || aws.ToString(resp.RequestResponses[5].ErrorMessage) != "Slow down." || len(*resp.RequestResponses[0].RecordId) != 224 {
			t.Fatalf("put: %+v, %v", resp, err)
		}
		if _, err := base64.RawStdEncoding.DecodeString(*resp.RequestResponses[0].RecordId); err != nil {
			t.Error(err)
		}
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if got := fh.Objects("life"); len(got) != 1 || !bytes.HasPrefix(got[0], []byte{0x1f, 0x8b}) {
			t.Errorf("%d objects, want one of gzip", len(got))
		}

		got := map[string]float64{}
		for _, metric := range []string{"IncomingRecords", "IncomingBytes", "ThrottledRecords", "DeliveryToS3.Records", "DeliveryToS3.Success"} {
			got[metric] = sum(t, fh, *name, metric)
		}
		want := map[string]float64{"IncomingRecords": 4, "IncomingBytes": 8, "ThrottledRecords": 2, "DeliveryToS3.Records": 4, "DeliveryToS3.Success": 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}

		if _, err := client.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: name}); err != nil {
			t.Error(err)
		}
		list, err := client.ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{})
		if err != nil || !cmp.Equal(list.DeliveryStreamNames, []string{"s"}) || *list.HasMoreDeliveryStreams {
			t.Errorf("list after delete: %+v, %v", list, err)
		}
	})
}

func sum(t *testing.T, fh *hydranttest.Firehose, stream, metric string) (total float64) {
	t.Helper()
	out, err := cloudwatch.NewFromConfig(fh.AWSConfig()).GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace:  aws.String("AWS/Firehose"),
		MetricName: &metric,
		Dimensions: []cwtypes.Dimension{{Name: aws.String("DeliveryStreamName"), Value: &stream}},
		StartTime:  aws.Time(time.Now().Add(-time.Hour)),
		EndTime:    aws.Time(time.Now().Add(time.Minute)),
		Period:     aws.Int32(60),
		Statistics: []cwtypes.Statistic{cwtypes.StatisticSum},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Datapoints {
		total += *p.Sum
	}
	return total
}
