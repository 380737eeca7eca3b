package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// rounds runs trials in turn, as often as told, and returns the results of each.
// What a round has measured is compared within it, as disks change their pace.
func (b *bench) rounds(trials ...func() (result, error)) ([][]result, error) {
	all := make([][]result, len(trials))
	for range b.runs {
		for i, run := range trials {
			r, err := run()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
		}
	}
	return all, nil
}

func rate(r result) float64 { return float64(r.Records) / r.Elapsed }

// middle is the median of what of says.
func middle(runs []result, of func(result) float64) float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// ratio is the median of the rounds' ratios, and the least and most.
func ratio(one, other []result, of func(result) float64) string {
	var all []float64
	for i := range one {
		all = append(all, of(one[i])/of(other[i]))
	}
	slices.Sort(all)
	return fmt.Sprintf("%s (%s–%s)", digits(all[len(all)/2]), digits(all[0]), digits(all[len(all)-1]))
}

// rowsOf is a table that is printed as it grows.
type rowsOf struct{ strings.Builder }

func newTable(head string) *rowsOf {
	t := &rowsOf{}
	t.line(head)
	t.line("|---|" + strings.Repeat("--:|", strings.Count(head, "|")-2))
	return t
}

func (t *rowsOf) line(text string) {
	fmt.Println(text)
	t.WriteString(text + "\n")
}

func (t *rowsOf) row(format string, args ...any) { t.line("| " + fmt.Sprintf(format, args...) + " |") }

// spoolParts are what -only can name of the spool.
var spoolParts = []string{"spool", "durable", "append", "agents", "recovery", "outage", "server", "flat"}

// spool runs the comparisons of the spool, or one of them, and writes them into
// PERFORMANCE.md in a folder, if there is one.
func (b *bench) spool(dir, only string) error {
	parts := map[string]string{}
	for _, part := range []struct {
		name string
		run  func() (string, error)
	}{{"durable", b.durable}, {"append", b.appends}, {"agents", b.agents}, {"recovery", b.recovery}, {"outage", b.outages}, {"server", b.servers}, {"flat", b.flat}} {
		if only != part.name && (only != "spool" || part.name == "server" || part.name == "flat") {
			continue
		}
		text, err := part.run()
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		parts[part.name] = text
	}
	if dir == "" {
		return nil
	}
	if only == "spool" {
		parts["disk"] = machine() + diskOf(b.dir)
	}
	return write(dir, parts)
}

// appends compares the spool with the bare writes, and with bbolt.
func (b *bench) appends() (string, error) {
	t := newTable("| records × batch, goroutines | plain: batches/s | spool: records/s | MB/s | syncs/s | records a sync | CPU µs a record | **spool / plain** | spool / bbolt | spool / bbolt tuned |")
	for _, size := range []int{200, 1024} {
		for _, goroutines := range []int{1, 16} {
			for _, batch := range []int{1, 64, 4096} {
				j := job{Size: size, Batch: batch, Goroutines: goroutines, Seconds: b.seconds / 3}
				trial := func(name string) func() (result, error) {
					return func() (result, error) {
						dir, err := os.MkdirTemp(b.dir, "bench")
						if err != nil {
							return result{}, err
						}
						defer os.RemoveAll(dir)
						j := j
						j.Dir = dir
						return b.self(name, j)
					}
				}
				got, err := b.rounds(trial("append plain"), trial("append spool"), trial("append bbolt"), trial("append bbolt tuned"))
				if err != nil {
					return "", err
				}
				plain, own := got[0], got[1]
				t.row("%s × %d, %d | %s | %s | %.0f | %s | %s | %s | **%s** | %s | %s", bytesOf(size), batch, goroutines,
					count(middle(plain, rate)/float64(batch)), count(middle(own, rate)), middle(own, rate)*float64(size)/1e6,
					count(middle(own, func(r result) float64 { return float64(r.Syncs) / r.Elapsed })),
					count(middle(own, func(r result) float64 { return float64(r.Records) / float64(r.Syncs) })),
					digits(middle(own, result.perMillion)), ratio(own, plain, rate), ratio(own, got[2], rate), ratio(own, got[3], rate))
			}
		}
	}
	return t.String(), nil
}

// recovery opens a large spool after a crash, with its files in memory and not.
func (b *bench) recovery() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	j := job{Dir: dir, Size: 1024, Records: int(b.gb * 1e9 / 1024)}
	if _, err := b.self("fill", j); err != nil {
		return "", err
	}
	t := newTable("| after a crash | seconds | peak MiB | read from disk |")
	row := func(name string, runs []result) {
		least, most := runs[0].Elapsed, runs[0].Elapsed
		for _, r := range runs {
			least, most = min(least, r.Elapsed), max(most, r.Elapsed)
		}
		t.row("%s | %s (%s–%s) | %.0f | %.0f MiB", name, digits(middle(runs, func(r result) float64 { return r.Elapsed })), digits(least), digits(most),
			middle(runs, func(r result) float64 { return float64(r.PeakRSS) / (1 << 20) }), middle(runs, func(r result) float64 { return float64(r.DiskRead) / (1 << 20) }))
	}
	warm := func(name string) func() (result, error) {
		return func() (result, error) { return b.self(name, j) }
	}
	cold := func(name string) func() (result, error) {
		return func() (result, error) {
			if err := chill(dir); err != nil {
				return result{}, err
			}
			return b.self(name, j)
		}
	}
	got, err := b.rounds(warm("open"), cold("open"), cold("verify"))
	if errors.Is(err, errors.ErrUnsupported) {
		got, err = b.rounds(warm("open"), warm("open"), warm("verify"))
	}
	if err != nil {
		return "", err
	}
	size := fmt.Sprintf("%.3g GB, %s records of 1 KiB", b.gb, count(float64(j.Records)))
	row("`spool.Open`, "+size+", files in memory", got[0])
	row("`spool.Open`, files on disk only", got[1])
	row("reading all of it (`spool.Verify`), files on disk only", got[2])
	return t.String(), nil
}

// diskOf tells what kind of disk a folder is on, as far as Linux tells.
func diskOf(dir string) string {
	dir, _ = filepath.Abs(dir)
	mounts, _ := os.ReadFile("/proc/self/mounts")
	best, device, kind := "", "an unknown disk", "unknown file system"
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && len(f[1]) >= len(best) && (f[1] == dir || strings.HasPrefix(dir+"/", strings.TrimSuffix(f[1], "/")+"/")) {
			best, device, kind = f[1], f[0], f[2]
		}
	}
	queue := filepath.Join("/sys/class/block", filepath.Base(device), "queue")
	spins, _ := os.ReadFile(filepath.Join(queue, "rotational"))
	cache, _ := os.ReadFile(filepath.Join(queue, "write_cache"))
	return fmt.Sprintf("The disk: %s on %s (%s), rotational: %s, cache: %s; measured on %s with `%s`.\n", kind, filepath.Base(device), runtime.GOOS,
		strings.TrimSpace(string(spins)), strings.TrimSpace(string(cache)), time.Now().Format("2 January 2006"), strings.Join(append([]string{"go run ."}, os.Args[1:]...), " "))
}
