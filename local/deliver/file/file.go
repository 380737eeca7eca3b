// Package file delivers objects into a folder: dir/BUCKET/KEY, a slash in the key
// being a folder.
package file

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hydrant-go/hydrant/local/deliver"
)

// unfinished is the folder in dir that objects are written in before they get
// their name, so that a walk over a bucket meets whole objects only. A crash
// may leave files here; they are of no use and may be deleted.
const unfinished = ".unfinished"

// Dir is a Destination.
type Dir struct{ path string }

var _ deliver.Destination = (*Dir)(nil)

// New returns the destination that writes below dir, which is made if need be,
// now and again should it be removed later.
func New(dir string) (*Dir, error) {
	d := &Dir{path: dir}
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	return d, root.Close()
}

func (d *Dir) open() (*os.Root, error) {
	if err := os.MkdirAll(d.path, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder for delivered objects: %w", err)
	}
	return os.OpenRoot(d.path)
}

// Put writes o and returns when it is on the disk. It refuses names that cannot
// be a path below the folder, as with an empty, "." or ".." segment. Nothing
// that a name or a symbolic link says leads out of the folder.
func (d *Dir) Put(ctx context.Context, o *deliver.Object) error {
	if err := d.put(ctx, o); err != nil {
		return fmt.Errorf("write object %q to bucket %q: %w", o.Key, o.Bucket, err)
	}
	return nil
}

func (d *Dir) put(ctx context.Context, o *deliver.Object) error {
	name, err := localName(o)
	if err != nil {
		return err
	}
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	temp := filepath.Join(unfinished, rand.Text())
	err = write(root, temp, o)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = place(root, temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
	}
	return err
}

func localName(o *deliver.Object) (string, error) {
	if o.Bucket == unfinished || strings.ContainsAny(o.Bucket, `/\`) {
		return "", errors.New("this bucket's name can't be a folder's")
	}
	name, err := filepath.Localize(o.Bucket + "/" + o.Key)
	if err != nil {
		return "", fmt.Errorf("the name can't be a file's: %w", err)
	}
	return name, nil
}

// write makes the file temp with o's body, synced.
func write(root *os.Root, temp string, o *deliver.Object) error {
	if err := root.MkdirAll(filepath.Dir(temp), 0o777); err != nil {
		return err
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	_, err = o.WriteTo(w)
	return errors.Join(err, w.Flush(), f.Sync(), f.Close())
}

// place gives temp its name and syncs every folder on the way, any of which may
// be new.
func place(root *os.Root, temp, name string) error {
	dir := filepath.Dir(name)
	if err := root.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // has no sync of folders
	}
	for {
		if err := syncDir(root, dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
