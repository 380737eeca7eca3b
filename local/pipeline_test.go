package local

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/logs"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/server"
)

// pipeline is a Backend with the stream "s" of a destination.
func pipeline(t *testing.T, cfg Config, d server.Destination) *Backend {
	t.Helper()
	b := backend(t, cfg, 5, 900)
	if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateDeliveryStream(t.Context(), me, &server.CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: d}); err != nil {
		t.Fatal(err)
	}
	return b
}

// bucketOf is an S3 destination with the defaults of tests.
func bucketOf(edit func(*server.S3Destination)) server.Destination {
	d := s3Destination("bucket")
	edit(&d)
	return server.Destination{S3: &d}
}

func s3Destination(bucket string) server.S3Destination {
	return server.S3Destination{
		RoleARN: "arn:aws:iam::123456789012:role/r", BucketARN: "arn:aws:s3:::" + bucket, SizeInMBs: 64, IntervalInSeconds: 900,
		CompressionFormat: "UNCOMPRESSED", ErrorOutputPrefix: "errors/!{firehose:error-output-type}/",
	}
}

func processors(list ...server.Processor) *server.Processing {
	return &server.Processing{Enabled: true, Processors: list}
}

func processor(typ string, parameters ...string) server.Processor {
	p := server.Processor{Type: typ}
	for pair := range slices.Chunk(parameters, 2) {
		p.Parameters = append(p.Parameters, server.Parameter{Name: pair[0], Value: pair[1]})
	}
	return p
}

// byFolder is the delivered objects, joined by the folder that their key begins with.
func byFolder(t *testing.T, b *Backend) map[string]string {
	t.Helper()
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.journal.Totals().Records; n != 0 {
		t.Errorf("%d records are in the journal after a flush", n)
	}
	m := map[string]string{}
	keys, bodies := delivered(t, b)
	for i, key := range keys {
		m[key[:strings.LastIndexByte(key, '/')]] += bodies[i]
	}
	return m
}

