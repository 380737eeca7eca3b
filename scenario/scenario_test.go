package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/server"
)

func TestGenerator(t *testing.T) {
	a, b, other := NewGenerator(7), NewGenerator(7), NewGenerator(8)
	seen := map[string]bool{}
	levels := map[string]int{}
	var last time.Time
	for i := range 20_000 {
		record := a.Append(nil)
		if again := b.Append([]byte("x")); string(again) != "x"+string(record) {
			t.Fatalf("record %d of the same seed: %s and %s", i, record, again)
		}
		if bytes.Equal(record, other.Append(nil)) {
			t.Fatalf("record %d of another seed is the same: %s", i, record)
		}
		if seen[string(record)] {
			t.Fatalf("record %d comes twice: %s", i, record)
		}
		seen[string(record)] = true
		var v struct {
			IP    net.IP    `json:"ip_address"`
			Time  time.Time `json:"timestamp"`
			Level string    `json:"alert_level"`
		}
		dec := json.NewDecoder(bytes.NewReader(record))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil || v.IP.To4() == nil || !v.Time.After(last) {
			t.Fatalf("record %d: %s: %v", i, record, err)
		}
		last = v.Time
		levels[v.Level]++
	}
	if len(levels) != 4 || levels["low"] < levels["medium"] || levels["medium"] < levels["critical"] {
		t.Errorf("levels: %v", levels)
	}
}

func TestLedger(t *testing.T) {
	l := newLedger()
	for _, r := range []string{"twin", "twin", "once", "twice", "dead", "lost"} {
		l.sent([]byte(r))
	}
	for _, r := range []string{"twin\n", "twin", "once\n", "twice\n", "twice\n", "twice\n", "foreign\n"} {
		l.found([]byte(r))
	}
	l.died([]byte("dead\n"))
	want := tally{delivered: 4, dead: 1, lost: 1, duplicates: 2, foreign: 1}
	if got := l.tally(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What the dead letter file could not take is not noted as dead.
func TestNotedDeadLetter(t *testing.T) {
	l := newLedger()
	l.sent([]byte("a"))
	record := []hydrant.DeadRecord{{Data: []byte("a\n")}}
	bad := &noted{hydrant.NewDeadLetterFile(filepath.Join(t.TempDir(), "no", "file")), l}
	if err := bad.Write(t.Context(), record); err == nil || l.tally().dead != 0 {
		t.Errorf("%v, %+v", err, l.tally())
	}
	good := &noted{hydrant.NewDeadLetterFile(filepath.Join(t.TempDir(), "file")), l}
	if err := good.Write(t.Context(), record); err != nil || l.tally().dead != 1 {
		t.Errorf("%v, %+v", err, l.tally())
	}
}

func TestRunChecksItsConfig(t *testing.T) {
	_, err := Run(t.Context(), Config{Records: -1, BatchSize: 501, Faults: "biblical"})
	for _, want := range []string{"records is -1", "batch size is 501", `faults is "biblical"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// bucket is a destination in an S3 of somebody else's.
type bucket struct{ client *s3.Client }

func (b *bucket) Put(ctx context.Context, o *deliver.Object) error {
	var body bytes.Buffer
	if _, err := o.WriteTo(&body); err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: &o.Bucket, Key: &o.Key, Body: bytes.NewReader(body.Bytes())}
	if o.ContentEncoding != "" {
		in.ContentEncoding = &o.ContentEncoding
	}
	_, err := b.client.PutObject(ctx, in)
	return err
}

// On an existing stream the workflow reads back from S3, waits for what comes
// late, and leaves alone what is not its own.
func TestRunReadsBackFromS3(t *testing.T) {
	endpoint := testkit.Moto(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", endpoint)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("HOME", t.TempDir())
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("scenario-test")}); err != nil {
		t.Fatal(err)
	}
	backend, err := local.New(local.Config{
		Destination: &bucket{client}, Faults: &local.Plan{Seed: 1, Refuse: 0.2}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(backend.Handler(server.Config{NoAuth: true}))
	t.Cleanup(func() {
		srv.Close()
		if err := backend.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("AWS_ENDPOINT_URL_FIREHOSE", srv.URL)
	t.Setenv("AWS_ENDPOINT_URL_CLOUDWATCH", srv.URL)
	if cfg, err = config.LoadDefaultConfig(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{"UNCOMPRESSED", "GZIP"} {
		caller := server.Caller{Account: "000000000000", Region: "us-east-1"}
		if _, err := backend.CreateDeliveryStream(t.Context(), caller, &server.CreateDeliveryStreamInput{
			DeliveryStreamName: compression,
			Destination: server.Destination{S3: &server.S3Destination{
				BucketARN: "arn:aws:s3:::scenario-test", Prefix: compression + "/", SizeInMBs: 1, IntervalInSeconds: 1, CompressionFormat: compression,
			}},
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("scenario-test"), Key: aws.String(compression + "/foreign"), Body: strings.NewReader("somebody else's\n"),
		}); err != nil {
			t.Fatal(err)
		}
		report, err := Run(t.Context(), Config{
			Stream: compression, AWS: cfg, Records: 700, PutRecords: 10, Logger: slog.New(slog.DiscardHandler), Wait: time.Minute,
			DeadLetter: filepath.Join(t.TempDir(), "dead"),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := *report
		got.PutRecord, got.Batch, got.Metrics = Phase{}, Phase{}, nil
		want := Report{Stream: compression, Generated: 700, Delivered: 700, ReadBack: "S3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := report.Metrics["IncomingRecords"]; n != 700 {
			t.Errorf("IncomingRecords is %v", n)
		}
	}
}
