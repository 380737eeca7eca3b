package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
)

const committed = "../infra/template.json"

// TestCommitted compares the template that package infra embeds with what the CDK makes.
func TestCommitted(t *testing.T) {
	got := synthesise(t, "default")
	if *update {
		if err := os.WriteFile(committed, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is synthesised; run 'go test -run TestCommitted -update'\n%s", committed, cmp.Diff(string(want), string(got)))
	}
}

func TestDeterminism(t *testing.T) {
	for _, variant := range []string{"default", "all"} {
		first := synthesise(t, variant)
		if again := synthesiseAgain(t, variants[variant]); !bytes.Equal(first, again) {
			t.Errorf("%s is not the same twice:\n%s", variant, cmp.Diff(string(first), string(again)))
		}
	}
}

// TestStackName has a template that can be deployed by any name.
func TestStackName(t *testing.T) {
	if other := synthesiseAgain(t, map[string]any{"stackName": "other"}); !bytes.Equal(other, synthesise(t, "default")) {
		t.Error("the template depends on the stack's name")
	}
}

// TestContract has the parameters and outputs that package infra, hydrant local and
// the README go by.
func TestContract(t *testing.T) {
	tmpl := parse(t, synthesise(t, "default"))
	defaults := map[string]any{}
	for name, p := range tmpl.Parameters {
		defaults[name] = p["Default"]
	}
	if diff := cmp.Diff(map[string]any{
		"StreamName": "", "BufferSizeMiB": 64.0, "BufferIntervalSeconds": 300.0,
		"Prefix":               "data/!{timestamp:yyyy/MM/dd/HH}/",
		"ErrorPrefix":          "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
		"ObjectExpirationDays": 0.0, "LogRetentionDays": "30", "KmsKeyArn": "", "AlarmTopicArn": "",
	}, defaults); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	eachVariant(t, func(t *testing.T, tmpl *template) {
		want := []string{"BucketName", "DashboardName", "LogGroupName", "LogStreamName", "ProducerPolicyArn", "StreamArn", "StreamName"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(tmpl.Outputs))); diff != "" {
			t.Errorf("outputs (-want +got):\n%s", diff)
		}
	})
}

// TestTypes has no resource in a variant that it is not for.
func TestTypes(t *testing.T) {
	base := map[string]int{
		"AWS::S3::Bucket": 1, "AWS::S3::BucketPolicy": 1, "AWS::IAM::Role": 1, "AWS::IAM::ManagedPolicy": 1,
		"AWS::Logs::LogGroup": 1, "AWS::Logs::LogStream": 1, "AWS::KinesisFirehose::DeliveryStream": 1,
		"AWS::CloudWatch::Alarm": 6, "AWS::CloudWatch::Dashboard": 1,
	}
	emptying := map[string]int{"AWS::Lambda::Function": 1, "Custom::EmptyBucket": 1, "AWS::IAM::Role": 1, "AWS::Logs::LogGroup": 1}
	for variant, extra := range map[string][]map[string]int{
		"default":     {},
		"fixed":       {},
		"partitioned": {{"AWS::CloudWatch::Alarm": 1}},
		"key":         {{"AWS::KMS::Key": 1}},
		"emptying":    {emptying},
		"all":         {{"AWS::CloudWatch::Alarm": 1}, {"AWS::KMS::Key": 1}, emptying},
	} {
		want := maps.Clone(base)
		for _, e := range extra {
			for kind, n := range e {
				want[kind] += n
			}
		}
		got := map[string]int{}
		for _, r := range parse(t, synthesise(t, variant)).Resources {
			got[r.Type]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", variant, diff)
		}
	}
}

// has reports which of the CDK's assertions does not hold.
func has(t *testing.T, template []byte, resourceType string, properties map[string]any) {
	t.Helper()
	defer func() {
		if failed := recover(); failed != nil {
			t.Errorf("%s: %v", resourceType, failed)
		}
	}()
	parsed := assertions.Template_FromString(jsii.String(string(template)), nil)
	parsed.HasResourceProperties(&resourceType, properties)
}

