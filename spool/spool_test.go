package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

func open(t *testing.T, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func queue(t *testing.T, s *Spool, name string) *Queue {
	t.Helper()
	q, err := s.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func add(t *testing.T, q *Queue, records ...string) uint64 {
	t.Helper()
	var list []Record
	for _, r := range records {
		list = append(list, Record{Data: []byte(r)})
	}
	first, err := q.Append(t.Context(), list...)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// read reads all that q has.
func read(t *testing.T, q *Queue) (texts []string, records []Record) {
	t.Helper()
	for {
		list, err := q.Read(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return texts, records
		}
		for _, r := range list {
			texts = append(texts, string(r.Data))
			r.Data = bytes.Clone(r.Data)
			records = append(records, r)
		}
	}
}

// On a real disk: several queues, a restart, sources and times, and nothing left
// behind at the end.
func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s := open(t, dir, Options{})
	before := time.Now()
	names := []string{"logs", "..", "a/b", "ü", "A"}
	for _, name := range names {
		add(t, queue(t, s, name), name+" 1", name+" 2", "")
	}
	if _, err := queue(t, s, "logs").Append(t.Context(), Record{Data: []byte("sourced"), Source: "app.log", Position: -12}); err != nil {
		t.Fatal(err)
	}
	got, records := read(t, queue(t, s, "logs"))
	if want := []string{"logs 1", "logs 2", "", "sourced"}; !slices.Equal(got, want) {
		t.Fatalf("read %q, want %q", got, want)
	}
	if r := records[3]; r.Source != "app.log" || r.Position != -12 || r.MaybeHanded || r.Number != 4 {
		t.Errorf("got %+v", r)
	}
	queue(t, s, "logs").Ack(Range{2, 1})
	if st := s.Totals(); st.Records != 15 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, Options{})
	var queues []string
	for _, q := range s.Queues() {
		queues = append(queues, q.Name())
		texts, records := read(t, q)
		want := []string{q.Name() + " 1", q.Name() + " 2", ""}
		if q.Name() == "logs" {
			want = []string{"logs 1", "", "sourced"}
		}
		if !slices.Equal(texts, want) {
			t.Errorf("%s: read %q, want %q", q.Name(), texts, want)
		}
		for _, r := range records {
			if r.Time.Before(before.Add(-time.Second)) || r.Time.After(time.Now()) {
				t.Errorf("%s: time %v", q.Name(), r.Time)
			}
			q.Ack(Range{r.Number, 1})
		}
	}
	slices.Sort(names)
	if !slices.Equal(queues, names) {
		t.Errorf("queues %q, want %q", queues, names)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "lock" {
		t.Errorf("left %v, %v", left, err)
	}
}

// Somebody may look at a spool while another has it, and changes nothing.
func TestReadOnly(t *testing.T) {
	fs := vfs.NewMem(1)
	s := open(t, "/s", Options{FS: fs, SegmentBytes: 4 << 10})
	q := queue(t, s, "q")
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("record %d %s", i, strings.Repeat("y", 100)))
		add(t, q, want[i])
	}
	_, _ = read(t, q)
	q.Ack(Range{11, 1})
	idle(s)
	want = slices.Delete(want, 10, 11)
	changes := 0
	fs.Fail = func(vfs.Op, string) error { changes++; return nil }
	look := open(t, "/s", Options{FS: fs, ReadOnly: true})
	lq := queue(t, look, "q")
	if st := lq.Stats(); st.Records != 99 || st.Segments != q.Stats().Segments || look.Totals().Records != 99 {
		t.Errorf("%+v, the owner's is %+v", st, q.Stats())
	}
	if _, err := lq.Append(t.Context(), Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	list, err := lq.Read(nil, 1)
	if err != nil || len(list) != 1 || string(list[0].Data) != want[0] {
		t.Fatalf("read %v, %v", list, err)
	}
	if changes > 0 {
		t.Errorf("%d changes", changes)
	}
	if _, _, err := Verify("/s", Options{FS: fs}); !errors.Is(err, ErrLocked) {
		t.Errorf("Verify beside the owner: %v", err)
	}

	q.Ack(Range{1, 60}) // segments go
	idle(s)
	look.o.OnDamage = func(d Damage) { t.Errorf("reported: %v", d) }
	rest, _ := read(t, lq)
	if n := len(rest); n < 40 || n > 98 || !slices.Equal(rest[n-40:], want[59:]) {
		t.Errorf("read %d", n)
	}
	if err := look.Close(); err != nil {
		t.Error(err)
	}
	_ = s.Close()
	n, size, err := Verify("/s", Options{FS: fs})
	if n != 40 || size != 40*110 || err != nil {
		t.Errorf("Verify: %d records of %d bytes, %v", n, size, err)
	}
	if _, _, err := Verify("/none", Options{FS: fs}); err == nil {
		t.Error("Verify finds a spool where there is none")
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("number %d", os.Getpid())) {
		t.Errorf("a second Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	q := queue(t, s, "q")
	add(t, q, "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
	if _, err := q.Append(t.Context(), Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append: %v", err)
	}
	if _, err := q.Read(nil, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := s.Queue("other"); !errors.Is(err, ErrClosed) {
		t.Errorf("Queue: %v", err)
	}
	q.Ack(Range{1, 1}) // too late, and no harm
}

// A queue that is removed leaves nothing: no files, no room taken, no memory.
func TestRemove(t *testing.T) {
	fsys := vfs.NewMem(1)
	s := open(t, "d", Options{FS: fsys, SegmentBytes: 4 << 10})
	empty := s.Totals()
	other := queue(t, s, "other")
	add(t, other, "stays")
	kept := s.Totals()
	for range 3 { // a queue of the name may be made again
		q := queue(t, s, "a")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := q.Append(t.Context(), Record{Data: make([]byte, 1000)}); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for q.Stats().Segments < 3 {
			add(t, q, "x")
		}
		read(t, q)
		if err := s.Remove(q); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if err := s.Remove(q); !errors.Is(err, ErrClosed) {
			t.Errorf("removed twice: %v", err)
		}
		if got := s.Totals(); got.Bytes != kept.Bytes || got.Records != kept.Records {
			t.Errorf("totals %+v, want those of the other queue, %+v", got, kept)
		}
		if list, err := fsys.List("d"); err != nil || len(list) != 1 { // the other queue; a lock in memory is no file
			t.Errorf("files: %v, %v", list, err)
		}
	}
	if err := s.Remove(other); err != nil || s.Totals().Bytes != empty.Bytes {
		t.Errorf("%v, totals %+v, want %+v", err, s.Totals(), empty)
	}
	if n := len(s.Queues()); n != 0 {
		t.Errorf("%d queues are left", n)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{MaxBytes: 1000}, {SegmentBytes: 1}, {SegmentBytes: 2 << 30}, {MaxRecords: -1}} {
		if _, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	s := open(t, t.TempDir(), Options{})
	for _, name := range []string{"", strings.Repeat("x", 300)} {
		if _, err := s.Queue(name); err == nil {
			t.Errorf("queue %q: no error", name)
		}
	}
	if _, err := queue(t, s, "q").Append(t.Context(), Record{Source: strings.Repeat("x", 2000)}); err == nil {
		t.Error("a source of 2,000 bytes: no error")
	}
}

// Many goroutines append to few queues while one each reads and acknowledges, in
// several segments.
func TestConcurrent(t *testing.T) {
	for _, every := range []time.Duration{0, time.Millisecond, -1} {
		t.Run(every.String(), func(t *testing.T) {
			s := open(t, t.TempDir(), Options{SegmentBytes: 64 << 10, SyncEvery: every})
			const writers, each = 16, 300
			var writing, reading sync.WaitGroup
			done := make(chan struct{})
			for _, name := range []string{"a", "b"} {
				q := queue(t, s, name)
				for w := range writers {
					writing.Go(func() {
						for i := range each {
							text := fmt.Sprintf("%d-%d-%s", w, i, strings.Repeat("x", i))
							if _, err := q.Append(t.Context(), Record{Data: []byte(text), Tag: text}); err != nil {
								t.Error(err)
							}
						}
					})
				}
				reading.Go(func() {
					seen := map[string]bool{}
					for closing := false; ; {
						list, err := q.Read(nil, 10_000)
						if err != nil {
							t.Error(err)
							return
						}
						for _, r := range list {
							if seen[string(r.Data)] || r.Tag != string(r.Data) {
								t.Errorf("got %q again, or with another tag: %q", r.Data, r.Tag)
							}
							seen[string(r.Data)] = true
							q.Ack(Range{r.Number, 1})
						}
						if len(list) > 0 {
							continue
						}
						if closing {
							break
						}
						select {
						case <-done:
							closing = true
						case <-time.After(time.Millisecond):
						}
					}
					if len(seen) != writers*each {
						t.Errorf("read %d records of %d", len(seen), writers*each)
					}
				})
			}
			writing.Wait()
			close(done)
			reading.Wait()
			idle(s)
			if st := s.Totals(); st.Records != 0 || st.Bytes > 2*dropBytes {
				t.Errorf("left: %+v", st)
			}
		})
	}
}

// Records that are appended while a commit is under way share the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem(1)
		s := open(t, "/s", Options{FS: fs})
		q := queue(t, s, "q")
		add(t, q, "first")
		syncs := 0
		hold := make(chan struct{})
		fs.Fail = func(op vfs.Op, _ string) error {
			if op == vfs.OpSync {
				syncs++
				<-hold
			}
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { add(t, q, "under way") })
		synctest.Wait()
		for i := range 100 {
			wg.Go(func() { add(t, q, fmt.Sprint(i)) })
		}
		synctest.Wait()
		close(hold)
		wg.Wait()
		if syncs != 2 {
			t.Errorf("%d syncs, want one under way and one for 100 records", syncs)
		}
	})
}

// Full: by size or count Append waits, or refuses; what was acknowledged makes
// room.
func TestFull(t *testing.T) {
	for name, o := range map[string]Options{"bytes": {MaxBytes: 1 << 20}, "records": {MaxRecords: 100}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.FS = vfs.NewMem(1)
				s := open(t, "/s", o)
				q := queue(t, s, "q")
				big := strings.Repeat("x", 20_000)
				var n int
				for ; ; n++ {
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					_, err := q.Append(ctx, Record{Data: []byte(big)})
					cancel()
					if errors.Is(err, context.DeadlineExceeded) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if want := map[string]int{"bytes": 52, "records": 100}[name]; n != want {
					t.Errorf("%d records fit, want %d", n, want)
				}
				waiting := make(chan error)
				go func() {
					_, err := q.Append(t.Context(), Record{Data: []byte(big + "late")})
					waiting <- err
				}()
				synctest.Wait()
				got, _ := read(t, q)
				if len(got) != n {
					t.Fatalf("read %d of %d", len(got), n)
				}
				q.Ack(Range{1, uint64(n)})
				if err := <-waiting; err != nil {
					t.Fatal(err)
				}
				if got, _ := read(t, q); !slices.Equal(got, []string{big + "late"}) {
					t.Errorf("read %q", got)
				}
			})
		})
	}
	s := open(t, t.TempDir(), Options{MaxRecords: 1, Refuse: true})
	q := queue(t, s, "q")
	add(t, q, "one")
	if _, err := q.Append(t.Context(), Record{}); !errors.Is(err, ErrFull) {
		t.Errorf("refusing: %v", err)
	}
	s = open(t, t.TempDir(), Options{MaxBytes: 1 << 20})
	add(t, queue(t, s, "q"), strings.Repeat("x", 3<<20)) // larger than all of it
}

