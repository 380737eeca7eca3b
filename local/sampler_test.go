package local

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/cloudwatch"
	"github.com/hydrant-go/hydrant/server"
)

// perMinute is the highest sample of each of a metric's minutes in the last hour, with
// its unit.
func perMinute(t *testing.T, b *Backend, metric string) (list []string) {
	t.Helper()
	for _, p := range statistics(t, b, metric, time.Now().Add(-time.Hour), time.Now().Add(time.Minute), time.Minute) {
		list = append(list, fmt.Sprintf("%s %v %s", p.Timestamp.Format("4"), p.Maximum, p.Unit))
	}
	return list
}

func wantPerMinute(t *testing.T, b *Backend, metric string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, perMinute(t, b, metric)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", metric, diff)
	}
}

// TestLimitMetrics: a limit is sampled once a minute while there is one, as it is at
// the moment.
func TestLimitMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Quota: Quota{Records: 10, Bytes: 1000}}, 5, 900)
		time.Sleep(3*time.Minute - time.Second)
		wantPerMinute(t, b, "RecordsPerSecondLimit", "1 10 Count", "2 10 Count")
		wantPerMinute(t, b, "BytesPerSecondLimit", "1 1000 Bytes", "2 1000 Bytes")
		wantPerMinute(t, b, "PutRequestsPerSecondLimit")
		if err := b.SetQuota(Quota{Calls: 7}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantPerMinute(t, b, "RecordsPerSecondLimit", "1 10 Count", "2 10 Count")
		wantPerMinute(t, b, "PutRequestsPerSecondLimit", "3 7 Count")
		if err := b.SetQuota(Quota{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		wantPerMinute(t, b, "PutRequestsPerSecondLimit", "3 7 Count")
		if b.sampler.awake.Load() {
			t.Error("the sampler is awake")
		}
		if err := b.SetQuota(Quota{Calls: 8}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantPerMinute(t, b, "PutRequestsPerSecondLimit", "3 7 Count", "14 8 Count")
	})
}

// TestRegionLimits: what AWS gives a stream in its region is a limit like any other.
func TestRegionLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{RegionQuota: true, Speed: 60}, 5, 900)
		time.Sleep(2*time.Second + time.Millisecond) // two minutes of its clock
		wantPerMinute(t, b, "BytesPerSecondLimit", "0 5.24288e+06 Bytes")
		p := statistics(t, b, "RecordsPerSecondLimit", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), time.Hour)
		if len(p) != 1 || p[0].SampleCount != 2 || p[0].Maximum != 500_000 {
			t.Errorf("RecordsPerSecondLimit: %+v", p)
		}
	})
}

// asleep tells whether the sampler has no timer.
func asleep(b *Backend) bool {
	synctest.Wait()
	select {
	case b.sampler.wakes <- struct{}{}: // which is taken at once only by one that sleeps
	default:
	}
	synctest.Wait()
	return len(b.sampler.wakes) == 0
}

// TestSamplerSleeps: where nothing happens no timer runs, as long as nothing waits.
func TestSamplerSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{State: t.TempDir()}, 5, 600)
		time.Sleep(2 * time.Minute)
		if !asleep(b) {
			t.Error("it is awake after two minutes of nothing")
		}
		put(t, b, "x")
		time.Sleep(9 * time.Minute)
		if asleep(b) {
			t.Error("it sleeps while a record waits")
		}
		time.Sleep(4 * time.Minute)
		if !asleep(b) {
			t.Error("it is awake with all delivered and kept")
		}
	})
}

// TestFreshnessGrows: the age of what waits is told while nothing is delivered.
func TestFreshnessGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 5, 900)
		dest.down.Store(true)
		time.Sleep(30 * time.Second)
		put(t, b, "x")
		time.Sleep(5 * time.Minute)
		put(t, b, "y") // younger, so of no account
		// The sampler's minutes are counted from the stream's making.
		wantPerMinute(t, b, "DeliveryToS3.DataFreshness", "1 30 Seconds", "2 90 Seconds", "3 150 Seconds", "4 210 Seconds", "5 270 Seconds")
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		got := perMinute(t, b, "DeliveryToS3.DataFreshness")
		if n := len(got); n != 20 || !strings.HasPrefix(got[n-1], "20 11") {
			t.Errorf("after 20 minutes of failures: %q", got)
		}
		dest.down.Store(false)
		time.Sleep(2 * time.Minute) // the next attempt takes it
		synctest.Wait()
		n := len(perMinute(t, b, "DeliveryToS3.DataFreshness"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if more := len(perMinute(t, b, "DeliveryToS3.DataFreshness")); more != n || n < 20 {
			t.Errorf("%d minutes with an age, %d with nothing left to deliver", n, more)
		}
	})
}

