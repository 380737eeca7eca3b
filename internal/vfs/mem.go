package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Mem is a file system in memory that knows what a disk would have kept: what was
// written and not synced may be lost, in whole or by the sector, and so may names
// whose directory was not synced. It is safe for many goroutines.
type Mem struct {
	// Fail is asked before each operation that changes something, or nil. The
	// operation fails with the error that it returns. A failed write may have
	// written a part, a failed sync a part of what it had to.
	Fail func(op Op, name string) error

	mu     sync.Mutex // guards the fields below
	rng    *rand.Rand
	dirs   map[string]*memDir
	locked map[string]bool
}

// Op is an operation that changes something.
type Op string

// The operations, as Mem.Fail gets them.
const (
	OpCreate   Op = "create"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpRemove   Op = "remove"
	OpRename   Op = "rename"
	OpMkdir    Op = "mkdir"
	OpSyncDir  Op = "sync directory"
)

// memDir maps names to files, as they are and as they are on disk.
type memDir struct {
	now, disk map[string]*memFile
}

// memFile holds bytes that are never overwritten in place, so that copies of a
// file system share them: what has no spare capacity may be seen by others.
type memFile struct {
	fs      *Mem
	name    string
	now     []byte
	disk    []byte
	pending []change // from disk to now, in order
	torn    bool     // a sync has failed: disk may not be what now was
}

// change is a write, or a truncation to offset where data is nil.
type change struct {
	offset int64
	data   []byte
}

// sector is what a disk writes as a whole.
const sector = 512

// NewMem returns an empty file system. What a power cut keeps, and what a failed
// operation does, is random by the seed.
func NewMem(seed uint64) *Mem {
	return &Mem{rng: rand.New(rand.NewPCG(seed, 0)), dirs: map[string]*memDir{"/": newMemDir()}, locked: map[string]bool{}}
}

func newMemDir() *memDir { return &memDir{map[string]*memFile{}, map[string]*memFile{}} }

func (m *Mem) fail(op Op, name string) error {
	if m.Fail == nil {
		return nil
	}
	if err := m.Fail(op, name); err != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: err}
	}
	return nil
}

