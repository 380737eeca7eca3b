package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/spool"
)

// crashResult is the last line of make crash. The records are lines; accepted are
// those that hydrant send has told to be safe.
type crashResult struct {
	Kills        int `json:"kills"`
	Accepted     int `json:"accepted"`
	Delivered    int `json:"delivered"`
	Unsaid       int `json:"unsaid"`        // of them or in the dead letter: accepted, but killed before it could tell
	DeadLettered int `json:"dead_lettered"` // and not delivered
	Lost         int `json:"lost"`
	Duplicates   int `json:"duplicates"`
	// What may be twice: InFlight counts the records that were stored and not yet
	// known to be at a kill, MostInFlight at one of them, Unanswered those that the
	// Firehose has stored without an answer.
	InFlight     int `json:"in_flight"`
	MostInFlight int `json:"most_in_flight"`
	Unanswered   int `json:"unanswered"`
}

func (r crashResult) wrong() string {
	switch {
	case r.Lost > 0:
		return fmt.Sprintf("%d accepted records are neither delivered nor in the dead letter", r.Lost)
	case r.Duplicates > r.InFlight+r.Unanswered:
		return fmt.Sprintf("%d records are there twice, more than were in flight at a kill (%d) or not answered (%d)", r.Duplicates, r.InFlight, r.Unanswered)
	}
	return ""
}

// crash feeds hydrant send --spool and kills it, over and over.
func crash(ctx context.Context, s *soak) (result, error) {
	plan := &local.Plan{Refuse: 0.2, Error: 0.05, ResetBefore: 0.05, DelayShare: 0.5, Delay: 10 * time.Millisecond}
	f, err := s.startFirehose(plan, 0.05)
	if err != nil {
		return nil, err
	}
	c := &crashing{soak: s, f: f}
	for c.res.Kills < s.kills {
		if err := c.life(ctx); err != nil {
			return nil, err
		}
		if c.res.Kills%10 == 0 {
			fmt.Fprintf(s.log, "%d kills, %d records accepted\n", c.res.Kills, len(c.accepted))
		}
	}
	if err := c.drain(); err != nil {
		return nil, err
	}
	return c.judge(ctx)
}

type crashing struct {
	*soak
	f        *firehose
	next     int // the number of the next line
	accepted []int
	res      crashResult
}

var spoolFlags = []string{"--spool", "spool", "--dead-letter", "dead.ndjson", "--max-attempts", "4", "--in-flight", "4"}