func TestDynamicPartitioning(t *testing.T) {
	b := pipeline(t, Config{}, bucketOf(func(d *server.S3Destination) {
		d.Prefix, d.Partitioning = "c=!{partitionKeyFromQuery:c}/", &server.Partitioning{Enabled: true, RetrySeconds: 300}
		d.Processing = processors(
			processor("RecordDeAggregation", "SubRecordType", "JSON"),
			processor("MetadataExtraction", "MetadataExtractionQuery", "{c: .c}", "JsonParsingEngine", "JQ-1.6"),
			processor("AppendDelimiterToRecord"),
		)
	}))
	put(t, b, `{"c":"a","n":1}{"c":"b","n":2}`, `{"c":"a","n":3}`, `{"n":4}`)
	got := byFolder(t, b)
	wantSums(t, b, map[string]float64{"DeliveryToS3.Bytes": 3*15 + 7, "DeliveryToS3.ObjectCount": 3, "SucceedProcessing.Records": 0, "ExecuteProcessing.Success": 0})
	if n := statistics(t, b, "JQProcessing.Duration", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), time.Hour); len(n) == 0 || n[0].Unit != "Milliseconds" {
		t.Errorf("JQProcessing.Duration: %+v", n)
	}
	line := got["errors/metadata-extraction-failed"]
	delete(got, "errors/metadata-extraction-failed")
	want := map[string]string{"c=a": `{"c":"a","n":1}` + "\n" + `{"c":"a","n":3}`, "c=b": `{"c":"b","n":2}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	var failed struct{ RawData, ErrorCode string }
	if err := json.Unmarshal([]byte(line), &failed); err != nil || failed.ErrorCode != "DynamicPartitioning.MetadataExtractionFailed" || failed.RawData != base64.StdEncoding.EncodeToString([]byte(`{"n":4}`)) {
		t.Errorf("errors: %s, %v", line, err)
	}
	// Values that make no name of an object fail by themselves, and hold up nobody.
	put(t, b, `{"c":"../../x"}`, `{"c":"`+strings.Repeat("l", 300)+`"}`, `{"c":"a//b"}`, `{"c":"b"}`)
	if got := byFolder(t, b); strings.Count(got["errors/metadata-extraction-failed"], "\n") != 1+3 || !strings.Contains(got["c=b"], `{"c":"b"}`) {
		t.Errorf("after values that are no names: %q", got)
	}
	for i := range maxPartitions + 1 {
		put(t, b, fmt.Sprintf(`{"c":"p%03d"}`, i))
	}
	if got := byFolder(t, b); strings.Count(got["errors/activePartitionExceeded"], "\n") != 1 || got["c=p000"] == "" {
		t.Errorf("beyond the active partitions: %q", got["errors/activePartitionExceeded"])
	}
}

// What is new for each object is no key of a partition.
func TestPartitionWithRandomString(t *testing.T) {
	b := pipeline(t, Config{}, bucketOf(func(d *server.S3Destination) {
		d.Prefix, d.Partitioning = "c=!{partitionKeyFromQuery:c}/!{firehose:random-string}/", &server.Partitioning{Enabled: true, RetrySeconds: 300}
		d.Processing = processors(processor("MetadataExtraction", "MetadataExtractionQuery", "{c: .c}", "JsonParsingEngine", "JQ-1.6"))
	}))
	put(t, b, `{"c":"a"}`, `{"c":"a"}`, `{"c":"b"}`)
	if got := byFolder(t, b); len(got) != 2 {
		t.Errorf("objects: %q", got)
	}
}

// lambda is Lambda's Invoke API with one function, which makes upper case of what it
// gets, drops what says so and fails the rest.
func lambda(t *testing.T, calls *atomic.Int32) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var in struct {
			Records []struct {
				RecordID string `json:"recordId"`
				Data     []byte `json:"data"`
			} `json:"records"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		type result struct {
			RecordID string `json:"recordId"`
			Result   string `json:"result"`
			Data     []byte `json:"data"`
		}
		out := []result{}
		for _, rec := range in.Records {
			res := result{rec.RecordID, "Ok", []byte(strings.ToUpper(string(rec.Data)))}
			if text := string(rec.Data); text == "drop" || text == "fail" {
				res.Result = map[string]string{"drop": "Dropped", "fail": "ProcessingFailed"}[text]
			}
			out = append(out, res)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"records": out})
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestLambdaAndBackup(t *testing.T) {
	var calls atomic.Int32
	b := pipeline(t, Config{Lambda: process.LambdaConfig{Endpoint: lambda(t, &calls)}}, bucketOf(func(d *server.S3Destination) {
		d.Prefix, d.BackupMode = "out/!{timestamp:yyyy}/", "Enabled"
		source := s3Destination("bucket")
		source.Prefix = "source/!{timestamp:yyyy}/"
		d.Backup = &source
		d.Logging = server.Logging{Enabled: true, Group: "g", Stream: "l"}
		d.Processing = processors(processor("Lambda", "LambdaArn", "arn:aws:lambda:us-east-1:123456789012:function:f"))
	}))
	if err := errors.Join(b.logs.CreateGroup(me, logs.Group{Name: "g"}), b.logs.CreateStream(me, "g", "l")); err != nil {
		t.Fatal(err)
	}
	put(t, b, "a", "drop", "fail", "b")
	put(t, b, "c")
	got := byFolder(t, b)
	year := time.Now().UTC().Format("2006")
	if got["out/"+year] != "ABC" || got["source/"+year] != "adropfailbc" || !strings.Contains(got["errors/processing-failed"], "Lambda.ProcessingFailedStatus") {
		t.Errorf("delivered: %q", got)
	}
	if calls.Load() != 1 {
		t.Errorf("%d invocations, want one for both calls", calls.Load())
	}
	// A record that failed counts where it was delivered, and all by their bytes as they
	// were put: AWS was seen to do so.
	wantSums(t, b, map[string]float64{
		"SucceedProcessing.Records": 3, "SucceedProcessing.Bytes": 3, "ExecuteProcessing.Success": 1, "BackupToS3.Records": 5, "BackupToS3.Bytes": 11,
		"DeliveryToS3.Records": 3 + 1, "DeliveryToS3.Bytes": 3 + 4, "DeliveryToS3.Success": 2,
	})
	if got := b.State().Streams[0].Totals; got.Delivered != 3 || got.Objects != 3 {
		t.Errorf("totals: %+v", got)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"logGroupName":"g","logStreamName":"l"}`))
	r.Header.Set("X-Amz-Target", "Logs_20140328.GetLogEvents")
	w := httptest.NewRecorder()
	b.Handler(server.Config{NoAuth: true, Account: me.Account, Region: me.Region}).ServeHTTP(w, r)
	if text := w.Body.String(); strings.Count(text, `\"errorCode\":\"Lambda.ProcessingFailedStatus\"`) != 1 || !strings.Contains(text, `\"deliveryStreamVersionId\":\"1\"`) {
		t.Errorf("error log: %s", text)
	}
}

