package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/wire"
)

var me = awsapi.Caller{Account: "123456789012", Region: "us-east-1"}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// with makes streams GROUP/STREAM.
func (s *Store) with(t testing.TB, names ...string) *Store {
	t.Helper()
	for _, name := range names {
		group, stream, _ := strings.Cut(name, "/")
		if err := s.CreateGroup(me, Group{Name: group}); err != nil && errCode(err) != codeExists {
			t.Fatal(err)
		}
		if err := s.CreateStream(me, group, stream); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func errCode(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func reopen(t *testing.T, s *Store, cfg Config) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, cfg)
}

// read is all that a stream shows: time since base and message.
func (s *Store) read(t testing.TB, base time.Time, name string) []string {
	t.Helper()
	group, stream, _ := strings.Cut(name, "/")
	events, err := s.events(me, group, stream)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprintf("%v %s", time.UnixMilli(e.time).Sub(base), e.message))
	}
	return out
}

func TestPut(t *testing.T) {
	for what, dir := range map[string]string{"in memory": "", "in files": t.TempDir()} {
		t.Run(what, func(t *testing.T) {
			cfg := Config{Dir: dir}
			s := open(t, cfg).with(t, "g/s", "g/t")
			base := time.UnixMilli(time.Now().UnixMilli())
			put := func(stream string, events ...Event) {
				t.Helper()
				if err := s.Put(me, "g", stream, events); err != nil {
					t.Fatal(err)
				}
			}
			put("s", Event{base, "one"}, Event{base.Add(-time.Second), "earlier"})
			put("t", Event{base, "other\nline \"<&>\" \u2028 \xff"})
			put("s", Event{base.Add(time.Second), "two"}, Event{base, "one again"})
			put("s")
			check := func(when string) {
				t.Helper()
				for name, want := range map[string][]string{
					"g/s": {"-1s earlier", "0s one", "0s one again", "1s two"},
					"g/t": {"0s other\nline \"<&>\" \u2028 \uFFFD"},
				} {
					if diff := gocmp.Diff(want, s.read(t, base, name)); diff != "" {
						t.Errorf("%s: %s (-want +got):\n%s", when, name, diff)
					}
				}
			}
			check("at once")
			other := me
			other.Region = "eu-west-1"
			for _, tt := range []struct {
				c             awsapi.Caller
				group, stream string
				want          error
			}{
				{me, "none", "s", errNoGroup},
				{me, "g", "none", errNoStream},
				{other, "g", "s", errNoGroup},
			} {
				if err := s.Put(tt.c, tt.group, tt.stream, []Event{{base, "lost"}}); err != tt.want {
					t.Errorf("%v %s/%s: %v", tt.c, tt.group, tt.stream, err)
				}
			}
			check("after puts that failed")
			if dir == "" {
				return
			}
			first, _ := s.events(me, "g", "s")
			s = reopen(t, s, cfg)
			check("after a restart")
			if again, _ := s.events(me, "g", "s"); again[0].seq != first[0].seq {
				t.Error("an event has another id after a restart")
			}
			put("s", Event{base.Add(time.Hour), "later"})
			put("s", Event{base.Add(time.Hour), "latest"})
			s = reopen(t, s, cfg)
			if got := s.read(t, base, "g/s"); len(got) != 6 || got[5] != "1h0m0s latest" {
				t.Errorf("after another: %q", got)
			}
		})
	}
}

