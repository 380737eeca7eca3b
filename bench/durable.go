package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/spool"
)

// start makes a packing producer that works in memory, or with a spool in the
// job's folder, whose syncs it counts.
func start(j job, syncs *atomic.Int64) (*hydrant.Producer, error) {
	cfg := settings(j)
	c := hydrant.Config{Stream: stream, AWS: &cfg, Packing: hydrant.PackFixed, Logger: slog.New(slog.DiscardHandler)}
	if j.Dir != "" {
		c.Spool, c.SpoolOptions = filepath.Join(j.Dir, "spool"), spool.Options{MaxBytes: plenty, SegmentBytes: 64 << 20, FS: countingFS{n: syncs}}
	}
	return hydrant.New(context.Background(), c)
}

// putAll puts the job's records by PutBatch, or by Put if a batch is one record, and
// waits until all are delivered.
func putAll(j job, r *result) error {
	var syncs, acked atomic.Int64
	p, err := start(j, &syncs)
	if err != nil {
		return err
	}
	var ack func(hydrant.Ack)
	if j.Acks {
		ack = func(a hydrant.Ack) {
			if a.Err == nil {
				acked.Add(1)
			}
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, j.Goroutines)
	for i := range errs {
		wg.Go(func() {
			data := record(j.Size)
			n := j.Records*(i+1)/j.Goroutines - j.Records*i/j.Goroutines
			for n > 0 && errs[i] == nil {
				if j.Batch == 1 {
					errs[i] = p.PutFunc(context.Background(), data, ack)
					n--
				} else {
					var done int
					done, errs[i] = p.PutSeq(context.Background(), repeat(data, min(n, j.Batch)), ack)
					n -= done
				}
			}
		})
	}
	wg.Wait()
	err = errors.Join(append(errs, p.Close(context.Background()))...)
	r.Syncs = syncs.Load()
	if n := acked.Load(); err == nil && j.Acks && n != int64(j.Records) {
		err = fmt.Errorf("%d of %d records acknowledged", n, j.Records)
	}
	return err
}

func repeat(data []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for range n {
			if !yield(data) {
				return
			}
		}
	}
}

// outage puts the job's records while nobody answers, and ends.
func outage(j job, r *result) error {
	var syncs atomic.Int64
	j.Endpoint = "http://127.0.0.1:1"
	p, err := start(j, &syncs)
	if err != nil {
		return err
	}
	if _, err := p.PutSeq(context.Background(), repeat(record(j.Size), j.Records), nil); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err = p.Close(ended)
	r.Syncs = syncs.Load()
	if left, ok := errors.AsType[*hydrant.UndeliveredError](err); ok && left.Spooled == int64(j.Records) {
		return nil
	}
	return fmt.Errorf("after an outage: %w", err)
}

// way is one that records come to the producer.
type way struct {
	name              string
	batch, goroutines int
	acks              bool
	records           float64 // for three seconds, of 200 bytes
	slower            int     // so many times fewer records with a spool, which would take long
	file              bool
}

var ways = []way{
	{name: "`PutBatch`", batch: 1 << 30, goroutines: 1, records: 6e6},
	{name: "`PutBatch`, callbacks", batch: 1 << 30, goroutines: 1, acks: true, records: 4e6},
	{name: "`PutBatch` of 500 by 4 goroutines", batch: 500, goroutines: 4, records: 3e6},
	{name: "`hydrant send` of an NDJSON file", file: true, records: 4e6},
	{name: "`Put` by 4,096 goroutines", batch: 1, goroutines: 4096, records: 2e6},
	{name: "`Put` by 256 goroutines", batch: 1, goroutines: 256, records: 1e6},
	{name: "`Put` by 16 goroutines", batch: 1, goroutines: 16, records: 1e6, slower: 8},
	{name: "`Put` by one goroutine", batch: 1, goroutines: 1, records: 2e6, slower: 150},
}

// durable compares the producer with a spool and without one.
func (b *bench) durable() (string, error) {
	s, err := startSink("", "")
	if err != nil {
		return "", err
	}
	defer s.stop()
	t := newTable("| | records/s in memory | durable | **durable / memory** | CPU µs a record | durable | durable / memory | syncs/s | records a sync | peak MiB | read from disk |")
	for _, size := range []int{200, 1024} {
		for _, w := range ways {
			j := job{Endpoint: s.Endpoint, Size: size, Batch: w.batch, Goroutines: w.goroutines, Acks: w.acks, Records: int(w.records * b.seconds / 3)}
			if size > 200 {
				j.Records /= 3
			}
			memory := func() (result, error) { return b.delivered(s, w, j) }
			durable := func() (result, error) {
				dir, err := os.MkdirTemp(b.dir, "bench")
				if err != nil {
					return result{}, err
				}
				defer os.RemoveAll(dir)
				j := j
				j.Dir, j.Records = dir, j.Records/max(1, w.slower)
				return b.delivered(s, w, j)
			}
			got, err := b.rounds(memory, durable)
			if err != nil {
				return "", fmt.Errorf("%s: %w", w.name, err)
			}
			m, d := got[0], got[1]
			syncs, group, read := "", "", ""
			if !w.file {
				syncs, group = count(middle(d, func(r result) float64 { return float64(r.Syncs) / r.Elapsed })), count(middle(d, func(r result) float64 { return float64(r.Records) / float64(r.Syncs) }))
				read = fmt.Sprintf("%.1f MiB", middle(d, func(r result) float64 { return float64(r.DiskRead) / (1 << 20) }))
			}
			t.row("%s, %s | %s | %s | **%s** | %s | %s | %s | %s | %s | %.0f | %s", w.name, bytesOf(size), count(middle(m, rate)), count(middle(d, rate)), ratio(d, m, rate),
				digits(middle(m, result.perMillion)), digits(middle(d, result.perMillion)), ratio(d, m, result.perMillion), syncs, group,
				middle(d, func(r result) float64 { return float64(r.PeakRSS) / (1 << 20) }), read)
		}
	}
	return t.String(), nil
}

