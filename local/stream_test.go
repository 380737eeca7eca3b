package local

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/server"
)

// faulty is a folder that fails on order.
type faulty struct {
	*file.Dir
	down     atomic.Bool
	attempts atomic.Int32
	after    func() // called when an object is there
}

func (f *faulty) Put(ctx context.Context, o *deliver.Object) error {
	f.attempts.Add(1)
	if f.down.Load() {
		return errors.New("out of order")
	}
	err := f.Dir.Put(ctx, o)
	if f.after != nil {
		f.after()
	}
	return err
}

func faultyBackend(t *testing.T, sizeMB, interval int) (*Backend, *faulty) {
	dir := t.TempDir()
	d, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Dir: d}
	return backend(t, Config{Dir: dir, Destination: f}, sizeMB, interval), f
}

// TestBackoffHolds: while a failed delivery waits, full buffers don't start
// another attempt.
func TestBackoffHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 1, 900)
		dest.down.Store(true)
		full := strings.Repeat("f", 1<<20)
		for range 5 {
			put(t, b, full)
			synctest.Wait()
		}
		if n := dest.attempts.Load(); n != 1 {
			t.Errorf("%d attempts at once, want 1", n)
		}
		dest.down.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := dest.attempts.Load(); n != 6 {
			t.Errorf("%d attempts, want 6: the retry goes through and takes the others with it", n)
		}
	})
}

// TestFlushLeavesNothingBehind: a flush that mends a failing stream stops at what
// it was asked for; the buffers that filled up meanwhile don't wait for ever.
func TestFlushLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 1, 900)
		dest.down.Store(true)
		put(t, b, strings.Repeat("1", 1<<20))
		synctest.Wait()
		dest.down.Store(false)
		dest.after = func() {
			dest.after = nil
			put(t, b, strings.Repeat("2", 1<<20))
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if keys, _ := delivered(t, b); len(keys) != 2 {
			t.Errorf("%d objects, want 2", len(keys))
		}
	})
}

// TestLagMakesLargerObjects: while a delivery takes longer than the interval,
// what comes in is gathered.
func TestLagMakesLargerObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 5, 1)
		dest.after = func() { time.Sleep(10 * time.Second) }
		for range 20 {
			put(t, b, "x")
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		// Sealed at 1 s, 11 s and 21 s.
		wantObjects(t, b, "by delay, not by interval", "xx", strings.Repeat("x", 14), strings.Repeat("x", 4))
	})
}

// TestLagBehindAFullBuffer: a small buffer that is due goes on filling while a
// full one is before it.
func TestLagBehindAFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 1, 1)
		dest.after = func() { time.Sleep(10 * time.Second) }
		full := strings.Repeat("f", 1<<20)
		put(t, b, full, full, "x")
		time.Sleep(15 * time.Second)
		put(t, b, "y")
		time.Sleep(time.Minute)
		synctest.Wait()
		_, bodies := delivered(t, b)
		if len(bodies) != 3 || !slices.Contains(bodies, "xy") {
			t.Errorf("%d objects, none is xy", len(bodies))
		}
	})
}

// TestStaleTimer: a timer that fired for an earlier buffer leaves the new one.
func TestStaleTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{}, 5, 60)
		put(t, b, "x")
		time.Sleep(59 * time.Second)
		s, err := b.lookup(me, "s")
		if err != nil {
			t.Fatal(err)
		}
		s.flow.mu.Lock()
		buf := s.flow.buffers[bufferKey{kind: toDestination}]
		s.flow.mu.Unlock()
		buf.intervalOver()
		wantObjects(t, b, "a second early")
	})
}

// TestPutThatComesTooLate: a put that had found its stream before Close or a
// delete is refused, not accepted and lost.
func TestPutThatComesTooLate(t *testing.T) {
	for what, tt := range map[string]struct {
		end     func(*Backend) error
		status  int
		code    string
		message string
	}{
		"close": {func(b *Backend) error { return b.Close(context.Background()) }, 503, "ServiceUnavailableException", "The local Firehose has been shut down."},
		"delete": {func(b *Backend) error {
			return b.DeleteDeliveryStream(context.Background(), me, &server.DeleteDeliveryStreamInput{DeliveryStreamName: "s"})
		}, 400, "ResourceNotFoundException", "Firehose s under account 123456789012 not found."},
	} {
		b := backend(t, Config{}, 5, 60)
		s, err := b.lookup(me, "s")
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.end(b); err != nil {
			t.Fatal(err)
		}
		_, err = s.put(t.Context(), [][]byte{{1}}, nil)
		wantError(t, what, err, tt.status, tt.code, tt.message)
	}
}

// TestFlushEndsWithItsContext: a delivery that hangs does not hold a flush.
func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dest := faultyBackend(t, 5, 1)
		dest.after = func() { time.Sleep(time.Hour) }
		put(t, b, "x")
		time.Sleep(2 * time.Second)
		put(t, b, "y")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush: %v, want the deadline", err)
		}
		time.Sleep(3 * time.Hour)
		wantObjects(t, b, "both in the end", "x", "y")
	})
}

// TestAccepted: the hook sees what is stored, in order, and nothing else.
func TestAccepted(t *testing.T) {
	var got []string
	cfg := Config{
		Faults: one(Fault{Refuse: refuse(1)}),
		Accepted: func(c server.Caller, stream string, data []byte) {
			got = append(got, c.Region+" "+stream+" "+string(data))
		},
	}
	b := backend(t, cfg, 5, 900)
	put(t, b, "a", "b", "c")
	put(t, b, "d")
	if diff := cmp.Diff([]string{"us-east-1 s a", "us-east-1 s c", "us-east-1 s d"}, got); diff != "" {
		t.Error(diff)
	}
}
