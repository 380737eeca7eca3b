package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

var me = server.Caller{Account: "123456789012", Region: "us-east-1"}

// backend starts a Backend with the stream "s" of the given hints; it is closed
// with the test. Inside a bubble that shows a goroutine left behind.
func backend(t *testing.T, cfg Config, sizeMB, interval int) *Backend {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	create(t, b, "s", server.S3Destination{SizeInMBs: sizeMB, IntervalInSeconds: interval})
	return b
}

func create(t *testing.T, b *Backend, name string, d server.S3Destination) {
	t.Helper()
	d.BucketARN = "arn:aws:s3:::bucket"
	if d.CompressionFormat == "" {
		d.CompressionFormat = "UNCOMPRESSED"
	}
	in := &server.CreateDeliveryStreamInput{DeliveryStreamName: name, Destination: server.Destination{S3: &d}}
	if _, err := b.CreateDeliveryStream(t.Context(), me, in); err != nil {
		t.Fatal(err)
	}
}

// put puts records into "s" and returns the codes, "" for the accepted.
func put(t *testing.T, b *Backend, records ...string) []string {
	t.Helper()
	var raw [][]byte
	for _, r := range records {
		raw = append(raw, []byte(r))
	}
	resp, err := b.PutRecordBatch(t.Context(), me, "s", raw)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	failed := 0
	for _, e := range resp.Entries {
		codes = append(codes, e.ErrorCode)
		if e.ErrorCode != "" {
			failed++
		}
		if (e.ErrorCode == "") != (len(e.RecordID) == 224) || (e.ErrorCode == "") != (e.ErrorMessage == "") {
			t.Errorf("entry %+v is neither accepted nor refused", e)
		}
	}
	if failed != resp.FailedPutCount || len(codes) != len(records) {
		t.Errorf("FailedPutCount is %d, %d of %d entries have a code", resp.FailedPutCount, failed, len(codes))
	}
	return codes
}

// delivered is what has been delivered, in order of keys.
func delivered(t *testing.T, b *Backend) (keys, bodies []string) {
	t.Helper()
	bucket := filepath.Join(b.cfg.Dir, "bucket")
	err := filepath.WalkDir(bucket, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		key, _ := filepath.Rel(bucket, path)
		body, err := os.ReadFile(path)
		keys, bodies = append(keys, filepath.ToSlash(key)), append(bodies, string(body))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, bodies
}

func wantObjects(t *testing.T, b *Backend, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	_, got := delivered(t, b)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: objects differ (-want +got):\n%s", what, diff)
	}
}

func TestIntervalFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 300)
		put(t, b, "one")
		time.Sleep(299 * time.Second)
		put(t, b, "two", "", "three")
		wantObjects(t, b, "after 299 s")
		time.Sleep(time.Second)
		wantObjects(t, b, "after 300 s", "onetwothree")
		time.Sleep(time.Hour)
		wantObjects(t, b, "an empty buffer makes no object", "onetwothree")
		put(t, b, "four") // the interval starts with the first record
		time.Sleep(299 * time.Second)
		wantObjects(t, b, "299 s later", "onetwothree")
		time.Sleep(time.Second)
		wantObjects(t, b, "300 s later", "onetwothree", "four")

		keys, _ := delivered(t, b)
		// Bubbles start at midnight UTC, 2000-01-01; the key has the arrival of the
		// oldest record, not the time of delivery.
		for i, want := range []string{"2000/01/01/00/s-1-2000-01-01-00-00-00-", "2000/01/01/01/s-1-2000-01-01-01-05-00-"} {
			if !strings.HasPrefix(keys[i], want) {
				t.Errorf("key %q, want %q…", keys[i], want)
			}
		}
	})
}

func TestIntervalZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 0)
		put(t, b, "a", "b")
		wantObjects(t, b, "at once", "ab")
	})
}

