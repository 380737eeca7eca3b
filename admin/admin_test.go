package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/wire"
)

func spec(name string) admin.StreamSpec {
	return admin.StreamSpec{
		Name: name, BucketARN: "arn:aws:s3:::b", RoleARN: "arn:aws:iam::000000000000:role/r",
		BufferMiB: -1, IntervalSeconds: -1,
	}
}

func names(t *testing.T, c admin.Lister) (list []string) {
	t.Helper()
	for name, err := range admin.Streams(t.Context(), c) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

// answering is a client of a service that gives the same answers to all, in
// turn; the last one again and again.
func answering(t *testing.T, seen *[]string, answers ...string) *firehose.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*seen = append(*seen, string(body))
		answer := answers[min(len(*seen), len(answers))-1]
		if strings.Contains(answer, "__type") {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return firehose.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
}

func page(more bool, names ...string) string {
	body, err := json.Marshal(map[string]any{"DeliveryStreamNames": append([]string{}, names...), "HasMoreDeliveryStreams": more})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// The edges of paging: no page, one, a full one with nothing after it, an empty
// one that claims more.
func TestStreamsPages(t *testing.T) {
	tests := []struct {
		name  string
		pages []string
		want  []string
		calls int
	}{
		{"none", []string{page(false)}, nil, 1},
		{"one page", []string{page(false, "a", "b")}, []string{"a", "b"}, 1},
		{"two pages", []string{page(true, "a", "b"), page(false, "c")}, []string{"a", "b", "c"}, 2},
		{"nothing after a full page", []string{page(true, "a"), page(false)}, []string{"a"}, 2},
		{"an empty page with more", []string{page(true, "a"), page(true)}, []string{"a"}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var seen []string
			got := names(t, answering(t, &seen, test.pages...))
			if diff := gocmp.Diff(test.want, got); diff != "" || len(seen) != test.calls {
				t.Errorf("%d calls, want %d\n%s", len(seen), test.calls, diff)
			}
			if len(seen) > 1 && !strings.Contains(seen[1], `"ExclusiveStartDeliveryStreamName":"`+test.want[min(len(test.want), 2)-1]+`"`) {
				t.Errorf("the second call is %s", seen[1])
			}
		})
	}
	var seen []string
	for range admin.Streams(t.Context(), answering(t, &seen, page(true, "a", "b"))) {
		break
	}
	if len(seen) != 1 {
		t.Errorf("%d calls after a break in the first page", len(seen))
	}
	for _, err := range admin.Streams(t.Context(), answering(t, &seen, `{"__type":"AccessDeniedException","message":"no"}`)) {
		if err == nil || !strings.Contains(err.Error(), "list delivery streams: ") {
			t.Errorf("error %v", err)
		}
	}
}

func TestStreamsOfALocalFirehose(t *testing.T) {
	fh := hydranttest.Start(t, hydranttest.Options{})
	var want []string
	for i := range 105 { // one page of 100, and a rest
		want = append(want, fmt.Sprintf("s%03d", i))
		fh.CreateStream(want[i])
	}
	if diff := gocmp.Diff(want, names(t, fh.Client())); diff != "" {
		t.Error(diff)
	}
}

func TestStreamLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		c := fh.Client()
		s := spec("s")
		s.Compression, s.Prefix, s.ErrorOutputPrefix = "GZIP", "in/", "bad/"
		s.FileExtension, s.TimeZone, s.BufferMiB, s.IntervalSeconds = ".x", "Europe/Berlin", 7, 0
		arn, err := admin.Create(t.Context(), c, s)
		if err != nil {
			t.Fatal(err)
		}
		d, err := admin.WaitActive(t.Context(), c, "s")
		if err != nil {
			t.Fatal(err)
		}
		dest := d.Destinations[0].ExtendedS3DestinationDescription
		got := []string{
			arn, *d.DeliveryStreamARN, string(dest.CompressionFormat), *dest.Prefix, *dest.ErrorOutputPrefix, *dest.FileExtension, *dest.CustomTimeZone,
			fmt.Sprint(*dest.BufferingHints.SizeInMBs, *dest.BufferingHints.IntervalInSeconds),
		}
		if diff := gocmp.Diff([]string{arn, arn, "GZIP", "in/", "bad/", ".x", "Europe/Berlin", "7 0"}, got); diff != "" {
			t.Error(diff)
		}
		if err := admin.Delete(t.Context(), c, "s", false); err != nil {
			t.Fatal(err)
		}
		if err := admin.WaitDeleted(t.Context(), c, "s"); err != nil {
			t.Fatal(err)
		}
		_, err = admin.Describe(t.Context(), c, "s")
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); !gone {
			t.Errorf("after its deletion: %v", err)
		}
	})
}

