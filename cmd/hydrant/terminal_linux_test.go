package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hydrant-go/hydrant/internal/testkit"
)

// terminal is a pseudo-terminal of some size, and what is written to it.
type terminal struct {
	*os.File // the other end, for a process
	out      testkit.Buffer
}

func newTerminal(t *testing.T, columns, rows uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED, nothing is tested on a terminal: %v", err)
	}
	control := func(request, argument uintptr) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, argument); errno != 0 {
			t.Fatal(errno)
		}
	}
	var number, unlocked uint32
	size := [4]uint16{rows, columns}
	control(syscall.TIOCGPTN, uintptr(unsafe.Pointer(&number)))
	control(syscall.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked)))
	control(syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{File: slave}
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = term.out.Write(buf[:n])
			if err != nil { // EIO when nobody has the other end
				return
			}
		}
	}()
	t.Cleanup(func() { slave.Close(); <-read; master.Close() })
	return term
}

// On a terminal metrics are bars that are drawn again in place, until an interrupt ends
// that, which is no failure.
func TestMetricsOnATerminal(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	for range 3 {
		if out, err := command(t, fh.env, "put", stream, "x").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	term := newTerminal(t, 90, 30)
	cmd := command(t, append(fh.env, "TERM=xterm"), "metrics", stream, "--watch=1s")
	cmd.Stdout = term.File
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Count(term.out.String(), "Ctrl-C ends it") >= 2 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd.Wait()); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	frames := strings.Split(term.out.String(), "\r\x1b[J")[1:]
	for i, frame := range frames[:2] {
		lines := strings.Split(strings.TrimSuffix(frame, "\x1b["), "\r\n")
		found := false
		for _, line := range lines {
			if len([]rune(line)) >= 90 {
				t.Errorf("%q is too wide", line)
			}
			found = found || strings.HasPrefix(line, "incoming records ") && strings.Contains(line, "▁▁") && strings.Contains(line, "█") && strings.Contains(line, " 3 ")
		}
		if !found {
			t.Errorf("no bars of the incoming records in %q", frame)
		}
		up := fmt.Sprintf("\x1b[%dA", len(lines)-1)
		if i < 1 && !strings.HasSuffix(frame, up) {
			t.Errorf("after a frame of %d lines comes %q, want %q", len(lines)-1, frame[max(0, len(frame)-10):], up)
		}
	}
}
