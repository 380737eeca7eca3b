package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
)

// command is the real command in a process of its own.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := &exec.Cmd{
		Path: os.Args[0], Args: append([]string{"hydrant"}, args...), Dir: t.TempDir(),
		Env: append(env, "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", raceExit),
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil && cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
	})
	return cmd
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// An interrupt in the middle of send: what was accepted is sent, the place where
// it stopped is told, and going on from there completes the job, each record
// once.
func TestInterruptSend(t *testing.T) {
	fh := newSite(t)
	fh.SetFaults(hydranttest.Always(hydranttest.Slow(50 * time.Millisecond)))
	input := filepath.Join(t.TempDir(), "in.ndjson")
	if out, err := command(t, fh.env, "generate", "--records", "100000", "-o", input).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}

	var stderr bytes.Buffer
	cmd := command(t, fh.env, "send", stream, input, "--no-pack")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fh.waitFor(t, 2000)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd.Wait()); code != 130 {
		t.Fatalf("exit code %d, want 130\n%s", code, &stderr)
	}
	m := regexp.MustCompile(`interrupted after record (\d+) \(.*in\.ndjson, line (\d+)\)\nhint: .*--skip (\d+) `).FindStringSubmatch(stderr.String())
	if m == nil || m[1] != m[2] || m[1] != m[3] {
		t.Fatalf("stderr tells no place to go on from:\n%s", &stderr)
	}
	stopped, _ := strconv.Atoi(m[1])
	lines := strings.SplitAfter(string(want), "\n")
	if got := fh.sorted(); got != sortedLines([]byte(strings.Join(lines[:stopped], ""))) {
		t.Errorf("stopped after record %d, %d lines are stored", stopped, strings.Count(got, "\n"))
	}

	fh.SetFaults(nil)
	if out, err := command(t, fh.env, "send", stream, input, "--skip", m[3]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := fh.sorted(); got != sortedLines(want) {
		t.Errorf("after going on %d lines are stored, want each of %d once", strings.Count(got, "\n"), len(lines)-1)
	}
}

// Killed while later calls are answered and a record of the first is refused
// still: the same command once more skips nothing, as no checkpoint has gone past
// the record.
func TestKilledSendSkipsNothing(t *testing.T) {
	fh := newSite(t)
	fh.SetFaults(hydranttest.Always(hydranttest.Refuse(0)))
	input := filepath.Join(t.TempDir(), "in.ndjson")
	if out, err := command(t, fh.env, "generate", "--records", "50000", "-o", input).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	missing := func() (lines []int) {
		stored := map[string]bool{}
		for line := range strings.Lines(fh.sorted()) {
			stored[line] = true
		}
		for i, line := range slices.Collect(strings.Lines(string(text))) {
			if !stored[line] {
				lines = append(lines, i)
			}
		}
		return lines
	}
	cmd := command(t, fh.env, "send", stream, input, "--no-pack")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fh.waitFor(t, 2000)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if left := missing(); len(left) == 0 || left[0] >= 2000 {
		t.Fatalf("%d lines are missing, and none of those sent first", len(left))
	}
	fh.SetFaults(nil)
	if out, err := command(t, fh.env, "send", stream, input).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left := missing(); len(left) > 0 {
		t.Errorf("%d lines are missing, the first is line %d", len(left), left[0]+1)
	}
}

// An interrupt while the service takes nothing: the accepted records go to the
// dead letter when the time is over, and none is lost.
func TestInterruptSendWhileTheServiceIsDown(t *testing.T) {
	fh := newSite(t)
	fh.SetFaults(&local.Plan{Error: 1})
	in, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close() // a pipe that stays open, as from tail -F
	var stderr bytes.Buffer
	cmd := command(t, fh.env, "send", stream, "--drain", "200ms")
	cmd.Stdin, cmd.Stderr = in, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := writer.WriteString("one\ntwo\nthree\nhalf a li"); err != nil {
		t.Fatal(err)
	}
	fh.waitForCalls(t, 2)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd.Wait()); code != 130 {
		t.Fatalf("exit code %d, want 130\n%s", code, &stderr)
	}
	dead, err := os.ReadFile(filepath.Join(cmd.Dir, defaultDeadLetter))
	if err != nil || bytes.Count(dead, []byte("\n")) != 3 {
		t.Errorf("the dead letter holds %q, %v; want 3 records", dead, err)
	}
	if !strings.Contains(stderr.String(), "interrupted after record 3 (standard input, line 3)") || !strings.Contains(stderr.String(), "3 records accepted before are in hydrant-dead-letter.ndjson") {
		t.Errorf("stderr:\n%s", &stderr)
	}
}

// The second interrupt stops at once.
func TestSecondInterrupt(t *testing.T) {
	fh := newSite(t)
	fh.SetFaults(&local.Plan{Error: 1})
	var stderr testkit.Buffer
	cmd := command(t, fh.env, "send", stream, "--drain", "1h")
	cmd.Stdin, cmd.Stderr = strings.NewReader("one\n"), &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fh.waitForCalls(t, 1)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(stderr.String(), "a second interrupt stops at once") })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("%v, want an end by SIGINT\n%s", err, stderr.String())
	}
}

// sorted is what the stream has stored, as sorted lines.
func (f *testSite) sorted() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sortedLines(slices.Concat(f.stored...))
}
