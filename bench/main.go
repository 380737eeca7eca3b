// Command bench measures what it costs to send records to Firehose: by Hydrant,
// by the AWS SDKs, by the agents that it finds on the PATH, and at the least that
// any sender could take. Every sender is a process of its own and puts into a sink
// on the loopback, which is another, so that its CPU time and memory are its own.
// Compare the rows of one run, as ratios; figures of two machines or of two runs
// don't compare.
//
//	go run . [-size 200] [-tls] [-only hydrant,floor] [-profile cpu]
//	go run . -report ../docs
//	go run . -only spool [-dir DIR] [-gb 10] [-report ../docs]
//
// Of the spool, the parts can be run alone: durable, append, agents, recovery, outage.
// With -only server it is the local Firehose that is measured, beside a bare handler
// and moto; with -only flat its memory.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// result is what one sender took.
type result struct {
	Sender     string
	Size       int
	TLS        bool
	Records    int
	CPU        float64 // seconds, user and system
	Elapsed    float64 // seconds
	PeakRSS    int64   // bytes
	Allocs     uint64
	AllocBytes uint64

	// Of the producer with many streams: what is left of them when all are idle,
	// and the heap before it was made.
	Goroutines             int
	HeapBytes, HeapAtStart int64

	// Of the spool:
	Syncs, DiskRead int64
}

func (r result) perMillion() float64 { return r.CPU / float64(r.Records) * 1e6 }

