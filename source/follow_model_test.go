package source

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	seeds    = flag.Int("seeds", 4, "how many random runs the follower's model test makes")
	seedFrom = flag.Uint64("seed", 1, "the first of them")
)

// The promises under random trouble: every line is given out, none torn, none
// that was not written, in order and once within a run; after a restart only
// those again that were not checkpointed.
func TestFollowModel(t *testing.T) {
	for i := range *seeds {
		seed := *seedFrom + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			newModel(t, seed).run()
		})
	}
}

// line is what the model knows of a line.
type line struct {
	gen      *generation
	index    int
	came     bool // in this run
	done     bool
	settled  bool // done in this run
	volatile bool // of a removed file: a restart can't find it again
	safe     bool // checkpointed
}

// generation is one content: what is written between two rotations.
type generation struct {
	lines []*line
	next  int // index of the line that has to come next at the earliest, in this run
}

type writer struct {
	path string
	file *os.File
	gen  *generation
	rest []byte // of a line of which a part is written
}

type pending struct {
	line *line
	mark Mark
}

type model struct {
	t       *testing.T
	rng     *rand.Rand
	seed    uint64
	dir     string
	cfg     FollowConfig
	f       *Follower
	log     *logged
	writers []*writer
	gens    []*generation
	lines   map[string]*line
	waiting []pending
	n       int
	history []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 0)), seed: seed, dir: t.TempDir(), lines: map[string]*line{}, log: &logged{}}
	m.cfg = FollowConfig{
		State: filepath.Join(m.dir, "state"), NoNotify: m.rng.IntN(2) == 0,
		Poll: 10 * time.Millisecond, RotateWait: 700 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, name := range []string{"a.log", "b"} {
		m.addWriter(name)
		m.cfg.Paths = append(m.cfg.Paths, m.writers[len(m.writers)-1].path)
	}
	if m.rng.IntN(2) == 0 {
		m.cfg.Paths = []string{filepath.Join(m.dir, "[abc]*")}
	}
	return m
}

func (m *model) addWriter(name string) {
	w := &writer{path: filepath.Join(m.dir, name)}
	m.writers = append(m.writers, w)
	m.reopen(w)
	m.append(w)
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	if m.f != nil {
		for i, u := range m.f.tails {
			m.note("tail %d %p: %s at %s phase %d fresh %v read %d held %d end %d size %d settled %d left %v failed %v after %p twin %p final %v packed %v",
				i, u, u.path, u.home, u.phase, u.fresh, u.read, u.held, u.end, u.size, u.settled, !u.left.IsZero(), u.failed, u.after, u.twin, u.final, u.packed)
		}
	}
	m.t.Fatalf("seed %d: %s\nhistory:\n%s\nlog:\n%s", m.seed, fmt.Sprintf(format, args...), strings.Join(m.history, "\n"), m.log)
}

func (m *model) note(format string, args ...any) {
	s := time.Now().Format("05.000 ") + fmt.Sprintf(format, args...)
	m.history = append(m.history, s)
}

// reopen begins a new file at the writer's path, or goes on in the truncated one.
func (m *model) reopen(w *writer) {
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	must(m.t, err)
	w.file = file
	m.newGen(w)
}

func (m *model) newGen(w *writer) {
	w.gen = &generation{}
	m.gens = append(m.gens, w.gen)
}

func (m *model) write(w *writer, b []byte) {
	_, err := w.file.Write(b)
	must(m.t, err)
}

func (m *model) newLine(w *writer) []byte {
	m.n++
	length := m.rng.IntN(200)
	switch m.rng.IntN(100) {
	case 0:
		length = 100_000 + m.rng.IntN(100_000)
	case 1:
		length = 2_000_000
	}
	s := fmt.Sprintf("%06d %s\n", m.n, strings.Repeat("x", length))
	l := &line{gen: w.gen, index: len(w.gen.lines)}
	w.gen.lines = append(w.gen.lines, l)
	m.lines[s] = l
	return []byte(s)
}

func (m *model) finishPartial(w *writer) {
	if w.rest != nil {
		m.write(w, w.rest)
		w.rest = nil
	}
}

func (m *model) append(w *writer) {
	m.finishPartial(w)
	var b []byte
	for range 1 + m.rng.IntN(20) {
		b = append(b, m.newLine(w)...)
	}
	m.write(w, b)
}

