package admin_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
)

func logging(group, stream string) *types.CloudWatchLoggingOptions {
	return &types.CloudWatchLoggingOptions{Enabled: aws.Bool(true), LogGroupName: &group, LogStreamName: &stream}
}

func TestErrorLogs(t *testing.T) {
	off := logging("g", "d")
	off.Enabled = aws.Bool(false)
	for _, tc := range []struct {
		name string
		of   types.DestinationDescription
		want []admin.ErrorLog
	}{
		{"s3 and its backup", types.DestinationDescription{
			ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{CloudWatchLoggingOptions: logging("g", "d"), S3BackupDescription: &types.S3DestinationDescription{CloudWatchLoggingOptions: logging("g", "b")}},
			S3DestinationDescription:         &types.S3DestinationDescription{CloudWatchLoggingOptions: logging("g", "d")}, // as AWS answers
		}, []admin.ErrorLog{{"g", "d"}, {"g", "b"}}},
		{"one log for both", types.DestinationDescription{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{
			CloudWatchLoggingOptions: logging("g", "d"), S3DestinationDescription: &types.S3DestinationDescription{CloudWatchLoggingOptions: logging("g", "d")},
		}}, []admin.ErrorLog{{"g", "d"}}},
		{"disabled", types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{CloudWatchLoggingOptions: off}}, nil},
		{"backup only", types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{
			CloudWatchLoggingOptions: off, S3BackupDescription: &types.S3DestinationDescription{CloudWatchLoggingOptions: logging("g", "b")},
		}}, []admin.ErrorLog{{"g", "b"}}},
		{"nothing said", types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{}}, nil},
		{"no names", types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{CloudWatchLoggingOptions: logging("", "")}}, nil},
		{"no destination", types.DestinationDescription{}, nil},
	} {
		got := admin.ErrorLogs(&types.DeliveryStreamDescription{Destinations: []types.DestinationDescription{tc.of}})
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// No destination of the API is left out.
func TestErrorLogsOfAllDestinations(t *testing.T) {
	all := reflect.TypeFor[types.DestinationDescription]()
	n := 0
	for i := range all.NumField() {
		if !strings.HasSuffix(all.Field(i).Name, "Description") {
			continue
		}
		var d types.DestinationDescription
		one := reflect.New(all.Field(i).Type.Elem())
		one.Elem().FieldByName("CloudWatchLoggingOptions").Set(reflect.ValueOf(logging("g", "own")))
		want := []admin.ErrorLog{{"g", "own"}}
		for _, backup := range []string{"S3DestinationDescription", "S3BackupDescription"} {
			if f := one.Elem().FieldByName(backup); f.IsValid() {
				f.Set(reflect.ValueOf(&types.S3DestinationDescription{CloudWatchLoggingOptions: logging("g", backup)}))
				want = append(want, admin.ErrorLog{"g", backup})
			}
		}
		reflect.ValueOf(&d).Elem().Field(i).Set(one)
		got := admin.ErrorLogs(&types.DeliveryStreamDescription{Destinations: []types.DestinationDescription{d}})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", all.Field(i).Name, diff)
		}
		n++
	}
	if n < 10 {
		t.Errorf("looked at %d destinations, the API has 10", n)
	}
}

func TestParseDeliveryError(t *testing.T) {
	for line, want := range map[string]admin.DeliveryError{
		`{"deliveryStreamARN":"arn:aws:firehose:us-east-1:123456789012:deliverystream/s","destination":"arn:aws:s3:::b","deliveryStreamVersionId":"3","message":"Access was denied.","errorCode":"S3.AccessDenied"}`: {
			Stream: "s", Destination: "arn:aws:s3:::b", Version: "3", Code: "S3.AccessDenied", Message: "Access was denied.",
		},
		`{"deliveryStreamARN":"arn:aws:firehose:us-east-1:123456789012:deliverystream/s","destination":"https://e","deliveryStreamVersionId":1,"message":"m","errorCode":"Lambda.FunctionError","processor":"arn:aws:lambda:l"}`: {
			Stream: "s", Destination: "https://e", Version: "1", Code: "Lambda.FunctionError", Message: "m", Processor: "arn:aws:lambda:l",
		},
		`{"message":"m"}`:      {Message: "m"},
		`{"level":"info"}`:     {Message: `{"level":"info"}`},
		`{"message":["m"]}`:    {Message: `{"message":["m"]}`},
		"Test: no JSON at all": {Message: "Test: no JSON at all"},
		"":                     {},
	} {
		if diff := cmp.Diff(want, admin.ParseDeliveryError(line)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

// Every code that the local Firehose writes into an error log has a remedy.
func TestRemedies(t *testing.T) {
	code := regexp.MustCompile(`"((?:S3|HttpEndpoint|Lambda|DataFormatConversion|DynamicPartitioning)\.[A-Za-z.]*[a-z])"`)
	seen := map[string]bool{}
	for _, dir := range []string{"../local", "../local/deliver/s3", "../local/deliver/http", "../local/process", "../local/convert"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range code.FindAllSubmatch(text, -1) {
				seen[string(m[1])] = true
			}
		}
	}
	if len(seen) < 25 {
		t.Errorf("found %d codes in the local Firehose", len(seen))
	}
	for _, more := range []string{"InternalError", "Decompression failed."} {
		seen[more] = true
	}
	for c := range seen {
		if text := admin.Remedy(c); text == "" || strings.Contains(text, "\n") {
			t.Errorf("the remedy of %s is %q", c, text)
		}
	}
	if text := admin.Remedy("Nobody.Knows"); text != "" {
		t.Errorf("the remedy of an unknown code is %q", text)
	}
}