// One hint alone is completed, as the service wants both or neither.
func TestCreateWithOneBufferingHint(t *testing.T) {
	fh := hydranttest.Start(t, hydranttest.Options{})
	s := spec("s")
	s.IntervalSeconds = 60
	if _, err := admin.Create(t.Context(), fh.Client(), s); err != nil {
		t.Fatal(err)
	}
	d, err := admin.Describe(t.Context(), fh.Client(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if h := d.Destinations[0].ExtendedS3DestinationDescription.BufferingHints; *h.SizeInMBs != 5 || *h.IntervalInSeconds != 60 {
		t.Errorf("%d MiB, %d s; want 5 and 60", *h.SizeInMBs, *h.IntervalInSeconds)
	}
}

func state(status string) string {
	return `{"DeliveryStreamDescription":{"DeliveryStreamName":"s","DeliveryStreamStatus":"` + status +
		`","FailureDescription":{"Type":"KMS_ACCESS_DENIED","Details":"no key"}}}`
}

func TestWaits(t *testing.T) {
	var seen []string
	if _, err := admin.WaitActive(t.Context(), answering(t, &seen, state("CREATING"), state("ACTIVE")), "s"); err != nil || len(seen) != 2 {
		t.Errorf("WaitActive: %v after %d calls", err, len(seen))
	}
	for _, status := range []string{"CREATING_FAILED", "DELETING"} {
		_, err := admin.WaitActive(t.Context(), answering(t, &seen, state(status)), "s")
		if err == nil || !strings.Contains(err.Error(), "s is "+status+": KMS_ACCESS_DENIED: no key") {
			t.Errorf("WaitActive of %s: %v", status, err)
		}
	}
	seen = nil
	gone := `{"__type":"ResourceNotFoundException","message":"Firehose s under account 0 not found."}`
	if err := admin.WaitDeleted(t.Context(), answering(t, &seen, state("DELETING"), gone), "s"); err != nil || len(seen) != 2 {
		t.Errorf("WaitDeleted: %v after %d calls", err, len(seen))
	}
	if err := admin.WaitDeleted(t.Context(), answering(t, &seen, state("DELETING_FAILED")), "s"); err == nil || !strings.Contains(err.Error(), "DELETING_FAILED") {
		t.Errorf("WaitDeleted of a failed deletion: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := admin.WaitActive(ctx, answering(t, &seen, state("CREATING")), "s"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitActive beyond its context: %v", err)
	}
}

func TestMetricSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		from := time.Now()
		// Three days in hours: 4,320 minutes, of which a call returns 1,440.
		for range 72 {
			_, err := fh.Client().PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte("ab")}})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		c := cloudwatch.NewFromConfig(fh.AWSConfig())
		for _, test := range []struct {
			metric   string
			from, to time.Time
			want     float64
		}{
			{"IncomingRecords", from, time.Now(), 72},
			{"IncomingBytes", from, time.Now(), 144},
			{"IncomingRecords", from.Add(30 * time.Minute), from.Add(150 * time.Minute), 2},
			{"IncomingRecords", from.Add(10 * time.Second), from.Add(11 * time.Second), 1}, // its whole minute
			{"ThrottledRecords", from, time.Now(), 0},
			{"IncomingRecords", from, from, 0},
		} {
			got, err := admin.MetricSum(t.Context(), c, "s", test.metric, test.from, test.to)
			if err != nil || got != test.want {
				t.Errorf("%s from %v to %v: %v, %v; want %v", test.metric, test.from, test.to, got, err, test.want)
			}
		}
	})
}

