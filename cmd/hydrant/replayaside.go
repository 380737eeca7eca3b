package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/internal/vfs"
)

// finish puts aside a file of which all is settled. A kill on the way leaves what
// completeAside, or another run, goes on from.
func (r *replaying) finish() (renamed string, err error) {
	l := r.ledger
	if r.o.keep {
		return "", ignoreMissing(os.Remove(l.path))
	}
	if renamed, err = reserve(r.name + ".replayed"); err != nil {
		return "", err
	}
	l.p.Aside, l.p.Torn, l.changed = renamed, r.survey.tornEnd, true
	if err := l.save(); err != nil {
		return "", err
	}
	if err := os.Rename(r.name, renamed); err != nil {
		return "", errors.Join(err, os.Remove(renamed))
	}
	if err := (vfs.OS{}).SyncDir(filepath.Dir(r.name)); err != nil {
		return renamed, err
	}
	return renamed, r.app.bringBack(r.name, &l.p)
}

// completeAside does what was left when a run was killed while it put name aside.
func (a *app) completeAside(name string) (done bool, err error) {
	path := name + ".progress"
	p, err := readProgress(path)
	if err != nil || p == nil || p.Aside == "" || !p.sameHead(p.Aside) {
		return false, nil // --restart may do without it
	}
	if err := a.bringBack(name, p); err != nil {
		return false, err
	}
	if _, err := os.Stat(name); err == nil {
		return false, nil
	}
	a.tell("%s was done by an earlier run; it is %s", name, p.Aside)
	return true, nil
}

// bringBack copies to FILE what a program has appended to it between the last look
// and the rename, which nobody has sent. Then nothing is left to be done.
func (a *app) bringBack(name string, p *progressFile) error {
	f, err := os.Open(p.Aside)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	packed, err := compressedFile(f)
	if err != nil {
		return err
	}
	if late := info.Size() - p.Read; !packed && info.Size() > max(p.Read, p.Torn) {
		if err := appendSynced(name, io.NewSectionReader(f, p.Read, late)); err != nil {
			return err
		}
		a.tell("%s were added to %s while this ended; they are in it still", ui.Bytes(late), name)
	}
	return ignoreMissing(os.Remove(name + ".progress"))
}

// compressedFile tells whether nobody appends to f line by line.
func compressedFile(f io.ReaderAt) (bool, error) {
	magic := make([]byte, 4)
	n, err := f.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("look at the file: %w", err)
	}
	start := string(magic[:n])
	return start == "\x28\xb5\x2f\xfd" || n >= 3 && start[:3] == "\x1f\x8b\x08", nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
