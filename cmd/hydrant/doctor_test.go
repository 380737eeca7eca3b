package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
)

// examine runs doctor on a stream, and returns what it has found and its exit code.
func examine(t *testing.T, env []string, args ...string) (checked, int) {
	t.Helper()
	cmd := command(t, env, append([]string{"doctor", "--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var out checked
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	return out, exitCode(err)
}

// find is a check's finding that holds a text.
func (c checked) find(t *testing.T, check, text string) finding {
	t.Helper()
	for _, f := range c.Checks {
		if f.Check == check && strings.Contains(f.Text, text) {
			return f
		}
	}
	t.Errorf("no %s with %q: %+v", check, text, c.Checks)
	return finding{}
}

// A bucket that is deleted under its stream: doctor tells cause and remedy.
func TestDoctorOfADeletedBucket(t *testing.T) {
	t.Parallel()
	store := newSite(t)
	destination, err := s3.New(s3.Config{AWS: store.sdk(), PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	fh := newSiteOf(t, local.Config{Destination: destination})
	objects := awss3.NewFromConfig(store.sdk(), func(o *awss3.Options) { o.UsePathStyle = true })
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = objects.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("deleted")})
	check(err)
	logs, client := cloudwatchlogs.NewFromConfig(fh.sdk()), firehose.NewFromConfig(fh.sdk())
	_, err = logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")})
	check(err)
	_, err = logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("d")})
	check(err)
	_, err = client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("s"), ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::deleted"),
			BufferingHints:           &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(0)},
			CloudWatchLoggingOptions: &types.CloudWatchLoggingOptions{Enabled: aws.Bool(true), LogGroupName: aws.String("g"), LogStreamName: aws.String("d")},
		},
	})
	check(err)
	put := func() {
		t.Helper()
		_, err := client.PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte("x")}})
		check(err)
	}
	put()
	check(fh.Flush(t.Context()))
	env := append(fh.env, "AWS_ENDPOINT_URL_S3="+*store.sdk().BaseEndpoint)
	got, code := examine(t, env, "s")
	if code != 0 || got.Failed != 0 {
		t.Errorf("while all is well: exit code %d, %+v", code, got)
	}
	got.find(t, "destination", "bucket deleted is there")
	got.find(t, "deliveries", "no errors are logged in the last hour")

	list, err := objects.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("deleted")})
	check(err)
	for _, o := range list.Contents {
		_, err = objects.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String("deleted"), Key: o.Key})
		check(err)
	}
	_, err = objects.DeleteBucket(t.Context(), &awss3.DeleteBucketInput{Bucket: aws.String("deleted")})
	check(err)
	put()
	eventually(t, func() bool {
		text, err := fh.logged("g")
		return err == nil && strings.Contains(text, "S3.NoSuchBucket")
	})
	got, code = examine(t, env, "s")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, f := range []finding{got.find(t, "destination", "bucket deleted does not exist"), got.find(t, "deliveries", "S3.NoSuchBucket ")} {
		if !strings.Contains(f.Remedy, admin.Remedy("S3.NoSuchBucket")) {
			t.Errorf("%+v", f)
		}
	}
	if f := got.find(t, "metrics", "success: "); f.Status == statusOK {
		t.Errorf("%+v", f)
	}
	_, err = objects.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("deleted")})
	check(err) // or the site could not end in order
}

// The clock is compared with the service's.
func TestDoctorOfTheClock(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	for _, tc := range []struct {
		ahead  time.Duration // of the service
		status string
		text   string
	}{
		{0, statusOK, "as the service's"},
		{-30 * time.Second, statusOK, "ahead of the service's"},
		{-65 * time.Second, statusWarning, "1m05s ahead of the service's"},
		{2 * time.Minute, statusWarning, "behind the service's"},
		{-305 * time.Second, statusFailed, "5m05s ahead of the service's"},
		{time.Hour, statusFailed, "behind the service's"},
	} {
		fh.ahead.Store(int64(tc.ahead))
		got, code := examine(t, fh.env)
		f := got.find(t, "clock", "service's")
		if f.Status != tc.status || (code == exitFailed) != (tc.status == statusFailed) || (f.Remedy == "") != (tc.status == statusOK) {
			t.Errorf("%v: %+v, exit code %d", tc.ahead, f, code)
		}
		if tc.ahead.Seconds() != 65 && tc.ahead.Seconds() != 305 && !strings.Contains(f.Text, strings.TrimLeft(tc.text, "0123456789ms ")) {
			t.Errorf("%v: %s, want %s", tc.ahead, f.Text, tc.text)
		}
	}
}