// delivered runs a producer, and wants the sink to have got all.
func (b *bench) delivered(s *sink, w way, j job) (r result, err error) {
	if w.file {
		flags := []string{}
		if j.Dir != "" {
			flags = append(flags, "--spool", filepath.Join(j.Dir, "spool"), "--spool-max", "1TiB")
		}
		r, err = sendFile(flags...)(b, "", j)
	} else {
		r, err = b.self("put", j)
	}
	r.Records = j.Records
	if err == nil {
		err = s.got(j)
	}
	return r, err
}

// outages fills spools of several sizes while nobody answers, and empties them.
func (b *bench) outages() (string, error) {
	s, err := startSink("", "")
	if err != nil {
		return "", err
	}
	defer s.stop()
	t := newTable("| records of 200 B | in the outage: records/s | peak MiB | afterwards: records/s | peak MiB |")
	for _, n := range []int{1e6, 4e6, 16e6} {
		n = int(float64(n) * b.seconds / 3)
		dir, err := os.MkdirTemp(b.dir, "bench")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		j := job{Endpoint: s.Endpoint, Size: 200, Batch: 1 << 30, Goroutines: 1, Records: n, Dir: dir}
		during, err := b.self("outage", j)
		if err != nil {
			return "", err
		}
		_ = s.got(job{})
		left := j
		left.Records = 0
		after, err := b.self("put", left)
		if err == nil {
			err = s.got(j)
		}
		if err != nil {
			return "", err
		}
		t.row("%s | %s | %d | %s | %d", count(float64(n)), count(float64(n)/during.Elapsed), during.PeakRSS>>20, count(float64(n)/after.Elapsed), after.PeakRSS>>20)
	}
	return t.String(), nil
}

// agents compares what it costs to keep the lines of a file on the disk until they are
// delivered: hydrant send, and Fluent Bit if it is on the PATH. TLS, as Fluent Bit
// speaks nothing else.
func (b *bench) agents() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	cert, key, err := certificate(dir)
	if err != nil {
		return "", err
	}
	s, err := startSink(cert, key)
	if err != nil {
		return "", err
	}
	defer s.stop()
	type agent struct {
		name string
		run  func(*bench, string, job) (result, error)
	}
	list := []agent{{"`hydrant send`", sendFile()}, {"`hydrant send --spool`", sendFile("--spool", "spool", "--spool-max", "1TiB")}}
	if path, err := exec.LookPath("fluent-bit"); err == nil {
		list = append(list, agent{"Fluent Bit", storing(path, "")}, agent{"Fluent Bit, `storage.type filesystem`", storing(path, "normal")},
			agent{"Fluent Bit, and `storage.sync full`", storing(path, "full")})
	}
	t := newTable("| records of 200 B, from a file | records/s | CPU µs a record | peak MiB | throughput, of its own in memory | CPU, of its own in memory | CPU, of `hydrant send --spool` |")
	j := job{Endpoint: s.Endpoint, Cert: s.cert, Size: 200, Records: int(1e6 * b.seconds / 3)}
	var trials []func() (result, error)
	for _, a := range list {
		trials = append(trials, func() (result, error) {
			_ = s.got(job{})
			r, err := a.run(b, "", j)
			r.Records = j.Records
			if err == nil {
				err = s.got(j)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", a.name, err)
			}
			return r, err
		})
	}
	got, err := b.rounds(trials...)
	if err != nil {
		return "", err
	}
	for i, a := range list {
		own := got[i/2*2]
		if i > 2 {
			own = got[2]
		}
		t.row("%s | %s | %s | %.0f | %s | %s | %s", a.name, count(middle(got[i], rate)), digits(middle(got[i], result.perMillion)),
			middle(got[i], func(r result) float64 { return float64(r.PeakRSS) / (1 << 20) }), ratio(got[i], own, rate), ratio(got[i], own, result.perMillion),
			ratio(got[i], got[1], result.perMillion))
	}
	return t.String(), nil
}

// storing is Fluent Bit, which keeps what it has read in files if sync says how those
// are synced.
func storing(path, sync string) func(*bench, string, job) (result, error) {
	return func(b *bench, _ string, j job) (result, error) {
		return b.fromFile(j, func(file, dir string) *exec.Cmd {
			config := filepath.Join(dir, "fluent-bit.conf")
			service, input := "", "mem_buf_limit 200M"
			if sync != "" {
				service = "storage.path " + filepath.Join(dir, "storage") + "\n storage.sync " + sync
				input = "storage.type filesystem"
			}
			_ = os.WriteFile(config, fmt.Appendf(nil, `[SERVICE]
 flush 1
 log_level error
 %s
[INPUT]
 name tail
 path %s
 read_from_head true
 exit_on_eof true
 buffer_max_size 1M
 %s
[OUTPUT]
 name kinesis_firehose
 match *
 region us-east-1
 delivery_stream bench
 log_key log
 endpoint 127.0.0.1
 port %s
 tls.ca_file %s
`, service, file, input, j.Endpoint[strings.LastIndex(j.Endpoint, ":")+1:], j.Cert), 0o600)
			return pinned(false, path, "-q", "-c", config)
		})
	}
}