// TestFreshnessOfAll: of the backup, and of an endpoint's stream, each by its own name.
func TestFreshnessOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{AllowHTTP: true}, 5, 900)
		source := s3Destination("bucket")
		d := s3Destination("bucket")
		d.BackupMode, d.Backup = "Enabled", &source
		http := server.HTTPDestination{URL: "http://localhost:1", SizeInMBs: 5, IntervalInSeconds: 900, BackupMode: "AllData", S3: s3Destination("bucket")}
		for name, d := range map[string]server.Destination{"backup": {S3: &d}, "http": {HTTP: &http}} {
			if _, err := b.CreateDeliveryStream(t.Context(), me, &server.CreateDeliveryStreamInput{DeliveryStreamName: name, Destination: d}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.PutRecordBatch(t.Context(), me, name, [][]byte{{1}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for name, want := range map[string][]string{
			"backup": {"BackupToS3.DataFreshness", "DeliveryToS3.DataFreshness"},
			"http":   {"BackupToS3.DataFreshness", "DeliveryToHttpEndpoint.DataFreshness"},
		} {
			for _, metric := range []string{"BackupToS3.DataFreshness", "DeliveryToS3.DataFreshness", "DeliveryToHttpEndpoint.DataFreshness"} {
				p := b.metrics.Statistics(cloudwatch.Query{
					Key:   cloudwatch.Key{Caller: me, Namespace: namespace, Name: metric, Dimensions: []cloudwatch.Dimension{{Name: "DeliveryStreamName", Value: name}}},
					Start: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour), Period: time.Minute,
				})
				if there := len(p) == 2 && p[1].Maximum == 120; there != strings.Contains(strings.Join(want, " "), metric) {
					t.Errorf("%s of %s: %+v", metric, name, p)
				}
			}
		}
		// What is left is lost with the Backend, and not what this is about.
		for _, name := range []string{"backup", "http"} {
			if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: name}); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestPartitionMetrics: what dynamic partitioning is at, once a minute while there are
// partitions.
func TestPartitionMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pipeline(t, Config{}, bucketOf(func(d *server.S3Destination) {
			d.Prefix, d.Partitioning = "c=!{partitionKeyFromQuery:c}/", &server.Partitioning{Enabled: true, RetrySeconds: 300}
			d.Processing = processors(processor("MetadataExtraction", "MetadataExtractionQuery", "{c: .c}", "JsonParsingEngine", "JQ-1.6"))
		}))
		put(t, b, `{"c":"a"}`+strings.Repeat(" ", 111), `{"c":"b"}`)
		time.Sleep(time.Minute + time.Second)
		wantPerMinute(t, b, "PartitionCount", "1 2 Count")
		wantPerMinute(t, b, "ActivePartitionsLimit", "1 500 Count")
		wantPerMinute(t, b, "PartitionCountExceeded", "1 0 Count")
		wantPerMinute(t, b, "PerPartitionThroughput", "1 2 Bytes/Second")
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		wantPerMinute(t, b, "PartitionCount", "1 2 Count")
	})
}

// TestUsageAndCalls: what is of an account, and the control calls.
func TestUsageAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 900)
		create(t, b, "other", server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 900})
		describe(t, b, "s")
		describe(t, b, "s")
		update(t, b, "1", func(*server.S3Destination) {})
		if _, err := b.ListDeliveryStreams(t.Context(), me, &server.ListDeliveryStreamsInput{Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.DescribeDeliveryStream(t.Context(), me, &server.DescribeDeliveryStreamInput{DeliveryStreamName: "none"}); err == nil {
			t.Error("there is a stream none")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		wantSums(t, b, map[string]float64{"DescribeDeliveryStream.Requests": 2, "UpdateDeliveryStream.Requests": 1})
		all := cloudwatch.Query{Start: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour), Period: time.Hour}
		all.Key = cloudwatch.Key{Caller: me, Namespace: namespace, Name: "ListDeliveryStreams.Requests"}
		if p := b.metrics.Statistics(all); len(p) != 1 || p[0].Sum != 1 || p[0].Unit != "Count" {
			t.Errorf("ListDeliveryStreams.Requests: %+v", p)
		}
		all.Key = cloudwatch.Key{Caller: me, Namespace: "AWS/Usage", Name: "ResourceCount"}
		for _, d := range []string{"Service=Firehose", "Class=None", "Type=Resource", "Resource=DeliveryStreams"} {
			name, value, _ := strings.Cut(d, "=")
			all.Dimensions = append(all.Dimensions, cloudwatch.Dimension{Name: name, Value: value})
		}
		if p := b.metrics.Statistics(all); len(p) != 1 || p[0].Maximum != 2 || p[0].SampleCount != 1 {
			t.Errorf("ResourceCount: %+v", p)
		}
		time.Sleep(time.Hour)
		if p := b.metrics.Statistics(all); p[0].SampleCount != 1 {
			t.Errorf("an hour later, in which nothing happened, there are %v samples", p[0].SampleCount)
		}
	})
}

