package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/testkit"
)

// deadFile writes a dead letter of n records, which it returns, for the streams
// in turn.
func deadFile(t *testing.T, n int, streams ...string) (name string, data []string) {
	t.Helper()
	var file bytes.Buffer
	for i := range n {
		data = append(data, fmt.Sprintf(`{"record":%d,"of":"a dead letter that is sent again"}`+"\n", i))
		line, err := json.Marshal(hydrant.DeadRecord{Stream: streams[i%len(streams)], Data: []byte(data[i]), Code: "X"})
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(line, '\n'))
	}
	name = filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name, data
}

// counts is how often each record is stored.
func (f *testSite) counts() map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(f.sorted()) {
		counts[line]++
	}
	return counts
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func progressOf(t *testing.T, name string) *progressFile {
	t.Helper()
	p, err := readProgress(name + ".progress")
	if err != nil {
		t.Fatal(err)
	}
	if p == nil {
		return &progressFile{}
	}
	return p
}

// Killed again and again in the middle, a replay delivers every record in the
// end, and repeats only what it had settled since it last saved its progress.
func TestKilledReplay(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	const n = 20_000
	name, data := deadFile(t, n, stream)
	kills := 0
	for ; kills < 2; kills++ {
		before := progressOf(t, name)
		cmd := command(t, fh.env, "replay", name, "--rate", "100KiB")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return progressOf(t, name).Records > before.Records || !exists(name) })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if !exists(name) {
			t.Fatalf("the replay was over before it was killed %d times", kills+1)
		}
	}
	settled := progressOf(t, name)
	if settled.Records == 0 || settled.Records == n {
		t.Fatalf("the kills were not in the middle: %+v", settled)
	}
	out, err := command(t, fh.env, "replay", name, "--json").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var result replayed
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	if result.ResumedAfter != settled.Records || result.Records != n-settled.Records || result.Remaining != 0 {
		t.Errorf("result %+v after %d were settled", result, settled.Records)
	}
	counts, twice := fh.counts(), 0
	for _, d := range data {
		if counts[d] == 0 {
			t.Fatalf("%q is lost", d)
		}
		twice += counts[d] - 1
	}
	// A second's worth at the rate is 1,800 records, and as much is under way.
	if twice > kills*4000 {
		t.Errorf("%d records are stored more than once", twice)
	}
	if exists(name) || exists(name+".progress") || exists(name+".again") || !exists(name+".replayed") {
		t.Error("the files are not as they should be")
	}
}

// An interrupt while one stream is down: what the other has got is not sent again
// by the next run, nothing goes to FILE.again, and all is delivered in the end.
func TestInterruptedReplay(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	if out, err := command(t, fh.env, "streams", "create", "other", "--bucket-arn", "arn:aws:s3:::b2", "--role-arn", "arn:aws:iam::000000000000:role/r").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	name, data := deadFile(t, 2000, stream, "other")
	fh.SetFaults(hydranttest.Always(hydranttest.Refuse(0))) // the first record of each call
	var stderr testkit.Buffer
	cmd := command(t, fh.env, "replay", name, "--drain", "100ms")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fh.waitForCalls(t, 4)
	eventually(t, func() bool { return exists(name + ".progress") })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(cmd.Wait()); code != 130 || !strings.Contains(stderr.String(), "the same command goes on") {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	if exists(name+".again") || !exists(name) || progressOf(t, name).Records == 0 {
		t.Errorf("the files are not as they should be: %+v", progressOf(t, name))
	}
	fh.SetFaults(nil)
	if out, err := command(t, fh.env, "replay", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for d, times := range fh.counts() {
		if times != 1 {
			t.Errorf("%q is stored %d times", d, times)
		}
	}
	if got := len(fh.counts()); got != len(data) {
		t.Errorf("%d records are stored, want %d", got, len(data))
	}
}

// A stream that is deleted in the middle: the run stops, and what is left stays in
// FILE for the same command.
func TestReplayOfAStreamThatGoes(t *testing.T) {
	t.Parallel()
	fh := newSite(t)
	name, data := deadFile(t, 20_000, stream)
	var stderr testkit.Buffer
	cmd := command(t, fh.env, "replay", name, "--rate", "500KiB")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fh.waitForCalls(t, 2)
	if out, err := command(t, fh.env, "streams", "delete", stream).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code := exitCode(cmd.Wait()); code != 4 || !strings.Contains(stderr.String(), "refuses every record") {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	if exists(name + ".again") {
		t.Error("records that were refused are not left where they were")
	}
	if out, err := command(t, fh.env, "streams", "create", stream, "--bucket-arn", "arn:aws:s3:::b", "--role-arn", "arn:aws:iam::000000000000:role/r").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := command(t, fh.env, "replay", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	counts := fh.counts()
	for _, d := range data {
		if counts[d] != 1 {
			t.Fatalf("%q is stored %d times", d, counts[d])
		}
	}
}

// What a program appends while the file is put aside is in FILE afterwards, also
// when the replay was killed then.
func TestReplayLateRecords(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			name, _ := deadFile(t, 10, stream)
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := &replaying{app: &app{stderr: &testkit.Buffer{}}, o: &replayOptions{}, name: name, survey: &survey{}}
			if r.ledger, err = openLedger(name, f, false); err != nil {
				t.Fatal(err)
			}
			last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
			r.ledger.p.Read = int64(last)
			if killed { // between the rename and the rest
				r.ledger.p.Aside, r.ledger.changed = name+".replayed", true
				if err := errors.Join(r.ledger.save(), os.Rename(name, name+".replayed")); err != nil {
					t.Fatal(err)
				}
				if _, err := r.app.completeAside(name); err != nil {
					t.Fatal(err)
				}
			} else if _, err := r.finish(); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, text[last:]) {
				t.Errorf("%s holds %q, %v", name, got, err)
			}
			if got, err := os.ReadFile(name + ".replayed"); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s.replayed holds %q, %v", name, got, err)
			}
			if _, err := os.Stat(name + ".progress"); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the progress is left")
			}
		})
	}
}