// A service that takes connections and never answers holds nothing else up.
func TestDoctorOfASilentService(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	url, _ := silent(t)
	began := time.Now()
	got, code := examine(t, append(fh.env, "AWS_ENDPOINT_URL_CLOUDWATCH="+url), stream)
	if took := time.Since(began); took < checkTime || took > 2*checkTime {
		t.Errorf("it took %v", took)
	}
	f := got.find(t, "endpoints", "no answer within 5s; it is needed by hydrant metrics")
	if code != 0 || f.Status != statusWarning || f.Remedy == "" {
		t.Errorf("exit code %d, %+v", code, f)
	}
	if f := got.find(t, "metrics", "not checked: CloudWatch can't be reached"); f.Status != statusSkipped {
		t.Errorf("%+v", f)
	}
	got.find(t, "stream", "s is ACTIVE")
	got.find(t, "packing", "records are packed")
}

func newCheckup(d *types.DeliveryStreamDescription) (*checkup, *bytes.Buffer) {
	var out bytes.Buffer
	return &checkup{app: &app{stdout: &out}, stream: "s", name: "x", description: d, lacks: map[string]string{}}, &out
}

// What the metrics of an hour mean.
func TestDoctorJudges(t *testing.T) {
	d := &types.DeliveryStreamDescription{
		Destinations: []types.DestinationDescription{{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(60)},
		}}},
		DeliveryStreamEncryptionConfiguration: &types.DeliveryStreamEncryptionConfiguration{KeyType: types.KeyTypeCustomerManagedCmk},
	}
	nan := math.NaN()
	limits := map[stat][]float64{{"BytesPerSecondLimit", "Minimum"}: {100, 100, 100}}
	for _, tc := range []struct {
		name   string
		series map[stat][]float64
		want   []string // status and a part of the text
	}{
		{"all well", map[stat][]float64{
			{"IncomingRecords", "Sum"}:              {3, nan, 4},
			{"DeliveryToS3.Success", "SampleCount"}: {2, nan, 1}, {"DeliveryToS3.Success", "Sum"}: {2, nan, 1},
			{"DeliveryToS3.DataFreshness", "Maximum"}: {500, nan, 120},
		}, []string{"ok incoming records in the last hour: 7", "ok success: all attempts", "ok the oldest record that waits came 2m00s ago, the buffer's interval is 1m00s"}},
		{"old", map[stat][]float64{
			{"DeliveryToS3.DataFreshness", "Maximum"}: {10, 20, 121},
		}, []string{"ok incoming records in the last hour: 0", "failed the oldest record that waits came 2m01s ago"}},
		{"failed before", map[stat][]float64{
			{"DeliveryToS3.Success", "SampleCount"}: {2, 2, 1}, {"DeliveryToS3.Success", "Sum"}: {2, 1, 1},
		}, []string{"ok incoming", "warning success: some attempts of the last hour failed"}},
		{"fails", map[stat][]float64{
			{"DeliveryToS3.Success", "SampleCount"}: {2, 4, nan}, {"DeliveryToS3.Success", "Sum"}: {2, 1, nan},
		}, []string{"ok incoming", "failed success: the last attempts failed, 75 % of them"}},
		{"throttled", map[stat][]float64{
			{"ThrottledRecords", "Sum"}: {nan, 1200, nan},
		}, []string{"ok incoming", "warning 1,200 records were throttled"}},
		{"quota", map[stat][]float64{
			{"IncomingBytes", "Sum"}: {100 * 60, 0, 79 * 60},
		}, []string{"ok incoming", "ok 79 % of the quota is used now"}},
		{"near the quota", map[stat][]float64{
			{"IncomingBytes", "Sum"}: {0, 0, 80 * 60},
		}, []string{"ok incoming", "warning 80 % of the quota is used now"}},
		{"KMS", map[stat][]float64{
			{"KMSKeyDisabled", "Sum"}: {nan, 2, nan}, {"KMSKeyNotFound", "Sum"}: {1, nan, nan},
		}, []string{"ok incoming", "failed 3 calls failed for the KMS key"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := newCheckup(d)
			r := &reading{window: admin.Window{Period: time.Minute}, series: tc.series, known: 3}
			r.window.To = r.window.From.Add(3 * time.Minute)
			for k, v := range limits {
				if len(tc.series[stat{"IncomingBytes", "Sum"}]) > 0 {
					r.series[k] = v
				}
			}
			figures := targetOf(d).figures
			for i := range figures {
				c.judge(&figures[i], r)
			}
			var got []string
			for _, f := range c.findings {
				got = append(got, f.Status+" "+f.Text)
				if (f.Remedy == "") != (f.Status == statusOK || strings.Contains(f.Text, "the last ones did not")) {
					t.Errorf("%+v", f)
				}
			}
			if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Error(cmp.Diff(tc.want, got))
			}
		})
	}
}

