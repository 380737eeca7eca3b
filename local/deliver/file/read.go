package file

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// open opens the folder, which may not be there.
func (d *Dir) open() (*os.Root, error) { return os.OpenRoot(d.path) }

// Open opens an object to read, and tells its Content-Encoding, "" for none. The
// error is an [fs.ErrNotExist] if there is none. The file stays the same if
// the object is replaced meanwhile; the caller closes it.
func (d *Dir) Open(bucket, key string) (f *os.File, encoding string, err error) {
	f, encoding, err = d.openObject(bucket, key)
	if err != nil {
		return nil, "", fmt.Errorf("open object %q of bucket %q: %w", key, bucket, missing(err))
	}
	return f, encoding, nil
}

func (d *Dir) openObject(bucket, key string) (f *os.File, encoding string, err error) {
	name, err := localName(bucket, key)
	if err != nil {
		return nil, "", err
	}
	root, err := d.open()
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	if _, err := lstat(root, name); err != nil { // before it is opened: to open a pipe would wait
		return nil, "", err
	}
	if f, err = root.Open(name); err != nil {
		return nil, "", err
	}
	info, err := f.Stat()
	if err == nil {
		encoding, err = encodingOf(root, bucket+"/"+key, info.Size())
	}
	if err == nil {
		_, err = lstat(root, name) // an object that was removed has no encoding any more
	}
	if err != nil {
		_ = f.Close()
		return nil, "", err
	}
	return f, encoding, nil
}

// lstat finds regular files only; a symbolic link is none, and leads to none.
func lstat(root *os.Root, name string) (fs.FileInfo, error) {
	if err := noLinks(root, name); err != nil {
		return nil, err
	}
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	return info, err
}

// missing is err, or fs.ErrNotExist if no object can be there by its name.
func missing(err error) error {
	for _, cause := range []error{ErrName, syscall.ENOTDIR, syscall.ENAMETOOLONG} {
		if errors.Is(err, cause) {
			return fs.ErrNotExist
		}
	}
	return err
}

// Remove removes an object, and the folders below the bucket that are empty
// then. No object is no error.
func (d *Dir) Remove(bucket, key string) error {
	if err := d.remove(bucket, key); err != nil && !errors.Is(missing(err), fs.ErrNotExist) {
		return fmt.Errorf("remove object %q of bucket %q: %w", key, bucket, err)
	}
	return nil
}

func (d *Dir) remove(bucket, key string) error {
	name, err := localName(bucket, key)
	if err != nil {
		return err
	}
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := lstat(root, name)
	if err != nil {
		return err
	}
	if err := root.Remove(name); err != nil {
		return err
	}
	forgetEncoding(root, bucket+"/"+key, info.Size())
	for dir := filepath.Dir(name); dir != bucket && rmdir(root, dir) == nil; {
		dir = filepath.Dir(dir)
	}
	return nil
}

// Buckets lists the buckets in the order of their names.
func (d *Dir) Buckets() ([]fs.FileInfo, error) {
	root, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the buckets: %w", err)
	}
	defer root.Close()
	names, err := readDir(root, "")
	var buckets []fs.FileInfo
	for _, name := range names {
		name, ok := strings.CutSuffix(name, "/")
		if !ok || !isBucket(name) {
			continue
		}
		if info, err := root.Lstat(name); err == nil { // else it is gone
			buckets = append(buckets, info)
		}
	}
	slices.SortFunc(buckets, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	if err != nil {
		return nil, fmt.Errorf("list the buckets: %w", err)
	}
	return buckets, nil
}

// HasBucket tells whether the bucket is there.
func (d *Dir) HasBucket(bucket string) (bool, error) {
	root, err := d.openBucket(bucket)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	return true, root.Close()
}

func (d *Dir) openBucket(bucket string) (*os.Root, error) {
	b, err := d.findBucket(bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %q: %w", bucket, err)
	}
	return b, nil
}

func (d *Dir) findBucket(bucket string) (*os.Root, error) {
	if !isBucket(bucket) {
		return nil, fs.ErrNotExist
	}
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := lstatBucket(root, bucket); err != nil {
		return nil, err
	}
	return root.OpenRoot(bucket)
}

