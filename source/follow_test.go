package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// run is a Follower in a test, what it gave out, and its log.
type run struct {
	t     *testing.T
	f     *Follower
	cfg   FollowConfig
	marks []Mark
	log   *logged
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// quickly sets the waits as short as tests want them.
func quickly(cfg FollowConfig) FollowConfig {
	if cfg.Poll == 0 {
		cfg.Poll = 20 * time.Millisecond
	}
	if cfg.RotateWait == 0 {
		cfg.RotateWait = 100 * time.Millisecond
	}
	return cfg
}

func startFollow(t *testing.T, cfg FollowConfig) *run {
	t.Helper()
	r := &run{t: t, cfg: quickly(cfg), log: &logged{}}
	r.cfg.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.start()
	t.Cleanup(func() { r.f.Close() })
	return r
}

func (r *run) start() {
	r.t.Helper()
	f, err := Follow(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.f, r.marks = f, nil
}

// restart ends the follower, by Close or as a kill would, and begins another.
func (r *run) restart(kill bool) {
	r.t.Helper()
	if err := r.f.end(!kill); err != nil {
		r.t.Fatal(err)
	}
	r.start()
}

// settle has everything that came done.
func (r *run) settle() {
	r.f.Done(r.marks...)
	r.marks = nil
}

// next returns what comes within d at the latest, nil if nothing does.
func (r *run) next(d time.Duration) (got []string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	out, err := r.f.Next(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		r.t.Fatal(err)
	}
	for _, rec := range out {
		got = append(got, string(rec.Data))
		r.marks = append(r.marks, rec.Mark)
	}
	return got
}

// want waits until the records came, in this order, and fails when others do.
func (r *run) want(want ...string) {
	r.t.Helper()
	var got []string
	for len(got) < len(want) {
		more := r.next(10 * time.Second)
		got = append(got, more...)
		if more == nil {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("records (-want +got):\n%s\nlog:\n%s", diff, r.log)
	}
}

// nothing fails when a record comes within some polls.
func (r *run) nothing() {
	r.t.Helper()
	if got := r.next(50 * time.Millisecond); got != nil {
		r.t.Fatalf("got %q, want nothing\nlog:\n%s", got, r.log)
	}
}

// until waits for a condition.
func (r *run) until(what string, ok func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	for !ok() {
		wait, stop := context.WithTimeout(ctx, 2*time.Millisecond)
		<-wait.Done()
		stop()
		if ctx.Err() != nil {
			r.t.Fatalf("%s: does not come\nlog:\n%s", what, r.log)
		}
	}
}

// both runs a test with notification and without.
func both(t *testing.T, test func(t *testing.T, dir string, cfg FollowConfig)) {
	for _, quiet := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoNotify=%v", quiet), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cfg := FollowConfig{NoNotify: quiet, State: filepath.Join(dir, "state.json"), Paths: []string{filepath.Join(dir, "app.log")}}
			if !quiet {
				cfg.Poll = time.Second // what is found sooner is found by notification
			}
			test(t, dir, cfg)
		})
	}
}

func appendTo(t testing.TB, path, s string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(s)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
}

// pack compresses a file as logrotate does: the packed one beside it, with its
// time, and then the file removed.
func pack(t testing.TB, path, ext string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path+ext, packed(t, b, ext), 0o600))
	must(t, os.Chtimes(path+ext, info.ModTime(), info.ModTime()))
	must(t, os.Remove(path))
	return path + ext
}

func packed(t testing.TB, b []byte, ext string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if ext == ".zst" {
		w, _ = zstd.NewWriter(&out)
	}
	_, err := w.Write(b)
	must(t, errors.Join(err, w.Close()))
	return out.Bytes()
}

func TestFollow(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		r := startFollow(t, cfg) // it is not there yet
		appendTo(t, log, "one\n\ntwo\r\npar")
		r.want("one\n", "\n", "two\r\n")
		r.nothing()
		appendTo(t, log, "tial\nthree\n")
		r.want("partial\n", "three\n")
	})
}

