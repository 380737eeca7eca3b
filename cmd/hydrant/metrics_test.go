package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
)

// testApp is the command without its process, for bubbles.
type testApp struct {
	*app
	out, err bytes.Buffer
}

func newTestApp() *testApp {
	t := &testApp{}
	t.app = &app{stdout: &t.out, stderr: &t.err, log: slog.New(slog.DiscardHandler)}
	return t
}

// putRecords puts n records of 100 bytes by one call.
func putRecords(t *testing.T, fh *hydranttest.Firehose, stream string, n int) {
	t.Helper()
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream}
	for range n {
		in.Records = append(in.Records, types.Record{Data: bytes.Repeat([]byte("x"), 100)})
	}
	if _, err := fh.Client().PutRecordBatch(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// decode reads the lines of JSON that were printed since the last time.
func decode[T any](t *testing.T, buf *bytes.Buffer) (list []T) {
	t.Helper()
	for d := json.NewDecoder(buf); ; {
		var v T
		if err := d.Decode(&v); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
}

// What a stream is shown to have done is what it has done: on the real metrics of a
// local Firehose with a quota.
func TestMetricsOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Quota: local.Quota{Records: 100, Calls: 10, Bytes: 6000}})
		time.Sleep(time.Hour + 30*time.Second)
		fh.CreateStream("s") // whose limits are published at the minute's end
		start := time.Now()
		putRecords(t, fh, "s", 10)
		time.Sleep(2 * time.Minute) // a minute with nothing
		for range 3 {
			putRecords(t, fh, "s", 70) // of which 60 get in
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Minute) // delivered meanwhile
		a := newTestApp()
		a.json = true
		o := &metricsOptions{since: "10m"}
		if err := a.meter(fh.AWSConfig(), o, []string{"s"}).show(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		got := decode[oneStreamJSON](t, &a.out)[0]
		minute := start.Truncate(time.Minute).UTC()
		f := aws.Float64
		want := streamSummary{
			Stream: "s", Newest: got.Newest,
			IncomingRecords: f(190), IncomingBytes: f(19000), IncomingCalls: f(4), ThrottledRecords: f(30), QuotaShare: f(18000.0 / 60 / 6000),
			DeliveredRecords: f(190), DeliveredBytes: f(19000), FailedDeliveries: f(0), Success: f(1), DataFreshness: f(60),
			Limits: limitsJSON{f(6000), f(100), f(10)},
		}
		if diff := gocmp.Diff(want, got.streamSummary); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got.Period != 60 || !got.From.Equal(time.Now().Add(-10*time.Minute).Truncate(time.Minute)) || got.Destination != "s3" || time.Since(*got.Newest) > 2*time.Minute {
			t.Errorf("from %v in periods of %d s, newest %v, to %s", got.From, got.Period, got.Newest, got.Destination)
		}
		for _, m := range got.Metrics {
			values := map[time.Duration]float64{}
			for _, p := range m.Points {
				values[p.Time.Sub(minute)] = p.Value
			}
			switch m.Name { // nothing where AWS publishes nothing
			case "incoming_records":
				if len(values) != 2 || values[0] != 10 || values[2*time.Minute] != 180 {
					t.Errorf("%s: %v", m.Name, values)
				}
			case "quota_share":
				if len(values) != 2 || values[0] != 1000.0/60/6000 {
					t.Errorf("%s: %v", m.Name, values)
				}
			case "success":
				if len(values) != 2 || values[time.Minute] != 1 {
					t.Errorf("%s: %v", m.Name, values)
				}
			}
		}

		a.json = false
		if err := a.meter(fh.AWSConfig(), o, []string{"s"}).show(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		const text = `s, to S3: 2000-01-01 00:57 to 01:08 UTC, periods of 1m00s

                   total     least  most      last
incoming records   190       0      180       0
incoming bytes     18.6 KiB  0 B    17.6 KiB  0 B
incoming calls     4         0      3         0
throttled records  30        0      30        0
quota used         -         0%     5%        0%
delivered records  190       0      180       0
delivered bytes    18.6 KiB  0 B    17.6 KiB  0 B
failed deliveries  0         0      0         0
success            100%      100%   100%      100%
data freshness     -         1m00s  1m00s     1m00s

quota: 5.9 KiB/s, 100 records/s, 10 calls/s
`
		if diff := gocmp.Diff(text, a.out.String()); diff != "" || a.err.Len() > 0 {
			t.Errorf("told %q, printed (-want +got):\n%s", a.err.String(), diff)
		}
	})
}