func (m *Mem) dir(name string) (*memDir, error) {
	d, ok := m.dirs[filepath.Clean(name)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d, nil
}

// Create makes a file that is not there yet.
func (m *Mem) Create(name string) (File, error) {
	err := m.fail(OpCreate, name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	base := filepath.Base(name)
	if d.now[base] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	d.now[base] = &memFile{fs: m, name: name}
	return d.now[base], nil
}

// Open opens a file.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	f := d.now[filepath.Base(name)]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// Remove removes a file, or an empty directory.
func (m *Mem) Remove(name string) error {
	if err := m.fail(OpRemove, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if sub := m.dirs[filepath.Clean(name)]; sub != nil {
		if len(sub.now) > 0 {
			return &fs.PathError{Op: "remove", Path: name, Err: fmt.Errorf("directory not empty")}
		}
		delete(m.dirs, filepath.Clean(name))
		return nil
	}
	d, err := m.dir(filepath.Dir(name))
	if err != nil {
		return err
	}
	if d.now[filepath.Base(name)] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.now, filepath.Base(name))
	return nil
}

// Rename gives a file another name.
func (m *Mem) Rename(from, to string) error {
	if err := m.fail(OpRename, to); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(filepath.Dir(from))
	if err != nil {
		return err
	}
	f := d.now[filepath.Base(from)]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(d.now, filepath.Base(from))
	d.now[filepath.Base(to)] = f
	return nil
}

// Mkdir makes a directory, and those above it.
func (m *Mem) Mkdir(dir string) error {
	if err := m.fail(OpMkdir, dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := filepath.Clean(dir); m.dirs[d] == nil; d = filepath.Dir(d) {
		m.dirs[d] = newMemDir()
	}
	return nil
}

// List returns what a directory holds.
func (m *Mem) List(dir string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(dir)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for name, f := range d.now {
		list = append(list, Entry{Name: name, Size: int64(len(f.now))})
	}
	for name := range m.dirs {
		if name != "/" && filepath.Dir(name) == filepath.Clean(dir) {
			list = append(list, Entry{Name: filepath.Base(name), Dir: true})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SyncDir makes a directory's entries durable.
func (m *Mem) SyncDir(dir string) error {
	if err := m.fail(OpSyncDir, dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(dir)
	if err == nil {
		d.disk = maps.Clone(d.now)
	}
	return err
}

type memLock struct {
	m    *Mem
	name string
}

// Lock takes a lock.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[name] {
		return nil, ErrLocked
	}
	m.locked[name] = true
	return memLock{m, name}, nil
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locked, l.name)
	return nil
}

func (f *memFile) Close() error { return nil }

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.now)), nil
}

func (f *memFile) ReadAt(b []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if offset >= int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.now[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, offset int64) (int, error) {
	err := f.fs.fail(OpWrite, f.name)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err != nil {
		b = b[:f.fs.rng.IntN(len(b)+1)]
	}
	if len(b) > 0 {
		f.now = change{offset, b}.apply(f.now)
		f.pending = append(f.pending, change{offset, f.now[offset:][:len(b)]})
	}
	return len(b), err
}

func (f *memFile) Truncate(size int64) error {
	if err := f.fs.fail(OpTruncate, f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	c := change{offset: size}
	f.now = c.apply(f.now)
	f.pending = append(f.pending, c)
	return nil
}

func (f *memFile) Sync() error {
	err := f.fs.fail(OpSync, f.name)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch {
	case err != nil:
		f.disk, f.torn = f.survive(f.fs.rng), true
	case f.torn:
		for _, c := range f.pending {
			f.disk = c.apply(f.disk)
		}
	default:
		f.disk = slices.Clip(f.now)
	}
	f.pending = nil // after a failure too: the pages count as clean, and are not written again
	return err
}

// apply returns data with the change made, which may be in the same memory, behind
// what is there.
func (c change) apply(data []byte) []byte {
	end, size := c.offset+int64(len(c.data)), int64(len(data))
	switch {
	case c.data == nil && end < size:
		return data[:end:end]
	case c.offset < size: // others may see what it changes
		data = slices.Clone(data)
		n := copy(data[c.offset:], c.data)
		return append(data, c.data[n:]...)
	case c.offset > size:
		data = append(data, make([]byte, c.offset-size)...)
	}
	return append(data, c.data...)
}

// survive is what a power cut leaves of the file: of what was not synced, any
// part, by the sector.
func (f *memFile) survive(rng *rand.Rand) []byte {
	data := slices.Clip(f.disk)
	for _, c := range f.pending {
		switch {
		case rng.IntN(2) == 0: // as it should be
			data = c.apply(data)
		case c.data != nil && rng.IntN(4) > 0:
			for from := c.offset; from < c.offset+int64(len(c.data)); {
				to := min((from/sector+1)*sector, c.offset+int64(len(c.data)))
				if rng.IntN(2) == 0 {
					data = change{from, c.data[from-c.offset : to-c.offset]}.apply(data)
				}
				from = to
			}
		}
	}
	return data
}

// Kill returns the file system as the next process finds it when this one dies:
// nobody has it locked. m is left as it is.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMem(m.rng.Uint64())
	copies := map[*memFile]*memFile{}
	clone := func(names map[string]*memFile) map[string]*memFile {
		cloned := map[string]*memFile{}
		for name, f := range names {
			if copies[f] == nil {
				copies[f] = &memFile{after, f.name, slices.Clip(f.now), slices.Clip(f.disk), slices.Clone(f.pending), f.torn}
			}
			cloned[name] = copies[f]
		}
		return cloned
	}
	for path, d := range m.dirs {
		after.dirs[path] = &memDir{clone(d.now), clone(d.disk)}
	}
	return after
}

// Crash returns the file system as it is after its power was cut now: nobody has
// it locked, and what was not synced may be lost. m is left as it is.
func (m *Mem) Crash(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMem(seed)
	for _, path := range slices.Sorted(maps.Keys(m.dirs)) {
		d, kept := m.dirs[path], newMemDir()
		names := maps.Clone(d.disk)
		maps.Copy(names, d.now)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			f := d.disk[name]
			if after.rng.IntN(2) == 0 {
				f = d.now[name]
			}
			if f != nil {
				data := f.survive(after.rng)
				kept.now[name] = &memFile{fs: after, name: f.name, now: data, disk: slices.Clip(data)}
			}
		}
		kept.disk = maps.Clone(kept.now)
		after.dirs[path] = kept
	}
	return after
}
