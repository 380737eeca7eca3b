package hydranttest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// noRetry shows each call as it is.
func noRetry(o *firehose.Options) { o.RetryMaxAttempts = 1 }

func batch(stream string, records ...string) *firehose.PutRecordBatchInput {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream}
	for _, r := range records {
		in.Records = append(in.Records, types.Record{Data: []byte(r)})
	}
	return in
}

// codes is a batch's outcome: the entries' codes, or the error.
func codes(out *firehose.PutRecordBatchOutput, err error) string {
	if err != nil {
		if apiErr, ok := errors.AsType[smithy.APIError](err); ok {
			return apiErr.ErrorCode() + ": " + apiErr.ErrorMessage()
		}
		return "no answer"
	}
	var list []string
	for _, e := range out.RequestResponses {
		list = append(list, aws.ToString(e.ErrorCode))
	}
	return fmt.Sprintf("%d%q", *out.FailedPutCount, list)
}

// TestVirtualTime: the SDK's real client, a buffer of 900 s, and no time spent.
// That the bubble ends shows that no goroutine is left.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{IntervalSeconds: 900})
		fh.CreateStream("s")
		for _, r := range []string{"one", "", "two"} {
			out, err := fh.Client().PutRecord(t.Context(), &firehose.PutRecordInput{DeliveryStreamName: aws.String("s"), Record: &types.Record{Data: []byte(r)}})
			if err != nil || len(*out.RecordId) != 224 {
				t.Fatalf("PutRecord: %+v, %v", out, err)
			}
		}
		if diff := cmp.Diff([][]byte{[]byte("one"), {}, []byte("two")}, fh.Records("s")); diff != "" {
			t.Error(diff)
		}
		time.Sleep(899 * time.Second)
		synctest.Wait()
		if got := fh.Objects("s"); len(got) != 0 {
			t.Errorf("objects after 899 s: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([][]byte{[]byte("onetwo")}, fh.Objects("s")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fh := hydranttest.Start(t, hydranttest.Options{Faults: hydranttest.Script(
			hydranttest.Refuse(1),
			hydranttest.RefuseAll(),
			hydranttest.RefuseWith("InternalFailure", "x", 0),
			hydranttest.Fail(503, "ServiceUnavailableException", "Slow down."),
			hydranttest.Fail(400, "ValidationException", "bad"),
			hydranttest.ResetBefore(),
			hydranttest.ResetAfter(),
			local.Fault{},
			hydranttest.Answer(func(r *wire.PutResponse) { r.Entries = append(r.Entries, r.Entries...) }),
			hydranttest.Slow(time.Hour),
		)})
		fh.CreateStream("s")
		client := fh.Client()
		const slow = "ServiceUnavailableException"
		var stored []string
		for i, step := range []struct {
			want   string
			stored string // which of a and b
		}{
			{fmt.Sprintf("1%q", []string{"", slow}), "a"},
			{fmt.Sprintf("2%q", []string{slow, slow}), ""},
			{fmt.Sprintf("1%q", []string{"InternalFailure", ""}), "b"},
			{slow + ": Slow down.", ""},
			{"ValidationException: bad", ""},
			{"no answer", ""},
			{"no answer", "ab"},
			{`0["" ""]`, "ab"},
			{`0["" "" "" ""]`, "ab"},
			{`0["" ""]`, "ab"},
			{`0["" ""]`, "ab"}, // the script is over
		} {
			got := codes(client.PutRecordBatch(t.Context(), batch("s", fmt.Sprint("a", i), fmt.Sprint("b", i)), noRetry))
			if got != step.want {
				t.Errorf("call %d: %s, want %s", i, got, step.want)
			}
			for _, c := range step.stored {
				stored = append(stored, fmt.Sprint(string(c), i))
			}
		}
		if took := time.Since(start); took != time.Hour {
			t.Errorf("the calls took %v, want the hour of Slow", took)
		}
		var got []string
		for _, r := range fh.Records("s") {
			got = append(got, string(r))
		}
		if diff := cmp.Diff(stored, got); diff != "" {
			t.Errorf("Records: %s", diff)
		}
		if got, want := string(fh.Delivered("s")), strings.Join(stored, ""); got != want {
			t.Errorf("Delivered = %q, want %q", got, want)
		}
	})
}