func TestConversion(t *testing.T) {
	tables := map[string][]convert.Column{"db.t": {{Name: "id", Type: "bigint"}, {Name: "name", Type: "string"}}}
	conversion := &server.Conversion{
		Enabled: true, SchemaConfiguration: &server.SchemaConfiguration{DatabaseName: "db", TableName: "t", RoleARN: "arn:aws:iam::123456789012:role/r"},
		InputFormatConfiguration:  &server.InputFormatConfiguration{Deserializer: &server.Deserializer{OpenXJsonSerDe: &server.OpenXJsonSerDe{}}},
		OutputFormatConfiguration: &server.OutputFormatConfiguration{Serializer: &server.Serializer{ParquetSerDe: &server.ParquetSerDe{}}},
	}
	b := pipeline(t, Config{Tables: tables}, bucketOf(func(d *server.S3Destination) { d.Prefix, d.Conversion = "!{timestamp:'out'}/", conversion }))
	put(t, b, `{"id":1,"name":"a"}`, `no json`, `{"id":2,"name":"b"}`)
	got := byFolder(t, b)
	type row struct {
		ID   *int64  `parquet:"id,optional"`
		Name *string `parquet:"name,optional"`
	}
	rows, err := parquet.Read[row](strings.NewReader(got["out"]), int64(len(got["out"])))
	if err != nil || len(rows) != 2 || *rows[1].ID != 2 || *rows[1].Name != "b" {
		t.Errorf("rows: %+v, %v", rows, err)
	}
	if line := got["errors/format-conversion-failed"]; !strings.Contains(line, convert.CodeParse) || !strings.Contains(line, base64.StdEncoding.EncodeToString([]byte("no json"))) {
		t.Errorf("errors: %s", line)
	}
	keys, _ := delivered(t, b)
	if !slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, ".parquet") }) {
		t.Errorf("keys: %q", keys)
	}
	d := bucketOf(func(d *server.S3Destination) {
		other := *conversion
		other.SchemaConfiguration = &server.SchemaConfiguration{DatabaseName: "db", TableName: "none"}
		d.Conversion = &other
	})
	if _, err := b.CreateDeliveryStream(t.Context(), me, &server.CreateDeliveryStreamInput{DeliveryStreamName: "x", Destination: d}); err == nil || !strings.Contains(err.Error(), "db.none") {
		t.Errorf("an unknown table: %v", err)
	}
}

func TestHTTPEndpoint(t *testing.T) {
	var status atomic.Int32
	status.Store(200)
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			RequestID string `json:"requestId"`
			Records   []struct{ Data []byte }
		}
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &in); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if status.Load() == 200 {
			for _, rec := range in.Records {
				got = append(got, string(rec.Data))
			}
		}
		answer := fmt.Sprintf(`{"requestId":%q,"timestamp":1}`, in.RequestID)
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	d := server.Destination{HTTP: &server.HTTPDestination{
		URL: srv.URL, Name: "e", SizeInMBs: 5, IntervalInSeconds: 900, BackupMode: "FailedDataOnly", S3: s3Destination("bucket"),
	}}
	b := pipeline(t, Config{AllowHTTP: true}, d)
	put(t, b, "one", "two")
	if folders := byFolder(t, b); len(folders) != 0 || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("the endpoint got %q, S3 %q", got, folders)
	}
	status.Store(500)
	put(t, b, "three")
	line := byFolder(t, b)["errors/http-endpoint-failed"]
	if !strings.Contains(line, base64.StdEncoding.EncodeToString([]byte("three"))) || !strings.Contains(line, "HttpEndpoint.") {
		t.Errorf("errors: %s", line)
	}
	wantSums(t, b, map[string]float64{"DeliveryToHttpEndpoint.Records": 2, "DeliveryToHttpEndpoint.Success": 1, "DeliveryToHttpEndpoint.ProcessedRecords": 3})
}