func (m *model) startPartial(w *writer) {
	m.finishPartial(w)
	b := m.newLine(w)
	n := 1 + m.rng.IntN(len(b)-1)
	m.write(w, b[:n])
	w.rest = b[n:]
}

// shift makes room for a new rotated file, and returns its name.
func (m *model) shift(w *writer) string {
	for i := 30; i > 0; i-- {
		for _, ext := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", w.path, i, ext)
			if exists(from) {
				must(m.t, os.Rename(from, fmt.Sprintf("%s.%d%s", w.path, i+1, ext)))
			}
		}
	}
	return w.path + ".1"
}

func (m *model) rename(w *writer) {
	m.finishPartial(w)
	must(m.t, os.Rename(w.path, m.shift(w)))
	old, gen := w.file, w.gen
	m.reopen(w)
	if m.rng.IntN(3) == 0 {
		m.append(w)
	}
	if m.rng.IntN(3) == 0 { // the writer had not noticed
		late := &writer{path: w.path, file: old, gen: gen}
		m.append(late)
	}
	must(m.t, old.Close())
}

func (m *model) copytruncate(w *writer) {
	m.finishPartial(w)
	to := m.shift(w)
	b, err := os.ReadFile(w.path)
	must(m.t, err)
	n := m.rng.IntN(len(b) + 1)
	must(m.t, os.WriteFile(to, b[:n], 0o600))
	if m.rng.IntN(2) == 0 {
		m.read()
	}
	appendTo(m.t, to, string(b[n:]))
	if m.rng.IntN(2) == 0 {
		m.read()
	}
	must(m.t, w.file.Truncate(0))
	m.newGen(w)
}

// remove removes a file that was read to its end, and writes to it once more.
func (m *model) remove(w *writer) {
	m.finishPartial(w)
	info, err := w.file.Stat()
	must(m.t, err)
	id, err := identify(w.path, info)
	must(m.t, err)
	known := func() bool {
		m.f.work.Lock()
		defer m.f.work.Unlock()
		t := m.f.byID[id]
		return t != nil && t.file != nil && t.read == info.Size() && t.size == info.Size()
	}
	for deadline := time.Now().Add(10 * time.Second); !known(); {
		m.read()
		if time.Now().After(deadline) {
			m.fatalf("%s is not read", w.path)
		}
	}
	must(m.t, os.Remove(w.path))
	if m.rng.IntN(2) == 0 {
		m.append(w)
	}
	for _, l := range w.gen.lines {
		l.volatile = true
	}
	must(m.t, w.file.Close())
	m.reopen(w)
}

func (m *model) compress(w *writer) {
	var plain []string
	for i := range 30 {
		if name := fmt.Sprintf("%s.%d", w.path, i); exists(name) {
			plain = append(plain, name)
		}
	}
	if len(plain) == 0 {
		return
	}
	name := plain[m.rng.IntN(len(plain))]
	b, err := os.ReadFile(name)
	must(m.t, err)
	info, err := os.Stat(name)
	must(m.t, err)
	gz := packed(m.t, b, ".gz")
	n := m.rng.IntN(len(gz) + 1)
	must(m.t, os.WriteFile(name+".gz", gz[:n], 0o600))
	if m.rng.IntN(2) == 0 {
		m.read()
	}
	appendTo(m.t, name+".gz", string(gz[n:]))
	must(m.t, os.Chtimes(name+".gz", info.ModTime(), info.ModTime()))
	must(m.t, os.Remove(name))
}

// read takes what comes within some polls, and checks it.
func (m *model) read() {
	if m.f == nil {
		return
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Duration(m.rng.IntN(30))*time.Millisecond)
	defer cancel()
	out, _ := m.f.Next(ctx)
	for _, r := range out {
		l := m.lines[string(r.Data)]
		if l == nil {
			m.fatalf("this was not written, or is torn: %.100q of %d bytes, %s at %d", r.Data, len(r.Data), r.Path, r.Offset)
		}
		switch name := fmt.Sprintf("%.6s", r.Data); {
		case l.came:
			m.fatalf("line %s came twice", name)
		case l.safe:
			m.fatalf("line %s came although it was checkpointed", name)
		case l.index < l.gen.next:
			m.fatalf("line %s came after a younger one", name)
		}
		l.came = true
		l.gen.next = l.index + 1
		m.waiting = append(m.waiting, pending{l, r.Mark})
	}
}