// A line for each stream, also of one that nothing is known of.
func TestMetricsOfAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{IntervalSeconds: 10})
		a := newTestApp()
		show := func() {
			t.Helper()
			a.out.Reset()
			a.err.Reset()
			if err := a.meter(fh.AWSConfig(), &metricsOptions{since: "1h"}, nil).show(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		show()
		if a.out.Len() > 0 || !strings.Contains(a.err.String(), "no delivery streams") {
			t.Errorf("printed %q, told %q", a.out.String(), a.err.String())
		}
		for i := range 40 { // more metrics than a call takes
			fh.CreateStream(fmt.Sprintf("s%02d", i))
		}
		show()
		if strings.Count(a.out.String(), "\ns") != 41 || !strings.Contains(a.err.String(), "no data points of any stream since 1999-12-31 23:00 UTC; CloudWatch shows") {
			t.Errorf("printed %q, told %q", a.out.String(), a.err.String())
		}
		putRecords(t, fh, "s07", 7)
		putRecords(t, fh, "s39", 39)
		time.Sleep(time.Minute)
		show()
		for _, want := range []string{"\ns07     7        700 B ", "\ns39     39       3.8 KiB ", "\ns08     -        - ", "  100%     10s\n"} {
			if !strings.Contains(a.out.String(), want) {
				t.Errorf("without %q:\n%s", want, &a.out)
			}
		}
		if a.err.Len() > 0 {
			t.Errorf("told %q", a.err.String())
		}
		a.json = true
		show()
		all := decode[allStreamsJSON](t, &a.out)[0]
		if len(all.Streams) != 40 || *all.Streams[7].IncomingRecords != 7 || *all.Streams[39].DeliveredRecords != 39 || *all.Streams[39].IncomingCalls != 1 || all.Period != 60 {
			t.Errorf("%+v", all)
		}
	})
}

// A watch shows again and again, tells what fails and goes on, and ends well.
func TestMetricsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		a := newTestApp()
		a.json = true
		m := a.meter(fh.AWSConfig(), &metricsOptions{since: "10m", every: time.Minute}, []string{"s"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.follow(ctx) }()
		counts := func(after time.Duration, want ...float64) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			var got []float64
			for _, s := range decode[oneStreamJSON](t, &a.out) {
				n := -1.0
				if s.IncomingRecords != nil {
					n = *s.IncomingRecords
				}
				got = append(got, n)
			}
			if !slices.Equal(got, want) {
				t.Errorf("incoming records %v, want %v", got, want)
			}
		}
		counts(time.Second, -1)
		putRecords(t, fh, "s", 3)
		counts(time.Minute, 3)
		putRecords(t, fh, "s", 4)
		counts(2*time.Minute, 7, 7)
		a.err.Reset()
		fh.SetDown(true)
		counts(75 * time.Second)
		if text := a.err.String(); !strings.Contains(text, "hydrant: read metrics: ") || !strings.Contains(text, "hint: the endpoint can't be reached") {
			t.Errorf("told %q", text)
		}
		fh.SetDown(false)
		counts(time.Minute, 7)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended by %v", err)
		}
		// What fails at once ends it.
		if err := a.meter(fh.AWSConfig(), m.metricsOptions, []string{"none"}).follow(t.Context()); err == nil {
			t.Error("a stream that is not there is watched")
		}
	})
}

