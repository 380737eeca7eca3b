package hydrant_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
)

func dead(data string) hydrant.DeadRecord {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return hydrant.DeadRecord{Stream: "s", Data: []byte(data), Code: "Code", Message: "why", Attempts: 2, First: at, Last: at.Add(time.Second)}
}

func readDead(t *testing.T, path string) (records []hydrant.DeadRecord, bad int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var r hydrant.DeadRecord
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			bad++
			continue
		}
		records = append(records, r)
	}
	return records, bad
}

func TestDeadLetterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := hydrant.NewDeadLetterFile(path)
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before the first record")
	}
	want := []hydrant.DeadRecord{dead("a\n"), dead("\x00\xff"), dead("")}
	want[2].Data = []byte{}
	for _, r := range want {
		if err := f.Write(t.Context(), []hydrant.DeadRecord{r}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil { // the next Write opens it again
			t.Fatal(err)
		}
	}
	got, bad := readDead(t, path)
	if diff := gocmp.Diff(want, got); diff != "" || bad != 0 {
		t.Errorf("%d bad lines\n%s", bad, diff)
	}
}

// A line that a crash has cut short costs only itself.
func TestDeadLetterFileAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.WriteFile(path, []byte(`{"stream":"s","da`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	for range 2 {
		if err := f.Write(t.Context(), []hydrant.DeadRecord{dead("a")}); err != nil {
			t.Fatal(err)
		}
	}
	if got, bad := readDead(t, path); len(got) != 2 || bad != 1 {
		t.Errorf("%d records and %d bad lines, want 2 and 1", len(got), bad)
	}
}

func TestDeadLetterFileInAFolderThatIsNotThere(t *testing.T) {
	f := hydrant.NewDeadLetterFile(filepath.Join(t.TempDir(), "no", "dead.ndjson"))
	if err := f.Write(t.Context(), []hydrant.DeadRecord{dead("a")}); err == nil {
		t.Error("no error")
	}
}

// files are the contents of a dead letter and of those put aside, by name.
func files(t *testing.T, path string) (list []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// lineSize is the size of the line of dead("0").
func lineSize(t *testing.T) int64 {
	t.Helper()
	text, err := json.Marshal(dead("0"))
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(text)) + 1
}

// A file takes what fits, to the byte, and what is put aside keeps its name.
func TestDeadLetterFileRotates(t *testing.T) {
	line := lineSize(t)
	for _, c := range []struct {
		name     string
		max      int64
		writes   []int // records of each
		want     []int // records of each file, in order
		existing int   // records that an earlier run has left
	}{
		{"no bound", 0, []int{1, 1, 1}, []int{3}, 0},
		{"just fits", 2 * line, []int{1, 1, 1}, []int{2, 1}, 0},
		{"a byte less", 2*line - 1, []int{1, 1, 1}, []int{1, 1, 1}, 0},
		{"larger than the bound", line, []int{3, 1, 2}, []int{3, 1, 2}, 0},
		{"smaller than a record", 1, []int{1, 1}, []int{1, 1}, 0},
		{"full from before", 2 * line, []int{1, 1}, []int{2, 2}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dead.ndjson")
			write := func(f *hydrant.DeadLetterFile, n int) {
				t.Helper()
				if err := f.Write(t.Context(), slices.Repeat([]hydrant.DeadRecord{dead("0")}, n)); err != nil {
					t.Fatal(err)
				}
			}
			if c.existing > 0 {
				before := hydrant.NewDeadLetterFile(path)
				write(before, c.existing)
				if err := before.Close(); err != nil {
					t.Fatal(err)
				}
			}
			f := hydrant.NewDeadLetterFile(path)
			f.MaxBytes = c.max
			defer f.Close()
			for _, n := range c.writes {
				write(f, n)
			}
			var got []int
			for i, name := range files(t, path) {
				records, bad := readDead(t, name)
				if bad > 0 {
					t.Errorf("%s has %d bad lines", name, bad)
				}
				got = append(got, len(records))
				aside := regexp.MustCompile(`^dead-\d{8}T\d{6}\.\d{3}Z(-\d+)?\.ndjson$`).MatchString(filepath.Base(name))
				if last := i == len(files(t, path))-1; aside == last {
					t.Errorf("file %d is named %s", i, filepath.Base(name))
				}
			}
			if c.name == "larger than the bound" || c.name == "smaller than a record" || c.name == "a byte less" {
				slices.Sort(got) // files of one millisecond have no order
				slices.Sort(c.want)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever happens to the file between two writes, what is written after it is at
// the path.
func TestDeadLetterFileTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no open file can be renamed there")
	}
	for name, take := range map[string]func(path string) error{
		"removed": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dead.ndjson")
			f := hydrant.NewDeadLetterFile(path)
			defer f.Close()
			write := func(data string) {
				t.Helper()
				if err := f.Write(t.Context(), []hydrant.DeadRecord{dead(data)}); err != nil {
					t.Fatal(err)
				}
			}
			write("first")
			if err := take(path); err != nil {
				t.Fatal(err)
			}
			write("second")
			if err := f.Reopen(); err != nil {
				t.Fatal(err)
			}
			write("third")
			if got, bad := readDead(t, path); bad != 0 || len(got) != 2 || string(got[0].Data) != "second" {
				t.Errorf("%d records, %d bad lines: %+v", len(got), bad, got)
			}
			if got, _ := readDead(t, files(t, path)[0]); name == "renamed" && len(got) != 2 {
				t.Errorf("%d records are in the first file", len(got))
			}
		})
	}
}

// Another process that dies in the middle of its line harms no line of ours.
func TestDeadLetterFileAfterAnothersTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	for range 2 {
		if err := f.Write(t.Context(), []hydrant.DeadRecord{dead("a")}); err != nil {
			t.Fatal(err)
		}
		other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.WriteString(`{"stream":"s","da`); err != nil {
			t.Fatal(err)
		}
		other.Close()
	}
	if got, bad := readDead(t, path); len(got) != 2 || bad != 2 {
		t.Errorf("%d records and %d bad lines, want 2 and 2", len(got), bad)
	}
}

// Many writers that rotate and are rotated from under lose nothing.
func TestDeadLetterFileOfManyWriters(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no file that another has open can be renamed there")
	}
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	var wg sync.WaitGroup
	const writers, writes = 4, 50
	for w := range writers {
		f := hydrant.NewDeadLetterFile(path) // a handle each, as processes have
		f.MaxBytes = 20 * lineSize(t)
		wg.Go(func() {
			defer f.Close()
			for i := range writes {
				records := []hydrant.DeadRecord{dead(fmt.Sprintf("%d-%d-a", w, i)), dead(fmt.Sprintf("%d-%d-b", w, i))}
				for f.Write(t.Context(), records) != nil && t.Context().Err() == nil { // as a producer does
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, name := range files(t, path) {
		records, bad := readDead(t, name)
		if bad > 0 {
			t.Errorf("%s has %d bad lines", name, bad)
		}
		for _, r := range records {
			seen[string(r.Data)] = true
		}
	}
	if len(seen) != writers*writes*2 {
		t.Errorf("%d records of %d are left, in %d files", len(seen), writers*writes*2, len(files(t, path)))
	}
}