// TestMetricsSurviveAKill: they are kept each minute in which something has happened,
// and the file is left alone in others.
func TestMetricsSurviveAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{State: t.TempDir()}, 5, 60)
		put(t, b, "x")
		time.Sleep(90 * time.Second)
		synctest.Wait()
		killed := crashed(t, b)
		killed.Dir = t.TempDir()
		wantSums(t, restarted(t, killed), map[string]float64{"IncomingRecords": 1})
		time.Sleep(3 * time.Minute) // the delivery is kept, too
		file := filepath.Join(b.cfg.State, "metrics")
		before, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
			t.Errorf("the file was written while nothing has happened: %v", err)
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{"Namespace":"N","MetricData":[{"MetricName":"m","Value":1}]}`))
		r.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData")
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		w := httptest.NewRecorder()
		b.Handler(server.Config{NoAuth: true}).ServeHTTP(w, r)
		time.Sleep(time.Minute)
		synctest.Wait()
		if after, err := os.Stat(file); w.Code != http.StatusOK || err != nil || os.SameFile(before, after) {
			t.Errorf("PutMetricData, %d %s: what was put is not kept: %v", w.Code, w.Body, err)
		}
	})
}

// TestQuietLimitsAreKeptHourly: a limit that is sampled is no reason to write a file
// each minute.
func TestQuietLimitsAreKeptHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{State: t.TempDir(), Quota: Quota{Calls: 1}}, 5, 900)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		writes := 0
		for range 60 {
			before, _ := os.Stat(filepath.Join(b.cfg.State, "metrics"))
			time.Sleep(time.Minute)
			synctest.Wait()
			if after, err := os.Stat(filepath.Join(b.cfg.State, "metrics")); err != nil || !os.SameFile(before, after) {
				writes++
			}
		}
		if writes != 1 {
			t.Errorf("%d writes in an hour, want 1", writes)
		}
	})
}

// TestSaveFails: what could not be kept is kept later.
func TestSaveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs strings.Builder
		b := backend(t, Config{State: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&logs, nil))}, 5, 900)
		inTheWay := filepath.Join(b.cfg.State, "metrics.tmp")
		if err := os.Mkdir(inTheWay, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, b, "x")
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if !strings.Contains(logs.String(), "the metrics are not kept") || !b.metrics.Changed() {
			t.Errorf("logged: %s", logs.String())
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var again cloudwatch.Store
		if err := again.Load(filepath.Join(b.cfg.State, "metrics")); err != nil || b.metrics.Changed() && len(perMinute(t, b, "IncomingRecords")) == 0 {
			t.Errorf("a minute later: %v", err)
		}
		wantSums(t, restarted(t, copyOf(t, crashed(t, b))), map[string]float64{"IncomingRecords": 1})
	})
}

func copyOf(t *testing.T, cfg Config) Config {
	cfg.Dir = t.TempDir()
	cfg.Logger = slog.New(slog.DiscardHandler)
	return cfg
}

// TestEndpointFailuresShowAtOnce: an attempt that failed is counted before the next
// one, not when all are over.
func TestEndpointFailuresShowAtOnce(t *testing.T) {
	var b *Backend
	requests, seen := 0, int64(0)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		seen = b.State().Streams[0].Totals.Failures
		answer := fmt.Sprintf(`{"requestId":%q,"timestamp":1}`, r.Header.Get("X-Amz-Firehose-Request-Id"))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		_, _ = w.Write([]byte(answer))
	}))
	defer srv.Close()
	b = pipeline(t, Config{AllowHTTP: true, Speed: 1000}, server.Destination{HTTP: &server.HTTPDestination{
		URL: srv.URL, SizeInMBs: 5, IntervalInSeconds: 900, RetrySeconds: 100, BackupMode: "FailedDataOnly", S3: s3Destination("bucket"),
	}})
	put(t, b, "one", "two")
	if err := b.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := b.State().Streams[0].Totals; requests != 2 || seen != 1 || got.Failures != 1 || got.Delivered != 2 {
		t.Errorf("%d requests, %d failures at the second, then %+v", requests, seen, got)
	}
	wantSums(t, b, map[string]float64{
		"DeliveryToHttpEndpoint.Success": 1, "DeliveryToHttpEndpoint.Records": 2, "DeliveryToHttpEndpoint.ProcessedRecords": 4, "DeliveryToHttpEndpoint.ProcessedBytes": 12,
	})
}