// lstatBucket finds folders only; a symbolic link is none.
func lstatBucket(root *os.Root, bucket string) error {
	info, err := root.Lstat(bucket)
	if err == nil && !info.IsDir() {
		return fs.ErrNotExist
	}
	return missing(err)
}

// MakeBucket makes an empty bucket. The error is an [fs.ErrExist] if it is
// there, an [ErrName] if it can't be.
func (d *Dir) MakeBucket(bucket string) error {
	err := d.makeBucket(bucket)
	if err != nil {
		return fmt.Errorf("make bucket %q: %w", bucket, err)
	}
	return nil
}

func (d *Dir) makeBucket(bucket string) error {
	name, err := localName(bucket, "-")
	if err != nil {
		return err
	}
	root, err := d.make()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return missingIsFine(root.Remove(filepath.Join(removed, bucket)))
}

func missingIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// wasRemoved tells whether a bucket is gone because it was removed: one that somebody has
// made in the folder by other means is there.
func wasRemoved(root *os.Root, bucket string) bool {
	if _, err := root.Lstat(filepath.Join(removed, bucket)); err != nil {
		return false
	}
	return errors.Is(lstatBucket(root, bucket), fs.ErrNotExist)
}

// RemoveBucket removes a bucket without objects. The error is an [fs.ErrExist]
// if it has any, an [fs.ErrNotExist] if there is no such bucket.
func (d *Dir) RemoveBucket(bucket string) error {
	err := d.removeBucket(bucket)
	if err != nil {
		return fmt.Errorf("remove bucket %q: %w", bucket, err)
	}
	return nil
}

func (d *Dir) removeBucket(bucket string) error {
	if !isBucket(bucket) {
		return fs.ErrNotExist
	}
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := lstatBucket(root, bucket); err != nil {
		return err
	}
	if err := missing(removeFolders(root, bucket)); err != nil {
		return err
	}
	if err := root.Mkdir(removed, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.WriteFile(filepath.Join(removed, bucket), nil, 0o666)
}

// removeFolders removes dir if it holds nothing but folders that do.
func removeFolders(root *os.Root, dir string) error {
	names, err := readDir(root, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "/") {
			return fs.ErrExist
		}
		if err := removeFolders(root, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return rmdir(root, dir)
}

// rmdir removes an empty folder. What has become an object meanwhile is none: the
// separator says so.
func rmdir(root *os.Root, dir string) error {
	return root.Remove(dir + string(filepath.Separator))
}

// Entry is an object in a list.
type Entry struct {
	Key  string
	root *os.Root
}

// Info describes the object's file. It works only within the iteration. The
// error is an [fs.ErrNotExist] if the object is gone meanwhile.
func (e Entry) Info() (fs.FileInfo, error) { return lstat(e.root, filepath.FromSlash(e.Key)) }

// Objects yields a bucket's objects in the order of their keys, bytewise, as S3
// lists them. enter is asked before each folder, with what its keys begin with,
// such as "2026/07/"; it skips the folder by false. An error ends the sequence;
// it is an [fs.ErrNotExist] if there is no such bucket. It holds the names of
// one folder, and of those above, in memory.
func (d *Dir) Objects(bucket string, enter func(prefix string) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		root, err := d.openBucket(bucket)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer root.Close()
		walk(root, "", enter, yield)
	}
}

// walk returns false when the iteration is over.
func walk(root *os.Root, prefix string, enter func(string) bool, yield func(Entry, error) bool) bool {
	names, err := readDir(root, prefix)
	if err != nil {
		yield(Entry{}, fmt.Errorf("list folder %q of a bucket: %w", prefix, err))
		return false
	}
	for _, name := range names {
		key := prefix + name
		switch {
		case !strings.HasSuffix(name, "/"):
			if !yield(Entry{key, root}, nil) {
				return false
			}
		case enter(key):
			if !walk(root, key, enter, yield) {
				return false
			}
		}
	}
	return true
}

// readDir returns the names of a folder's files and folders, those of folders
// with a slash at the end. So their order is that of all the keys below them. A
// folder that is gone, or has become an object, is empty.
func readDir(root *os.Root, dir string) ([]string, error) {
	entries, err := readEntries(root, filepath.Join(".", dir))
	if err != nil && !errors.Is(missing(err), fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		switch {
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func readEntries(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}
