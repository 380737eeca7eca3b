package file_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/file"
)

func open(t *testing.T) (dir string, d *file.Dir) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "d")
	d, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, d
}

func put(t *testing.T, d *file.Dir, key, encoding, content string) {
	t.Helper()
	o := &deliver.Object{Bucket: "b", Key: key, ContentEncoding: encoding, Body: [][]byte{[]byte(content)}}
	if err := d.Put(t.Context(), o); err != nil {
		t.Error(err)
	}
}

// get is the encoding and content of an object.
func get(t *testing.T, d *file.Dir, key string) string {
	t.Helper()
	f, encoding, err := d.Open("b", key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return encoding + " " + string(content)
}

func TestEncoding(t *testing.T) {
	dir, d := open(t)
	for _, tt := range []struct{ key, encoding, content string }{
		{"plain", "", "1"},
		{"usual.gz", "gzip", "2"},
		{"other.json", "gzip", "33"},
		{"other.json", "hadoop-snappy", "444"},
		{"other.json", "", "55"},
		{"raw.gz", "", "6"},
		{"raw.gz", "gzip", "6"},
		{"x.snappy", "snappy-java", ""},
	} {
		put(t, d, tt.key, tt.encoding, tt.content)
		if got, want := get(t, d, tt.key), tt.encoding+" "+tt.content; got != want {
			t.Errorf("%s holds %q, want %q", tt.key, got, want)
		}
	}

	// What is put there by hand, or copied from elsewhere, is what its name says.
	put(t, d, "hand.json", "gzip", "compressed")
	if err := os.WriteFile(filepath.Join(dir, "b", "hand.json"), []byte("by hand"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, want := get(t, d, "hand.json"), " by hand"; got != want {
		t.Errorf("a file that was replaced by hand holds %q, want %q", got, want)
	}
	put(t, d, "copy.json", "gzip", "compressed")
	dir2 := t.TempDir()
	if err := os.CopyFS(dir2, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	d2, err := file.New(dir2)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := get(t, d2, "copy.json"), "gzip compressed"; got != want {
		t.Errorf("in a copy of the folder, an object holds %q, want %q", got, want)
	}
	if err := d.Put(t.Context(), &deliver.Object{Bucket: "b", Key: "k", ContentEncoding: "a\nb"}); err == nil {
		t.Error("a Content-Encoding of two lines was accepted")
	}
}

// TestEncodingWhileReplaced: every reader gets the encoding of the content that
// it gets.
func TestEncodingWhileReplaced(t *testing.T) {
	_, d := open(t)
	versions := []string{"gzip 1", " 22", "snappy-java 333"}
	replace := func(i int) {
		encoding, content, _ := strings.Cut(versions[i%len(versions)], " ")
		put(t, d, "k.json", encoding, content)
	}
	replace(0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 40 {
			replace(i)
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		if got := get(t, d, "k.json"); !slices.Contains(versions, got) {
			t.Errorf("read %q, want one of %q", got, versions)
			break
		}
	}
	wg.Wait()
}

func TestRemove(t *testing.T) {
	dir, d := open(t)
	put(t, d, "2026/07/a.json", "gzip", "a")
	put(t, d, "2026/07/b", "", "b")
	for _, key := range []string{"2026/07/a.json", "2026/07/a.json", "2026", "2026/07", "2026/07/b/c", "none/x", "../b/2026/07/b", "", strings.Repeat("n", 300)} {
		if err := d.Remove("b", key); err != nil {
			t.Errorf("Remove(%q): %v", key, err)
		}
	}
	if got, want := files(t, dir), []string{"b/2026/07/b"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if err := d.RemoveBucket("b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RemoveBucket with an object in it: %v, want fs.ErrExist", err)
	}
	if err := d.Remove("b", "2026/07/b"); err != nil {
		t.Error(err)
	}
	// The folder 2026 is gone, so an object can have its name; the bucket stays.
	put(t, d, "2026", "", "x")
	if err := d.Remove("b", "2026"); err != nil {
		t.Error(err)
	}
	if has, err := d.HasBucket("b"); !has || err != nil {
		t.Errorf("HasBucket without objects: %v, %v, want true", has, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "b", "empty", "folders"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveBucket("b"); err != nil {
		t.Error(err)
	}
	if err := d.RemoveBucket("b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RemoveBucket a second time: %v, want fs.ErrNotExist", err)
	}
}

// TestRemoveWhilePut: a folder that Remove finds empty may be one that Put is
// about to use, or that is being listed.
func TestRemoveWhilePut(t *testing.T) {
	_, d := open(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := fmt.Sprintf("2026/07/%d", i)
			for range 25 {
				put(t, d, key, "", "x")
				for _, err := range d.Objects("b", func(string) bool { return true }) {
					if err != nil {
						t.Error(err)
					}
				}
				if err := d.Remove("b", key); err != nil {
					t.Error(err)
				}
			}
			put(t, d, key, "", "x")
		})
	}
	wg.Wait()
	if got, want := keys(t, d, nil), []string{"2026/07/0", "2026/07/1", "2026/07/2", "2026/07/3"}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

func TestBadNames(t *testing.T) {
	dir, d := open(t)
	put(t, d, "object", "", "x")
	put(t, d, "folder/object", "", "x")
	for _, key := range []string{"", "/x", "a//b", "../x", "x/", "object/below", "folder", strings.Repeat("n", 300)} {
		err := d.Put(t.Context(), &deliver.Object{Bucket: "b", Key: key})
		if !errors.Is(err, file.ErrName) {
			t.Errorf("Put(%q): %v, want ErrName", key, err)
		}
		if _, _, err := d.Open("b", key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v, want fs.ErrNotExist", key, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveBucket("file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RemoveBucket of a file: %v, want fs.ErrNotExist", err)
	}
	for _, bucket := range []string{"", ".", "..", ".unfinished", ".encodings", ".x", "a/b", `a\b`, "nul\x00"} {
		if err := d.MakeBucket(bucket); !errors.Is(err, file.ErrName) {
			t.Errorf("MakeBucket(%q): %v, want ErrName", bucket, err)
		}
		if has, err := d.HasBucket(bucket); has {
			t.Errorf("HasBucket(%q): %v, %v", bucket, has, err)
		}
		if err := d.RemoveBucket(bucket); err == nil {
			t.Errorf("RemoveBucket(%q) was accepted", bucket)
		}
	}
}

func TestObjects(t *testing.T) {
	dir, d := open(t)
	want := []string{"a", "a-b", "a.txt", "a0/c", "a/b", "a/b-c", "a/b0", "b/x/y/z", "ä", "z/1", "z/2"}
	slices.Sort(want)
	for _, key := range want {
		if key != "a" { // is a folder
			put(t, d, key, "", "x")
		}
	}
	want = slices.DeleteFunc(want, func(key string) bool { return key == "a" })
	if err := os.MkdirAll(filepath.Join(dir, "b", "empty", "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../..", filepath.Join(dir, "b", "link")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, keys(t, d, nil)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	var entered []string
	got := keys(t, d, func(prefix string) bool {
		entered = append(entered, prefix)
		return prefix == "b/" || prefix == "b/x/"
	})
	if want := []string{"a-b", "a.txt", "ä"}; !slices.Equal(got, want) {
		t.Errorf("keys without folders are %q, want %q", got, want)
	}
	if want := []string{"a/", "a0/", "b/", "b/x/", "b/x/y/", "empty/", "z/"}; !slices.Equal(entered, want) {
		t.Errorf("asked for %q, want %q", entered, want)
	}
	for _, err := range d.Objects("none", nil) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Objects of no bucket: %v, want fs.ErrNotExist", err)
		}
	}
}

func TestBuckets(t *testing.T) {
	dir, d := open(t)
	for _, bucket := range []string{"b", "b-c", "a"} {
		if err := d.MakeBucket(bucket); err != nil {
			t.Fatal(err)
		}
	}
	put(t, d, "k.json", "gzip", "x") // makes .unfinished and .encodings
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	buckets, err := d.Buckets()
	var names []string
	for _, b := range buckets {
		names = append(names, b.Name())
		if time.Since(b.ModTime()) > time.Minute {
			t.Errorf("bucket %s is of %v", b.Name(), b.ModTime())
		}
	}
	if want := []string{"a", "b", "b-c"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("buckets %q, %v, want %q", names, err, want)
	}
	if err := d.MakeBucket("b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("MakeBucket of one that is there: %v, want fs.ErrExist", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if buckets, err := d.Buckets(); len(buckets) > 0 || err != nil {
		t.Errorf("buckets of no folder: %v, %v", buckets, err)
	}
}

// TestBucketRemoved: a bucket that was removed is not made again by a Put, also after a
// restart; one that nobody has removed is.
func TestBucketRemoved(t *testing.T) {
	dir, d := open(t)
	put(t, d, "k", "", "x")
	if err := d.Remove("b", "k"); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveBucket("b"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Put(t.Context(), &deliver.Object{Bucket: "b", Key: "k"}); !errors.Is(err, deliver.ErrNoBucket) {
			t.Errorf("Put into a removed bucket: %v, want deliver.ErrNoBucket", err)
		}
		var err error
		if d, err = file.New(dir); err != nil {
			t.Fatal(err)
		}
	}
	if left := files(t, dir); !slices.Equal(left, []string{".removed/b"}) {
		t.Errorf("left are %q", left)
	}
	if err := d.MakeBucket("b"); err != nil {
		t.Fatal(err)
	}
	put(t, d, "k", "", "x")
	if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil { // by somebody else
		t.Fatal(err)
	}
	put(t, d, "k", "", "x")
}

// keys lists bucket b; a nil enter enters every folder.
func keys(t *testing.T, d *file.Dir, enter func(string) bool) (keys []string) {
	t.Helper()
	if enter == nil {
		enter = func(string) bool { return true }
	}
	for e, err := range d.Objects("b", enter) {
		if err != nil {
			t.Fatal(err)
		}
		if info, err := e.Info(); err != nil || info.Size() != 1 {
			t.Errorf("%s: %v, %v", e.Key, info, err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

// files lists the files below dir.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