// The disk is full for a while: Append waits until it is not, or refuses.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem(1)
		var mu sync.Mutex
		full := true
		fs.Fail = func(op vfs.Op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			if full && (op == vfs.OpWrite || op == vfs.OpCreate) {
				return syscall.ENOSPC
			}
			return nil
		}
		var told []error
		s := open(t, "/s", Options{FS: fs, OnFull: func(err error) { told = append(told, err) }})
		q := queue(t, s, "q")
		time.AfterFunc(time.Minute, func() {
			mu.Lock()
			defer mu.Unlock()
			full = false
		})
		start := time.Now()
		add(t, q, "one")
		if took := time.Since(start); took < time.Minute || took > 2*time.Minute {
			t.Errorf("waited %v", took)
		}
		if len(told) == 0 || len(told) > 2 || !errors.Is(told[0], syscall.ENOSPC) {
			t.Errorf("told %v", told)
		}
		if got, _ := read(t, q); !slices.Equal(got, []string{"one"}) {
			t.Errorf("read %q", got)
		}
		s.o.Refuse, full = true, true
		if _, err := q.Append(t.Context(), Record{Data: []byte("two")}); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("refusing: %v", err)
		}
		full = false
		add(t, q, "three")
		if got, _ := read(t, q); !slices.Equal(got, []string{"three"}) {
			t.Errorf("read %q", got)
		}
	})
}

