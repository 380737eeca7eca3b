package file_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/local/deliver/delivertest"
	"github.com/hydrant-go/hydrant/local/deliver/file"
)

func TestConformance(t *testing.T) {
	delivertest.Run(t, func(t *testing.T) (deliver.Destination, delivertest.Read) {
		dir := filepath.Join(t.TempDir(), "made", "for", "it")
		d, err := file.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d, func(bucket, key string) ([]byte, error) {
			return os.ReadFile(filepath.Join(dir, bucket, filepath.FromSlash(key)))
		}
	})
}

// TestNoEscape: whatever the names say, nothing appears outside the folder, and
// a Put that failed leaves no file inside it.
func TestNoEscape(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "in")
	d, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range [][2]string{
		{"b", "../../x"},
		{"b", "a/../../../x"},
		{"b", "/x"},
		{"b", "a//x"},
		{"b", "./x"},
		{"b", ""},
		{"b", "x/"},
		{"b", "nul\x00"},
		{"..", "x"},
		{"../..", "x"},
		{".", "x"},
		{"", "x"},
		{"a/b", "x"},
		{".unfinished", "x"},
		{"link", "x"},
	} {
		if err := d.Put(t.Context(), &deliver.Object{Bucket: name[0], Key: name[1], Body: [][]byte{{1}}}); err == nil {
			t.Errorf("Put(%q, %q) was accepted", name[0], name[1])
		}
	}
	err = filepath.WalkDir(parent, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			t.Errorf("%s was written", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFolderRemoved: somebody cleans up while the local Firehose runs.
func TestFolderRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	d, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Put(t.Context(), &deliver.Object{Bucket: "b", Key: "k"}); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}
