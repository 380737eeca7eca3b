//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/testkit"
	"github.com/hydrant-go/hydrant/local"
)

// watched is a running send that is fed through a pipe.
type watched struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout testkit.Buffer
	stderr testkit.Buffer
}

func startWatched(t *testing.T, env []string, args ...string) *watched {
	t.Helper()
	w := &watched{Cmd: command(t, env, args...)}
	w.Stderr = &w.stderr
	var err error
	if w.stdin, err = w.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *watched) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(w.stdin, text); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := w.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// state asks for the state, by SIGUSR1, until it is as it ought to be: what the
// Firehose has stored is a moment ahead of what its client knows.
func (w *watched) state(t *testing.T, v any, ok func() bool) {
	t.Helper()
	asked, line := 0, regexp.MustCompile(`(?m)^\{.*\}$`)
	eventually(t, func() bool {
		lines := line.FindAllString(w.stderr.String(), -1)
		if len(lines) < asked {
			return false // not answered yet
		}
		if asked > 0 && json.Unmarshal([]byte(lines[len(lines)-1]), v) == nil && ok() {
			return true
		}
		w.signal(t, syscall.SIGUSR1)
		asked = len(lines) + 1
		return false
	})
}

// end closes the input and waits for a good end.
func (w *watched) end(t *testing.T) {
	t.Helper()
	w.stdin.Close()
	if err := w.Wait(); err != nil {
		t.Errorf("%v\n%s", err, w.stderr.String())
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestMetricsAddr(t *testing.T) {
	fh := newSite(t)
	cmd := startWatched(t, fh.env, "send", stream, "--metrics-addr", "127.0.0.1:0", "--linger", "0")
	cmd.write(t, "one\ntwo\n")
	fh.waitFor(t, 1)
	url := regexp.MustCompile(`http://\S+`).FindString(cmd.stderr.String())
	url = strings.TrimSuffix(strings.TrimSuffix(url, ","), "/metrics")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, url+path); status != 200 || body != "ok\n" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	var text string
	eventually(t, func() bool {
		_, text = get(t, url+"/metrics")
		return strings.Contains(text, "hydrant_records_delivered_total{stream=\"s\"} 2\n")
	})
	for _, want := range []string{
		"# TYPE hydrant_records_delivered_total counter\n",
		"hydrant_records_pending{stream=\"s\"} 0\n",
		"hydrant_put_latency_seconds_bucket{stream=\"s\",le=\"+Inf\"} 2\n",
		"hydrant_put_latency_seconds_count{stream=\"s\"} 2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the metrics:\n%s", want, text)
		}
	}
	addr := strings.TrimPrefix(url, "http://")
	if out, err := command(t, nil, "health", addr).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("health: %v, %s", err, out)
	}
	if status, _ := get(t, url+"/else"); status != 404 {
		t.Errorf("/else: %d", status)
	}
	cmd.end(t)

	if out, err := command(t, nil, "health", "--ready", addr).CombinedOutput(); exitCode(err) != 1 || !strings.Contains(string(out), addr+"/readyz") {
		t.Errorf("health of nothing: %v, %s", err, out)
	}
	taken := command(t, fh.env, "send", stream, "--metrics-addr", "127.0.0.1:99999")
	if out, err := taken.CombinedOutput(); exitCode(err) != 1 || !strings.Contains(string(out), "--metrics-addr") {
		t.Errorf("an address that can't be: %v, %s", err, out)
	}
}

// A run counts as ready while it gets records through, or has none.
func TestNotReady(t *testing.T) {
	start := time.Now()
	var st hydrant.Stats
	w := watch{stats: func() hydrant.Stats { return st }, progress: start}
	for _, step := range []struct {
		at                  time.Duration
		accepted, delivered int64
		ready               bool
	}{
		{time.Hour, 0, 0, true}, // nothing to do is no stall
		{time.Hour + time.Second, 10, 0, true},
		{time.Hour + 59*time.Second, 10, 0, true},
		{time.Hour + 61*time.Second, 11, 0, false},
		{time.Hour + 62*time.Second, 11, 1, true},
		{time.Hour + 120*time.Second, 20, 1, true},
		{time.Hour + 123*time.Second, 20, 1, false},
		{time.Hour + 124*time.Second, 20, 20, true},
		{9 * time.Hour, 20, 20, true},
	} {
		st.Accepted, st.Delivered, st.Pending = step.accepted, step.delivered, step.accepted-step.delivered
		if why := w.notReady(t.Context(), start.Add(step.at)); (why == "") != step.ready {
			t.Errorf("after %v, with %d of %d delivered: %q", step.at, step.delivered, step.accepted, why)
		}
	}
}

// SIGUSR1 prints the state while the service is down.
func TestStateSignal(t *testing.T) {
	fh := newSite(t)
	fh.SetFaults(&local.Plan{Error: 1})
	cmd := startWatched(t, fh.env, "send", stream, "--linger", "0")
	cmd.write(t, "one\ntwo\n")
	fh.waitForCalls(t, 2)
	var state struct {
		Stream string        `json:"stream"`
		Stats  hydrant.Stats `json:"stats"`
	}
	cmd.state(t, &state, func() bool { return state.Stats.FailedCalls > 0 })
	if state.Stream != stream || state.Stats.Accepted != 2 || state.Stats.Pending != 2 {
		t.Errorf("the state is %+v", state)
	}
	fh.SetFaults(nil)
	cmd.end(t)
}

// SIGHUP reads the credentials anew, from the file that the SDK has them from.
func TestReloadSignal(t *testing.T) {
	fh := newSite(t)
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(key string) {
		text := "[default]\naws_access_key_id = " + key + "\naws_secret_access_key = " + localSecretKey + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(localAccessKey)
	env := slices.DeleteFunc(slices.Clone(fh.env), func(s string) bool { return strings.Contains(s, "_KEY") })
	cmd := startWatched(t, append(env, "AWS_SHARED_CREDENTIALS_FILE="+file), "send", stream, "--linger", "0", "--log-level", "info")
	cmd.write(t, "one\n")
	fh.waitFor(t, 1)
	if key := fh.signer.Load(); key != localAccessKey {
		t.Fatalf("signed by %v", key)
	}
	write(secondAccessKey)
	cmd.write(t, "two\n")
	fh.waitFor(t, 2)
	if key := fh.signer.Load(); key != localAccessKey {
		t.Fatalf("signed by %v before the signal", key)
	}
	cmd.signal(t, syscall.SIGHUP)
	eventually(t, func() bool { return strings.Contains(cmd.stderr.String(), "msg=reloaded") })
	cmd.write(t, "three\n")
	fh.waitFor(t, 3)
	if key := fh.signer.Load(); key != secondAccessKey {
		t.Errorf("signed by %v after the signal", key)
	}
	cmd.end(t)
}