func TestGroupsOutliveTheProcess(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "a", "b")}
	s := open(t, cfg)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	other := awsapi.Caller{Account: "1", Region: me.Region}
	ok(s.CreateGroup(me, Group{Name: "/aws/kinesisfirehose/s", Retention: 7, Class: infrequentAccess, Tags: map[string]string{"k": "v"}}))
	ok(s.CreateGroup(me, Group{Name: "gone"}))
	ok(s.CreateStream(me, "gone", "x"))
	ok(s.Put(me, "gone", "x", []Event{{time.Now(), "gone"}}))
	ok(s.CreateGroup(other, Group{Name: "gone"}))
	ok(s.DeleteGroup(me, "gone"))
	ok(s.CreateGroup(me, Group{Name: "gone"}))
	ok(s.CreateStream(me, "gone", "x"))
	ok(s.CreateStream(me, "gone", "y"))
	ok(s.DeleteStream(me, "gone", "y"))
	ok(s.SetRetention(me, "gone", 3653))
	created := s.groups[groupKey{me, "gone"}].created
	s = reopen(t, s, cfg)

	g := s.groups[groupKey{me, "/aws/kinesisfirehose/s"}]
	if g == nil || g.retention != 7 || g.class != infrequentAccess || g.tags["k"] != "v" {
		t.Errorf("%+v", g)
	}
	g = s.groups[groupKey{me, "gone"}]
	if g == nil || g.retention != 3653 || g.created != created || len(g.streams) != 1 || len(s.groups) != 3 {
		t.Errorf("%+v", s.groups)
	}
	if got := s.read(t, time.Now(), "gone/x"); got != nil {
		t.Errorf("a new stream shows the events of the one before it: %q", got)
	}
	ok(s.CreateStream(me, "gone", "y"))
	if id := g.streams["y"].id; id != 4 {
		t.Errorf("the id of the fourth stream is %d", id)
	}
	for what, err := range map[string]error{
		codeExists + " group":  s.CreateGroup(me, Group{Name: "gone"}),
		codeExists + " stream": s.CreateStream(me, "gone", "y"),
		codeNotFound + " 1":    s.CreateStream(me, "none", "y"),
		codeNotFound + " 2":    s.DeleteGroup(me, "none"),
		codeNotFound + " 3":    s.DeleteStream(me, "gone", "none"),
		codeNotFound + " 4":    s.SetRetention(me, "none", 1),
		codeInvalid + " 1":     s.SetRetention(me, "gone", 2),
		codeInvalid + " 2":     s.CreateGroup(me, Group{Name: "g", Retention: -1}),
		codeInvalid + " 3":     s.CreateGroup(me, Group{Name: "a b"}),
		codeInvalid + " 4":     s.CreateGroup(me, Group{Name: "aws/x"}),
		codeInvalid + " 5":     s.CreateStream(me, "gone", "a:b"),
		"NotImplementedException": s.CreateGroup(me, Group{
			Name: "g", Class: "DELIVERY",
		}),
	} {
		if want, _, _ := strings.Cut(what, " "); errCode(err) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOneStoreAFolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir}).with(t, "g/s")
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("a second store in the folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(me, "g", "s", []Event{{time.Now(), "x"}}); err == nil {
		t.Error("a closed store takes events")
	}
	if err := s.CreateGroup(me, Group{Name: "x"}); err == nil || s.groups[groupKey{me, "x"}] != nil {
		t.Errorf("a closed store makes a group: %v", err)
	}
	for text, want := range map[string]string{
		"x":                                     "invalid character",
		`{"format":"hydrant logs","version":2}`: `is of the format "hydrant logs", version 2; this hydrant reads "hydrant logs", version 1`,
	} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Open(Config{MaxBytes: -1}); err == nil {
		t.Error("MaxBytes -1 is accepted")
	}
}

