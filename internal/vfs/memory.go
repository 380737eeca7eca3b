package vfs

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Memory is a file system for who needs no disk: nothing of it is left when its
// process ends. Its files only grow, or are cut. Use NewMemory.
type Memory struct {
	mu    sync.Mutex // guards the fields below
	files map[string]*memoryFile
	dirs  map[string]bool
}

// NewMemory returns an empty file system.
func NewMemory() *Memory { return &Memory{files: map[string]*memoryFile{}, dirs: map[string]bool{}} }

func notThere(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// Create makes a file that is not there yet.
func (m *Memory) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.files[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &memoryFile{}
	m.files[name] = f
	return f, nil
}

// Open opens a file.
func (m *Memory) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[filepath.Clean(name)]; f != nil {
		return f, nil
	}
	return nil, notThere("open", name)
}

// Remove removes a file, or a directory.
func (m *Memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.files[name] == nil && !m.dirs[name] {
		return notThere("remove", name)
	}
	delete(m.files, name)
	delete(m.dirs, name)
	return nil
}

// Rename gives a file another name.
func (m *Memory) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	f := m.files[from]
	if f == nil {
		return notThere("rename", from)
	}
	delete(m.files, from)
	m.files[to] = f
	return nil
}

// Mkdir makes a directory, and those above it.
func (m *Memory) Mkdir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := filepath.Clean(dir); !m.dirs[d]; d = filepath.Dir(d) {
		m.dirs[d] = true
	}
	return nil
}

// List returns what a directory holds.
func (m *Memory) List(dir string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = filepath.Clean(dir)
	if !m.dirs[dir] {
		return nil, notThere("open", dir)
	}
	var list []Entry
	for name, f := range m.files {
		if filepath.Dir(name) == dir {
			size, _ := f.Size()
			list = append(list, Entry{Name: filepath.Base(name), Size: size})
		}
	}
	for name := range m.dirs {
		if name != dir && filepath.Dir(name) == dir {
			list = append(list, Entry{Name: filepath.Base(name), Dir: true})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SyncDir does nothing.
func (m *Memory) SyncDir(string) error { return nil }

// Lock takes no lock: nobody else can see the file system.
func (m *Memory) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// memoryFile holds what was written as it was written, so that nothing is copied when
// it grows.
type memoryFile struct {
	mu    sync.RWMutex // guards the fields below
	parts [][]byte
	ends  []int64 // of the parts
}

func (f *memoryFile) Close() error { return nil }
func (f *memoryFile) Sync() error  { return nil }

func (f *memoryFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.sizeLocked(), nil
}

func (f *memoryFile) sizeLocked() int64 {
	if len(f.ends) == 0 {
		return 0
	}
	return f.ends[len(f.ends)-1]
}

// WriteAt writes at the end, or behind it.
func (f *memoryFile) WriteAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gap := offset - f.sizeLocked()
	if gap < 0 {
		return 0, fs.ErrInvalid
	}
	f.parts = append(f.parts, append(make([]byte, gap), b...))
	f.ends = append(f.ends, offset+int64(len(b)))
	return len(b), nil
}

func (f *memoryFile) ReadAt(b []byte, offset int64) (n int, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := sort.Search(len(f.ends), func(i int) bool { return f.ends[i] > offset }); i < len(f.parts) && n < len(b); i++ {
		start := f.ends[i] - int64(len(f.parts[i]))
		n += copy(b[n:], f.parts[i][offset+int64(n)-start:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for last := len(f.ends) - 1; last >= 0 && f.ends[last] > size; last-- {
		start := f.ends[last] - int64(len(f.parts[last]))
		if start < size {
			f.parts[last], f.ends[last] = f.parts[last][:size-start], size
			break
		}
		f.parts, f.ends = f.parts[:last], f.ends[:last]
	}
	if size > f.sizeLocked() {
		f.parts, f.ends = append(f.parts, make([]byte, size-f.sizeLocked())), append(f.ends, size)
	}
	return nil
}
