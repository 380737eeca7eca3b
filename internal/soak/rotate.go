package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hydrant-go/hydrant/local"
)

// rotateResult is the last line of "rotate".
type rotateResult struct {
	Kills      int `json:"kills"`
	Rotations  int `json:"rotations"`
	Written    int `json:"written"`
	Delivered  int `json:"delivered"`
	Lost       int `json:"lost"`
	Duplicates int `json:"duplicates"`
}

func (r rotateResult) wrong() string {
	if r.Lost > 0 {
		return fmt.Sprintf("%d lines were written and not delivered", r.Lost)
	}
	return ""
}

// rotate has logrotate rotate two files, one by renaming and one by copying and
// truncating, while lines are written to them, and kills hydrant tail over and
// over.
func rotate(ctx context.Context, s *soak) (result, error) {
	if _, err := exec.LookPath("logrotate"); err != nil {
		return nil, fmt.Errorf("%w\nhint: this run is about what logrotate does; install it", err)
	}
	f, err := s.startFirehose(&local.Plan{Refuse: 0.1, Error: 0.05, ResetBefore: 0.02, DelayShare: 0.5, Delay: 10 * time.Millisecond}, 0.02)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.path("logs"), 0o700); err != nil {
		return nil, err
	}
	events, err := os.OpenFile(s.path("events"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer events.Close()
	r := &rotating{soak: s, f: f, events: events}
	logs := []*logFile{
		{name: s.path("logs", "renamed.log"), rules: "create\nnocopytruncate\ndelaycompress"}, // its writer goes on for a while
		{name: s.path("logs", "copied.log"), rules: "copytruncate", still: true, first: 1},
	}
	for _, l := range logs {
		if err := l.open(); err != nil {
			return nil, err
		}
	}
	if err := r.firstLook(logs); err != nil {
		return nil, err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	ended := make(chan error, len(logs))
	for _, l := range logs {
		l.note = r.note
		l.rng = rand.New(rand.NewPCG(s.rng.Uint64(), 0))
		wg.Go(func() { ended <- l.write(writing, s.dir) })
	}
	for r.res.Kills < s.kills && err == nil {
		err = r.life()
		if r.res.Kills%10 == 0 {
			fmt.Fprintf(s.log, "%d kills\n", r.res.Kills)
		}
	}
	stop()
	wg.Wait()
	for range logs {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return nil, err
	}
	return r.judge(ctx, logs)
}

type rotating struct {
	*soak
	f      *firehose
	events *os.File // what tail has logged, and what was done to it
	res    rotateResult
}

func (r *rotating) note(what string) {
	fmt.Fprintf(r.events, "time=%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), what)
}

func (r *rotating) tail(spool bool) (*exec.Cmd, *bytes.Buffer) {
	args := []string{
		"tail", r.path("logs", "*.log"), "--stream", streamName, "--state", "state.json",
		"--poll", "100ms", "--rotate-wait", "1s", "--linger", "50ms", "--log-level", "debug",
	}
	if spool {
		args = append(args, "--spool", "spool")
	}
	cmd, stderr := r.hydrant(r.f, args...), new(bytes.Buffer)
	cmd.Stderr = io.MultiWriter(stderr, r.events)
	return cmd, stderr
}

// firstLook has tail see the files: what is rotated before that is nobody's whose
// path tail follows.
func (r *rotating) firstLook(logs []*logFile) error {
	cmd, stderr := r.tail(false)
	if err := cmd.Start(); err != nil {
		return err
	}
	seen := func() bool {
		state, err := os.ReadFile(r.path("state.json"))
		return err == nil && !slices.ContainsFunc(logs, func(l *logFile) bool { return !bytes.Contains(state, []byte(l.name)) })
	}
	for end := time.Now().Add(time.Minute); !seen() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	ok := seen()
	if err := errors.Join(cmd.Process.Kill(), ignoreKill(cmd.Wait())); err != nil || !ok {
		return fmt.Errorf("hydrant tail has not seen the files: %w\n%s", err, stderr)
	}
	return nil
}

// ignoreKill is the end of a process that was killed by us.
func ignoreKill(err error) error {
	if killed(err) {
		return nil
	}
	return err
}

// life is one process, and some time without one.
func (r *rotating) life() error {
	r.note("START")
	cmd, stderr := r.tail(r.chance(0.5))
	if err := cmd.Start(); err != nil {
		return err
	}
	time.Sleep(r.between(0, 1500*time.Millisecond))
	if r.chance(0.2) {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		time.Sleep(r.between(0, 200*time.Millisecond))
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	r.note("KILL")
	ended := cmd.Wait()
	if !killed(ended) && cmd.ProcessState.ExitCode() != 0 {
		return fmt.Errorf("hydrant tail: %w\n%s", ended, stderr)
	}
	if killed(ended) {
		r.res.Kills++
	}
	time.Sleep(r.between(0, 500*time.Millisecond))
	return nil
}

// judge has the rest sent, and looks for what is missing.
func (r *rotating) judge(ctx context.Context, logs []*logFile) (result, error) {
	cmd, stderr := r.tail(true)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for _, l := range logs {
		r.res.Rotations += l.rotations
		r.res.Written += (l.next - l.first) / 2
	}
	for last, since := -1, time.Now(); last < r.res.Written && time.Since(since) < 15*time.Second; time.Sleep(100 * time.Millisecond) {
		if now := r.f.lines(); now != last {
			last, since = now, time.Now()
		}
	}
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		return nil, fmt.Errorf("hydrant tail: %w\n%s", err, stderr)
	}
	if _, err := r.must(r.f, "spool", "drain", "spool"); err != nil {
		return nil, err
	}
	delivered, err := r.f.close(ctx)
	if err != nil {
		return nil, err
	}
	r.res.Delivered, r.res.Duplicates = delivered.distinct()
	for _, l := range logs {
		for n := l.first; n < l.next; n += 2 {
			if !delivered.has(n) {
				r.res.Lost++
				if r.res.Lost <= 10 {
					fmt.Fprintf(r.log, "line %d of %s is missing\n", n, filepath.Base(l.name))
				}
			}
		}
	}
	return r.res, nil
}

// logFile is a log with its writer, which has every second number.
type logFile struct {
	name      string
	rules     string // of logrotate
	still     bool   // nothing may be written while it is rotated: what is written between copying and truncating is lost, whoever reads it
	first     int
	rng       *rand.Rand
	next      int
	rotations int
	file      *os.File
	note      func(string)
	reopen    time.Time // when the writer learns of the rotation
}

// write writes lines in bursts, some in two pieces, and rotates now and then.
func (l *logFile) write(ctx context.Context, dir string) (err error) {
	config := filepath.Join(dir, filepath.Base(l.name)+".conf")
	// The rotated files are kept, so that what is missing was lost by hydrant.
	text := fmt.Sprintf("%q {\nrotate 10000\nmissingok\ncompress\n%s\n}\n", l.name, l.rules)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	l.next = l.first
	for ctx.Err() == nil {
		if err := l.burst(); err != nil {
			return err
		}
		if !l.reopen.IsZero() && time.Now().After(l.reopen) {
			if err := l.open(); err != nil {
				return err
			}
		}
		if l.reopen.IsZero() && l.rng.IntN(60) == 0 {
			if err := l.rotate(config); err != nil {
				return err
			}
		}
		time.Sleep(time.Duration(l.rng.IntN(10)) * time.Millisecond)
	}
	return l.file.Close()
}

func (l *logFile) open() (err error) {
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return err
		}
	}
	l.reopen = time.Time{}
	l.file, err = os.OpenFile(l.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

func (l *logFile) burst() error {
	var buf []byte
	for range 1 + l.rng.IntN(200) {
		buf = line(buf, l.next)
		l.next += 2
	}
	cut := l.rng.IntN(len(buf))
	if l.rng.IntN(2) == 0 {
		cut = 0
	}
	_, err := l.file.Write(buf[:cut])
	if cut > 0 {
		time.Sleep(time.Duration(l.rng.IntN(5)) * time.Millisecond)
	}
	_, err2 := l.file.Write(buf[cut:])
	return errors.Join(err, err2)
}

// rotate runs logrotate. A writer that is not still goes on meanwhile, in the file
// that it has open, and for some time after.
func (l *logFile) rotate(config string) error {
	l.note("ROTATE " + filepath.Base(l.name))
	cmd := exec.Command("logrotate", "--force", "--state", config+".state", config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("logrotate: %w\n%s", err, &out)
			}
			l.rotations++
			l.note("ROTATED " + filepath.Base(l.name))
			if !l.still {
				l.reopen = time.Now().Add(time.Duration(l.rng.IntN(300)) * time.Millisecond)
			}
			return nil
		case <-time.After(time.Millisecond):
			if l.still {
				continue
			}
			if err := l.burst(); err != nil {
				return err
			}
		}
	}
}