// life is one process: it is fed until it is killed, or now and then asked to end
// first.
func (c *crashing) life(ctx context.Context) error {
	args := append([]string{"send", streamName, "--acks", "--linger", c.between(0, 100*time.Millisecond).String()}, spoolFlags...)
	if c.chance(0.5) {
		args = append(args, "--no-pack")
	}
	if c.chance(0.5) { // it is full soon then, and its segments come and go
		args = append(args, "--spool-max", "4MiB")
	}
	cmd := c.hydrant(c.f, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w := startWriter(stdin, c.next)
	acks := make(chan acked, 1)
	go func() { acks <- readAcks(stdout) }()
	time.Sleep(c.between(0, 700*time.Millisecond))
	if err := c.end(cmd, w); err != nil {
		return err
	}
	safe := <-acks
	if safe.err != nil {
		return safe.err
	}
	ended := cmd.Wait()
	for i := range safe.lines {
		c.accepted = append(c.accepted, c.next+i)
	}
	// What is after that may be in the spool, or not.
	c.next = w.stop()
	switch code := cmd.ProcessState.ExitCode(); {
	case killed(ended):
		c.res.Kills++
		return c.look()
	case code != 0 && code != 3 && code != 130:
		return fmt.Errorf("hydrant send: %w\n%s", ended, &stderr)
	}
	return nil
}

// end ends a process: most often by a kill, and else by a kill while it is about to
// end as it was asked to, if it is not quicker.
func (c *crashing) end(cmd *exec.Cmd, w *writer) error {
	kill, grace := cmd.Process.Kill, c.between(0, 300*time.Millisecond)
	switch draw := c.rng.Float64(); {
	case draw < 0.7:
		return kill()
	case draw < 0.85:
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
	default:
		w.stop()
	}
	time.Sleep(grace)
	if err := kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// killed tells whether a process has died by a signal: the kill, or the request to
// end before it heeded that.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.Sys().(syscall.WaitStatus).Signaled()
}

// look counts what was in flight when the process was killed: what is stored, and
// in the spool still.
func (c *crashing) look() error {
	c.f.quiet()
	if _, err := os.Stat(c.path("spool")); err != nil {
		return nil // killed before it was made
	}
	sp, err := spool.Open(c.path("spool"), spool.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer sp.Close()
	inFlight := 0
	for _, q := range sp.Queues() {
		for list, err := q.Read(nil, 1<<20); ; list, err = q.Read(list[:0], 1<<20) {
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				n, err := number(append(bytes.TrimSuffix(r.Data, []byte("\n")), '\n'))
				if err != nil {
					return fmt.Errorf("in the spool: %w", err)
				}
				if c.f.has(n) {
					inFlight++
				}
			}
		}
	}
	c.res.InFlight += inFlight
	c.res.MostInFlight = max(c.res.MostInFlight, inFlight)
	return nil
}

// drain sends what is left.
func (c *crashing) drain() error {
	args := append([]string{"spool", "drain", "spool"}, spoolFlags[2:]...)
	if out, err := c.must(c.f, args...); err != nil && !strings.Contains(err.Error(), "exit status 3") {
		return fmt.Errorf("%w\n%s", err, out)
	}
	left, err := spool.Open(c.path("spool"), spool.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer left.Close()
	if n := left.Totals().Records; n > 0 {
		return fmt.Errorf("spool drain has left %d records", n)
	}
	return nil
}

func (c *crashing) judge(ctx context.Context) (result, error) {
	delivered, err := c.f.close(ctx)
	if err != nil {
		return nil, err
	}
	dead, err := readDead(c.path("dead.ndjson"))
	if err != nil {
		return nil, err
	}
	c.res.Accepted = len(c.accepted)
	c.res.Delivered, c.res.Duplicates = delivered.distinct()
	for n := range dead {
		if dead.has(n) && !delivered.has(n) {
			c.res.DeadLettered++
		}
	}
	for _, n := range c.accepted {
		if !delivered.has(n) && !dead.has(n) {
			c.res.Lost++
		}
	}
	c.res.Unsaid = c.res.Delivered + c.res.DeadLettered + c.res.Lost - c.res.Accepted
	c.res.Unanswered = c.f.unsaid
	return c.res, nil
}

// readDead counts the lines in a dead letter file. A kill may have cut lines short;
// those were written again.
func readDead(name string) (dead counts, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for one := range bytes.Lines(text) {
		var r hydrant.DeadRecord
		if json.Unmarshal(one, &r) != nil {
			continue
		}
		if err := dead.addLines(r.Data); err != nil {
			return nil, err
		}
	}
	return dead, err
}

// acked is how many lines of a process are safe.
type acked struct {
	lines int
	err   error
}

// readAcks reads until the process has ended.
func readAcks(stdout io.Reader) (a acked) {
	in := bufio.NewScanner(stdout)
	for in.Scan() {
		var ack struct {
			Accepted *int `json:"accepted"`
		}
		if json.Unmarshal(in.Bytes(), &ack) == nil && ack.Accepted != nil { // not the summary, nor cut short by the kill
			a.lines = *ack.Accepted
		}
	}
	a.err = in.Err()
	return a
}

// writer feeds a process with lines, in bursts.
type writer struct {
	to      io.WriteCloser
	stopped atomic.Bool
	next    int
	done    chan struct{}
}

func startWriter(to io.WriteCloser, next int) *writer {
	w := &writer{to: to, next: next, done: make(chan struct{})}
	go w.run()
	return w
}

func (w *writer) run() {
	defer close(w.done)
	defer w.to.Close()
	var buf []byte
	for burst := 1; !w.stopped.Load(); burst = burst*7%1009 + 1 {
		buf = buf[:0]
		for range burst {
			buf = line(buf, w.next)
			w.next++
		}
		if _, err := w.to.Write(buf); err != nil {
			return
		}
		time.Sleep(time.Duration(burst) * 3 * time.Microsecond)
	}
}

// stop ends the writing, and returns the number of the next line.
func (w *writer) stop() int {
	w.stopped.Store(true)
	<-w.done
	return w.next
}