func main() {
	var (
		role    = flag.String("role", "", "the sender to be, in a process of its own; or sink")
		work    = flag.String("job", "", "its job, as JSON")
		profile = flag.String("profile", "", "a file for the CPU profile of each sender")
		size    = flag.Int("size", 200, "bytes of a record")
		secure  = flag.Bool("tls", false, "over TLS")
		seconds = flag.Float64("seconds", 3, "about how long each sender runs")
		runs    = flag.Int("runs", 3, "how often each sender runs; the middle one counts")
		only    = flag.String("only", "", "the senders to run, separated by commas (default: all)")
		cert    = flag.String("cert", "", "a certificate for 127.0.0.1 that the system trusts, for senders that insist; default: one of its own")
		key     = flag.String("key", "", "its key")
		report  = flag.String("report", "", "run everything, or what -only says, and write it into PERFORMANCE.md and performance.svg in this folder")
		dir     = flag.String("dir", os.TempDir(), "a folder on the disk that the spool is measured on")
		gb      = flag.Float64("gb", 10, "size of the spool that is opened after a crash")
	)
	flag.Parse()
	b := &bench{seconds: *seconds, runs: max(*runs, 1), profile: *profile, cert: *cert, key: *key, dir: *dir, gb: *gb}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	var err error
	switch {
	case *role == "sink":
		err = beSink(*cert, *key)
	case strings.HasPrefix(*role, "serve "):
		var j job
		if err = json.Unmarshal([]byte(*work), &j); err == nil {
			err = beServer(*role, j)
		}
	case *role != "":
		err = be(*role, *work, *profile)
	case slices.Contains(spoolParts, *only):
		err = b.spool(*report, *only)
	case *report != "":
		err = b.report(*report)
	default:
		_, err = b.compare(*size, *secure)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// be does one sender's job and prints what it took.
func be(role, work, profile string) error {
	var j job
	if err := json.Unmarshal([]byte(work), &j); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r := result{Records: j.Records}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := senders[role](j, &r); err != nil {
		return err
	}
	if r.Elapsed == 0 {
		r.Elapsed = time.Since(start).Seconds()
	}
	r.DiskRead = diskRead()
	runtime.ReadMemStats(&after)
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return err
	}
	r.CPU, r.PeakRSS = cpuOf(&use), use.Maxrss<<10
	r.Allocs, r.AllocBytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return json.NewEncoder(os.Stdout).Encode(r)
}

func cpuOf(use *syscall.Rusage) float64 {
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}

// bench is a run.
type bench struct {
	seconds   float64
	runs      int
	only      []string
	profile   string
	cert, key string // or none
	dir       string // for the spool
	gb        float64
}

// contestant is a sender, with a first guess of records of 200 bytes a second.
type contestant struct {
	name string
	rate float64
	run  func(b *bench, name string, j job) (result, error)
}

func contestants() []contestant {
	list := []contestant{
		{"floor", 2e6, (*bench).self},
		{"floor packed", 3e6, (*bench).self},
		{"hydrant", 1.5e6, (*bench).self},
		{"hydrant packed", 2e6, (*bench).self},
		{"sdk PutRecordBatch", 0.8e6, (*bench).self},
		{"sdk PutRecord", 15e3, (*bench).self},
	}
	return append(list, rivals()...)
}

// errNotHere is a sender that can't take part.
var errNotHere = errors.New("not with this transport")

// median runs a sender as often as told, and returns the run in the middle by its
// CPU time.
func (b *bench) median(c contestant, s *sink, j job) (result, error) {
	var runs []result
	for range b.runs {
		r, err := c.run(b, c.name, j)
		if err == nil {
			err = s.got(j)
		}
		if err != nil {
			return r, err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(x, y result) int { return cmp.Compare(x.CPU, y.CPU) })
	return runs[len(runs)/2], nil
}

// self runs a sender that is this program.
func (b *bench) self(name string, j job) (result, error) {
	work, _ := json.Marshal(j)
	args := []string{"-role", name, "-job", string(work)}
	if b.profile != "" {
		args = append(args, "-profile", b.profile+"."+strings.ReplaceAll(name, " ", "-"))
	}
	return reported(pinned(false, os.Args[0], args...))
}

// reported runs a sender that prints its result.
func reported(cmd *exec.Cmd) (r result, err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	return r, err
}

// pinned makes a command run on its own half of the processors: the sink on one,
// the senders on the other. With fewer than four they share.
func pinned(sink bool, name string, args ...string) *exec.Cmd {
	n := runtime.NumCPU()
	if _, err := exec.LookPath("taskset"); err != nil || n < 4 {
		return exec.Command(name, args...)
	}
	half := fmt.Sprintf("0-%d", n/2-1)
	if sink {
		half = fmt.Sprintf("%d-%d", n/2, n-1)
	}
	return exec.Command("taskset", append([]string{"-c", half, name}, args...)...)
}

// compare runs every sender and prints a table.
func (b *bench) compare(size int, secure bool) ([]result, error) {
	cert, key := "", ""
	if secure {
		cert, key = b.cert, b.key
		if cert == "" {
			dir, err := os.MkdirTemp("", "bench")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
			if cert, key, err = certificate(dir); err != nil {
				return nil, err
			}
		}
	}
	s, err := startSink(cert, key)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	fmt.Printf("%d B records, %s, %d CPUs\n", size, s.Endpoint[:5], runtime.NumCPU())
	fmt.Printf("%-32s %12s %12s %10s %12s %9s\n", "", "CPU-s/M", "records/s", "RSS MiB", "allocs/rec", "x floor")
	var results []result
	for _, c := range contestants() {
		if b.only != nil && !slices.Contains(b.only, c.name) {
			continue
		}
		j := job{Endpoint: s.Endpoint, Cert: s.cert, Size: size, Records: max(int(c.rate*b.seconds*200/float64(max(size, 200))), 1000)}
		r, err := b.median(c, s, j)
		if errors.Is(err, errNotHere) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r.Sender, r.Size, r.TLS, r.Records = c.name, size, secure, j.Records
		results = append(results, r)
		fmt.Printf("%-32s %12.3f %12.0f %10.1f %12.4f %9.2f\n", r.Sender, r.perMillion(), float64(r.Records)/r.Elapsed,
			float64(r.PeakRSS)/(1<<20), float64(r.Allocs)/float64(r.Records), r.perMillion()/results[0].perMillion())
	}
	return results, nil
}