// TestSizeFlush: the size counts MiB of raw bytes, before compression.
func TestSizeFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 900)
		create(t, b, "gz", server.S3Destination{SizeInMBs: 1, IntervalInSeconds: 900, CompressionFormat: "GZIP", CustomTimeZone: "America/New_York"})
		putGZ := func(n int) {
			t.Helper()
			if _, err := b.PutRecordBatch(t.Context(), me, "gz", [][]byte{make([]byte, n)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		putGZ(1<<20 - 1)
		if keys, _ := delivered(t, b); len(keys) > 0 {
			t.Errorf("%d objects of 1 MiB less a byte", len(keys))
		}
		putGZ(1)
		keys, bodies := delivered(t, b)
		if len(keys) != 1 || !strings.HasPrefix(keys[0], "1999/12/31/19/gz-1-1999-12-31-19-00-00-") || !strings.HasSuffix(keys[0], ".gz") {
			t.Fatalf("objects at 1 MiB: %q", keys)
		}
		zr, err := gzip.NewReader(strings.NewReader(bodies[0]))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(zr); err != nil || !bytes.Equal(plain, make([]byte, 1<<20)) {
			t.Errorf("the object holds %d bytes, %v, want 1 MiB of zeros", len(plain), err)
		}
	})
}

func TestRecordQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Quota: Quota{Records: 4}}, 5, 900)
		const slow = wire.CodeServiceUnavailable
		for _, step := range []struct {
			wait time.Duration
			want []string
		}{
			{0, []string{"", "", "", "", slow, slow}},
			{0, []string{slow, slow, slow, slow, slow, slow}},
			{500 * time.Millisecond, []string{"", "", slow, slow, slow, slow}},
			{time.Hour, []string{"", "", "", "", slow, slow}}, // no more than a second is saved up
		} {
			time.Sleep(step.wait)
			if diff := cmp.Diff(step.want, put(t, b, "1", "2", "3", "4", "5", "6")); diff != "" {
				t.Errorf("after %v: %s", step.wait, diff)
			}
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantObjects(t, b, "only what was accepted", "123412", "1234")
		wantSums(t, b, map[string]float64{"ThrottledRecords": 14, "IncomingRecords": 10, "IncomingPutRequests": 3})
	})
}

func TestByteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Quota: Quota{Bytes: 10}}, 5, 900)
		const slow = wire.CodeServiceUnavailable
		for _, step := range []struct {
			wait    time.Duration
			records []string
			want    []string
		}{
			// A small record gets in where a long one does not.
			{0, []string{"123456", "123456", "1234", "1", ""}, []string{"", slow, "", slow, ""}},
			// A record of four seconds' bytes passes when the bucket is full, and the
			// next three seconds pay for it.
			{999 * time.Millisecond, []string{strings.Repeat("x", 40)}, []string{slow}},
			{time.Millisecond, []string{strings.Repeat("x", 40)}, []string{""}},
			{3 * time.Second, []string{"1"}, []string{slow}},
			{100 * time.Millisecond, []string{"1", "1"}, []string{"", slow}},
		} {
			time.Sleep(step.wait)
			if diff := cmp.Diff(step.want, put(t, b, step.records...)); diff != "" {
				t.Errorf("%q: %s", step.records, diff)
			}
		}
	})
}

func TestCallQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Quota: Quota{Calls: 2}}, 5, 900)
		put(t, b, "a")
		if _, _, err := b.PutRecord(t.Context(), me, "s", []byte("b")); err != nil {
			t.Error(err)
		}
		if got := put(t, b, "c", "d"); got[0] != wire.CodeServiceUnavailable || got[1] != wire.CodeServiceUnavailable {
			t.Errorf("a batch over the quota of calls: %q, want all refused", got)
		}
		_, _, err := b.PutRecord(t.Context(), me, "s", []byte("e"))
		wantError(t, "PutRecord", err, 503, "ServiceUnavailableException", "Slow down.")
		wantSums(t, b, map[string]float64{"ThrottledRecords": 3, "IncomingRecords": 2})
	})
}

func wantError(t *testing.T, what string, err error, status int, code, message string) {
	t.Helper()
	got, ok := errors.AsType[*wire.Error](err)
	if !ok || *got != (wire.Error{Status: status, Code: code, Message: message}) {
		t.Errorf("%s: %v, want %s: %s (HTTP %d)", what, err, code, message, status)
	}
}

func TestControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{StateDelay: time.Minute}, 5, 300)
		ctx := t.Context()
		name := func(s string) *server.DescribeDeliveryStreamInput {
			return &server.DescribeDeliveryStreamInput{DeliveryStreamName: s}
		}
		_, err := b.PutRecordBatch(ctx, me, "s", [][]byte{{1}})
		wantError(t, "put while creating", err, 400, "ResourceNotFoundException", "Firehose s is not active in 123456789012 account.")
		err = b.DeleteDeliveryStream(ctx, me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"})
		wantError(t, "delete while creating", err, 400, "ResourceInUseException", "Firehose s under account 123456789012 is being created and can't be deleted yet.")
		out, err := b.DescribeDeliveryStream(ctx, me, name("s"))
		if err != nil {
			t.Fatal(err)
		}
		want := &server.DescribeDeliveryStreamOutput{
			DeliveryStreamName: "s",
			DeliveryStreamARN:  "arn:aws:firehose:us-east-1:123456789012:deliverystream/s",
			Status:             server.Creating,
			VersionID:          "1",
			Created:            time.Now(),
			Encryption:         server.Encryption{Status: "DISABLED"},
			Destination:        server.Destination{S3: &server.S3Destination{BucketARN: "arn:aws:s3:::bucket", SizeInMBs: 5, IntervalInSeconds: 300, CompressionFormat: "UNCOMPRESSED"}},
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Minute)
		put(t, b, "x")
		if out, err := b.DescribeDeliveryStream(ctx, me, name("s")); err != nil || out.Status != server.Active {
			t.Errorf("after a minute: %+v, %v", out, err)
		}

		// A name is one's own in an account and region.
		for _, other := range []server.Caller{{Account: "999999999999", Region: "us-east-1"}, {Account: me.Account, Region: "cn-north-1"}} {
			_, err = b.PutRecordBatch(ctx, other, "s", [][]byte{{1}})
			wantError(t, "another's stream", err, 400, "ResourceNotFoundException", "Firehose s under account "+other.Account+" not found.")
			created, err := b.CreateDeliveryStream(ctx, other, &server.CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: want.Destination})
			if err != nil || strings.HasPrefix(other.Region, "cn-") != strings.HasPrefix(created.DeliveryStreamARN, "arn:aws-cn:firehose:cn-north-1:") {
				t.Errorf("same name for %+v: %+v, %v", other, created, err)
			}
		}
		_, err = b.CreateDeliveryStream(ctx, me, &server.CreateDeliveryStreamInput{DeliveryStreamName: "s", Destination: want.Destination})
		wantError(t, "create twice", err, 400, "ResourceInUseException", "Firehose s under accountId 123456789012 already exists")
		_, err = b.DescribeDeliveryStream(ctx, me, name("none"))
		wantError(t, "describe", err, 400, "ResourceNotFoundException", "Firehose none under account 123456789012 not found.")
		err = b.DeleteDeliveryStream(ctx, me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "none"})
		wantError(t, "delete", err, 400, "ResourceNotFoundException", "Firehose none under account 123456789012 not found.")
	})
}

func TestDeleteDiscards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 60)
		put(t, b, "gone")
		if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"}); err != nil {
			t.Fatal(err)
		}
		create(t, b, "s", server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 60})
		put(t, b, "new")
		time.Sleep(time.Hour)
		wantObjects(t, b, "after delete", "new")
	})
}