// TestDuplicates: the SDK's own retry after a lost answer stores a record twice.
func TestDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		fh.SetFaults(hydranttest.Script(hydranttest.ResetAfter()))
		if got := codes(fh.Client().PutRecordBatch(t.Context(), batch("s", "x"))); got != `0[""]` {
			t.Error(got)
		}
		if got := fh.Records("s"); len(got) != 2 {
			t.Errorf("Records: %q, want x twice", got)
		}
	})
}

func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Quota: local.Quota{Records: 2}})
		fh.CreateStream("s")
		for range 2 {
			if got := codes(fh.Client().PutRecordBatch(t.Context(), batch("s", "a", "b", "c"))); got != `1["" "" "ServiceUnavailableException"]` {
				t.Error(got)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		client := fh.Client()
		put := func(r string) error {
			_, err := client.PutRecordBatch(t.Context(), batch("s", r), noRetry)
			return err
		}
		if err := put("before"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		fh.SetDown(true)
		fh.SetDown(true) // already
		if err := put("lost"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("put while down: %v, want connection refused", err)
		}
		fh.SetDown(false)
		fh.SetDown(false)
		if err := put("after"); err != nil {
			t.Error(err)
		}

		// A call under way loses its answer, and is over when SetDown returns.
		fh.SetFaults(hydranttest.Always(hydranttest.Slow(time.Hour)))
		failed := make(chan error)
		go func() { failed <- put("broken") }()
		time.Sleep(time.Minute)
		fh.SetDown(true)
		if err := <-failed; err == nil {
			t.Error("a call under way was answered")
		}
		fh.SetDown(false)
		fh.SetFaults(nil)
		if got := string(fh.Delivered("s")); got != "beforeafter" {
			t.Errorf("delivered %q", got)
		}
	})
}

// ending is a test whose end can be looked at.
type ending struct {
	testing.TB
	cleanups []func()
}

func (e *ending) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

// TestEnd: with the test the Firehose delivers what is left and stops, so that
// nothing of it writes into folders that are gone.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ending{TB: t}
		fh := hydranttest.Start(e, hydranttest.Options{})
		fh.CreateStream("s")
		if got := codes(fh.Client().PutRecordBatch(t.Context(), batch("s", "x"))); got != `0[""]` {
			t.Fatal(got)
		}
		for _, f := range e.cleanups {
			f()
		}
		if got := fh.Objects("s"); len(got) != 1 {
			t.Errorf("%d objects at the end, want 1", len(got))
		}
		if err := os.RemoveAll(fh.Dir()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, err := os.Stat(fh.Dir()); err == nil {
			t.Error("something was written after the end")
		}
	})
}

// TestOutsideABubble: real time, many clients, and nothing left behind.
func TestOutsideABubble(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("use", func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream("s")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					if got := codes(fh.Client().PutRecordBatch(context.Background(), batch("s", "x", "y"))); got != `0["" ""]` {
						t.Error(got)
					}
				}
			})
		}
		wg.Wait()
		if got := fh.Delivered("s"); len(got) != 80 {
			t.Errorf("%d bytes delivered, want 80", len(got))
		}
	})
	// Connections end on their own goroutines, a moment after they are closed.
	for range 1_000_000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestWrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		cfg := fh.AWSConfig()
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: hydranttest.AccessKey, SecretAccessKey: "wrong"}, nil
		})
		got := codes(firehose.NewFromConfig(cfg).PutRecordBatch(t.Context(), batch("s", "x")))
		if !strings.HasPrefix(got, "InvalidSignatureException: The request signature we calculated does not match") {
			t.Error(got)
		}
	})
}