// Killed just before FILE is put aside, a replay leaves nothing odd behind.
func TestReplayKilledBeforeTheRename(t *testing.T) {
	fh := newSite(t)
	name, data := deadFile(t, 100, stream)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := openLedger(name, f, false)
	if err != nil {
		t.Fatal(err)
	}
	l.p.Read, l.p.Left, l.p.Aside, l.changed = info.Size(), []span{{0, 20}}, name+".replayed", true
	if _, err := reserve(l.p.Aside); err != nil {
		t.Fatal(err)
	}
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, fh.env, "replay", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := fh.sorted(); got != data[0] {
		t.Errorf("stored %q, want the first record alone", got)
	}
	if left, _ := filepath.Glob(name + "*"); len(left) != 1 || left[0] != name+".replayed" {
		t.Errorf("left are %q", left)
	}

	// A file that was cut to less than what is settled is another one.
	if err := os.Rename(name+".replayed", name); err != nil {
		t.Fatal(err)
	}
	l.changed = true
	if err := errors.Join(l.save(), os.Truncate(name, info.Size()-1)); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, fh.env, "replay", name).CombinedOutput()
	if exitCode(err) != 1 || !bytes.Contains(out, []byte("is about another file")) {
		t.Errorf("%v: %s", err, out)
	}
}

// Whatever order records are settled in, and whenever a run ends, the next one
// wants those lines that were not settled when the progress was saved, and no other.
func TestLedger(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		dir := t.TempDir()
		name, _ := deadFile(t, 200, stream)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("7\n"), []byte("7\n\n")) // a bad line, empty ones
		text = append(append(text[:len(text)/2:len(text)/2], '\n'), text[len(text)/2:]...)
		name = filepath.Join(dir, "dead.ndjson")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		saved := map[int64]bool{} // offsets of the lines settled
		for life := 0; ; life++ {
			l, err := openLedger(name, bytes.NewReader(text), false)
			if err != nil {
				t.Fatal(err)
			}
			settled, open := maps.Clone(saved), map[int64]int64{}
			budget := rnd.IntN(100)
			for d, err := range deadLines(bytes.NewReader(text), everyLine) {
				if err != nil {
					t.Fatal(err)
				}
				if l.wants(d.offset) == saved[d.offset] {
					t.Fatalf("seed %d, life %d: line %d is wanted: %v, and settled: %v", seed, life, d.line, !saved[d.offset], saved[d.offset])
				}
			}
			for d := range deadLines(bytes.NewReader(text), l.wants) {
				if budget--; budget < 0 {
					break
				}
				if d.err != nil {
					l.pass(d)
					settled[d.offset] = true
				} else {
					open[l.take(d)] = d.offset
				}
				for n, offset := range open { // in any order
					if rnd.IntN(8) == 0 {
						l.settle(n, hydrant.Ack{})
						settled[offset] = true
						delete(open, n)
					}
				}
				if rnd.IntN(20) == 0 {
					if err := l.save(); err != nil {
						t.Fatal(err)
					}
					saved = maps.Clone(settled)
				}
			}
			if err := l.save(); err != nil {
				t.Fatal(err)
			}
			saved = settled
			if rnd.IntN(3) == 0 { // and settles more before it is killed
				for n := range open {
					l.settle(n, hydrant.Ack{})
				}
			}
			if l.p.Read == int64(len(text)) && len(saved) >= 200 {
				break
			}
		}
	}
}

// A program that appends to FILE while one replay after the other takes it away
// loses nothing.
func TestReplayBesideAWriter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no file that another has open can be renamed there")
	}
	t.Parallel()
	fh := newSite(t)
	name := filepath.Join(t.TempDir(), "dead.ndjson")
	dead := hydrant.NewDeadLetterFile(name)
	defer dead.Close()
	const n = 1000
	write := func(i int) {
		if err := dead.Write(t.Context(), []hydrant.DeadRecord{{Stream: stream, Data: fmt.Appendf(nil, "%d\n", i)}}); err != nil {
			t.Error(err)
		}
	}
	write(0)
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range n - 1 {
			write(i + 1)
		}
	})
	replay := func() {
		out, err := command(t, fh.env, "replay", name).CombinedOutput()
		if err != nil && exists(name) {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for len(fh.counts()) < n/2 {
		replay()
	}
	writing.Wait()
	for exists(name) {
		replay()
	}
	if got := len(fh.counts()); got != n {
		t.Errorf("%d of %d records are stored", got, n)
	}
	aside, _ := filepath.Glob(name + ".replayed*")
	t.Logf("%d replays", len(aside))
}