func TestFollowRename(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		var log string
		for _, glob := range []bool{false, true} {
			cfg, dir := cfg, filepath.Join(dir, fmt.Sprint(glob))
			must(t, os.Mkdir(dir, 0o700))
			log = filepath.Join(dir, "app.log")
			cfg.Paths, cfg.State = []string{log}, filepath.Join(dir, "state.json")
			if glob {
				cfg.Paths = []string{filepath.Join(dir, "app.log*")}
			}
			appendTo(t, log, "1\n")
			r := startFollow(t, cfg)
			r.want("1\n")
			// Three rotations at once, and the writer still writes the first file.
			old, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			defer old.Close()
			appendTo(t, log, "2\n")
			for n := range 3 {
				for i := 3; i > 0; i-- {
					os.Rename(fmt.Sprintf("%s.%d", log, i), fmt.Sprintf("%s.%d", log, i+1))
				}
				must(t, os.Rename(log, log+".1"))
				appendTo(t, log, fmt.Sprintf("new %d\n", n))
			}
			r.want("2\n", "new 0\n", "new 1\n", "new 2\n")
			_, err = old.WriteString("late\nend")
			must(t, err)
			r.want("late\n", "end")
			appendTo(t, log, "3\n")
			r.want("3\n")
			r.settle()
			r.restart(false)
			r.nothing()
			must(t, os.Remove(r.cfg.State+".lock"))
		}
	})
}

func TestFollowRemoved(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		appendTo(t, log, "1\n")
		r := startFollow(t, cfg)
		r.want("1\n")
		w, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		defer w.Close()
		must(t, os.Remove(log))
		_, err = w.WriteString("2\nend")
		must(t, err)
		r.want("2\n", "end")
		r.until("the file is closed", func() bool { r.settle(); return len(r.f.Files()) == 0 })
		appendTo(t, log, "again\n")
		r.want("again\n")
	})
}

// truncate is what logrotate's copytruncate does, and the writer waits for it.
func truncate(t *testing.T, log, copied string) {
	t.Helper()
	copyFile(t, log, copied)
	must(t, os.Truncate(log, 0))
}

func TestFollowTruncate(t *testing.T) {
	tests := []struct {
		name, glob string
		ext        string // of the compressed copy
		grown      bool   // beyond what was read, before anybody looks
		down       bool   // while no follower was there
		twice      bool
	}{
		{name: "copy", glob: "app.log"},
		{name: "copy is followed", glob: "app.log*"},
		{name: "grown", glob: "app.log", grown: true},
		{name: "grown and followed", glob: "app.log*", grown: true},
		{name: "twice", glob: "app.log", twice: true},
		{name: "twice and followed", glob: "app.log*", twice: true},
		{name: "gzip", glob: "app.log", ext: ".gz", down: true},
		{name: "zstd", glob: "app.log", ext: ".zst", down: true},
		{name: "gzip is followed", glob: "app.log*", ext: ".gz", down: true},
		{name: "down", glob: "app.log", down: true},
		{name: "down and followed", glob: "app.log*", down: true, grown: true},
		{name: "gzip, up", glob: "app.log", ext: ".gz"},
		{name: "gzip is followed, up", glob: "app.log*", ext: ".gz", grown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, dir string, cfg FollowConfig) {
				log := filepath.Join(dir, "app.log")
				cfg.Paths = []string{filepath.Join(dir, tt.glob)}
				appendTo(t, log, "1\n2\n")
				r := startFollow(t, cfg)
				r.want("1\n", "2\n")
				r.settle()
				if tt.down {
					must(t, r.f.Close())
				}
				appendTo(t, log, "3\n")
				truncate(t, log, log+".1")
				want := []string{"3\n"}
				if tt.twice {
					appendTo(t, log, "between\n")
					must(t, os.Rename(log+".1", log+".2"))
					truncate(t, log, log+".1")
					want = append(want, "between\n")
				}
				if tt.ext != "" {
					pack(t, log+".1", tt.ext)
				}
				appendTo(t, log, "new\n")
				want = append(want, "new\n")
				if tt.grown {
					appendTo(t, log, "much\nmore\n")
					want = append(want, "much\n", "more\n")
				}
				if tt.down {
					r.start()
				}
				r.want(want...)
				r.settle()
				r.nothing()
				r.restart(false)
				r.nothing()
				if strings.Contains(r.log.String(), "WARN") {
					t.Errorf("log:\n%s", r.log)
				}
			})
		})
	}
}

func TestFollowTruncateWithoutCopy(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		appendTo(t, log+".1", "another\n")
		must(t, os.Chtimes(log+".1", time.Time{}, time.Now().Add(-time.Hour)))
		appendTo(t, log, "1\n2\n")
		r := startFollow(t, cfg)
		r.want("1\n", "2\n")
		must(t, os.Truncate(log, 0))
		appendTo(t, log, "3\n")
		r.want("3\n")
		if !strings.Contains(r.log.String(), "how many bytes are missing is unknown") {
			t.Errorf("log:\n%s", r.log)
		}
	})
}

