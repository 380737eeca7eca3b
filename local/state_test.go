package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// crashed is the folder of a Firehose that was killed: a copy of what it has
// written, in use by nobody.
func crashed(t *testing.T, b *Backend) Config {
	t.Helper()
	cfg := b.cfg
	cfg.State = filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(cfg.State, os.DirFS(b.cfg.State)); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func restarted(t *testing.T, cfg Config) *Backend {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func describe(t *testing.T, b *Backend, name string) *server.DescribeDeliveryStreamOutput {
	t.Helper()
	out, err := b.DescribeDeliveryStream(t.Context(), me, &server.DescribeDeliveryStreamInput{DeliveryStreamName: name})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What was answered for is delivered after a crash, by the settings that the
// stream had.
func TestCrash(t *testing.T) {
	b := backend(t, Config{State: t.TempDir()}, 5, 900)
	if err := b.TagDeliveryStream(t.Context(), me, &server.TagInput{DeliveryStreamName: "s", Tags: []server.Tag{{Key: "k", Value: "v"}}}); err != nil {
		t.Fatal(err)
	}
	update(t, b, "1", func(d *server.S3Destination) { d.Prefix = "updated/" })
	create(t, b, "gone", server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 900})
	var want strings.Builder
	for i := range 100 {
		put(t, b, fmt.Sprintf("%d,", i))
		fmt.Fprintf(&want, "%d,", i)
	}
	if _, err := b.PutRecordBatch(t.Context(), me, "gone", [][]byte{{1}}); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "gone"}); err != nil {
		t.Fatal(err)
	}
	cfg := crashed(t, b)
	cfg.Dir = t.TempDir()
	again := restarted(t, cfg)
	if diff := cmp.Diff(describe(t, b, "s"), describe(t, again, "s")); diff != "" {
		t.Errorf("the stream (-before +after):\n%s", diff)
	}
	tags, err := again.ListTagsForDeliveryStream(t.Context(), me, &server.ListTagsInput{DeliveryStreamName: "s", Limit: 50})
	if err != nil || len(tags.Tags) != 1 || tags.Tags[0].Value != "v" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	if _, err := again.lookup(me, "gone"); err == nil {
		t.Error("a deleted stream is back")
	}
	if err := again.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, bodies := delivered(t, again)
	if diff := cmp.Diff([]string{want.String()}, bodies); diff != "" || !strings.HasPrefix(keys[0], "updated/") {
		t.Errorf("delivered as %q (-want +got):\n%s", keys, diff)
	}
	if n := again.journal.Totals().Records; n != 0 {
		t.Errorf("%d records are in the journal still", n)
	}
}

// A stream that is deleted leaves nothing in the journal, and a put that comes past its
// end is told so.
func TestDeletedLeavesNothing(t *testing.T) {
	b := backend(t, Config{State: t.TempDir()}, 5, 900)
	put(t, b, "x")
	s, err := b.lookup(me, "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"}); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(filepath.Join(b.cfg.State, "journal"))
	if err != nil || len(list) != 1 || list[0].Name() != "lock" || len(b.journal.Queues()) != 0 {
		t.Errorf("left: %v, %d queues, %v", list, len(b.journal.Queues()), err)
	}
	if err := s.store(t.Context(), []spool.Record{{Data: []byte("late")}}); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("a late put: %v", err)
	}
	wantError(t, "what it is told", s.whyGone(), 400, "ResourceNotFoundException", "Firehose s under account 123456789012 not found.")
}

