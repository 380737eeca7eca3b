//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/hydrant-go/hydrant/local"
)

// tailRig is a folder with logs, and a site to send them to.
type tailRig struct {
	*testing.T
	fh   *testSite
	logs string
	work string // where tail runs, time after time
}

func newTailRig(t *testing.T) *tailRig {
	return &tailRig{t, newSite(t), t.TempDir(), t.TempDir()}
}

func (r *tailRig) path(name string) string { return filepath.Join(r.logs, name) }

func (r *tailRig) write(name, text string) {
	r.Helper()
	f, err := os.OpenFile(r.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		r.Fatal(err)
	}
}

func (r *tailRig) start(args ...string) *watched {
	r.Helper()
	w := &watched{Cmd: command(r.T, r.fh.env, append([]string{"tail", r.path("*.log"), "--stream", stream, "--linger", "0"}, args...)...)}
	w.Dir, w.Stdout, w.Stderr = r.work, &w.stdout, &w.stderr
	if err := w.Start(); err != nil {
		r.Fatal(err)
	}
	return w
}

// lines waits until these are stored, and no others.
func (r *tailRig) lines(want ...string) {
	r.Helper()
	text := sortedLines([]byte(strings.Join(want, "\n") + "\n"))
	eventually(r.T, func() bool { return len(r.fh.sorted()) >= len(text) })
	if got := r.fh.sorted(); got != text {
		r.Fatalf("stored:\n%s\nwant:\n%s", got, text)
	}
}

// stop ends tail by a signal, and wants a good end.
func (r *tailRig) stop(w *watched) {
	r.Helper()
	w.signal(r.T, syscall.SIGTERM)
	if err := w.Wait(); err != nil {
		r.Fatalf("%v\n%s", err, w.stderr.String())
	}
}

// What is written while tail runs, or does not, is sent once, through a rotation.
func TestTail(t *testing.T) {
	r := newTailRig(t)
	r.write("a.log", "a1\na2\n")
	cmd := r.start("--metrics-addr", "127.0.0.1:0")
	r.lines("a1", "a2")
	r.write("b.log", "b1\nhalf")
	r.lines("a1", "a2", "b1")

	var state struct{ Files []fileState }
	cmd.state(t, &state, func() bool { return len(state.Files) == 2 && state.Files[1].Settled > 0 })
	if f := state.Files; f[1] != (fileState{r.path("b.log"), 7, 3, 3}) {
		t.Errorf("the state's files: %+v", f)
	}
	url := regexp.MustCompile(`http://[\d.:]+`).FindString(cmd.stderr.String())
	if _, text := get(t, url+"/metrics"); !strings.Contains(text, `hydrant_file_lag_bytes{stream="s",path="`+r.path("b.log")+`"} 4`) {
		t.Errorf("metrics:\n%s", text)
	}
	r.stop(cmd)

	r.write("b.log", " a line\nb3\n")
	if err := os.Rename(r.path("a.log"), r.path("a.log.1")); err != nil {
		t.Fatal(err)
	}
	r.write("a.log.1", "a3\n")
	r.write("a.log", "a4\n")
	cmd = r.start("--json")
	r.lines("a1", "a2", "b1", "half a line", "b3", "a3", "a4")
	r.stop(cmd)
	var sum summary
	if err := json.Unmarshal([]byte(cmd.stdout.String()), &sum); err != nil || sum.Records != 4 || sum.Delivered != 4 || sum.Lost != 0 || sum.Unsent != 0 {
		t.Errorf("%s, %v", cmd.stdout.String(), err)
	}
}

