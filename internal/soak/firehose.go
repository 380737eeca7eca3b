package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

const (
	streamName = "soak"
	accessKey  = "AKIDHYDRANTLOCAL"
	secretKey  = "hydrant-local-secret"
	digits     = 12 // of the number that each line begins with
)

// line is the record of a number. Some are long.
func line(buf []byte, n int) []byte {
	buf = fmt.Appendf(buf, "%0*d ", digits, n)
	for range n % 97 {
		buf = append(buf, 'a'+byte(n%26))
	}
	return append(buf, '\n')
}

// number is the number of a line that is whole.
func number(text []byte) (int, error) {
	if len(text) > digits {
		if n, err := strconv.Atoi(string(text[:digits])); err == nil && bytes.Equal(text, line(nil, n)) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q was never written", text)
}

// counts is how often each number was seen.
type counts []uint32

// addLines counts the lines in data.
func (c *counts) addLines(data []byte) error {
	for text := range bytes.Lines(data) {
		n, err := number(text)
		if err != nil {
			return err
		}
		c.add(n)
	}
	return nil
}

// addFiles counts the lines of all files below a folder.
func (c *counts) addFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return c.addLines(data)
	})
}

func (c *counts) add(n int) {
	for len(*c) <= n {
		*c = append(*c, make([]uint32, n+1024)...)
	}
	(*c)[n]++
}

func (c counts) has(n int) bool { return n < len(c) && c[n] > 0 }

// distinct counts the numbers that were seen, repeats how often they were again.
func (c counts) distinct() (distinct, repeats int) {
	for _, n := range c {
		if n > 0 {
			distinct++
			repeats += int(n) - 1
		}
	}
	return distinct, repeats
}

// firehose is a local Firehose, on a port as hydrant local is, that knows what it
// has stored.
type firehose struct {
	*local.Backend
	dir    string
	url    string
	server *http.Server
	calls  sync.RWMutex // held for reading by every call that is served

	mu     sync.Mutex // guards the fields below
	rng    *rand.Rand
	silent float64 // share of calls that are stored and not answered
	stored counts
	unsaid int   // lines stored by such calls
	err    error // the first line that is not one of ours
}

func (s *soak) startFirehose(plan *local.Plan, silent float64) (*firehose, error) {
	f := &firehose{dir: s.path("objects"), silent: silent, rng: rand.New(rand.NewPCG(s.rng.Uint64(), 0))}
	plan.Seed = s.rng.Uint64()
	discard := slog.New(slog.DiscardHandler)
	var err error
	if f.Backend, err = local.New(local.Config{Dir: f.dir, Faults: plan, Logger: discard, MaxJournal: 1 << 30}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.url = "http://" + listener.Addr().String()
	handler := server.New(server.Config{Backend: f, Credentials: map[string]string{accessKey: secretKey}, Logger: discard})
	f.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.calls.RLock()
		defer f.calls.RUnlock()
		handler.ServeHTTP(w, r)
	})}
	go func() { _ = f.server.Serve(listener) }() // ends by close
	_, err = s.must(f, "streams", "create", streamName, "--bucket-arn", "arn:aws:s3:::soak",
		"--role-arn", "arn:aws:iam::000000000000:role/soak")
	return f, err
}

// PutRecordBatch notes what is stored. The answer is withheld here, and not by
// the plan, to know of which records.
func (f *firehose) PutRecordBatch(ctx context.Context, c server.Caller, stream string, records [][]byte) (wire.PutResponse, error) {
	resp, err := f.Backend.PutRecordBatch(ctx, c, stream, records)
	if err != nil {
		return resp, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	silent := f.rng.Float64() < f.silent
	for i, e := range resp.Entries {
		if e.ErrorCode != "" {
			continue
		}
		if err := f.stored.addLines(records[i]); err != nil && f.err == nil {
			f.err = err
		}
		if silent {
			f.unsaid += bytes.Count(records[i], []byte("\n"))
		}
	}
	if silent {
		return resp, server.ErrReset
	}
	return resp, nil
}

// quiet waits until no call is served: what a dead process has sent is stored
// then.
func (f *firehose) quiet() {
	f.calls.Lock()
	defer f.calls.Unlock()
}

// close delivers all, and counts what is in the objects.
func (f *firehose) close(ctx context.Context) (delivered counts, err error) {
	if err := errors.Join(f.server.Shutdown(ctx), f.Backend.Close(ctx)); err != nil {
		return nil, err
	}
	err = delivered.addFiles(f.dir)
	return delivered, errors.Join(f.err, err)
}

// hydrant is the command, set up to talk to f.
func (s *soak) hydrant(f *firehose, args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "AWS_ENDPOINT_URL_FIREHOSE="+f.url, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_EC2_METADATA_DISABLED=true")
	return cmd
}

// must runs the command to its end.
func (s *soak) must(f *firehose, args ...string) ([]byte, error) {
	cmd := s.hydrant(f, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("hydrant %s: %w\n%s", args[0], err, &stderr)
	}
	return out, err
}

func (f *firehose) has(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stored.has(n)
}

// lines is how many different lines are stored.
func (f *firehose) lines() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, _ := f.stored.distinct()
	return n
}