// A period is 0 only where that is what it means that AWS publishes nothing.
func TestMetricValues(t *testing.T) {
	no := math.NaN()
	r := &reading{
		window: admin.Window{From: time.Unix(0, 0), To: time.Unix(300, 0), Period: time.Minute},
		known:  4,
		series: map[stat][]float64{
			{"IncomingBytes", "Sum"}:                 {no, 600, no, 1200, no},
			{"IncomingRecords", "Sum"}:               {no, 60, no, 60, no},
			{"IncomingPutRequests", "Sum"}:           {no, 6, no, 6, no},
			{"BytesPerSecondLimit", "Minimum"}:       {no, no, 100, no, 50},
			{"RecordsPerSecondLimit", "Minimum"}:     {no, no, 4, no, no},
			{"PutRequestsPerSecondLimit", "Minimum"}: {no, no, no, no, no},
			{"D.Success", "SampleCount"}:             {no, 4, no, 1, no},
			{"D.Success", "Sum"}:                     {no, 1, no, 1, no},
			{"D.DataFreshness", "Maximum"}:           {no, 7, no, 0, no},
		},
	}
	for _, l := range quotaLimits {
		fill(r.series[l])
	}
	d := deliveryFigures("D")
	for _, tc := range []struct {
		f     figure
		want  []float64
		total float64
	}{
		{incomingFigures[0], []float64{0, 60, 0, 60, no}, 120},
		{incomingFigures[1], []float64{0, 600, 0, 1200, no}, 1800},
		{incomingFigures[3], []float64{0, 0, 0, 0, no}, 0},        // ThrottledRecords, of which there is nothing
		{incomingFigures[4], []float64{0, 0.25, 0, 0.25, no}, no}, // of records; 0.1 and 0.2 of bytes
		{d[0], []float64{0, 0, 0, 0, no}, 0},                      // records
		{d[2], []float64{0, 3, 0, 0, no}, 3},                      // failed
		{d[3], []float64{no, 0.25, no, 1, no}, 0.4},               // success
		{d[4], []float64{no, 7, no, 0, no}, no},                   // freshness
		{backupFigures()[2], []float64{no, no, no, no, no}, no},   // not there at all
		{highestOf("", "", inCount, "D"), slices.Repeat([]float64{no}, 5), no},
	} {
		got, total := r.values(&tc.f), r.total(&tc.f)
		if fmt.Sprint(got) != fmt.Sprint(tc.want) || fmt.Sprint(total) != fmt.Sprint(tc.total) {
			t.Errorf("%s: %v, in all %v; want %v, in all %v", tc.f.key, got, total, tc.want, tc.total)
		}
	}
	r.known = 0
	if got := r.total(&incomingFigures[0]); !math.IsNaN(got) {
		t.Errorf("of a stream of which nothing is known: %v", got)
	}
}

func TestQuotaShare(t *testing.T) {
	no := math.NaN()
	for _, tc := range []struct {
		v    []float64 // bytes, records, calls and their limits
		want float64
	}{
		{[]float64{60, 60, 60, 10, 20, 40}, 0.1},
		{[]float64{60, 120, 60, 10, 10, 40}, 0.2},
		{[]float64{60, 60, 600, 10, 20, 40}, 0.25},
		{[]float64{600, 60, 60, 10, 20, 40}, 1},
		{[]float64{60, 60, 60, no, 20, no}, 0.05},
		{[]float64{60, 60, 60, 0, 20, 40}, 0.05},
		{[]float64{60, 60, 60, no, no, no}, no},
		{[]float64{no, no, no, 10, 20, 40}, no},
		{[]float64{0, 0, 0, 10, 20, 40}, 0},
	} {
		if got := quotaShare(tc.v, 60); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%v: %v, want %v", tc.v, got, tc.want)
		}
	}
}