// A copy is made while the file is followed, and at some time the original is
// truncated, or never.
func TestFollowCopyInMaking(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		cfg.Paths = []string{filepath.Join(dir, "app.log*")}
		appendTo(t, log, "1\n2\n3\n")
		r := startFollow(t, cfg)
		r.want("1\n", "2\n", "3\n")
		appendTo(t, log+".1", "1\n2")
		r.nothing()
		appendTo(t, log+".1", "\n3\n4\n")
		appendTo(t, log, "4\n")
		r.want("4\n")
		r.nothing()
		must(t, os.Truncate(log, 0))
		appendTo(t, log, "5\n")
		r.want("5\n")
		r.nothing()
		// This one only began alike.
		appendTo(t, log+".2", "5\n")
		r.nothing()
		appendTo(t, log+".2", "6\n")
		r.want("5\n", "6\n")
	})
}

func TestFollowRotatedWhileDown(t *testing.T) {
	for _, ext := range []string{"", ".gz", ".zst"} {
		for _, glob := range []string{"app.log", "app.log*"} {
			for _, name := range []string{".%d", "-2026010%d"} {
				t.Run(glob+name+ext, func(t *testing.T) {
					both(t, func(t *testing.T, dir string, cfg FollowConfig) {
						log := filepath.Join(dir, "app.log")
						cfg.Paths = []string{filepath.Join(dir, glob)}
						appendTo(t, log, "1\n2\n")
						r := startFollow(t, cfg)
						r.want("1\n", "2\n")
						r.f.Done(r.marks[0])
						must(t, r.f.Close())
						appendTo(t, log, "3\n")
						first, second := log+fmt.Sprintf(name, 2), log+fmt.Sprintf(name, 1)
						must(t, os.Rename(log, first))
						appendTo(t, log, "between\n")
						must(t, os.Rename(log, second))
						appendTo(t, log, "new\n")
						if ext != "" {
							pack(t, first, ext)
						}
						r.start()
						r.want("2\n", "3\n", "between\n", "new\n")
						r.settle()
						r.restart(false)
						r.nothing()
						if ext != "" {
							pack(t, second, ext)
							r.nothing()
							r.restart(true)
							r.nothing()
						}
					})
				})
			}
		}
	}
}

// A rotated file that was read is compressed while it is followed.
func TestFollowCompressedLater(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		cfg.Paths = []string{filepath.Join(dir, "app.log*")}
		appendTo(t, log, "1\n2\n")
		r := startFollow(t, cfg)
		r.want("1\n", "2\n")
		must(t, os.Rename(log, log+".1"))
		appendTo(t, log, "3\n")
		r.want("3\n")
		gz := pack(t, log+".1", ".gz")
		r.nothing()
		r.settle()
		must(t, os.Rename(gz, log+".2.gz"))
		r.nothing()
		r.restart(false)
		r.nothing()
	})
}

func TestFollowCompressedFile(t *testing.T) {
	for _, ext := range []string{".gz", ".zst"} {
		t.Run(ext, func(t *testing.T) {
			dir := t.TempDir()
			cfg := FollowConfig{Paths: []string{filepath.Join(dir, "*"+ext)}, State: filepath.Join(dir, "state")}
			// It is longer than what is read at once, so a half of it could be given out.
			long := strings.Repeat("x", 2_000_000) + "\n"
			whole := packed(t, []byte("1\n"+long+long+"end"), ext)
			path := filepath.Join(dir, "a"+ext)
			appendTo(t, path, string(whole[:2]))
			r := startFollow(t, cfg)
			r.nothing()
			appendTo(t, path, string(whole[2:len(whole)-5]))
			r.nothing()
			appendTo(t, path, string(whole[len(whole)-5:]))
			r.want("1\n", long, long, "end")
			r.f.Done(r.marks[:3]...)
			r.restart(false)
			r.want("end")
			r.settle()
			r.restart(false)
			r.nothing()
		})
	}
}