// CloudWatch keeps minutes for 15 days and five minutes for 63, so older times
// are asked for in longer periods.
func TestMetricSumOfOldTimes(t *testing.T) {
	var periods []int32
	reader := readerFunc(func(in *cloudwatch.GetMetricStatisticsInput) {
		periods = append(periods, *in.Period)
		if n := in.EndTime.Sub(*in.StartTime) / (time.Duration(*in.Period) * time.Second); n > 1440 {
			t.Errorf("a call for %d datapoints", n)
		}
	})
	for _, days := range []int{1, 16, 64} {
		from := time.Now().AddDate(0, 0, -days)
		if _, err := admin.MetricSum(t.Context(), reader, "s", "m", from, from.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff([]int32{60, 300, 3600}, periods); diff != "" {
		t.Error(diff)
	}
}

type readerFunc func(*cloudwatch.GetMetricStatisticsInput)

func (f readerFunc) GetMetricStatistics(_ context.Context, in *cloudwatch.GetMetricStatisticsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricStatisticsOutput, error) {
	f(in)
	return &cloudwatch.GetMetricStatisticsOutput{}, nil
}

func TestExplain(t *testing.T) {
	call := func(answer string) error {
		var seen []string
		_, err := admin.Describe(t.Context(), answering(t, &seen, answer), "s")
		return err
	}
	service := func(code, message string) error { return call(`{"__type":"` + code + `","message":"` + message + `"}`) }
	lost := firehose.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	_, refused := admin.Describe(t.Context(), lost, "s")
	_, regionless := admin.Describe(t.Context(), firehose.NewFromConfig(aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}), "s")
	tests := []struct {
		name string
		err  error
		want []string // in this order
	}{
		{"not found", service("ResourceNotFoundException", "no s"), []string{"describe delivery stream s: ResourceNotFoundException: no s\nhint: ", "streams list"}},
		{"in use", service("ResourceInUseException", "there"), []string{"ResourceInUseException: there\nhint: "}},
		{"limit", service("LimitExceededException", "20"), []string{"\nhint: ", "quota"}},
		{"denied", service("AccessDeniedException", "not authorized to perform: firehose:X"), []string{"perform: firehose:X\nhint: ", "IAM polic"}},
		{"unknown key", service("UnrecognizedClientException", "invalid"), []string{"\nhint: ", "AWS_ACCESS_KEY_ID"}},
		{"wrong secret", service("InvalidSignatureException", "does not match"), []string{"\nhint: ", "AWS_SECRET_ACCESS_KEY"}},
		{"wrong clock", service("InvalidSignatureException", "Signature expired: now"), []string{"\nhint: ", "clock"}},
		{"expired", service("ExpiredTokenException", "expired"), []string{"\nhint: ", "new credentials"}},
		{"no endpoint", refused, []string{"describe delivery stream s: ", "connection refused\nhint: ", "AWS_ENDPOINT_URL_FIREHOSE"}},
		{"no region", regionless, []string{"\nhint: ", "AWS_REGION"}},
		{"of our own", fmt.Errorf("put: %w", wire.Errorf(wire.CodeResourceNotFound, "no")), []string{"put: ResourceNotFoundException: no", "\nhint: "}},
	}
	for _, test := range tests {
		got := admin.Explain(test.err)
		rest := got.Error()
		for _, want := range test.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%s: %q is not, in its place, in:\n%v", test.name, want, got)
				break
			}
			rest = after
		}
		if strings.Contains(got.Error(), "RequestID") || !errors.Is(got, test.err) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	plain := errors.New("a plain one")
	hinted := errors.New("broken\nhint: mend it")
	if got := admin.Explain(plain); got.Error() != plain.Error() {
		t.Errorf("%v", got)
	}
	if admin.Explain(hinted) != hinted || admin.Explain(nil) != nil {
		t.Error("an error with a hint, or none, must come back as it is")
	}
}

func TestExplainOfMissingCredentials(t *testing.T) {
	c := firehose.NewFromConfig(aws.Config{
		Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no EC2 IMDS role found")
		}),
	})
	_, err := admin.Describe(t.Context(), c, "s")
	if got := admin.Explain(err).Error(); !strings.Contains(got, "\nhint: no AWS credentials were found") {
		t.Error(got)
	}
}