func TestDoctorOfStates(t *testing.T) {
	failure := &types.FailureDescription{Type: types.DeliveryStreamFailureTypeCreateKmsGrantFailed, Details: aws.String("no grant")}
	for _, tc := range []struct {
		status types.DeliveryStreamStatus
		kind   types.DeliveryStreamType
		want   string
	}{
		{types.DeliveryStreamStatusActive, types.DeliveryStreamTypeDirectPut, "ok s is ACTIVE"},
		{types.DeliveryStreamStatusActive, types.DeliveryStreamTypeKinesisStreamAsSource, "warning s is ACTIVE, but its source is KinesisStreamAsSource"},
		{types.DeliveryStreamStatusCreating, "", "warning s is CREATING"},
		{types.DeliveryStreamStatusDeleting, "", "warning s is DELETING"},
		{types.DeliveryStreamStatusCreatingFailed, "", "failed s is CREATING_FAILED: CREATE_KMS_GRANT_FAILED: no grant"},
		{types.DeliveryStreamStatusDeletingFailed, "", "failed s is DELETING_FAILED"},
	} {
		d := &types.DeliveryStreamDescription{DeliveryStreamName: aws.String("s"), DeliveryStreamStatus: tc.status, DeliveryStreamType: tc.kind}
		if tc.status == types.DeliveryStreamStatusCreatingFailed {
			d.FailureDescription = failure
		}
		c, _ := newCheckup(d)
		c.tellState(d)
		checkFinding(t, c, tc.want)
	}
	for status, want := range map[types.DeliveryStreamEncryptionStatus]string{
		"":         "ok the stream does not encrypt",
		"DISABLED": "ok the stream does not encrypt",
		"ENABLED":  "ok ENABLED, by CUSTOMER_MANAGED_CMK arn:k",
		"ENABLING": "warning ENABLING", "DISABLING": "warning DISABLING",
		"ENABLING_FAILED": "failed ENABLING_FAILED, by CUSTOMER_MANAGED_CMK arn:k: CREATE_KMS_GRANT_FAILED: no grant", "DISABLING_FAILED": "failed DISABLING_FAILED",
	} {
		c, _ := newCheckup(&types.DeliveryStreamDescription{DeliveryStreamEncryptionConfiguration: &types.DeliveryStreamEncryptionConfiguration{
			Status: status, KeyType: types.KeyTypeCustomerManagedCmk, KeyARN: aws.String("arn:k"), FailureDescription: failure,
		}})
		c.checkEncryption(t.Context())
		checkFinding(t, c, want)
	}
}