// A stream that needs more than its Firehose has is not brought back without it, and
// nothing of it is lost.
func TestRestartWithoutATable(t *testing.T) {
	b := pipeline(t, Config{State: t.TempDir(), Tables: map[string][]convert.Column{"db.t": {{Name: "id", Type: "bigint"}}}}, bucketOf(func(d *server.S3Destination) {
		d.Conversion = &server.Conversion{
			Enabled: true, SchemaConfiguration: &server.SchemaConfiguration{DatabaseName: "db", TableName: "t"},
			InputFormatConfiguration:  &server.InputFormatConfiguration{Deserializer: &server.Deserializer{OpenXJsonSerDe: &server.OpenXJsonSerDe{}}},
			OutputFormatConfiguration: &server.OutputFormatConfiguration{Serializer: &server.Serializer{ParquetSerDe: &server.ParquetSerDe{}}},
		}
	}))
	put(t, b, `{"id":1}`)
	with := crashed(t, b)
	with.Dir = t.TempDir()
	without := with
	without.Tables = nil
	if _, err := New(without); err == nil || !strings.Contains(err.Error(), "db.t") || !strings.Contains(err.Error(), "--table") {
		t.Errorf("without the table: %v", err)
	}
	if got := byFolder(t, restarted(t, with)); len(got) != 1 {
		t.Errorf("with it: %q", got)
	}
}

