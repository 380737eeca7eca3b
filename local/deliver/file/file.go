// Package file keeps objects in a folder: dir/BUCKET/KEY, a slash in the key
// being a folder. What others put there, or take away, is seen as well.
//
// A name that begins with a dot is no bucket's: dir/.unfinished holds what is
// being written, dir/.encodings the Content-Encoding of objects whose name does
// not tell it, dir/.removed an empty file for each bucket that RemoveBucket has removed.
package file

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/hydrant-go/hydrant/local/deliver"
)

// unfinished is the folder in dir that objects are written in before they get
// their name, so that a walk over a bucket meets whole objects only. A crash
// may leave files here; they are of no use and may be deleted.
const unfinished = ".unfinished"

// ErrName says that there can be no file of an object's name: the name has an
// empty, "." or ".." segment or a part that is too long, or what would have to be
// its folder is an object or a symbolic link, or it is the folder of others.
var ErrName = errors.New("the name can't be a file's")

// Dir is a Destination, and reads, lists and removes what is in its folder. Its
// methods may be called from many goroutines, and the folder may be changed by
// others meanwhile. Nothing that a name or a symbolic link says leads out of
// the folder, and no link leads anywhere.
type Dir struct{ path string }

var _ deliver.Destination = (*Dir)(nil)

// New returns the destination that writes below dir, which is made if need be,
// now and again should it be removed later.
func New(dir string) (*Dir, error) {
	d := &Dir{path: dir}
	root, err := d.make()
	if err != nil {
		return nil, err
	}
	return d, root.Close()
}

func (d *Dir) make() (*os.Root, error) {
	if err := os.MkdirAll(d.path, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder for delivered objects: %w", err)
	}
	return os.OpenRoot(d.path)
}

// removed has a file for each bucket that was removed by its name, and not made again.
const removed = ".removed"

// Put writes o and returns when it is on the disk. It refuses names with
// [ErrName], and makes the bucket if need be; but not one that RemoveBucket has
// removed: that is a [deliver.ErrNoBucket], as whoever removed it expects.
func (d *Dir) Put(ctx context.Context, o *deliver.Object) error {
	_, err := d.Create(ctx, o.Bucket, o.Key, o.ContentEncoding, func(w io.Writer) error {
		_, err := o.WriteTo(w)
		return err
	})
	return err
}

// Create does what Put does with the content that fill writes, and returns what
// the file has become.
func (d *Dir) Create(ctx context.Context, bucket, key, encoding string, fill func(io.Writer) error) (fs.FileInfo, error) {
	info, err := d.create(ctx, bucket, key, encoding, fill)
	if err != nil {
		return nil, fmt.Errorf("write object %q to bucket %q: %w", key, bucket, err)
	}
	return info, nil
}

func (d *Dir) create(ctx context.Context, bucket, key, encoding string, fill func(io.Writer) error) (fs.FileInfo, error) {
	name, err := localName(bucket, key)
	if err != nil {
		return nil, err
	}
	root, err := d.make()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := noLinks(root, name); err != nil {
		return nil, err
	}
	if wasRemoved(root, bucket) {
		return nil, deliver.ErrNoBucket
	}
	temp, info, err := write(root, fill)
	if err != nil {
		return nil, err
	}
	err = ctx.Err()
	if err == nil {
		// First the encoding, then the object: nobody sees one without the other.
		err = setEncoding(root, bucket+"/"+key, info.Size(), encoding)
	}
	if err == nil {
		err = place(root, temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
		return nil, named(err)
	}
	return info, nil
}

// named is err, marked with ErrName if the name is to blame.
func named(err error) error {
	for _, blamed := range []error{syscall.ENAMETOOLONG, syscall.ENOTDIR, syscall.EISDIR, fs.ErrExist} {
		if errors.Is(err, blamed) {
			return fmt.Errorf("%w: %w", ErrName, err)
		}
	}
	return err
}

func isBucket(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, `/\`)
}

func localName(bucket, key string) (string, error) {
	if !isBucket(bucket) {
		return "", fmt.Errorf("%w: a bucket's is that of a folder which does not begin with a dot", ErrName)
	}
	name, err := filepath.Localize(bucket + "/" + key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrName, err)
	}
	return name, nil
}

// noLinks refuses a name with a folder that is a symbolic link, which a list does not
// enter either. One that stays within dir could lead to what is no bucket's, such as
// the state of a local Firehose.
func noLinks(root *os.Root, name string) error {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if info, err := root.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%w: %q is a symbolic link", ErrName, dir)
		}
	}
	return nil
}

// write makes a file without a name in unfinished, synced.
func write(root *os.Root, fill func(io.Writer) error) (temp string, info fs.FileInfo, err error) {
	if err := root.MkdirAll(unfinished, 0o777); err != nil {
		return "", nil, err
	}
	temp = filepath.Join(unfinished, rand.Text())
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", nil, err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = errors.Join(fill(w), w.Flush(), f.Sync(), f.Close())
	if err == nil {
		info, err = root.Lstat(temp)
	}
	if err != nil {
		_ = root.Remove(temp)
		return "", nil, err
	}
	return temp, info, nil
}

// place gives temp its name and syncs every folder on the way, any of which may
// be new.
func place(root *os.Root, temp, name string) error {
	dir := filepath.Dir(name)
	if err := rename(root, temp, name); err != nil {
		return err
	}
	for {
		// A folder that is gone held nothing any more.
		if err := syncDir(root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// rename makes the folder that name needs. As Remove removes folders that have
// become empty, it may be gone before the file is in it, or while MkdirAll looks
// whether what exists is a folder.
func rename(root *os.Root, temp, name string) error {
	for try := 1; ; try++ {
		err := root.MkdirAll(filepath.Dir(name), 0o777)
		if err == nil {
			err = root.Rename(temp, name)
		}
		raced := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)
		if !raced || try == 100 {
			return err
		}
	}
}

func syncDir(root *os.Root, dir string) error {
	if runtime.GOOS == "windows" {
		return nil // has no sync of folders
	}
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