func TestFollowPaths(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		cfg.Paths = []string{filepath.Join(dir, "**", "*.log"), filepath.Join(dir, "named")}
		cfg.Exclude = []string{"skip*.log", filepath.Join(dir, "out", "**")}
		for _, d := range []string{"a/b", "out", "dir.log"} {
			must(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
		}
		for _, name := range []string{"a/b/1.log", "a/skip.log", "out/2.log", "3.txt"} {
			appendTo(t, filepath.Join(dir, name), name+"\n")
		}
		r := startFollow(t, cfg)
		r.want("a/b/1.log\n")
		must(t, os.MkdirAll(filepath.Join(dir, "new/deep"), 0o700))
		appendTo(t, filepath.Join(dir, "new/deep/4.log"), "4\n")
		r.want("4\n")
		must(t, os.Symlink(filepath.Join(dir, "3.txt"), filepath.Join(dir, "link.log")))
		r.want("3.txt\n")
		must(t, os.Symlink("4.log", filepath.Join(dir, "new/deep/same.log")))
		must(t, os.Link(filepath.Join(dir, "3.txt"), filepath.Join(dir, "hard.log")))
		r.nothing()
		must(t, os.Mkdir(filepath.Join(dir, "named"), 0o700))
		r.until("it is told that a directory is none", func() bool { return strings.Contains(r.log.String(), "not a regular file") })
		if n := strings.Count(r.log.String(), "not a regular file"); n != 1 {
			t.Errorf("told %d times:\n%s", n, r.log)
		}
	})
}

func TestFollowUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	appendTo(t, log, "1\n")
	must(t, os.Chmod(log, 0))
	r := startFollow(t, FollowConfig{Paths: []string{log}})
	r.nothing()
	must(t, os.Chmod(log, 0o600))
	r.want("1\n")
	if n := strings.Count(r.log.String(), "can't read"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}

func TestFollowRefuses(t *testing.T) {
	dir := t.TempDir()
	broken, newer := filepath.Join(dir, "broken"), filepath.Join(dir, "newer")
	appendTo(t, broken, "{")
	appendTo(t, newer, `{"version":2}`)
	tests := []struct {
		cfg  FollowConfig
		want string
	}{
		{FollowConfig{}, "no path"},
		{FollowConfig{Paths: []string{dir}}, "is a directory\nhint: name its files"},
		{FollowConfig{Paths: []string{os.DevNull}}, "not a regular file"},
		{FollowConfig{Paths: []string{"[a"}}, "not a valid pattern"},
		{FollowConfig{Paths: []string{"a"}, MaxRecord: -1, Poll: -1}, "MaxRecord is -1"},
		{FollowConfig{Paths: []string{"a"}, State: broken}, "hint: the file is damaged"},
		{FollowConfig{Paths: []string{"a"}, State: newer}, "version 2"},
	}
	for _, tt := range tests {
		f, err := Follow(tt.cfg)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Follow(%+v) = %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestFollowLocks(t *testing.T) {
	dir := t.TempDir()
	cfg := quickly(FollowConfig{Paths: []string{filepath.Join(dir, "a")}, State: filepath.Join(dir, "state")})
	f, err := Follow(cfg)
	must(t, err)
	if _, err := Follow(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second Follow: %v", err)
	}
	must(t, f.Close())
	if _, err := f.Next(t.Context()); !errors.Is(err, ErrFollowerClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	f, err = Follow(cfg)
	must(t, err)
	must(t, f.Close())
}

func TestFollowFromEnd(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		cfg.FromEnd = true
		appendTo(t, log, "old\npart")
		r := startFollow(t, cfg)
		r.nothing()
		appendTo(t, log, "ial\n1\n")
		r.want("partial\n", "1\n")
		r.restart(true) // nothing was done, and the place is known all the same
		r.want("partial\n", "1\n")
		r.settle()
		appendTo(t, log, "2\n")
		truncate(t, log, log+".1")
		appendTo(t, log, "3\n")
		r.want("2\n", "3\n")
		r.settle()
		must(t, r.f.Close())
		must(t, os.Rename(log, log+".2"))
		appendTo(t, log, "4\n")
		r.start()
		r.want("4\n")
	})
}

func TestFollowLines(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		cfg.Start = regexp.MustCompile(`^\d+ .*x$`)
		cfg.MultilineTimeout = 200 * time.Millisecond
		appendTo(t, log, "  lost\n at\n1 x\r\n  a\n\n2 x\n3 x\n  b\n  c")
		r := startFollow(t, cfg)
		r.want("  lost\n at\n", "1 x\r\n  a\n\n", "2 x\n")
		r.settle()
		r.restart(true)
		for got := ""; !strings.HasSuffix(got, "2 x\n"); { // was not saved
			got = strings.Join(r.next(time.Second), "")
		}
		r.nothing() // the last line may not be whole
		appendTo(t, log, "\n")
		r.want("3 x\n  b\n  c\n")
		appendTo(t, log, "  late\n4 x\n5 ")
		r.want("  late\n")
		must(t, os.Remove(log))
		r.want("4 x\n5 ")
	})
}