// TestDamage: a file cut anywhere, or with a broken line, gives the other lines, and
// what is put afterwards is whole.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	base := time.UnixMilli(time.Now().UnixMilli())
	s := open(t, Config{Dir: dir}).with(t, "g/s")
	for i := range 3 {
		if err := s.Put(me, "g", "s", []Event{{base, fmt.Sprint("line ", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "events-00000001.jsonl")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	text := map[string][]string{
		strings.Replace(string(whole), "line 1", "line\x001", 1): {"0s line 0", "0s line 2"},
		strings.Replace(string(whole), lines[1], "\n", 1):        {"0s line 0", "0s line 2"},
		"": nil,
	}
	for cut := 1; cut <= len(whole); cut++ {
		var want []string
		for i := range strings.Count(string(whole[:cut]), "\n") {
			want = append(want, fmt.Sprint("0s line ", i))
		}
		text[string(whole[:cut])] = want
	}
	for text, want := range text {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, Config{Dir: dir})
		if diff := gocmp.Diff(want, s.read(t, base, "g/s")); diff != "" {
			t.Errorf("of %q (-want +got):\n%s", text, diff)
		}
		if err := s.Put(me, "g", "s", []Event{{base, "after"}}); err != nil {
			t.Fatal(err)
		}
		s = reopen(t, s, Config{Dir: dir})
		if diff := gocmp.Diff(append(want, "0s after"), s.read(t, base, "g/s")); diff != "" {
			t.Errorf("of %q and a put (-want +got):\n%s", text, diff)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWriteFails: a put that fails shows nothing, and the next one is whole.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	base := time.UnixMilli(time.Now().UnixMilli())
	s := open(t, Config{Dir: dir}).with(t, "g/s")
	put := func(m string) error { return s.Put(me, "g", "s", []Event{{base, m}}) }
	if err := put("one"); err != nil {
		t.Fatal(err)
	}
	_ = s.journal.file.Close() // what is written now fails
	if err := put("two"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write that fails: %v", err)
	}
	if err := put("three"); err != nil {
		t.Errorf("the put after it: %v", err)
	}
	for _, s := range []*Store{s, reopen(t, s, Config{Dir: dir})} {
		if got := s.read(t, base, "g/s"); !slices.Equal(got, []string{"0s one", "0s three"}) {
			t.Errorf("%q", got)
		}
	}
}

// TestBounds: the oldest goes, in memory and on disk, and what is left is the newest
// without a gap.
func TestBounds(t *testing.T) {
	for what, dir := range map[string]string{"in memory": "", "in files": t.TempDir()} {
		t.Run(what, func(t *testing.T) {
			const limit = 64 << 10
			s := open(t, Config{Dir: dir, MaxBytes: limit}).with(t, "g/s", "g/t")
			base := time.Now()
			message := strings.Repeat("x", 200)
			for i := range 2000 {
				if err := s.Put(me, "g", []string{"s", "t"}[i%2], []Event{{base.Add(time.Duration(i) * time.Millisecond), fmt.Sprint(i, " ", message)}}); err != nil {
					t.Fatal(err)
				}
			}
			check := func() {
				t.Helper()
				var got []int
				size := 0
				for _, name := range []string{"g/s", "g/t"} {
					for _, l := range s.read(t, base, name) {
						var d, m string
						var i int
						if _, err := fmt.Sscan(l, &d, &i, &m); err != nil {
							t.Fatal(err)
						}
						got = append(got, i)
						size += len(m)
					}
				}
				slices.Sort(got)
				for i, n := range got {
					if n != 2000-len(got)+i {
						t.Fatalf("after %d comes %d", got[max(i-1, 0)], n)
					}
				}
				if size > limit || size < limit/3 {
					t.Errorf("messages of %d bytes are kept", size)
				}
			}
			check()
			if dir == "" {
				return
			}
			if size := onDisk(t, dir); size > limit+limit/parts+4096 {
				t.Errorf("%d bytes are on disk", size)
			}
			s = reopen(t, s, Config{Dir: dir, MaxBytes: limit})
			check()
			if err := s.DeleteGroup(me, "g"); err != nil {
				t.Fatal(err)
			}
			if size := onDisk(t, dir); size > limit/parts+4096 {
				t.Errorf("%d bytes are on disk after the group is deleted", size)
			}
			s = reopen(t, s, Config{Dir: dir, MaxBytes: limit})
			if len(s.groups) != 0 {
				t.Errorf("%v", s.groups)
			}
		})
	}
}

func onDisk(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// TestRetention: what is past it is not shown at once, and leaves its files as soon as
// others begin.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const limit = 64 << 10
		s := open(t, Config{Dir: dir, MaxBytes: limit}).with(t, "g/s")
		if err := s.SetRetention(me, "g", 1); err != nil {
			t.Fatal(err)
		}
		base := time.Now()
		message := strings.Repeat("x", 200)
		put := func(n int) {
			for range n {
				if err := s.Put(me, "g", "s", []Event{{time.Now(), message}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		put(100)
		time.Sleep(24*time.Hour - time.Millisecond)
		put(1)
		if n := len(s.read(t, base, "g/s")); n != 101 {
			t.Errorf("%d events within a day", n)
		}
		time.Sleep(2 * time.Millisecond)
		if n := len(s.read(t, base, "g/s")); n != 1 {
			t.Errorf("%d events after it", n)
		}
		before := onDisk(t, dir)
		put(30) // another segment
		if after := onDisk(t, dir); after > before/2 {
			t.Errorf("of %d bytes %d are left on disk", before, after)
		}
		if err := s.SetRetention(me, "g", 0); err != nil {
			t.Fatal(err)
		}
		if n := len(s.read(t, base, "g/s")); n != 31 {
			t.Errorf("%d events without retention", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStoreConcurrently is for the race detector, and for order: each writer's events
// come in its order.
func TestStoreConcurrently(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir}).with(t, "g/s")
	base := time.Now()
	const writers, each = 4, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				at := base.Add(time.Duration(rand.IntN(1000)) * time.Millisecond)
				if err := s.Put(me, "g", "s", []Event{{at, fmt.Sprint(w)}}); err != nil {
					t.Error(err)
				}
				if i%50 == 0 {
					if err := s.CreateStream(me, "g", fmt.Sprint(w, i)); err != nil {
						t.Error(err)
					}
				}
				s.mu.RLock()
				events := s.groups[groupKey{me, "g"}].streams["s"].events
				s.mu.RUnlock()
				if !slices.IsSortedFunc(events, inOrder) {
					t.Error("out of order")
				}
			}
		})
	}
	wg.Wait()
	for _, s := range []*Store{s, reopen(t, s, Config{Dir: dir})} {
		seen := map[uint64]bool{}
		events, err := s.events(me, "g", "s")
		for _, e := range events {
			seen[e.seq] = true
		}
		if err != nil || len(events) != writers*each || len(seen) != writers*each || len(s.groups[groupKey{me, "g"}].streams) != 1+writers*each/50 {
			t.Errorf("%d events, %d ids, %v", len(events), len(seen), err)
		}
	}
}
