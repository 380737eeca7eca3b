// Package vfs is what the spool sees of a file system: the operating system's, one in
// memory, or one that can lose its power (Mem, for tests).
package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/gofrs/flock"
)

// FS is a file system.
type FS interface {
	// Create makes a file that is not there yet, and opens it.
	Create(name string) (File, error)
	// Open opens a file to read and write.
	Open(name string) (File, error)
	Remove(name string) error
	// Rename gives a file another name, in the same directory, at once; a file of
	// that name goes.
	Rename(from, to string) error
	// Mkdir makes a directory, and those above it. It is durable when it returns.
	Mkdir(dir string) error
	// List returns what a directory holds, by name.
	List(dir string) ([]Entry, error)
	// SyncDir makes what was created in and removed from a directory durable.
	SyncDir(dir string) error
	// Lock keeps others from the lock of that name, in this process and others,
	// until it is closed. It fails with ErrLocked at once where they have it.
	Lock(name string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes what was written durable. After a failed Sync nobody knows what
	// is: a second one that succeeds says nothing about it.
	Sync() error
}

// Entry is a file or directory in a directory. Size is that of a file.
type Entry struct {
	Name string
	Dir  bool
	Size int64
}

// ErrLocked is what Lock returns where another has the lock.
var ErrLocked = errors.New("locked by another process")

// IsFull tells whether an operation failed because the disk, or somebody's share
// of it, is full.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || isFull(err)
}

// OS is the operating system's file system.
type OS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return syncData(f.File) }

// Create makes a file that only its owner may read.
func (OS) Create(name string) (File, error) {
	return file(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open opens a file to read and write.
func (OS) Open(name string) (File, error) { return file(os.OpenFile(name, os.O_RDWR, 0)) }

func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Remove removes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// Rename gives a file another name.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Mkdir makes a directory, and those above it.
func (o OS) Mkdir(dir string) error {
	var made []string // the parents of what has to be made
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || filepath.Dir(d) == d {
			break
		}
		made = append(made, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range made {
		if err := o.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// List returns what a directory holds. What vanishes meanwhile is left out.
func (OS) List(dir string) ([]Entry, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, e := range found {
		if info, err := e.Info(); err == nil {
			list = append(list, Entry{e.Name(), e.IsDir(), info.Size()})
		}
	}
	return list, nil
}

// SyncDir makes a directory's entries durable. Windows does that by itself, and
// has no call for it.
func (OS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock locks a file, and writes the process's number into it. The number of
// whoever has the lock is in the error.
func (OS) Lock(name string) (io.Closer, error) {
	l := flock.New(name, flock.SetPermissions(0o600))
	switch ok, err := l.TryLock(); {
	case err != nil:
		return nil, err
	case !ok:
		if who, err := os.ReadFile(name); err == nil && len(who) > 0 {
			return nil, fmt.Errorf("%w (number %s)", ErrLocked, who)
		}
		return nil, ErrLocked
	}
	if err := os.WriteFile(name, fmt.Append(nil, os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