func TestFollowLong(t *testing.T) {
	both(t, func(t *testing.T, dir string, cfg FollowConfig) {
		log := filepath.Join(dir, "app.log")
		cfg.MaxRecord = 10
		r := startFollow(t, cfg)
		appendTo(t, log, "123456789\n0123456789abcdefghij12")
		r.want("123456789\n", "0123456789", "abcdefghij")
		appendTo(t, log, "3\n")
		r.want("123\n")
		if n := strings.Count(r.log.String(), "longer than 10 bytes"); n != 1 {
			t.Errorf("told %d times", n)
		}
		r.settle()
		r.restart(false)
		r.nothing()
	})
}

// A line that is far longer than a burst comes whole, also when it comes slowly.
func TestFollowHugeLine(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	r := startFollow(t, FollowConfig{Paths: []string{log}})
	piece := strings.Repeat("x", 300_001)
	for range 20 {
		appendTo(t, log, piece)
		r.until("it is seen", func() bool {
			files := r.f.Files()
			return len(files) == 1 && files[0].Size%int64(len(piece)) == 0
		})
	}
	r.nothing()
	appendTo(t, log, "\nnext\n")
	r.want(strings.Repeat(piece, 20)+"\n", "next\n")
}

func TestFollowWatermark(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	appendTo(t, log, "1\n2\n3\n4\n5\n6\n")
	r := startFollow(t, FollowConfig{Paths: []string{log}, State: filepath.Join(dir, "state")})
	r.want("1\n", "2\n", "3\n", "4\n", "5\n", "6\n")
	m := r.marks
	steps := []struct {
		done []Mark
		want int64
	}{
		{[]Mark{m[1]}, 0},
		{[]Mark{m[4], m[2]}, 0},
		{[]Mark{m[2], m[1]}, 0},
		{[]Mark{m[0]}, 6},
		{[]Mark{m[0], m[4]}, 6},
		{[]Mark{m[5]}, 6},
		{[]Mark{m[3]}, 12},
		{[]Mark{m[3], m[5]}, 12},
	}
	for i, s := range steps {
		r.f.Done(s.done...)
		if got := r.f.Files()[0].Settled; got != s.want {
			t.Fatalf("step %d: settled %d, want %d", i, got, s.want)
		}
	}
}

// More files than are kept open, and one that is always full.
func TestFollowManyFiles(t *testing.T) {
	dir := t.TempDir()
	const n = 400
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%04d.log", i)) }
	appendTo(t, filepath.Join(dir, "big.log"), strings.Repeat(strings.Repeat("b", 99)+"\n", 50_000))
	for i := range n {
		appendTo(t, name(i), "1\n")
	}
	r := startFollow(t, FollowConfig{Paths: []string{filepath.Join(dir, "*.log")}})
	read := func(line string) {
		got, big := 0, 0
		for got < n {
			for _, s := range r.next(10 * time.Second) {
				if s == line {
					got++
				} else {
					big++
				}
			}
		}
		if big >= 50_000 {
			t.Errorf("the big file was read before the small ones")
		}
	}
	read("1\n")
	if r.f.open > maxOpen {
		t.Errorf("%d files are open", r.f.open)
	}
	for i := range n {
		appendTo(t, name(i), "2\n")
	}
	read("2\n")
	if runtime.GOOS == "linux" {
		fds, _ := os.ReadDir("/proc/self/fd")
		open := 0
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, dir) {
				open++
			}
		}
		if open > maxOpen {
			t.Errorf("%d files are open", open)
		}
	}
}

