package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/internal/hostile"
)

// hostileResult is the last line of soak hostile.
type hostileResult struct {
	localResult
	Attacks  int64 `json:"attacks"`
	Wrong    int64 `json:"wrong_answers"` // to attacks
	PeakMiB  int   `json:"peak_mib"`      // of memory; 0 where the system has no /proc
	FilesOff int   `json:"files_left"`    // open in the end, and not in the beginning
}

func (r hostileResult) wrong() string {
	switch {
	case r.Wrong > 0:
		return fmt.Sprintf("%d attacks got an answer that they should not", r.Wrong)
	case r.PeakMiB > mostMiB:
		return fmt.Sprintf("hydrant local took %d MiB of memory, and should not take more than %d", r.PeakMiB, mostMiB)
	case r.FilesOff > localClients+10: // the clients' connections, and what the journal has opened
		return fmt.Sprintf("%d files or connections were not closed", r.FilesOff)
	}
	return r.localResult.wrong()
}

const (
	attackers = 64
	// held is how long an attack may last here; the rest of its time is for the tests
	// that have time of their own.
	held    = 2 * time.Second
	mostMiB = 2048
)

// underAttack attacks hydrant local in every way, as often as it is told, while
// clients put records; all that was acknowledged has to be delivered.
func underAttack(ctx context.Context, s *soak) (result, error) {
	r := &localRun{soak: s, most: 10_000_000}
	if err := s.largeObject(); err != nil {
		return nil, err
	}
	cmd, put, err := r.begin(ctx, "{}")
	if err != nil {
		return nil, err
	}
	res := hostileResult{}
	before := files(cmd.Process.Pid)
	r.attack(ctx, &res)
	r.over.Store(true)
	<-put
	// Every connection that has stalled is closed by now, or will be soon.
	for began := time.Now(); time.Since(began) < 40*time.Second; time.Sleep(100 * time.Millisecond) {
		if res.FilesOff = files(cmd.Process.Pid) - before; res.FilesOff <= localClients {
			break
		}
	}
	res.PeakMiB = peak(cmd.Process.Pid)
	if err := r.end(cmd); err != nil {
		return nil, err
	}
	res.localResult = r.res
	return res, nil
}

// largeObject makes what nobody reads to its end.
func (s *soak) largeObject() error {
	if err := os.MkdirAll(s.path("objects", hostile.Bucket), 0o700); err != nil {
		return err
	}
	f, err := os.Create(s.path("objects", hostile.Bucket, hostile.Key))
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(64<<20), f.Close())
}

// attack has many do all attacks, each beginning with another.
func (r *localRun) attack(ctx context.Context, res *hostileResult) {
	attacks := hostile.Signer{AccessKey: accessKey, SecretKey: secretKey}.Attacks()
	var next, wrong atomic.Int64
	most := int64(len(attacks) * r.kills)
	var wg sync.WaitGroup
	for range attackers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < most && ctx.Err() == nil; i = next.Add(1) - 1 {
				a := attacks[i%int64(len(attacks))]
				answer, err := r.once(ctx, &a)
				if err != nil || !expected(answer, a.Want) {
					fmt.Fprintf(r.log, "%s: %.300q, %v, want %s\n", a.Name, answer, err, cmp.Or(a.Want, "an answer or none"))
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	res.Attacks, res.Wrong = most, wrong.Load()
}

// expected tells whether an answer, which may be cut off, is the one that is wanted, or
// says that there is no room for a large body.
func expected(answer, want string) bool {
	return strings.HasPrefix(answer, want) || strings.HasPrefix(want, answer) || strings.HasPrefix(answer, "HTTP/1.1 503 ")
}

// once does one attack, which may be cut off.
func (r *localRun) once(ctx context.Context, a *hostile.Attack) (answer string, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer time.AfterFunc(held, func() { _ = conn.Close() }).Stop()
	return a.Run(conn), nil
}

// files is how many a process has open, connections among them.
func files(pid int) int {
	list, _ := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd")) // where there is no /proc nobody counts
	return len(list)
}

// peak is the most memory that a process has had, in MiB.
func peak(pid int) int {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.Atoi(kib)
	return n >> 10
}
