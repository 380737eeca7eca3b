package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	guarded "github.com/hydrant-go/hydrant/internal/serve"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/deliver"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// The servers take the same put call over and over, from connections that wait for
// its answer, and are compared by their CPU time and by what they take in a second.
// The load costs next to nothing: the call is signed once.

const (
	serverConns = 64
	benchKey    = "AKIDBENCH"
	benchSecret = "secret"
)

// nowhere takes objects and forgets them.
type nowhere struct{}

func (nowhere) Put(context.Context, *deliver.Object) error { return nil }

// bare reads and hashes a body, which is the least that a server of a signed API can
// do.
func bare(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		panic(http.ErrAbortHandler)
	}
	sum := sha256.Sum256(body)
	fmt.Fprintf(w, "%x", sum)
}

// beServer is the role of a server: it tells where it listens, and serves until it is
// killed.
func beServer(kind string, j job) error {
	srv := &http.Server{Handler: http.HandlerFunc(bare)}
	if kind != "serve bare" {
		cfg := local.Config{Destination: nowhere{}, Logger: slog.New(slog.DiscardHandler)}
		if kind != "serve local" {
			cfg.State = filepath.Join(j.Dir, "state")
			runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) // as hydrant local does
		}
		if kind == "serve local with files" {
			cfg.Dir, cfg.Destination = filepath.Join(j.Dir, "objects"), nil
		}
		b, err := local.New(cfg)
		if err != nil {
			return err
		}
		srv = guarded.New(guarded.Config{Handler: b.Handler(server.Config{Credentials: map[string]string{benchKey: benchSecret}, Logger: cfg.Logger}), Logger: cfg.Logger})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(sink{Endpoint: "http://" + l.Addr().String()}); err != nil {
		return err
	}
	return srv.Serve(l)
}

// served is a process that takes put calls.
type served struct {
	endpoint string
	cmd      *exec.Cmd
}

func (s *served) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// startServer starts this program in a role, or moto.
func (b *bench) startServer(kind, dir string) (*served, error) {
	s := &served{}
	began := time.Now()
	if kind == "moto" {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(addr)
		s.endpoint = "http://" + addr
		s.cmd = pinned(true, "python3", "-c", "import sys; from moto.server import main; main(['-p', sys.argv[1]])", port)
		if err := s.cmd.Start(); err != nil {
			return nil, err
		}
		for time.Since(began) < time.Minute {
			if c, err := net.Dial("tcp", addr); err == nil {
				_ = c.Close()
				return s, nil
			}
			time.Sleep(2 * time.Millisecond)
		}
		return nil, errors.New("moto does not listen")
	}
	work, _ := json.Marshal(job{Dir: dir})
	args := []string{"-role", kind, "-job", string(work)}
	s.cmd = pinned(true, os.Args[0], args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	var at sink
	err = json.NewDecoder(out).Decode(&at)
	s.endpoint = at.Endpoint
	return s, err
}

// cpu is the CPU time of a process so far, in seconds.
func (s *served) cpu() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks float64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / 100, nil
}

// rss is the memory of a process, in bytes.
func (s *served) rss() int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func (s *served) create(bucket bool) error {
	if bucket { // moto wants it to be there
		r, err := http.NewRequest(http.MethodPut, s.endpoint+"/bench", nil)
		if err != nil {
			return err
		}
		const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		r.Header.Set("X-Amz-Content-Sha256", empty)
		if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: benchKey, SecretAccessKey: benchSecret}, r, empty, "s3", "us-east-1", time.Now()); err != nil {
			return err
		}
		resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(r)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
	}
	c := firehose.New(firehose.Options{BaseEndpoint: &s.endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(benchKey, benchSecret, "")})
	_, err := c.CreateDeliveryStream(context.Background(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String(stream),
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), BucketARN: aws.String("arn:aws:s3:::bench"),
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(64), IntervalInSeconds: aws.Int32(60)},
		},
	})
	return err
}

// request is a signed PutRecordBatch as it travels.
func (s *served) request(size, batch int) ([]byte, error) {
	record := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	records := make([][]byte, batch)
	for i := range records {
		records[i] = record
	}
	body := wire.AppendPutRecordBatch(nil, stream, records)
	r, err := http.NewRequest(http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Target", wire.TargetPrefix+"PutRecordBatch")
	r.Header.Set("Content-Type", wire.ContentType)
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: benchKey, SecretAccessKey: benchSecret}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]), wire.SigningName, "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	err = r.Write(&raw)
	return raw.Bytes(), err
}