// With an interval, a power cut takes back no more than that.
func TestSyncInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem(1)
		s := open(t, "/s", Options{FS: fs, SyncEvery: time.Second})
		q := queue(t, s, "q")
		for i := range 20 {
			time.Sleep(300 * time.Millisecond)
			add(t, q, fmt.Sprint(i))
		}
		lost := 0
		for seed := range uint64(20) {
			after := open(t, "/s", Options{FS: fs.Crash(seed)})
			got, _ := read(t, queue(t, after, "q"))
			if len(got) < 16 {
				t.Errorf("a power cut has left %q", got)
			}
			lost += 20 - len(got)
		}
		if lost == 0 {
			t.Error("no power cut has taken anything: the test tests nothing")
		}
	})
}

// A byte changes anywhere in a spool: no record is wrong, none is lost but the one
// that was hit, and that is reported and its bytes are set aside.
func TestFlippedByte(t *testing.T) {
	fs := vfs.NewMem(1)
	s := open(t, "/s", Options{FS: fs, SegmentBytes: 4 << 10})
	q := queue(t, s, "q")
	var want []string
	for i := range 40 {
		text := fmt.Sprintf("record %d %s", i, strings.Repeat("y", i*5))
		want = append(want, text)
		if i%3 == 0 {
			if _, err := q.Append(t.Context(), Record{Data: []byte(text), Source: "file", Position: 7}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		add(t, q, text)
	}
	if n := q.Stats().Segments; n < 2 {
		t.Fatalf("%d segments", n)
	}
	_, _ = read(t, q)
	q.Ack(Range{5, 1}, Range{30, 1})
	want = slices.Delete(want, 29, 30)
	want = slices.Delete(want, 4, 5)
	idle(s)
	list, err := listSegments(fs, queueDir("/s", "q"))
	if err != nil {
		t.Fatal(err)
	}
	tests := 0
	for i, seg := range list {
		for off := int64(0); off < seg.size; off++ {
			for _, flip := range []byte{1, 0x80, 0xff} {
				tests++
				flipped(t, fs.Kill(), filepath.Join(queueDir("/s", "q"), seg.name()), off, flip, want, i == len(list)-1)
			}
		}
	}
	t.Logf("%d flips", tests)
}

func flipped(t *testing.T, fs *vfs.Mem, path string, off int64, flip byte, want []string, newest bool) {
	what := fmt.Sprintf("%s: byte %d changed by %#x", path, off, flip)
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	b[0] ^= flip
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
	fs.Fail = func(op vfs.Op, name string) error { return fmt.Errorf("%s %s: nothing may change", op, name) }
	var seen []Damage
	n, _, err := Verify("/s", Options{FS: fs, OnDamage: func(d Damage) { seen = append(seen, d) }})
	fs.Fail = nil
	if err != nil {
		t.Fatalf("%s: verify: %v", what, err)
	}
	var damage []Damage
	s, err := Open("/s", Options{FS: fs, SegmentBytes: 4 << 10, OnDamage: func(d Damage) { damage = append(damage, d) }})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer s.Close()
	got, _ := read(t, queue(t, s, "q"))
	if len(seen) != len(damage) || int(n) != len(got) {
		t.Errorf("%s: Verify reads %d and reports %v; the spool %d and %v", what, n, seen, len(got), damage)
	}
	left := slices.Clone(want)
	again := 0
	for _, g := range got {
		i := slices.Index(left, g)
		switch {
		case i >= 0:
			left = slices.Delete(left, i, i+1)
		case strings.HasPrefix(g, "record 4 ") || strings.HasPrefix(g, "record 29 "):
			again++ // its acknowledgement was hit
		default:
			t.Fatalf("%s: read %q", what, g)
		}
	}
	if len(left) > 1 || again > 2 {
		t.Errorf("%s: lost %q, %d read again", what, left, again)
	}
	if len(left) == 1 && (len(damage) != 1 || damage[0].Records != 1 && !(newest && damage[0].Torn) || damage[0].Aside == "") {
		t.Errorf("%s: lost %q, reported %+v", what, left, damage)
	}
	if len(left) == 0 && len(damage) > 0 && !damage[0].Torn {
		t.Errorf("%s: nothing is lost, reported %+v", what, damage)
	}
}

// Files that vanish, are cut short, or are filled with zeros are reported, and
// the rest is read.
func TestDamagedFiles(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 1000) },
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"zeros":   func(path string) error { return os.WriteFile(path, make([]byte, 4096), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{SegmentBytes: 4 << 10})
			for i := range 100 {
				add(t, queue(t, s, "q"), fmt.Sprintf("%d %s", i, strings.Repeat("z", 200)))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			list, err := listSegments(vfs.OS{}, queueDir(dir, "q"))
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(filepath.Join(queueDir(dir, "q"), list[2].name())); err != nil {
				t.Fatal(err)
			}
			var lost int64
			s = open(t, dir, Options{OnDamage: func(d Damage) {
				t.Log(d)
				lost += d.Records
			}})
			got, _ := read(t, queue(t, s, "q"))
			if len(got)+int(lost) != 100 || lost < 10 || lost > 20 {
				t.Errorf("read %d, reported %d lost", len(got), lost)
			}
			if st := s.Totals(); st.Records != int64(len(got)) {
				t.Errorf("%+v are left, of %d read", st, len(got))
			}
		})
	}
}

