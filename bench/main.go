// Command bench measures what it costs to send records to Firehose: by Hydrant,
// by the AWS SDK, and at the least that any sender could take. Every sender runs
// in a process of its own against a sink on the loopback, so that its CPU time
// and memory are its own. Compare the rows of one run, as ratios; the figures of
// two machines or two runs don't compare.
//
//	go run . [-size 200] [-tls]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
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
}

func (r result) perMillion() float64 { return r.CPU / float64(r.Records) * 1e6 }

func main() {
	var (
		role    = flag.String("role", "", "the sender to be, in a process of its own")
		work    = flag.String("job", "", "its job, as JSON")
		profile = flag.String("profile", "", "a file for its CPU profile")
		size    = flag.Int("size", 200, "bytes of a record")
		secure  = flag.Bool("tls", false, "over TLS")
		seconds = flag.Float64("seconds", 3, "about how long each sender runs")
		only    = flag.String("only", "", "the senders to run, separated by commas (default: all)")
	)
	flag.Parse()
	var err error
	if *role != "" {
		err = be(*role, *work, *profile)
	} else {
		err = compare(*size, *secure, *seconds, *only, *profile)
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
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := senders[role](j); err != nil {
		return err
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{
		Sender: role, Size: j.Size, Records: j.Records,
		CPU:     time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds(),
		Elapsed: took.Seconds(), PeakRSS: use.Maxrss << 10,
		Allocs: after.Mallocs - before.Mallocs, AllocBytes: after.TotalAlloc - before.TotalAlloc,
	})
}

// order is that of the table, with a first guess of records a second.
var order = []struct {
	name string
	rate float64
}{
	{"floor", 2e6},
	{"floor packed", 3e6},
	{"hydrant", 1.5e6},
	{"hydrant packed", 2e6},
	{"sdk PutRecordBatch", 0.8e6},
	{"sdk PutRecord", 15e3},
}

func compare(size int, secure bool, seconds float64, only, profile string) error {
	l, err := listen(secure)
	if err != nil {
		return err
	}
	go func() { _ = serve(l) }()
	endpoint := "http://" + l.Addr().String()
	if secure {
		endpoint = "https://" + l.Addr().String()
	}
	fmt.Printf("%d B records, %s, %d CPUs\n", size, endpoint[:5], runtime.NumCPU())
	fmt.Printf("%-20s %12s %12s %10s %12s %9s\n", "", "CPU-s/M", "records/s", "RSS MiB", "allocs/rec", "x floor")
	var base float64
	for _, o := range order {
		if only != "" && !strings.Contains(","+only+",", ","+o.name+",") {
			continue
		}
		n := int(o.rate * seconds * 200 / float64(max(size, 200)))
		work, _ := json.Marshal(job{Endpoint: endpoint, Size: size, Records: n})
		args := []string{"-role", o.name, "-job", string(work)}
		if profile != "" {
			args = append(args, "-profile", profile+"."+strings.ReplaceAll(o.name, " ", "-"))
		}
		cmd := exec.Command(os.Args[0], args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		var r result
		if err := json.Unmarshal(out, &r); err != nil {
			return err
		}
		if base == 0 {
			base = r.perMillion()
		}
		fmt.Printf("%-20s %12.3f %12.0f %10.1f %12.4f %9.2f\n", o.name, r.perMillion(), float64(r.Records)/r.Elapsed,
			float64(r.PeakRSS)/(1<<20), float64(r.Allocs)/float64(r.Records), r.perMillion()/base)
	}
	return nil
}
