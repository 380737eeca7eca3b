package spool

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

var (
	histories = flag.Int("histories", 2000, "how many random histories the model test runs")
	history1  = flag.Int("history", -1, "the one history to run")
)

// Random operations beside a model, on a file system that fails at random, with the power cut at every operation
// that changes a file: no record whose Append has returned is lost, none is read that was not appended, none twice
// but for what a crash takes back.
func TestModel(t *testing.T) {
	if *history1 >= 0 {
		newModel(t, uint64(*history1)).run()
		return
	}
	// The heap is so small that the collector would run nearly all the time.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				if !t.Run(fmt.Sprintf("history=%d", seed), func(t *testing.T) { newModel(t, uint64(seed)).run() }) {
					t.Errorf("history %d failed; run it alone by -history %d", seed, seed)
				}
			}
		})
	}
	for seed := 0; seed < *histories && !t.Failed(); seed++ {
		next <- seed
	}
	close(next)
	wg.Wait()
}

// model is what a spool must hold.
type model struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand
	fs   *vfs.Mem
	s    *Spool
	o    Options

	mu      sync.Mutex // guards the fields below: the file system's hook reads them
	last    int        // of the records' contents
	queues  map[string]*modelQueue
	failing int     // so many operations will fail
	faults  float64 // how likely it is that they begin to
	cuts    uint64
	quiet   bool // the hook does nothing
}

type modelQueue struct {
	accepted map[string]bool   // and not acknowledged
	refused  map[string]bool   // Append has failed, or has not returned
	gone     map[string]bool   // acknowledged
	out      map[string]uint64 // read since the start, with their numbers
}

func newModel(t *testing.T, seed uint64) *model {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &model{t: t, seed: seed, rng: rng, fs: vfs.NewMem(seed), queues: map[string]*modelQueue{}}
	for _, name := range []string{"a", "b"} {
		m.queues[name] = &modelQueue{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]uint64{}}
	}
	m.o = Options{MaxBytes: 1 << 20, SegmentBytes: 4 << 10, Refuse: true, FS: m.fs, OnDamage: m.damaged}
	if rng.IntN(4) == 0 {
		m.o.SyncEvery = -1
	}
	if rng.IntN(2) == 0 {
		m.faults = 0.1
	}
	m.fs.Fail = m.hook
	return m
}

// fatal panics, as a committer's goroutine cannot end the test.
func (m *model) fatal(format string, args ...any) {
	panic(fmt.Sprintf("history %d: ", m.seed) + fmt.Sprintf(format, args...))
}

func (m *model) damaged(d Damage) {
	if d.Records > 0 && !d.Torn {
		m.fatal("damage: %v", d)
	}
}

// hook runs before each operation that changes a file: it cuts the power of a
// copy, and lets the operation fail at times.
func (m *model) hook(op vfs.Op, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quiet {
		return nil
	}
	m.cuts++
	m.check(m.fs.Crash(m.seed*1000+m.cuts), fmt.Sprintf("power cut before %s %s", op, name), true)
	if m.failing == 0 && m.rng.Float64() < m.faults {
		m.failing = 1 + m.rng.IntN(8)
	}
	if m.failing > 0 {
		m.failing--
		return []error{syscall.ENOSPC, syscall.EIO}[m.rng.IntN(2)]
	}
	return nil
}

// check opens what a crash has left and compares it with the model.
func (m *model) check(after *vfs.Mem, what string, power bool) {
	o := m.o
	o.FS = after
	if power && o.SyncEvery != 0 { // nothing is promised
		o.OnDamage = nil
	}
	s, err := Open("/spool", o)
	if err != nil {
		m.fatal("%s: %v", what, err)
	}
	for name, mq := range m.queues {
		left := maps.Clone(mq.accepted)
		if power && o.SyncEvery != 0 {
			clear(left)
		}
		seen := map[string]bool{}
		for _, r := range m.readAll(s, name) {
			data := string(r.Data)
			if !mq.accepted[data] && !mq.refused[data] && !mq.gone[data] || seen[data] {
				m.fatal("%s: queue %s has %q, which was not appended, or twice", what, name, data)
			}
			if mq.gone[data] && !power && m.faults == 0 {
				m.fatal("%s: queue %s has %q again, which was acknowledged", what, name, data)
			}
			if mq.out[data] != 0 && !power && !r.MaybeHanded && m.faults == 0 {
				m.fatal("%s: queue %s: %q had been handed out, and is not marked", what, name, data)
			}
			seen[data] = true
			delete(left, data)
		}
		if len(left) > 0 {
			m.fatal("%s: queue %s has lost %d of %d, such as %q", what, name,
				len(left), len(mq.accepted), slices.Sorted(maps.Keys(left))[0])
		}
	}
	if err := s.Close(); err != nil {
		m.fatal("%s: close: %v", what, err)
	}
}

func (m *model) readAll(s *Spool, name string) (all []Record) {
	q, err := s.Queue(name)
	if err != nil {
		m.fatal("%v", err)
	}
	var last uint64
	for {
		list, err := q.Read(nil, 300)
		if err != nil {
			m.fatal("read: %v", err)
		}
		if len(list) == 0 {
			return all
		}
		for _, r := range list {
			if r.Number <= last {
				m.fatal("number %d after %d", r.Number, last)
			}
			last = r.Number
			r.Data = bytes.Clone(r.Data)
			all = append(all, r)
		}
	}
}