// Two Firehoses never have one folder, and an end in order leaves what could not be
// delivered to the next one.
func TestStateBelongsToOne(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	b, err := New(Config{State: state, Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	create(t, b, "s", server.S3Destination{SizeInMBs: 5, IntervalInSeconds: 900})
	put(t, b, "1", "2")
	if _, err := New(b.cfg); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second one: %v", err)
	}
	inTheWay := filepath.Join(dir, "bucket")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err == nil || !strings.Contains(err.Error(), `2 records of delivery stream "s" were not delivered; the next start with `+state) {
		t.Errorf("Close: %v", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	again := restarted(t, b.cfg)
	if err := again.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, bodies := delivered(t, again); !cmp.Equal(bodies, []string{"12"}) {
		t.Errorf("delivered: %q", bodies)
	}
}

// Settings that can't be kept are not taken.
func TestSettingsMustBeKept(t *testing.T) {
	b := backend(t, Config{State: t.TempDir()}, 5, 900)
	before := describe(t, b, "s")
	if err := os.Mkdir(filepath.Join(b.cfg.State, settingsName+".tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	in := &server.UpdateDestinationInput{DeliveryStreamName: "s", CurrentVersionID: "1", DestinationID: destinationID, Apply: func(d server.Destination) (server.Destination, error) {
		s3 := *d.S3
		s3.Prefix = "other/"
		return server.Destination{S3: &s3}, nil
	}}
	if err := b.UpdateDestination(t.Context(), me, in); err == nil {
		t.Error("an update that was not kept succeeds")
	}
	if _, err := b.CreateDeliveryStream(t.Context(), me, &server.CreateDeliveryStreamInput{DeliveryStreamName: "new", Destination: before.Destination}); err == nil {
		t.Error("a stream that was not kept is made")
	}
	if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"}); err == nil {
		t.Error("a stream that is still kept is deleted")
	}
	if diff := cmp.Diff(before, describe(t, b, "s")); diff != "" {
		t.Errorf("the stream has changed: %s", diff)
	}
	for text, want := range map[string]string{"{": "is damaged", `{"Version":2}`: "is of version 2"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, settingsName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Dir: t.TempDir(), State: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// update changes s's destination, which must be of that version.
func update(t *testing.T, b *Backend, version string, edit func(*server.S3Destination)) {
	t.Helper()
	err := b.UpdateDestination(t.Context(), me, &server.UpdateDestinationInput{
		DeliveryStreamName: "s", CurrentVersionID: version, DestinationID: destinationID,
		Apply: func(d server.Destination) (server.Destination, error) {
			s3 := *d.S3
			edit(&s3)
			return server.Destination{S3: &s3}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUpdateDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 900)
		put(t, b, "a")
		time.Sleep(time.Minute)
		update(t, b, "1", func(*server.S3Destination) {})
		if out := describe(t, b, "s"); out.VersionID != "1" || !out.LastUpdate.IsZero() {
			t.Errorf("an update that changes nothing: %+v", out)
		}
		// What is buffered goes by the new prefix and interval.
		update(t, b, "1", func(d *server.S3Destination) { d.Prefix, d.IntervalInSeconds = "new/", 120 })
		if out := describe(t, b, "s"); out.VersionID != "2" || !out.LastUpdate.Equal(time.Now()) || out.Destination.S3.Prefix != "new/" {
			t.Errorf("after the update: %+v", out)
		}
		time.Sleep(59 * time.Second)
		wantObjects(t, b, "119 s after the put")
		time.Sleep(time.Second)
		wantObjects(t, b, "120 s after the put", "a")
		if keys, _ := delivered(t, b); !strings.HasPrefix(keys[0], "new/2000/01/01/00/s-2-") {
			t.Errorf("key %s", keys[0])
		}
		for _, tt := range []struct{ name, version, id, code, message string }{
			{"none", "1", destinationID, "ResourceNotFoundException", "Firehose none under account 123456789012 not found."},
			{"s", "1", destinationID, "ConcurrentModificationException", "Cannot update firehose: s since the current version id: 2 and specified version id: 1 do not match"},
			{"s", "2", "destinationId-2", "InvalidArgumentException", "Destination Id destinationId-2 not found"},
		} {
			err := b.UpdateDestination(t.Context(), me, &server.UpdateDestinationInput{DeliveryStreamName: tt.name, CurrentVersionID: tt.version, DestinationID: tt.id})
			wantError(t, tt.name, err, 400, tt.code, tt.message)
		}
		update(t, b, "2", func(d *server.S3Destination) { d.SizeInMBs = 1 })
		put(t, b, strings.Repeat("b", 1_000_000), strings.Repeat("c", 100_000))
		synctest.Wait()
		if keys, _ := delivered(t, b); len(keys) != 2 {
			t.Errorf("%d objects, want one more of 1 MiB", len(keys))
		}
	})
}

func TestTags(t *testing.T) {
	b := backend(t, Config{}, 5, 900)
	tag := func(n int, value string) error {
		var tags []server.Tag
		for i := range n {
			tags = append(tags, server.Tag{Key: fmt.Sprintf("k%02d", i), Value: value})
		}
		return b.TagDeliveryStream(t.Context(), me, &server.TagInput{DeliveryStreamName: "s", Tags: tags})
	}
	if err := tag(50, "a"); err != nil {
		t.Fatal(err)
	}
	wantError(t, "51 tags", tag(51, "b"), 400, wire.CodeLimitExceeded, "Firehose s under account 123456789012 would have 51 tags, the limit is 50.")
	if err := b.UntagDeliveryStream(t.Context(), me, &server.UntagInput{DeliveryStreamName: "s", Keys: []string{"k01", "none"}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after string
		limit int
		want  string
	}{
		{"", 2, "k00=a k02=a more"},
		{"k02", 50, ""},
		{"k47", 2, "k48=a k49=a"},
		{"k49", 2, ""},
		{"zzz", 2, ""},
	} {
		out, err := b.ListTagsForDeliveryStream(t.Context(), me, &server.ListTagsInput{DeliveryStreamName: "s", After: tt.after, Limit: tt.limit})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tag := range out.Tags {
			got = append(got, tag.Key+"="+tag.Value)
		}
		if out.HasMore {
			got = append(got, "more")
		}
		if text := strings.Join(got, " "); tt.limit < 50 && text != tt.want || tt.limit == 50 && len(got) != 47 {
			t.Errorf("after %q: %s, want %s", tt.after, text, tt.want)
		}
	}
}

// The states take their time, and a call in the wrong one is refused.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{StateDelay: time.Minute, Speed: 2}, 5, 900)
		start := func() error {
			return b.StartDeliveryStreamEncryption(t.Context(), me, &server.StartEncryptionInput{DeliveryStreamName: "s", Encryption: server.Encryption{KeyType: "AWS_OWNED_CMK"}})
		}
		wantError(t, "encrypt while creating", start(), 400, wire.CodeResourceInUse, "Firehose s under account 123456789012 is CREATING.")
		time.Sleep(30 * time.Second)
		if err := start(); err != nil {
			t.Fatal(err)
		}
		encrypted := func() bool {
			resp, err := b.PutRecordBatch(t.Context(), me, "s", [][]byte{{1}})
			if err != nil {
				t.Fatal(err)
			}
			return resp.Encrypted
		}
		if e := describe(t, b, "s").Encryption; e.Status != "ENABLING" || e.KeyType != "AWS_OWNED_CMK" || encrypted() {
			t.Errorf("at once: %+v", e)
		}
		wantError(t, "twice", start(), 400, wire.CodeResourceInUse, "Firehose s under account 123456789012 is enabling its encryption.")
		time.Sleep(30 * time.Second)
		if e := describe(t, b, "s").Encryption; e.Status != "ENABLED" || !encrypted() {
			t.Errorf("later: %+v", e)
		}
		if err := b.StopDeliveryStreamEncryption(t.Context(), me, &server.StopEncryptionInput{DeliveryStreamName: "s"}); err != nil {
			t.Fatal(err)
		}
		if e := describe(t, b, "s").Encryption; e.Status != "DISABLING" {
			t.Errorf("stopped: %+v", e)
		}
		time.Sleep(30 * time.Second)
		if e := describe(t, b, "s").Encryption; e.Status != "DISABLED" || encrypted() {
			t.Errorf("stopped, later: %+v", e)
		}
		remove := func() {
			t.Helper()
			if err := b.DeleteDeliveryStream(t.Context(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"}); err != nil {
				t.Fatal(err)
			}
		}
		remove()
		remove() // AWS takes it again
		if out := describe(t, b, "s"); out.Status != server.Deleting {
			t.Errorf("deleted: %+v", out)
		}
		_, err := b.PutRecordBatch(t.Context(), me, "s", [][]byte{{1}})
		wantError(t, "put while deleting", err, 400, wire.CodeResourceNotFound, "Firehose s is not active in 123456789012 account.")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if _, err := b.lookup(me, "s"); err == nil {
			t.Error("the stream is still there")
		}
		wantObjects(t, b, "what it had is discarded")
	})
}

func TestEncryptionSwitches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 900)
		flip := func() error {
			if describe(t, b, "s").Encryption.Status == "ENABLED" {
				return b.StopDeliveryStreamEncryption(t.Context(), me, &server.StopEncryptionInput{DeliveryStreamName: "s"})
			}
			return b.StartDeliveryStreamEncryption(t.Context(), me, &server.StartEncryptionInput{DeliveryStreamName: "s"})
		}
		for range maxSwitches {
			time.Sleep(time.Second)
			if err := flip(); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, "the 26th", flip(), 400, wire.CodeLimitExceeded, "The encryption of Firehose s under account 123456789012 was switched 25 times in 24 hours, which is the limit.")
		time.Sleep(24 * time.Hour)
		if err := flip(); err != nil {
			t.Error(err)
		}
	})
}