// load sends the call by so many connections until done says so, and returns how often.
func (s *served) load(raw []byte, conns int, done func(calls int64) bool) (int64, error) {
	var calls atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, conns)
	for i := range errs {
		wg.Go(func() {
			var c net.Conn
			var r *bufio.Reader
			for !done(calls.Load()) {
				if c == nil {
					if c, errs[i] = net.Dial("tcp", strings.TrimPrefix(s.endpoint, "http://")); errs[i] != nil {
						return
					}
					r = bufio.NewReaderSize(c, 64<<10)
				}
				_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				closes := false
				if _, errs[i] = c.Write(raw); errs[i] == nil {
					closes, errs[i] = passAnswer(r)
				}
				if closes || errs[i] != nil {
					_ = c.Close()
					c = nil
				}
				if errs[i] != nil {
					return
				}
				calls.Add(1)
			}
			if c != nil {
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	return calls.Load(), errors.Join(errs...)
}

// passAnswer reads an answer that must be good, and tells whether the server closes
// the connection after it.
func passAnswer(r *bufio.Reader) (closes bool, err error) {
	status, err := r.ReadString('\n')
	if err != nil {
		return false, err
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimSpace(value); {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(value); err != nil {
				return false, err
			}
		case strings.EqualFold(name, "Connection"):
			closes = strings.EqualFold(value, "close")
		}
	}
	if length < 0 {
		return false, errors.New("an answer without a length")
	}
	if strings.Contains(status, " 200 ") {
		_, err = r.Discard(length)
		return closes, err
	}
	text := make([]byte, min(length, 300))
	_, _ = io.ReadFull(r, text)
	return false, fmt.Errorf("%s%s", status, text)
}

// serverTrial runs one server for the bench's time.
func (b *bench) serverTrial(kind string, size, batch, conns int) func() (result, error) {
	return func() (res result, err error) {
		dir, err := os.MkdirTemp(b.dir, "bench")
		if err != nil {
			return res, err
		}
		defer os.RemoveAll(dir)
		s, err := b.startServer(kind, dir)
		if err != nil {
			return res, err
		}
		defer s.stop()
		if kind != "serve bare" {
			if err := s.create(kind == "moto"); err != nil {
				return res, err
			}
		}
		raw, err := s.request(size, batch)
		if err != nil {
			return res, err
		}
		if _, err := s.load(raw, conns, func(n int64) bool { return n >= 50 }); err != nil { // warm
			return res, err
		}
		before, err := s.cpu()
		if err != nil {
			return res, err
		}
		began := time.Now()
		calls, err := s.load(raw, conns, func(int64) bool { return time.Since(began).Seconds() >= b.seconds })
		if err != nil {
			return res, err
		}
		res.Elapsed = time.Since(began).Seconds()
		after, err := s.cpu()
		res.CPU, res.Records, res.PeakRSS = after-before, int(calls)*batch, s.rss()
		return res, err
	}
}

// servers compares the local Firehose with the bare handler and with moto.
func (b *bench) servers() (string, error) {
	kinds := []struct{ kind, name string }{
		{"serve bare", "net/http, body read and hashed"},
		{"serve local", "`hydrant local`, journal in memory"},
		{"serve local with a journal", "`hydrant local`, journal synced"},
		{"serve local with files", "the same, and objects into files"},
	}
	if exec.Command("python3", "-c", "import moto.server").Run() == nil {
		kinds = append(kinds, struct{ kind, name string }{"moto", "moto"})
	}
	t := newTable("| 500 records of 200 B a call | connections | records/s | CPU µs a record | **CPU / bare** | **records/s / moto** | MiB |")
	for _, conns := range []int{serverConns, 1} {
		var trials []func() (result, error)
		for _, k := range kinds {
			trials = append(trials, b.serverTrial(k.kind, 200, 500, conns))
		}
		got, err := b.rounds(trials...)
		if err != nil {
			return "", err
		}
		for i, k := range kinds {
			toMoto := "–"
			if last := len(kinds) - 1; kinds[last].kind == "moto" {
				toMoto = ratio(got[i], got[last], rate)
			}
			t.row("%s | %d | %s | %s | **%s** | **%s** | %.0f", k.name, conns, count(middle(got[i], rate)), digits(middle(got[i], result.perMillion)),
				ratio(got[i], got[0], result.perMillion), toMoto, middle(got[i], func(r result) float64 { return float64(r.PeakRSS) / (1 << 20) }))
		}
	}
	return t.String(), nil
}

// flat puts b.gb GB into the local Firehose and looks at its memory on the way.
func (b *bench) flat() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	s, err := b.startServer("serve local with a journal", dir)
	if err != nil {
		return "", err
	}
	defer s.stop()
	if err := s.create(false); err != nil {
		return "", err
	}
	raw, err := s.request(1024, 500)
	if err != nil {
		return "", err
	}
	t := newTable("| put so far, 1 KiB records | MiB of memory |")
	total := int64(b.gb * 1e9 / (500 * 1024))
	for part := range 5 {
		if _, err := s.load(raw, serverConns, func(n int64) bool { return n >= total/5 }); err != nil {
			return "", err
		}
		t.row("%.1f GB | %.0f", b.gb*float64(part+1)/5, float64(s.rss())/(1<<20))
	}
	took, err := startTimes()
	if err != nil {
		return "", err
	}
	slices.Sort(took)
	t.line(fmt.Sprintf("\n`hydrant local` answers %.0f ms after its process began, in the median of %d starts (%.0f to %.0f).",
		took[len(took)/2], len(took), took[0], took[len(took)-1]))
	return t.String(), nil
}

// startTimes is how long hydrant local takes until it answers, in milliseconds.
func startTimes() (took []float64, err error) {
	hydrant, err := buildHydrant()
	if err != nil {
		return nil, err
	}
	defer os.Remove(hydrant)
	for range 9 {
		ms, err := startTime(hydrant)
		if err != nil {
			return nil, err
		}
		took = append(took, ms)
	}
	return took, nil
}

func startTime(hydrant string) (ms float64, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	cmd := exec.Command(hydrant, "local", "--dir", dir, "--addr", addr)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	s := served{cmd: cmd}
	defer s.stop()
	for time.Since(began) < 10*time.Second {
		if resp, err := http.Get("http://" + addr + "/_hydrant/state"); err == nil {
			_ = resp.Body.Close()
			return float64(time.Since(began)) / 1e6, nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("hydrant local does not answer")
}

// freeAddr is an address that nobody listens at.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