// logrotate itself, in the ways that people set it up.
func TestFollowLogrotate(t *testing.T) {
	if _, err := exec.LookPath("logrotate"); err != nil {
		t.Skip("LOGROTATE IS NOT INSTALLED: the follower is not tested with the real one")
	}
	tests := []struct{ name, conf string }{
		{"rename", "create"},
		{"copytruncate", "copytruncate"},
		{"compress", "create\ncompress"},
		{"delaycompress", "create\ncompress\ndelaycompress"},
		{"copytruncate compress", "copytruncate\ncompress"},
		{"copytruncate delaycompress", "copytruncate\ncompress\ndelaycompress"},
		{"dateext", "create\ndateext\ndateformat -%Y%m%d-#"},
		{"dateext copytruncate compress", "copytruncate\ncompress\ndateext\ndateformat -%Y%m%d-#"},
		{"extension", "create\ndateext\ndateformat -%Y%m%d-#\nextension .log"},
	}
	for _, tt := range tests {
		for _, glob := range []string{"app.log", "app*log*"} {
			for _, down := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/down=%v", tt.name, glob, down), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					log := filepath.Join(dir, "app.log")
					conf := filepath.Join(dir, "conf")
					cfg := FollowConfig{Paths: []string{filepath.Join(dir, glob)}, State: filepath.Join(dir, "state")}
					appendTo(t, log, "first\n")
					r := startFollow(t, cfg)
					r.want("first\n")
					for i := range 2 {
						if down {
							r.settle()
							must(t, r.f.Close())
						}
						line := fmt.Sprintf("line %d\n", i)
						appendTo(t, log, line)
						setup := log + " {\nrotate 20\n" + strings.ReplaceAll(tt.conf, "#", fmt.Sprint(i)) + "\n}\n"
						must(t, os.WriteFile(conf, []byte(setup), 0o600))
						if out, err := exec.Command("logrotate", "-f", "-s", filepath.Join(dir, "status"), conf).CombinedOutput(); err != nil {
							t.Fatalf("logrotate: %v\n%s", err, out)
						}
						after := fmt.Sprintf("after %d\n", i)
						appendTo(t, log, after)
						if down {
							r.start()
						}
						r.want(line, after)
					}
					r.settle()
					r.nothing()
					r.restart(false)
					r.nothing()
					if strings.Contains(r.log.String(), "WARN") {
						t.Errorf("log:\n%s", r.log)
					}
				})
			}
		}
	}
}