// settle has some of the records done, in any order.
func (m *model) settle(all bool) {
	m.rng.Shuffle(len(m.waiting), func(i, j int) { m.waiting[i], m.waiting[j] = m.waiting[j], m.waiting[i] })
	n := len(m.waiting)
	if !all {
		n = m.rng.IntN(n + 1)
	}
	for _, p := range m.waiting[:n] {
		m.f.Done(p.mark)
		p.line.done, p.line.settled = true, true
	}
	m.waiting = slices.Delete(m.waiting, 0, n)
}

func (m *model) start() {
	f, err := Follow(m.cfg)
	if err != nil {
		m.fatalf("Follow: %v", err)
	}
	m.f = f
}

func (m *model) stop(kill bool) {
	if err := m.f.end(!kill); err != nil {
		m.fatalf("end: %v", err)
	}
	m.f, m.waiting = nil, nil
	for _, g := range m.gens {
		g.next = 0
		whole := true
		for _, l := range g.lines {
			l.came = false
			whole = whole && (l.safe || l.settled)
			l.settled = false
			if !kill {
				l.safe = whole
			}
			if l.volatile {
				l.done = true // nothing can be asked of it any more
			}
		}
	}
}

func (m *model) run() {
	m.start()
	ops := map[string]func(w *writer){
		"append":       m.append,
		"partial":      m.startPartial,
		"finish":       m.finishPartial,
		"rename":       m.rename,
		"copytruncate": m.copytruncate,
		"compress":     m.compress,
		"remove":       func(w *writer) { m.remove(w) },
		"read":         func(*writer) { m.read() },
		"read on":      func(*writer) { m.read(); m.read() },
		"settle":       func(*writer) { m.settle(false) },
		"settle all":   func(*writer) { m.settle(true) },
		"new": func(*writer) {
			if len(m.writers) == 2 && strings.Contains(m.cfg.Paths[0], "[abc]") {
				m.addWriter("c.log")
			}
		},
		"restart": func(*writer) { m.stop(false); m.start() },
		"kill":    func(*writer) { m.stop(true); m.start() },
		"down":    func(*writer) { m.stop(m.rng.IntN(2) == 0) },
	}
	names := slices.Sorted(maps.Keys(ops))
	down := 0
	for range 50 {
		name := names[m.rng.IntN(len(names))]
		if m.f == nil && slices.Contains([]string{"read", "read on", "settle", "settle all", "restart", "kill", "down", "remove", "new"}, name) {
			if down++; down%4 == 0 {
				m.note("start")
				m.start()
			}
			continue
		}
		w := m.writers[m.rng.IntN(len(m.writers))]
		m.note("%s %s", name, filepath.Base(w.path))
		ops[name](w)
		if name == "new" {
			m.waitSeen(m.writers[len(m.writers)-1])
		}
	}
	if m.f == nil {
		m.start()
	}
	for _, w := range m.writers {
		m.append(w)
		must(m.t, w.file.Close())
	}
	m.note("end")
	m.finish()
}

// waitSeen waits until a new path is known: what comes and goes before anybody
// has seen it is not found.
func (m *model) waitSeen(w *writer) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); m.read() {
		if slices.ContainsFunc(m.f.Files(), func(s FileState) bool { return s.Path == w.path }) {
			return
		}
	}
	m.fatalf("%s is not seen", w.path)
}

// finish reads all there is, and then everything has to have come.
func (m *model) finish() {
	open := func() (names []string) {
		for s, l := range m.lines {
			if !l.done {
				names = append(names, fmt.Sprintf("%.6s", s))
			}
		}
		slices.Sort(names)
		return names
	}
	for deadline := time.Now().Add(10 * time.Second); len(open()) > 0; {
		m.read()
		m.settle(true)
		if time.Now().After(deadline) {
			list, _ := os.ReadDir(m.dir)
			var files bytes.Buffer
			for _, e := range list {
				info, _ := e.Info()
				r, _ := os.Open(filepath.Join(m.dir, e.Name()))
				b, _ := io.ReadAll(content(r))
				var names []string
				for s := range bytes.Lines(b) {
					names = append(names, fmt.Sprintf("%.6s", s))
				}
				fmt.Fprintf(&files, "%s %d %v %v\n", e.Name(), info.Size(), info.ModTime(), names)
			}
			m.fatalf("%d lines did not come: %v\n%s", len(open()), open(), &files)
		}
	}
	m.stop(false)
	m.start()
	m.read()
	m.stop(false)
}
