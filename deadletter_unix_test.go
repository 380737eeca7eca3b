//go:build unix

package hydrant_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hydrant-go/hydrant"
)

// After a failed sync nobody knows what is in the file: it is put aside, and the
// records go into a new one. A null device takes every write and syncs none.
func TestDeadLetterFileAfterAFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Fatal(err)
	}
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	records := []hydrant.DeadRecord{dead("a")}
	if err := f.Write(t.Context(), records); err == nil {
		t.Skip("SKIPPED: this system syncs its null device, so no sync fails")
	}
	if err := f.Close(); err != nil { // which must not make it forget
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if got, bad := readDead(t, path); len(got) != 1 || bad != 0 {
		t.Errorf("%d records and %d bad lines, want 1 and 0", len(got), bad)
	}
	if names := files(t, path); len(names) != 2 {
		t.Errorf("the suspect file was not kept: %q", names)
	}
}

// A full disk: the write fails, and goes on elsewhere once the file is moved.
func TestDeadLetterFileOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("SKIPPED: there is no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	records := []hydrant.DeadRecord{dead("a")}
	for range 2 {
		if err := f.Write(t.Context(), records); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v, want ENOSPC", err)
		}
	}
	if err := os.Rename(path, path+".full"); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if got, _ := readDead(t, path); len(got) != 1 {
		t.Errorf("%d records, want 1", len(got))
	}
}

// A write that the system cuts short, at a limit of a process of its own.
func TestDeadLetterFileCutShort(t *testing.T) {
	const name = "HYDRANT_TEST_CUT_SHORT"
	if path := os.Getenv(name); path != "" {
		writeCutShort(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "dead.ndjson")
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), name+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("%v: %s", err, out)
	}
	got, bad := readDead(t, path)
	if len(got) != 3 || bad != 1 {
		t.Errorf("%d records and %d bad lines, want 3 and 1", len(got), bad)
	}
}

func writeCutShort(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(n uint64) {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
		l.Cur = min(n, l.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	f := hydrant.NewDeadLetterFile(path)
	defer f.Close()
	records := []hydrant.DeadRecord{dead(strings.Repeat("a", 1000)), dead("b")}
	if err := f.Write(t.Context(), records[1:]); err != nil {
		t.Fatal(err)
	}
	limit(uint64(lineSize(t)) + 500)
	if err := f.Write(t.Context(), records); err == nil {
		t.Fatal("a write beyond the limit has no error")
	}
	limit(1 << 62)
	if err := f.Write(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}