// A compressed file's content is right wherever it is read, forwards and back.
func TestUnpacked(t *testing.T) {
	text := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range text {
		text[i] = byte(rng.IntN(256))
	}
	name := filepath.Join(t.TempDir(), "x.gz")
	if err := os.WriteFile(name, gzipped(t, text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	u := &unpacked{file: file}
	for at, i := 0, 0; i < 2000; i++ {
		b := make([]byte, 1+rng.IntN(5000))
		n, err := readAt(u, b, int64(at))
		if want := text[at:min(at+len(b), len(text))]; err != nil || !bytes.Equal(b[:n], want) {
			t.Fatalf("read %d of %d bytes at %d, %v, and they are wrong", n, len(want), at, err)
		}
		if at = min(max(0, at+n-rng.IntN(6000)), len(text)); rng.IntN(50) == 0 {
			at = rng.IntN(len(text))
		}
	}
}

// While logrotate copies a file, the copy's time is that of the copying; it is set
// back to the original's when it is done. A restart in between must not take the
// copy for one of an older content.
func TestFollowCopyWhoseTimeIsSetBack(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	now := time.Now()
	at := func(name string, ago time.Duration) {
		if err := os.Chtimes(name, now, now.Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(t, log, "1\n")
	at(log, time.Hour)
	r := startFollow(t, FollowConfig{Paths: []string{log}, State: filepath.Join(dir, "state")})
	r.want("1\n")
	r.settle()
	if err := r.f.end(true); err != nil {
		t.Fatal(err)
	}
	// Rotated twice meanwhile, the second time right now.
	truncate(t, log, log+".2")
	appendTo(t, log, "2\n")
	truncate(t, log, log+".1")
	at(log+".2", time.Hour)
	at(log+".1", 0)
	r.start()
	r.until("the first file is finished", func() bool { return strings.Contains(r.log.String(), "a file is finished") })
	if err := r.f.end(true); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(log+".1.gz", packed(t, []byte("2\n"), ".gz"), 0o600), os.Remove(log+".1")); err != nil {
		t.Fatal(err)
	}
	at(log+".1.gz", time.Minute)
	appendTo(t, log, "3\n")
	r.start()
	r.want("2\n", "3\n")
}

// What was seen and not read before a restart may have been rotated since, though
// the file is the same.
func TestFollowRotatedBeforeItWasRead(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "app.log")
	appendTo(t, log, "1\n")
	r := startFollow(t, FollowConfig{Paths: []string{log}, State: filepath.Join(dir, "state")})
	r.want("1\n")
	r.settle()
	truncate(t, log, log+".1")
	r.until("the truncation is seen", func() bool { return strings.Contains(r.log.String(), "a file was truncated") })
	if err := r.f.end(true); err != nil {
		t.Fatal(err)
	}
	appendTo(t, log, "2\n")
	if err := os.Rename(log+".1", log+".2"); err != nil {
		t.Fatal(err)
	}
	truncate(t, log, log+".1")
	appendTo(t, log, "3\n")
	r.start()
	r.want("2\n", "3\n")
}

// A file's name may be another's between the moment that the directory is listed and
// the one that it is opened.
func TestFollowRenamedWhileSearched(t *testing.T) {
	name := filepath.Join(t.TempDir(), "app.log.1.gz")
	find := func() place {
		info, err := os.Stat(name)
		must(t, err)
		id, err := identify(name, info)
		must(t, err)
		return place{name, info, id}
	}
	must(t, os.WriteFile(name, packed(t, []byte("other\n"), ".gz"), 0o600))
	listed := find()
	must(t, os.Rename(name, name+".2"))
	text := []byte("1\n2\n")
	must(t, os.WriteFile(name, packed(t, text, ".gz"), 0o600))
	f, u := &Follower{}, &tail{}
	u.advance(text)
	if _, _, ok := f.holds(listed, nil, u); ok {
		t.Error("a file is taken for one that has its name now")
	}
	if _, _, ok := f.holds(find(), nil, u); !ok {
		t.Error("the file is not found")
	}
}

// A compressed file that has another content than it had is no reason to wait for
// ever.
func TestFollowCompressedFileIsAnother(t *testing.T) {
	for _, elsewhere := range []bool{true, false} {
		dir := t.TempDir()
		log := filepath.Join(dir, "app.log")
		appendTo(t, log, "1\n2\n3\n")
		r := startFollow(t, FollowConfig{Paths: []string{log}, State: filepath.Join(dir, "state")})
		r.want("1\n", "2\n", "3\n")
		r.f.Done(r.marks[0])
		must(t, os.Rename(log, log+".1"))
		gz := pack(t, log+".1", ".gz")
		r.restart(false)
		r.want("2\n", "3\n") // out of the compressed file
		must(t, r.f.end(true))
		text, err := os.ReadFile(gz)
		must(t, err)
		info, err := os.Stat(gz)
		must(t, err)
		must(t, os.WriteFile(gz, packed(t, nil, ".gz"), 0o600))
		must(t, os.Chtimes(gz, info.ModTime(), info.ModTime()))
		if elsewhere {
			must(t, os.WriteFile(log+".2.gz", text, 0o600))
		}
		appendTo(t, log, "4\n")
		r.start()
		if elsewhere {
			r.want("2\n", "3\n", "4\n")
		} else {
			r.want("4\n")
		}
	}
}

// A file that was seen and not read, and then truncated, is looked for after a restart
// too, though it is older than what came after it.
func TestFollowTruncatedBeforeItWasRead(t *testing.T) {
	dir := t.TempDir()
	log, hidden := filepath.Join(dir, "app.log"), filepath.Join(dir, "hidden")
	seen := func(r *run, what string, n int) {
		t.Helper()
		r.until(what, func() bool { return strings.Count(r.log.String(), what) == n })
	}
	appendTo(t, log, "1\n")
	r := startFollow(t, FollowConfig{Paths: []string{log}, State: filepath.Join(dir, "state"), RotateWait: time.Minute})
	r.want("1\n")
	r.settle()
	truncate(t, log, log+".2")
	seen(r, "a file was truncated", 1)
	appendTo(t, log, "2\n")
	r.until("the head is known", func() bool { return r.f.Files()[len(r.f.Files())-1].Size == 2 })
	truncate(t, log, hidden)
	must(t, os.Chtimes(hidden, time.Time{}, time.Now()))
	seen(r, "a file was truncated", 2)
	appendTo(t, log, "later\n")
	r.until("it is seen", func() bool { return r.f.Files()[len(r.f.Files())-1].Size == 6 })
	must(t, r.f.end(true))
	must(t, os.Rename(hidden, log+".1"))
	r.start()
	r.want("2\n", "later\n")
}