func checkFinding(t *testing.T, c *checkup, want string) {
	t.Helper()
	if len(c.findings) != 1 {
		t.Fatalf("%+v", c.findings)
	}
	f := c.findings[0]
	if got := f.Status + " " + f.Text; !strings.HasPrefix(got, want) || (f.Remedy == "") != (f.Status == statusOK) {
		t.Errorf("%s (%s), want %s", got, f.Remedy, want)
	}
}

// A credential's end is told, and one that is over needs nothing else to be tried.
func TestDoctorOfCredentials(t *testing.T) {
	for _, tc := range []struct {
		left time.Duration
		want string
	}{
		{time.Hour, "ok from IAM Identity Center (SSO), they expire in "},
		{time.Minute, "warning from IAM Identity Center (SSO), they expire in "},
		{-time.Minute, "failed from IAM Identity Center (SSO), they expired "},
	} {
		c, _ := newCheckup(nil)
		c.cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{Source: "SSOProvider", CanExpire: true, Expires: time.Now().Add(tc.left), SecretAccessKey: "canary"}, nil
		})
		c.checkCredentials(t.Context())
		checkFinding(t, c, tc.want)
		if (c.lacks[needCredentials] == "") == (tc.left < 0) {
			t.Errorf("%v: lacks %v", tc.left, c.lacks)
		}
	}
}

// The setting that an endpoint comes from is told in the SDK's order.
func TestEndpointSource(t *testing.T) {
	const own, other = "https://firehose.us-east-1.amazonaws.com", "http://127.0.0.1:1"
	for _, tc := range []struct {
		flag, all, one, ignore string
		env, url               string
		want                   string
	}{
		{"", "", "", "", "FIREHOSE", own, "AWS's own"},
		{"", "", "", "", "FIREHOSE", other, "endpoint_url of the profile"},
		{"", other, "", "", "FIREHOSE", other, "AWS_ENDPOINT_URL"},
		{"", other, other, "", "FIREHOSE", other, "AWS_ENDPOINT_URL_FIREHOSE"},
		{other, other, other, "", "FIREHOSE", other, "--endpoint-url"},
		{other, other, "", "", "S3", other, "--endpoint-url"},
		{other, other, other, "", "S3", other, "AWS_ENDPOINT_URL_S3"},
		{"", other, other, "true", "S3", own, "AWS's own"},
	} {
		t.Setenv("AWS_ENDPOINT_URL", tc.all)
		t.Setenv("AWS_ENDPOINT_URL_"+tc.env, tc.one)
		t.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", tc.ignore)
		c := &checkup{app: &app{endpoint: tc.flag}}
		if got := c.endpointSource(tc.env, tc.url); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

// Errors are told by code, the latest first, and those of other streams in a shared log not.
func TestDoctorCountsErrors(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var counts []*errorCount
	for i, e := range []admin.DeliveryError{
		{Stream: "s", Code: "S3.AccessDenied", Message: "first"},
		{Stream: "other", Code: "S3.NoSuchBucket", Message: "not ours"},
		{Stream: "s", Code: "InternalError", Message: "once"},
		{Stream: "s", Code: "S3.AccessDenied", Message: "last"},
		{Message: "a line of another form"},
	} {
		counts = countError(counts, e, at.Add(time.Duration(i)*time.Minute), "s")
	}
	c, out := newCheckup(nil)
	for _, e := range counts {
		c.tellErrors(e)
	}
	want := `failed   x            S3.AccessDenied 2 times in the last hour, the last at 12:03:00 UTC: last
                      hint: ` + admin.Remedy("S3.AccessDenied") + `
warning  x            InternalError once at 12:02:00 UTC: once
                      hint: ` + admin.Remedy("InternalError") + `
failed   x            an error once at 12:04:00 UTC: a line of another form
                      hint: hydrant logs s shows them all
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A folder that can't be written, also by root.
func TestDoctorOfAnUnwritableSpool(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("there is no /proc")
	}
	c, _ := newCheckup(nil)
	c.options.spool = "/proc"
	c.checkSpool(t.Context())
	checkFinding(t, c, "failed the spool can't be written: ")
}
