package hydrant_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// spooled is a configuration with a spool.
func spooled(t *testing.T) hydrant.Config {
	return hydrant.Config{Spool: filepath.Join(t.TempDir(), "spool")}
}

// again is a producer with r's spool on r's Firehose, after r's own has ended.
func (r *rig) again(cfg hydrant.Config) *hydrant.Producer {
	r.Helper()
	sdk := r.fh.AWSConfig()
	cfg.AWS, cfg.Stream, cfg.DeadLetter, cfg.Logger, cfg.Packing = &sdk, stream, r.dead, slog.New(slog.DiscardHandler), hydrant.PackOff
	p, err := hydrant.New(r.Context(), cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("record %d", i))
	}
	return list
}

// stored is what Firehose has of the stream, sorted, without delimiters.
func (r *rig) texts() []string {
	list := slices.Collect(strings.SplitSeq(strings.TrimSuffix(strings.Join(toStrings(r.fh.Records(stream)), ""), "\n"), "\n"))
	slices.Sort(list)
	return list
}

func toStrings(records [][]byte) (list []string) {
	for _, rec := range records {
		list = append(list, string(rec))
	}
	return list
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// With a spool everything is as it is without: fates, flush, dead letter, and the
// spool is empty at the end.
func TestSpool(t *testing.T) {
	cfg := spooled(t)
	faults := []local.Fault{hydranttest.RefuseAll(), {}, hydranttest.ResetAfter()}
	inBubble(t, cfg, faults, func(r *rig) {
		want := numbered(1200)
		r.put(want...)
		if err := r.p.PutFunc(r.Context(), make([]byte, wire.MaxRecordBytes), r.acks.note); err != nil {
			t.Fatal(err)
		}
		r.flush()
		st := r.p.Stats()
		if st.Delivered != 1200 || st.DeadLettered != 1 || st.Pending != 0 || st.Accepted != 1201 {
			t.Errorf("%+v", st)
		}
		if len(r.acks.list) != 1201 {
			t.Errorf("%d callbacks", len(r.acks.list))
		}
		if got := r.texts(); !slices.Equal(slices.Compact(got), sorted(want)) {
			t.Errorf("stored %d records", len(got))
		}
		r.close()
		if left, err := os.ReadDir(cfg.Spool); err != nil || len(left) != 1 {
			t.Errorf("left in the spool: %v, %v", left, err)
		}
	})
}

// While one chunk of a PutRecords is written the next is filled; when the disk fails
// for a moment, those before are accepted, and none after.
func TestSpoolDiskFails(t *testing.T) {
	for _, most := range []int64{1, 2, 3, 4, 1000} {
		disk := vfs.NewMem(1)
		var syncs atomic.Int64
		disk.Fail = func(op vfs.Op, _ string) error {
			if op == vfs.OpSync && syncs.Add(1) == most+1 || op == vfs.OpCreate && syncs.Load() == most+1 {
				if op == vfs.OpCreate {
					syncs.Add(1) // it was the second try
				}
				return syscall.EIO
			}
			return nil
		}
		cfg := hydrant.Config{Spool: "/spool", SpoolOptions: spool.Options{FS: disk}}
		inBubble(t, cfg, nil, func(r *rig) {
			r.fh.SetFaults(faultFunc(func() local.Fault { return hydranttest.Fail(503, wire.CodeServiceUnavailable, "down") }))
			want := numbered(60_000)
			n, err := r.p.PutRecords(r.Context(), recordsOf(want), nil)
			if (err == nil) != (n == len(want)) || err != nil && !errors.Is(err, syscall.EIO) {
				t.Errorf("%d syncs: %d of %d accepted: %v", most, n, len(want), err)
			}
			s, err := spool.Open("/spool", spool.Options{FS: disk.Kill(), ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			q, err := s.Queue(stream)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				list, err := q.Read(nil, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if len(list) == 0 {
					break
				}
				for _, rec := range list {
					got = append(got, string(rec.Data))
				}
			}
			if !slices.Equal(got, want[:n]) {
				t.Errorf("%d syncs: %d records are said to be accepted, %d are in the spool", most, n, len(got))
			}
			disk.Fail = nil
			ended, cancel := context.WithCancel(r.Context())
			cancel()
			_ = r.p.Close(ended)
		})
	}
}

// What Close leaves, the next producer sends, each record to its own stream, with
// what it was put with.
func TestSpoolResume(t *testing.T) {
	cfg := spooled(t)
	down := true
	cfg.Route = func(data []byte) string {
		if strings.HasSuffix(string(data), "7") {
			return "sevens"
		}
		return ""
	}
	inBubble(t, cfg, nil, func(r *rig) {
		r.fh.CreateStream("sevens")
		var mu sync.Mutex
		r.fh.SetFaults(faultFunc(func() local.Fault {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return hydranttest.Fail(503, wire.CodeServiceUnavailable, "down")
			}
			return local.Fault{}
		}))
		want := numbered(2000)
		n, err := r.p.PutRecords(r.Context(), recordsOf(want), nil)
		if n != 2000 || err != nil {
			t.Fatal(n, err)
		}
		large := strings.Repeat("x", wire.MaxRecordBytes)
		if _, err := r.p.PutRecords(r.Context(), recordsOf([]string{large}), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		err = r.p.Close(ctx)
		var left *hydrant.UndeliveredError
		if !errors.As(err, &left) || !errors.Is(err, context.DeadlineExceeded) || left.Spooled != 2000 || len(left.Records) != 0 ||
			!strings.Contains(err.Error(), "2000 records left in the spool "+cfg.Spool) {
			t.Fatalf("Close: %v", err)
		}
		if d := r.dead.records; len(d) != 1 || d[0].Source != "file" || d[0].Position != 1 || d[0].Code != hydrant.CodeRecordTooLarge {
			t.Errorf("dead letter: %d records", len(d))
		}

		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(time.Hour) // their age counts from Put
		p := r.again(cfg)
		if st := p.Stats(); st.Recovered != 2000 || st.Accepted != 2000 || st.Pending != 2000 {
			t.Errorf("%+v", st)
		}
		if err := p.Flush(r.Context()); err != nil {
			t.Fatal(err)
		}
		st := p.Stats()
		if st.Delivered != 2000 || st.Pending != 0 || st.MaybeDuplicate != 0 || st.Latency.Sum < 2000*time.Hour {
			t.Errorf("%+v", st)
		}
		got := append(r.texts(), toStrings(r.fh.Records("sevens"))...)
		for i := range got {
			got[i] = strings.TrimSuffix(got[i], "\n")
		}
		if slices.Sort(got); !slices.Equal(got, sorted(want)) {
			t.Errorf("stored %d records", len(got))
		}
		if n := len(r.fh.Records("sevens")); n != 200 {
			t.Errorf("%d records went to the other stream", n)
		}
	})
}

func recordsOf(texts []string) iter.Seq[hydrant.Record] {
	return func(yield func(hydrant.Record) bool) {
		buf := []byte(nil) // used again and again
		for i, text := range texts {
			buf = append(buf[:0], text...)
			if !yield(hydrant.Record{Data: buf, Source: "file", Position: int64(i + 1)}) {
				return
			}
		}
	}
}

type faultFunc func() local.Fault

func (f faultFunc) Next(string, int) local.Fault { return f() }

// While the stream is down the spool takes far more than the buffer holds, and
// memory keeps its bound. A full spool makes Put wait, and TryPut refuse.
func TestSpoolOutgrowsMemory(t *testing.T) {
	cfg := spooled(t)
	cfg.MaxBuffer = 1 << 20
	cfg.SpoolOptions = spool.Options{MaxBytes: 8 << 20, SegmentBytes: 256 << 10}
	inBubble(t, cfg, nil, func(r *rig) {
		var mu sync.Mutex
		down := true
		r.fh.SetFaults(faultFunc(func() local.Fault {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return hydranttest.Fail(500, wire.CodeInternalFailure, "down")
			}
			return local.Fault{}
		}))
		text := strings.Repeat("x", 1000)
		n := int64(0)
		for ; ; n++ {
			err := r.p.TryPut([]byte(text))
			if errors.Is(err, hydrant.ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n < 7000 || n > 8300 {
			t.Errorf("%d records fit", n)
		}
		synctest.Wait()
		st := r.p.Stats()
		if st.BufferedBytes > 1<<20 || st.SpoolBytes < 7<<20 || st.SpoolBytes > 8<<20 || st.Pending != n {
			t.Errorf("%+v", st)
		}
		waiting := make(chan error)
		go func() { waiting <- r.p.Put(context.Background(), []byte(text)) }()
		synctest.Wait()
		mu.Lock()
		down = false
		mu.Unlock()
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		r.flush()
		if st := r.p.Stats(); st.Delivered != n+1 || st.SpoolBytes > 1<<20 {
			t.Errorf("%+v", st)
		}
	})
}

// Put calls that wait when Close comes return ErrClosed, and what they had been
// promised is kept.
func TestSpoolCloseWhileFull(t *testing.T) {
	cfg := spooled(t)
	cfg.MaxBuffer = 1 << 20
	cfg.SpoolOptions = spool.Options{MaxRecords: 100}
	inBubble(t, cfg, nil, func(r *rig) {
		r.fh.SetFaults(faultFunc(func() local.Fault { return hydranttest.Fail(500, wire.CodeInternalFailure, "down") }))
		var mu sync.Mutex
		accepted, refused := int64(0), 0
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				err := r.p.PutFunc(context.Background(), []byte("record"), func(hydrant.Ack) {})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					accepted++
				case errors.Is(err, hydrant.ErrClosed):
					refused++
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		err := r.p.Close(ctx)
		wg.Wait()
		var left *hydrant.UndeliveredError
		if !errors.As(err, &left) || left.Spooled != accepted || accepted != 100 || refused != 200 {
			t.Errorf("accepted %d, refused %d, Close: %v", accepted, refused, err)
		}
	})
}

// A spool has one producer at a time.
func TestSpoolLocked(t *testing.T) {
	cfg := spooled(t)
	inBubble(t, cfg, nil, func(r *rig) {
		sdk := r.fh.AWSConfig()
		_, err := hydrant.New(r.Context(), hydrant.Config{Stream: stream, AWS: &sdk, Spool: cfg.Spool})
		if !errors.Is(err, spool.ErrLocked) {
			t.Errorf("a second producer: %v", err)
		}
		r.close()
		_, err = hydrant.New(r.Context(), hydrant.Config{Stream: "nobody", AWS: &sdk, Spool: cfg.Spool})
		if err == nil || errors.Is(err, spool.ErrLocked) {
			t.Errorf("no such stream: %v", err)
		}
		r.again(cfg) // the failed one has let go of it
	})
}

// Records that the disk has changed are counted, and the rest is delivered.
func TestSpoolDamaged(t *testing.T) {
	cfg := spooled(t)
	inBubble(t, cfg, nil, func(r *rig) {
		r.fh.SetFaults(faultFunc(func() local.Fault { return hydranttest.Fail(500, wire.CodeInternalFailure, "down") }))
		r.put(numbered(100)...)
		r.put("last")
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_ = r.p.Close(ctx)
		segments, err := filepath.Glob(filepath.Join(cfg.Spool, "q-*", "*.seg"))
		if err != nil || len(segments) == 0 {
			t.Fatal(segments, err)
		}
		f, err := os.OpenFile(segments[0], os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("RECORD"), int64(strings.Index(string(content), "record 50"))); err != nil {
			t.Fatal(err)
		}
		f.Close()
		r.fh.SetFaults(nil)
		p := r.again(cfg)
		if err := p.Flush(r.Context()); err != nil {
			t.Fatal(err)
		}
		if st := p.Stats(); st.Damaged != 1 || st.Delivered != 100 || st.Accepted != 101 || st.Pending != 0 {
			t.Errorf("%+v", st)
		}
	})
}

var outage = flag.Duration("outage", 5*time.Minute, "how long the endpoint of TestSpoolOutage is down")

// The endpoint is down for long while 10,000 records come each second: memory
// stays flat, the disk holds little more than their bytes, and all are delivered
// after.
func TestSpoolOutage(t *testing.T) {
	const rate, size = 10_000, 12
	if raceDetector {
		*outage = min(*outage, 30*time.Second)
	}
	synctest.Test(t, func(t *testing.T) {
		total := rate * int(*outage/time.Second)
		var mu sync.Mutex // guards seen and twice
		seen, twice := make([]bool, total), 0
		fh := hydranttest.Start(t, hydranttest.Options{OnRecord: func(_ string, data []byte) {
			mu.Lock()
			defer mu.Unlock()
			for line := range bytes.Lines(data) {
				n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
				if err != nil || len(line) != size {
					t.Errorf("stored %q", line)
				}
				if seen[n] {
					twice++
				}
				seen[n] = true
			}
		}})
		fh.CreateStream(stream)
		sdk := fh.AWSConfig()
		p, err := hydrant.New(t.Context(), hydrant.Config{
			Stream: stream, AWS: &sdk, Logger: slog.New(slog.DiscardHandler), MaxBuffer: 4 << 20,
			Spool: filepath.Join(t.TempDir(), "spool"), SpoolOptions: spool.Options{MaxBytes: 8 << 30, SegmentBytes: 16 << 20},
		})
		if err != nil {
			t.Fatal(err)
		}
		fh.SetDown(true)
		var least, most uint64
		for n := 0; n < total; n += rate {
			text := make([]byte, 0, size)
			_, err := p.PutRecords(t.Context(), func(yield func(hydrant.Record) bool) {
				for i := range rate {
					if text = fmt.Appendf(text[:0], "%011d", n+i); !yield(hydrant.Record{Data: text}) {
						return
					}
				}
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if n%(10*rate) == 0 && n > 0 {
				used := heapInUse()
				if least == 0 {
					least = used
				}
				most = max(most, used)
			}
		}
		st := p.Stats()
		if st.Delivered != 0 || st.Pending != int64(total) || st.BufferedBytes > 4<<20 {
			t.Errorf("while it was down: %+v", st)
		}
		if bound := int64(total)*(size+12) + 1<<20; st.SpoolBytes > bound {
			t.Errorf("the spool has %d bytes for %d records, want at most %d", st.SpoolBytes, total, bound)
		}
		if most > least+8<<20 {
			t.Errorf("memory has grown from %d to %d bytes", least, most)
		}
		fh.SetDown(false)
		back := time.Now()
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		st = p.Stats()
		if st.Delivered != int64(total) || st.SpoolBytes > 32<<20 || twice > 0 || slices.Contains(seen, false) {
			t.Errorf("%d twice, %+v", twice, st)
		}
		t.Logf("%d records, heap %d to %d KiB, all delivered %v after the endpoint was back", total, least>>10, most>>10, time.Since(back))
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