func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Speed: 60}, 5, 300)
		put(t, b, "x")
		time.Sleep(5*time.Second - 1)
		wantObjects(t, b, "after a bit less than 5 s")
		time.Sleep(time.Nanosecond)
		wantObjects(t, b, "after 5 s", "x")
	})
}

func TestEachCall(t *testing.T) {
	b := backend(t, Config{EachCall: true}, 5, 900)
	put(t, b, "a", "b")
	put(t, b, "c")
	if _, got := delivered(t, b); !cmp.Equal(got, []string{"ab", "c"}) && !cmp.Equal(got, []string{"c", "ab"}) {
		t.Errorf("right after the calls: %q", got)
	}
}

// A stream that can't deliver takes records until the journal is full, and not its
// memory.
func TestJournalBeyondMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 1, 1)
		b.cfg.MaxBuffered = 3 << 20
		dest.down.Store(true)
		part := strings.Repeat("p", 1_000_000)
		for range 20 {
			put(t, b, part)
		}
		synctest.Wait()
		s, err := b.lookup(me, "s")
		if err != nil {
			t.Fatal(err)
		}
		s.flow.mu.Lock()
		held := s.flow.held
		s.flow.mu.Unlock()
		if held > 5<<20 {
			t.Errorf("%d bytes are in memory", held)
		}
		dest.down.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		_, bodies := delivered(t, b)
		if got := len(strings.Join(bodies, "")); got != 20*len(part) {
			t.Errorf("%d bytes are delivered, want %d", got, 20*len(part))
		}
	})
}