// Records that hold a segment's own bytes, as after a spool was spooled, are not
// taken for entries when what is around them is damaged.
func TestNested(t *testing.T) {
	fs := vfs.NewMem(1)
	s := open(t, "/s", Options{FS: fs})
	add(t, queue(t, s, "inner"), "forged")
	list, err := listSegments(fs, queueDir("/s", "inner"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(filepath.Join(queueDir("/s", "inner"), list[0].name()))
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := io.ReadAll(io.NewSectionReader(f, 0, list[0].size))
	if err != nil {
		t.Fatal(err)
	}
	q := queue(t, s, "outer")
	add(t, q, string(bytes), "after")
	q.spool.mu.Lock()
	seg := *q.segments[0]
	q.spool.mu.Unlock()
	f, err = fs.Open(filepath.Join(q.dir, seg.name()))
	if err != nil {
		t.Fatal(err)
	}
	at := seg.size - int64(2*entryHeader+len(bytes)+len("after"))
	if _, err := f.WriteAt([]byte{1, 2, 3, 4}, at); err != nil { // the CRC of the record
		t.Fatal(err)
	}
	q = queue(t, open(t, "/s", Options{FS: fs.Kill()}), "outer")
	if got, _ := read(t, q); !slices.Equal(got, []string{"after"}) {
		t.Errorf("read %q", got)
	}
}

// A segment of a later version is not touched.
func TestLaterVersion(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	add(t, queue(t, s, "q"), "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := listSegments(vfs.OS{}, queueDir(dir, "q"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(queueDir(dir, "q"), list[0].name())
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	later := append(later(), content[fileHeader:]...)
	if err := os.WriteFile(path, later, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("open: %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, later) {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestRanges(t *testing.T) {
	var s ranges
	s.add(Range{0, 5})
	for _, r := range []Range{{10, 2}, {14, 1}, {12, 2}, {7, 1}, {5, 1}, {3, 4}, {20, 0}} {
		s.add(r)
	}
	if diff := cmp.Diff(ranges{{0, 8}, {10, 5}}, s); diff != "" {
		t.Error(diff)
	}
	for n, want := range map[uint64]bool{0: true, 7: true, 8: false, 9: false, 10: true, 14: true, 15: false} {
		if s.has(n) != want {
			t.Errorf("has(%d) is %v", n, !want)
		}
	}
	if n := s.count(6, 12); n != 4 {
		t.Errorf("count is %d", n)
	}
	if n := s.upTo(11); n != 15 {
		t.Errorf("upTo is %d", n)
	}
	if n := s.add(Range{1, 30}); n != 31-13 {
		t.Errorf("added %d", n)
	}
}

// later is the header of a format to come.
func later() []byte {
	b := append([]byte(magic), 2, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