// What could not be sent is read again by the next run, and is not in the dead
// letter.
func TestTailWhileTheServiceIsDown(t *testing.T) {
	r := newTailRig(t)
	r.fh.SetFaults(&local.Plan{Error: 1})
	r.write("a.log", "a1\na2\n")
	cmd := r.start("--drain", "100ms", "--json")
	r.fh.waitForCalls(t, 2)
	r.stop(cmd)
	var sum summary
	if err := json.Unmarshal([]byte(cmd.stdout.String()), &sum); err != nil || sum.Records != 2 || sum.Unsent != 2 || sum.Lost != 0 || sum.DeadLettered != 0 {
		t.Errorf("%s, %v", cmd.stdout.String(), err)
	}
	if text := cmd.stderr.String(); !strings.Contains(text, `msg="put call failed"`) ||
		!strings.Contains(text, "not all was sent\nhint: the same command goes on") || !strings.Contains(text, "the last failure: ") {
		t.Errorf("stderr:\n%s", text)
	}
	r.fh.SetFaults(nil)
	cmd = r.start()
	r.lines("a1", "a2")
	r.stop(cmd)
	if _, err := os.Stat(filepath.Join(r.work, defaultDeadLetter)); err == nil {
		t.Error("there is a dead letter")
	}
}

// With a spool a file may go as soon as it was read, whatever the service does,
// and a kill takes nothing.
func TestTailWithSpool(t *testing.T) {
	r := newTailRig(t)
	r.fh.SetFaults(&local.Plan{Error: 1})
	r.write("a.log", "a1\na2\n")
	cmd := r.start("--spool", "spool")
	settled := func() bool {
		var state struct {
			Files []struct{ Offset int64 }
		}
		text, err := os.ReadFile(filepath.Join(r.work, "hydrant-tail-state.json"))
		return err == nil && json.Unmarshal(text, &state) == nil && len(state.Files) == 1 && state.Files[0].Offset == 6
	}
	eventually(t, settled)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := os.Remove(r.path("a.log")); err != nil {
		t.Fatal(err)
	}
	r.fh.SetFaults(nil)
	cmd = r.start("--spool", "spool")
	r.lines("a1", "a2")
	r.stop(cmd)
	if !strings.Contains(cmd.stderr.String(), "2 records from the spool spool are sent first") {
		t.Errorf("stderr:\n%s", cmd.stderr.String())
	}
}

// A stream that is gone ends tail, and what it had not read stays unread.
func TestTailRefused(t *testing.T) {
	r := newTailRig(t)
	cmd := r.start("--multiline-start", "^a")
	r.write("a.log", "a1\n  more\na2\n")
	r.lines("a1", "  more")
	if out, err := command(t, r.fh.env, "streams", "delete", stream).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.write("a.log", "a3\na4\n")
	if code := exitCode(cmd.Wait()); code != exitGaveUp || !strings.Contains(cmd.stderr.String(), "stopped, as Firehose refuses every record") {
		t.Errorf("exit code %d\n%s", code, cmd.stderr.String())
	}
}

// SIGHUP looks for new files at once.
func TestTailReload(t *testing.T) {
	r := newTailRig(t)
	r.write("a.log", "a1\n")
	cmd := r.start("--poll", "1h")
	r.lines("a1")
	if err := os.Mkdir(r.path("sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.write("sub/x.txt", "x1\n")
	if err := os.Symlink(r.path("sub/x.txt"), r.path("x.log")); err != nil {
		t.Fatal(err)
	}
	cmd.signal(t, syscall.SIGHUP)
	r.lines("a1", "x1")
	r.stop(cmd)
}

// The systemd unit's command is one that hydrant knows, and sends what it is to.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile("../../packaging/hydrant-tail@.service")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/hydrant (.*)$`).FindSubmatch(unit)
	if line == nil {
		t.Fatal("no ExecStart in the unit")
	}
	r := newTailRig(t)
	r.write("a.log", "a1\n")
	args := os.Expand(string(line[1]), func(name string) string {
		return map[string]string{"PATHS": r.path("*.log"), "STREAM": stream, "FLAGS": "--spool-max 10GiB --linger 0"}[name]
	})
	cmd := &watched{Cmd: command(t, r.fh.env, strings.Fields(args)...)}
	cmd.Dir, cmd.Stderr = r.work, &cmd.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.lines("a1")
	r.stop(cmd)
}