func (m *model) run() {
	m.open()
	for range 5 + m.rng.IntN(30) {
		name := []string{"a", "b"}[m.rng.IntN(2)]
		switch n := m.rng.IntN(20); {
		case n < 9:
			m.append(name)
		case n < 13:
			m.read(name)
		case n < 18:
			m.ack(name)
		case n < 19:
			m.restart(m.rng.IntN(2) == 0)
		default:
			m.kill()
		}
		idle(m.s) // so that a history is the same each time
	}
	m.restart(true)
	m.hush(true)
	m.check(m.fs.Kill(), "end", false)
}

func (m *model) hush(quiet bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = quiet
}

func (m *model) open() {
	m.hush(true) // a spool that can't be opened is no history
	defer m.hush(false)
	s, err := Open("/spool", m.o)
	if err != nil {
		m.fatal("open: %v", err)
	}
	s.recent = int64(m.rng.IntN(4) * m.rng.IntN(4000)) // some of it from memory, some from files
	m.s = s
}

func (m *model) queue(name string) *Queue {
	q, err := m.s.Queue(name)
	if err != nil {
		m.fatal("%v", err)
	}
	return q
}

func (m *model) append(name string) {
	var records []Record
	mq := m.queues[name]
	m.mu.Lock()
	for range 1 + m.rng.IntN(4) {
		m.last++
		data := fmt.Appendf(nil, "%s-%d-%s", name, m.last, bytes.Repeat([]byte("x"), m.rng.IntN(600)))
		r := Record{Data: data, Tag: string(data)}
		if m.rng.IntN(3) == 0 {
			r.Source, r.Position = "file", int64(m.last)
		}
		records = append(records, r)
		mq.refused[string(data)] = true
	}
	m.mu.Unlock()
	_, err := m.queue(name).Append(context.Background(), records...)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		if err == nil {
			mq.accepted[string(r.Data)] = true
			delete(mq.refused, string(r.Data))
		}
	}
}

func (m *model) read(name string) {
	mq := m.queues[name]
	list, err := m.queue(name).Read(nil, 1+m.rng.IntN(2000))
	if err != nil {
		m.fatal("read: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range list {
		data := string(r.Data)
		if !mq.accepted[data] && !mq.refused[data] && (!mq.gone[data] || m.faults == 0) || mq.out[data] != 0 {
			m.fatal("read %q, which was not appended, or is out", data)
		}
		if r.Tag != nil && r.Tag != data {
			m.fatal("%q has the tag %q", data, r.Tag)
		}
		mq.out[data] = r.Number
	}
}

func (m *model) ack(name string) {
	mq := m.queues[name]
	m.mu.Lock()
	var done []Range
	for _, data := range slices.Sorted(maps.Keys(mq.out)) {
		if m.rng.IntN(2) == 0 {
			done = append(done, Range{mq.out[data], 1})
			delete(mq.accepted, data)
			delete(mq.out, data)
			mq.gone[data] = true
		}
	}
	m.mu.Unlock()
	m.queue(name).Ack(done...)
}

// drain reads all that there is.
func (m *model) drain() {
	for name, mq := range m.queues {
		for m.queue(name).Stats().Unread > 0 {
			m.read(name)
		}
		for data := range mq.accepted {
			if mq.out[data] == 0 {
				m.fatal("%q was accepted and is not read", data)
			}
		}
	}
}

// restart closes the spool and opens it again, with the file system failing at the
// end or not.
func (m *model) restart(sound bool) {
	if m.rng.IntN(2) == 0 {
		m.drain()
	}
	for _, name := range []string{"a", "b"} {
		mq := m.queues[name]
		if m.rng.IntN(2) == 0 {
			below := uint64(0)
			for _, number := range mq.out {
				below = max(below, number+1)
			}
			m.queue(name).Handed(below)
		}
	}
	m.hush(sound)
	err := m.s.Close()
	m.hush(false)
	if sound && err != nil {
		m.fatal("close: %v", err)
	}
	if m.faults == 0 {
		m.checkMarks()
	}
	m.mu.Lock()
	for _, mq := range m.queues {
		clear(mq.out)
	}
	m.mu.Unlock()
	m.open()
}

// checkMarks checks that what was out when the spool was closed is marked.
func (m *model) checkMarks() {
	o := m.o
	o.ReadOnly = true
	s, err := Open("/spool", o)
	if err != nil {
		m.fatal("look: %v", err)
	}
	for name, mq := range m.queues {
		for _, r := range m.readAll(s, name) {
			if mq.out[string(r.Data)] != 0 && !r.MaybeHanded {
				m.fatal("queue %s: %q had been handed out, and is not marked after a restart", name, r.Data)
			}
		}
	}
	_ = s.Close()
}

// kill ends the process without a Close: nothing that was written is lost, and the
// power stays on.
func (m *model) kill() {
	m.mu.Lock()
	m.quiet = true
	m.check(m.fs.Kill(), "killed", false)
	m.mu.Unlock()
	m.fs = m.fs.Kill()
	m.fs.Fail, m.o.FS = m.hook, m.fs
	m.mu.Lock()
	for _, mq := range m.queues {
		clear(mq.out)
	}
	m.quiet = false
	m.mu.Unlock()
	m.open()
}

// idle waits until no committer runs.
func idle(s *Spool) {
	for {
		s.mu.Lock()
		busy := slices.ContainsFunc(slices.Collect(maps.Values(s.queues)), func(q *Queue) bool { return q.committing })
		s.mu.Unlock()
		if !busy {
			return
		}
		runtime.Gosched()
	}
}