type (
	object = map[string]any
	array  = []any
)

func ref(name string) object { return object{"Ref": name} }

func ifSet(parameter string, then, otherwise any) object {
	return object{"Fn::If": array{"Has" + parameter, then, otherwise}}
}

func TestStream(t *testing.T) {
	has(t, synthesise(t, "default"), "AWS::KinesisFirehose::DeliveryStream", object{
		"DeliveryStreamName": ifSet("StreamName", ref("StreamName"), ref("AWS::NoValue")),
		"DeliveryStreamType": "DirectPut",
		"DeliveryStreamEncryptionConfigurationInput": ifSet("KmsKeyArn",
			object{"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": ref("KmsKeyArn")}, ref("AWS::NoValue")),
		"ExtendedS3DestinationConfiguration": object{
			"BufferingHints":    object{"SizeInMBs": ref("BufferSizeMiB"), "IntervalInSeconds": ref("BufferIntervalSeconds")},
			"CompressionFormat": "GZIP",
			"Prefix":            ifSet("Prefix", ref("Prefix"), ref("AWS::NoValue")),
			"ErrorOutputPrefix": ifSet("ErrorPrefix", ref("ErrorPrefix"), ref("AWS::NoValue")),
			"EncryptionConfiguration": ifSet("KmsKeyArn",
				object{"KMSEncryptionConfig": object{"AWSKMSKeyARN": ref("KmsKeyArn")}}, object{"NoEncryptionConfig": "NoEncryption"}),
			"ProcessingConfiguration":          assertions.Match_Absent(),
			"DynamicPartitioningConfiguration": assertions.Match_Absent(),
		},
	})
	has(t, synthesise(t, "fixed"), "AWS::KinesisFirehose::DeliveryStream", object{
		"DeliveryStreamName":                         "0",
		"DeliveryStreamEncryptionConfigurationInput": object{"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "arn:aws:kms:eu-west-1:123456789012:key/k"},
		"ExtendedS3DestinationConfiguration": object{
			"BufferingHints":          object{"SizeInMBs": 7, "IntervalInSeconds": 9},
			"Prefix":                  ref("AWS::NoValue"),
			"EncryptionConfiguration": object{"KMSEncryptionConfig": object{"AWSKMSKeyARN": "arn:aws:kms:eu-west-1:123456789012:key/k"}},
		},
	})
}

func TestPartitioned(t *testing.T) {
	b := synthesise(t, "partitioned")
	parameter := func(name, value string) object { return object{"ParameterName": name, "ParameterValue": value} }
	has(t, b, "AWS::KinesisFirehose::DeliveryStream", object{
		"ExtendedS3DestinationConfiguration": object{
			"DynamicPartitioningConfiguration": object{"Enabled": true},
			"ProcessingConfiguration": object{"Enabled": true, "Processors": array{
				object{"Type": "RecordDeAggregation", "Parameters": array{parameter("SubRecordType", "JSON")}},
				object{"Type": "MetadataExtraction", "Parameters": array{
					parameter("MetadataExtractionQuery", `{customer:.customer_id,day:(.at | split("T")[0])}`),
					parameter("JsonParsingEngine", "JQ-1.6"),
				}},
				object{"Type": "AppendDelimiterToRecord"},
			}},
		},
	})
	p := parse(t, b).Parameters
	for path, want := range map[[2]string]any{
		{"Prefix", "Default"}:                 "data/customer=!{partitionKeyFromQuery:customer}/day=!{partitionKeyFromQuery:day}/!{timestamp:yyyy/MM/dd/HH}/",
		{"Prefix", "MinLength"}:               1.0,
		{"ErrorPrefix", "MinLength"}:          1.0,
		{"BufferSizeMiB", "MinValue"}:         64.0,
		{"BufferIntervalSeconds", "MinValue"}: 60.0,
	} {
		if got := p[path[0]][path[1]]; got != want {
			t.Errorf("%v is %v, want %v", path, got, want)
		}
	}
}

// TestFreshness has the threshold follow the buffer interval.
func TestFreshness(t *testing.T) {
	for variant, want := range map[string]string{
		"default": `{"Fn::Join":["",["age - 1.5 * ",{"Ref":"BufferIntervalSeconds"}]]}`,
		"fixed":   `"age - 1.5 * 9"`,
	} {
		alarm := parse(t, synthesise(t, variant)).Resources["LateAlarm"]
		if got := text(at(alarm.Properties, "Metrics", 0, "Expression")); got != want {
			t.Errorf("%s: %s, want %s", variant, got, want)
		}
	}
}

func TestQuotaAlarms(t *testing.T) {
	for name, want := range map[string][3]string{
		"ByteQuotaAlarm":   {"IncomingBytes", "BytesPerSecondLimit", "100 * bytes / PERIOD(bytes) / bytesLimit"},
		"RecordQuotaAlarm": {"IncomingRecords", "RecordsPerSecondLimit", "100 * records / PERIOD(records) / recordsLimit"},
		"PutQuotaAlarm":    {"IncomingPutRequests", "PutRequestsPerSecondLimit", "100 * puts / PERIOD(puts) / putsLimit"},
	} {
		p := parse(t, synthesise(t, "default")).Resources[name].Properties
		got := [3]string{
			fmt.Sprint(at(p, "Metrics", 1, "MetricStat", "Metric", "MetricName")),
			fmt.Sprint(at(p, "Metrics", 2, "MetricStat", "Metric", "MetricName")),
			fmt.Sprint(at(p, "Metrics", 0, "Expression")),
		}
		if got != want || at(p, "Metrics", 1, "MetricStat", "Stat") != "Sum" || at(p, "Threshold") != 80.0 {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestDeletionOrder has the bucket emptied after the stream is gone and before the bucket
// goes, by a function that has its rights until then.
func TestDeletionOrder(t *testing.T) {
	for _, variant := range []string{"emptying", "all"} {
		tmpl := parse(t, synthesise(t, variant))
		for _, pair := range [][2]string{
			{"DeliveryStream", "EmptyBucket"},
			{"EmptyBucket", "Bucket"},
			{"EmptyBucket", "EmptyBucketFunction"},
			{"EmptyBucketFunction", "EmptyBucketRole"},
			{"EmptyBucketFunction", "EmptyBucketLogGroup"},
		} {
			if !slices.Contains(tmpl.needs(pair[0]), pair[1]) {
				t.Errorf("%s: %s is not deleted before %s", variant, pair[0], pair[1])
			}
		}
		if tags := text(tmpl.Resources["Bucket"].Properties["Tags"]); tags != `[{"Key":"hydrant:empty-on-delete","Value":"true"}]` {
			t.Errorf("%s: the bucket's tags are %s", variant, tags)
		}
	}
	if tags := parse(t, synthesise(t, "default")).Resources["Bucket"].Properties["Tags"]; tags != nil {
		t.Errorf("default: the bucket's tags are %v", tags)
	}
}

// needs is what a resource names: those resources are there before and after it.
func (tmpl *template) needs(name string) []string {
	r := tmpl.Resources[name]
	return slices.DeleteFunc(append(names(r.Properties), r.DependsOn...), func(n string) bool { return tmpl.Resources[n] == nil })
}

// names is all that a piece of a template refers to, conditions too.
func names(v any) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, in := range v {
			switch s, _ := in.(string); {
			case key == "Ref":
				found = append(found, s)
			case key == "Fn::Sub":
				for part := range strings.SplitSeq(s, "${") {
					name, _, _ := strings.Cut(part, "}")
					found = append(found, name)
				}
			case key == "Fn::GetAtt" || key == "Fn::If":
				first, _ := at(in, 0).(string)
				found = append(append(found, first), names(in)...)
			default:
				found = append(found, names(in)...)
			}
		}
	case []any:
		for _, in := range v {
			found = append(found, names(in)...)
		}
	}
	return found
}