func TestListPages(t *testing.T) {
	b := backend(t, Config{}, 5, 300)
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("list-%02d", 24-i)
		create(t, b, name, server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 300})
		want = append(want, name)
	}
	slices.Sort(want)
	want = append(want, "s")
	var got []string
	var pages []int
	in := &server.ListDeliveryStreamsInput{Limit: 10}
	for more := true; more; {
		out, err := b.ListDeliveryStreams(t.Context(), me, in)
		if err != nil {
			t.Fatal(err)
		}
		got, more, in.After = append(got, out.Names...), out.HasMore, out.Names[len(out.Names)-1]
		pages = append(pages, len(out.Names))
	}
	if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(pages, []int{10, 10, 6}) {
		t.Errorf("pages %v, %s", pages, diff)
	}
	for kind, n := range map[string]int{"": 26, "DirectPut": 26, "KinesisStreamAsSource": 0} {
		out, err := b.ListDeliveryStreams(t.Context(), me, &server.ListDeliveryStreamsInput{Limit: 26, Type: kind})
		if err != nil || len(out.Names) != n || out.HasMore {
			t.Errorf("type %q: %d names, more %v, %v; want %d", kind, len(out.Names), out.HasMore, err, n)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	b := backend(t, Config{}, 5, 300)
	for _, tt := range []struct {
		d    server.S3Destination
		want string
	}{
		{server.S3Destination{CompressionFormat: "LZ4"}, `"LZ4" is not one of`},
		{server.S3Destination{CustomTimeZone: "Nowhere/Land"}, "Provided custom time zone is not supported"},
		{server.S3Destination{CustomTimeZone: "Asia/Kolkata"}, "Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones."},
		{server.S3Destination{CustomTimeZone: "EST"}, "Provided custom time zone is not supported"},
		{server.S3Destination{Prefix: "!{timestamp:ppppppppMMMM}/", ErrorOutputPrefix: "e/"}, "Invalid conversion character used in the value of the expression in Prefix"},
		{server.S3Destination{Prefix: "!{timestamp:MMMM'" + strings.Repeat("x", 247) + "'}/", ErrorOutputPrefix: "e/"}, "a part of 256 bytes"}, // in September
		{server.S3Destination{BackupMode: "Enabled", Backup: &server.S3Destination{BucketARN: "arn:aws:s3:::bucket", CompressionFormat: "GZIP", Prefix: "!{timestamp:pd}"}}, "ErrorOutputPrefix cannot be null"},
		{server.S3Destination{CustomTimeZone: "Local"}, "Provided custom time zone is not supported"},
		{server.S3Destination{Prefix: strings.Repeat("p", 256) + "/"}, "a part of 256 bytes"},
		{server.S3Destination{Prefix: strings.Repeat("p/", 500)}, "The supplied prefix(es) do not satisfy the following constraint: Length of evaluated prefix cannot be greater than 512"},
		{server.S3Destination{Prefix: "a//b"}, `a folder named ""`},
		{server.S3Destination{Prefix: "!{nope:x}"}, "The supplied prefix(es) do not satisfy the following constraint: Namespace to the left of colon (nope) is an invalid keyword!"},
	} {
		tt.d.BucketARN = "arn:aws:s3:::bucket"
		if tt.d.CompressionFormat == "" {
			tt.d.CompressionFormat = "UNCOMPRESSED"
		}
		_, err := b.CreateDeliveryStream(t.Context(), me, &server.CreateDeliveryStreamInput{DeliveryStreamName: "new", Destination: server.Destination{S3: &tt.d}})
		if werr, ok := errors.AsType[*wire.Error](err); !ok || werr.Code != wire.CodeInvalidArgument || !strings.Contains(werr.Message, tt.want) {
			t.Errorf("%+v: %v, want %q", tt.d, err, tt.want)
		}
	}
}

// TestDeliveryRetries: a delivery that fails stays, in order, is tried again
// with back-off, and nothing is lost.
func TestDeliveryRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		b := backend(t, Config{Logger: slog.New(slog.NewTextHandler(&logs, nil))}, 5, 60)
		inTheWay := filepath.Join(b.cfg.Dir, "bucket")
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, b, "first")
		time.Sleep(60 * time.Second)
		synctest.Wait()
		put(t, b, "second")
		time.Sleep(200 * time.Second) // attempts 60, 61, 63, 67, 75, 91, 123, 183, 243 s
		synctest.Wait()
		if n := strings.Count(logs.String(), "delivery failed"); n != 9 {
			t.Errorf("%d failures are logged after 260 s, want 9:\n%s", n, &logs)
		}
		if err := b.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), `flush delivery stream "s"`) {
			t.Errorf("Flush: %v, want the delivery's error", err)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantObjects(t, b, "when it works again", "first", "second")
		put(t, b, "third")
		time.Sleep(time.Minute)
		wantObjects(t, b, "back to normal", "first", "second", "third")
		wantSums(t, b, map[string]float64{"DeliveryToS3.Records": 3, "DeliveryToS3.Bytes": 16, "DeliveryToS3.Success": 3})
	})
}

// TestFlushResumes: a flush that gets through after failures leaves nobody
// waiting for a retry that was called off.
func TestFlushResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 1, 60)
		inTheWay := filepath.Join(b.cfg.Dir, "bucket")
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, b, "a")
		time.Sleep(10 * time.Minute)
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantObjects(t, b, "flushed", "a")
		put(t, b, strings.Repeat("b", 1<<20))
		synctest.Wait()
		if keys, _ := delivered(t, b); len(keys) != 2 {
			t.Errorf("%d objects, want a second one as soon as it is full", len(keys))
		}
	})
}

func TestMemoryBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{MaxJournal: 1 << 20}, 5, 60)
		inTheWay := filepath.Join(b.cfg.Dir, "bucket")
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := strings.Repeat("r", 500_000)
		if diff := cmp.Diff([]string{"", ""}, put(t, b, r, r)); diff != "" {
			t.Error(diff)
		}
		if got := put(t, b, r); got[0] != wire.CodeServiceUnavailable {
			t.Errorf("beyond the bound: %q", got)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		wantObjects(t, b, "delivered", r+r)
		synctest.Wait()
		if got := put(t, b, r); got[0] != "" {
			t.Error("refused although there is room again")
		}
		wantSums(t, b, map[string]float64{"ThrottledRecords": 1})
	})
}

// What waits for a long interval does not fill the journal.
func TestDeliveredEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{MaxJournal: 8 << 20}, 128, 900)
		create(t, b, "idle", server.S3Destination{SizeInMBs: 128, IntervalInSeconds: 900})
		if _, err := b.PutRecordBatch(t.Context(), me, "idle", [][]byte{make([]byte, 1<<20)}); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			if got := put(t, b, strings.Repeat("r", 1_000_000)); got[0] != "" {
				t.Fatalf("record %d: %s", i, got[0])
			}
			synctest.Wait()
		}
		if n := b.streams[streamKey{me, "idle"}].queue.Stats().Records; n != 0 {
			t.Errorf("%d records of the other stream take room", n)
		}
		keys, _ := delivered(t, b)
		if len(keys) > 12 {
			t.Errorf("%d objects for 41 MB, want few", len(keys))
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 900)
		put(t, b, "kept")
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantObjects(t, b, "close flushes", "kept")
		_, err := b.PutRecordBatch(t.Context(), me, "s", [][]byte{{1}})
		wantError(t, "put after Close", err, 503, "ServiceUnavailableException", "The local Firehose has been shut down.")
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, err := New(Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		create(t, b, "s", server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 900})
		put(t, b, "1", "2")
		if err := os.WriteFile(filepath.Join(dir, "bucket"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(t.Context()); err == nil || !strings.Contains(err.Error(), `2 records of delivery stream "s" were not delivered`) {
			t.Errorf("Close: %v, want it to count the lost records", err)
		}
	})
}

// TestManyAtOnce: puts, flushes, fault changes and deletes together; every
// record that was accepted before the flush is in the objects, once.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Quota: Quota{Records: 1000}}, 1, 0)
		create(t, b, "other", server.S3Destination{SizeInMBs: 1, IntervalInSeconds: 1})
		var wg sync.WaitGroup
		var mu sync.Mutex
		want := map[string]int{}
		for g := range 8 {
			wg.Go(func() {
				for i := range 40 {
					r := fmt.Sprintf("%d.%d,", g, i)
					resp, err := b.PutRecordBatch(t.Context(), me, "s", [][]byte{[]byte(r)})
					if err != nil {
						t.Error(err)
						return
					}
					if resp.FailedPutCount == 0 {
						mu.Lock()
						want[r]++
						mu.Unlock()
					}
				}
			})
		}
		wg.Go(func() {
			for range 10 {
				if err := b.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				b.SetFaults(&Plan{Refuse: 0.5})
				_, _ = b.PutRecordBatch(t.Context(), me, "other", [][]byte{{1}})
				if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "other"}); err != nil {
					t.Error(err)
				}
				create(t, b, "other", server.S3Destination{SizeInMBs: 1, IntervalInSeconds: 1})
			}
		})
		wg.Wait()
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		keys, bodies := delivered(t, b)
		for i, body := range bodies {
			if !strings.Contains(keys[i], "/s-1-") {
				continue
			}
			for r := range strings.SplitAfterSeq(body, ",") {
				if r != "" {
					got[r]++
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("accepted and delivered differ (-accepted +delivered):\n%s", diff)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "set Config.Dir"},
		{Config{Dir: t.TempDir(), Quota: Quota{Calls: -1}}, "negative"},
		{Config{Dir: t.TempDir(), MaxBuffered: -1}, "MaxBuffered is -1"},
		{Config{Dir: "/dev/null/x"}, "make the folder"},
	} {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%+v) = %v, want %q", tt.cfg, err, tt.want)
		}
	}
}