// What is shown of a stream is what it has.
func TestMetricTargets(t *testing.T) {
	yes := aws.Bool(true)
	processors := func(kinds ...types.ProcessorType) *types.ProcessingConfiguration {
		c := &types.ProcessingConfiguration{Enabled: yes}
		for _, k := range kinds {
			c.Processors = append(c.Processors, types.Processor{Type: k})
		}
		return c
	}
	const incoming = "incoming_records incoming_bytes incoming_calls throttled_records quota_share "
	const delivery = incoming + "delivered_records delivered_bytes failed_deliveries success data_freshness_seconds"
	for _, tc := range []struct {
		of      types.DestinationDescription
		encrypt types.KeyType
		key     string
		want    string
		metric  string // the first one of delivery
	}{
		{types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{}}, "", "s3", delivery, "DeliveryToS3.Records"},
		{types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{ProcessingConfiguration: &types.ProcessingConfiguration{Processors: processors("Lambda").Processors}}}, types.KeyTypeAwsOwnedCmk, "s3", delivery, "DeliveryToS3.Records"},
		{types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{
			DynamicPartitioningConfiguration:  &types.DynamicPartitioningConfiguration{Enabled: yes},
			ProcessingConfiguration:           processors("Lambda", "MetadataExtraction"),
			DataFormatConversionConfiguration: &types.DataFormatConversionConfiguration{Enabled: yes},
			S3BackupMode:                      types.S3BackupModeEnabled,
		}}, types.KeyTypeCustomerManagedCmk, "s3", delivery + " delivered_objects partitions partitions_exceeded partition_throughput jq_milliseconds" +
			" function_success function_milliseconds processed_records converted_records unconverted_records backup_records backup_success backup_freshness_seconds key_failures", "DeliveryToS3.Records"},
		{types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{ProcessingConfiguration: processors("Decompression", "CloudWatchLogProcessing")}}, "", "s3", delivery + " decompressed_records undecompressed_records", "DeliveryToS3.Records"},
		{types.DestinationDescription{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{S3BackupMode: types.HttpEndpointS3BackupModeFailedDataOnly}}, "", "http_endpoint", delivery + " attempted_records", "DeliveryToHttpEndpoint.Records"},
		{types.DestinationDescription{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{S3BackupMode: types.HttpEndpointS3BackupModeAllData}}, "", "http_endpoint", delivery + " attempted_records backup_records backup_success backup_freshness_seconds", "DeliveryToHttpEndpoint.Records"},
		{types.DestinationDescription{S3DestinationDescription: &types.S3DestinationDescription{}}, "", "s3", delivery, "DeliveryToS3.Records"},
		{types.DestinationDescription{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, "", "splunk", delivery, "DeliveryToSplunk.Records"},
		{types.DestinationDescription{RedshiftDestinationDescription: &types.RedshiftDestinationDescription{}}, "", "redshift", delivery, "DeliveryToRedshift.Records"},
		{types.DestinationDescription{IcebergDestinationDescription: &types.IcebergDestinationDescription{}}, "", "other", strings.TrimSpace(incoming), ""},
	} {
		d := &types.DeliveryStreamDescription{Destinations: []types.DestinationDescription{tc.of}}
		if tc.encrypt != "" {
			d.DeliveryStreamEncryptionConfiguration = &types.DeliveryStreamEncryptionConfiguration{KeyType: tc.encrypt}
		}
		got := targetOf(d)
		var keys []string
		metric := ""
		for _, f := range got.figures {
			keys = append(keys, f.key)
			if f.key == "delivered_records" {
				metric = f.of[0].name
			}
		}
		if diff := gocmp.Diff(strings.Fields(tc.want), keys); diff != "" || got.key != tc.key || metric != tc.metric || (got.note != "") != (tc.key == "other") {
			t.Errorf("%s, by %s, note %q (-want +got):\n%s", got.key, metric, got.note, diff)
		}
	}
	if got := targetOf(&types.DeliveryStreamDescription{}); got.key != "unknown" {
		t.Errorf("no destination is %q", got.key)
	}
}

func TestFittingPeriod(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		length  time.Duration
		columns int
		finest  time.Duration
		want    time.Duration
	}{
		{time.Hour, 60, time.Minute, time.Minute},
		{time.Hour, 59, time.Minute, 2 * time.Minute},
		{time.Hour, 20, time.Minute, 3 * time.Minute},
		{0, 60, time.Minute, time.Minute},
		{day, 60, time.Minute, 30 * time.Minute},
		{7 * day, 60, time.Minute, 3 * time.Hour},
		{day, 2000, 5 * time.Minute, 5 * time.Minute},
		{16 * day, 5000, 5 * time.Minute, 5 * time.Minute},
		{16 * day, 60, 5 * time.Minute, 12 * time.Hour},
		{63 * day, 5000, time.Hour, time.Hour},
		{60 * day, 60, 5 * time.Minute, day},
		{61 * day, 60, 5 * time.Minute, 2 * day},
		{455 * day, 10, time.Hour, 46 * day},
	} {
		if got := fittingPeriod(tc.length, tc.columns, tc.finest); got != tc.want {
			t.Errorf("%v in %d columns, no finer than %v: %v, want %v", tc.length, tc.columns, tc.finest, got, tc.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		unit unit
		v    float64
		want string
	}{
		{inCount, 1234567, "1,234,567"},
		{inCount, 0, "0"},
		{inCount, 2.5, "3"},
		{inBytes, 1536, "1.5 KiB"},
		{inBytesPerSecond, 1 << 20, "1.0 MiB/s"},
		{inSeconds, 61, "1m01s"},
		{inSeconds, 0.25, "250ms"},
		{inMillis, 1500, "1.5s"},
		{inShare, 0, "0%"},
		{inShare, 0.0001, "<0.1%"},
		{inShare, 0.05, "5%"},
		{inShare, 0.1234, "12.3%"},
		{inShare, 0.99999, "99.9%"},
		{inShare, 1, "100%"},
		{inShare, 1.5, "150%"},
		{inShare, math.NaN(), "-"},
		{inCount, math.NaN(), "-"},
	} {
		if got := tc.unit.write(tc.v); got != tc.want {
			t.Errorf("%v as %s: %q, want %q", tc.v, tc.unit, got, tc.want)
		}
	}
}
