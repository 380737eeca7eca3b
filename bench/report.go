package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var sizes = []int{200, 1024, 20480}

// report runs everything and writes the figures into PERFORMANCE.md, between the
// comments that say which, and as a plot beside it.
func (b *bench) report(dir string) error {
	parts := map[string]string{"machine": machine()}
	var plain []result
	for _, secure := range []bool{false, true} {
		var all []result
		for _, size := range sizes {
			results, err := b.compare(size, secure)
			if err != nil {
				return err
			}
			all = append(all, results...)
		}
		if !secure {
			plain = all
			parts["http"], parts["targets"] = table(all), targets(all)
		} else {
			parts["https"] = table(all)
		}
	}
	var err error
	if parts["streams"], err = b.streams(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "performance.svg"), plot(plain), 0o644); err != nil {
		return err
	}
	return errors.Join(write(dir, parts), b.spool(dir, "spool"))
}

// write puts parts into PERFORMANCE.md.
func write(dir string, parts map[string]string) error {
	file := filepath.Join(dir, "PERFORMANCE.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for name, part := range parts {
		if text, err = replace(text, name, part); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return os.WriteFile(file, text, 0o644)
}

// replace puts part between the comments of a name.
func replace(text []byte, name, part string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- measured: %s -->\n", name), fmt.Sprintf("<!-- end: %s -->", name)
	head, rest, ok := bytes.Cut(text, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, fmt.Errorf("no place for %q", name)
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", head, begin, part, end, tail), nil
}

func machine() string {
	cpu := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
		cpu, _, _ = strings.Cut(rest, "\n")
	}
	return fmt.Sprintf("%s, %d processors (%s), %s %s/%s.\n", time.Now().Format("January 2006"),
		runtime.NumCPU(), cpu, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// of are the results of one size.
func of(all []result, size int) (some []result) {
	for _, r := range all {
		if r.Size == size {
			some = append(some, r)
		}
	}
	return some
}

func named(all []result, size int, name string) (result, bool) {
	for _, r := range of(all, size) {
		if r.Sender == name {
			return r, true
		}
	}
	return result{}, false
}

// table has a row for each sender, and three columns for each size.
func table(all []result) string {
	var w strings.Builder
	w.WriteString("| |")
	for _, size := range sizes {
		fmt.Fprintf(&w, " %s: CPU-s | records/s | MiB |", bytesOf(size))
	}
	w.WriteString("\n|---|" + strings.Repeat("--:|--:|--:|", len(sizes)) + "\n")
	for _, first := range of(all, sizes[0]) {
		fmt.Fprintf(&w, "| %s |", first.Sender)
		for _, size := range sizes {
			r, ok := named(all, size, first.Sender)
			floor, _ := named(all, size, "floor")
			if !ok {
				w.WriteString(" | | |")
				continue
			}
			fmt.Fprintf(&w, " %s (%s) | %s | %d |", digits(r.perMillion()), digits(r.perMillion()/floor.perMillion()),
				count(float64(r.Records)/r.Elapsed), r.PeakRSS>>20)
		}
		w.WriteString("\n")
	}
	return w.String()
}

func bytesOf(n int) string {
	if n >= 1024 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

func digits(v float64) string {
	return fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(max(v, 0.01))))), v)
}

func count(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.0f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

// targets are the ratios that were aimed at, at 200 bytes.
func targets(all []result) string {
	var w strings.Builder
	w.WriteString("| CPU, records of 200 B | measured | aim |\n|---|--:|--:|\n")
	row := func(one, other, aim string) {
		a, ok := named(all, 200, one)
		b, ok2 := named(all, 200, other)
		if ok && ok2 {
			fmt.Fprintf(&w, "| %s / %s | %s | %s |\n", one, other, digits(a.perMillion()/b.perMillion()), aim)
		}
	}
	row("hydrant", "floor", "at most 1.6")
	row("hydrant", "sdk PutRecordBatch", "at most 0.45")
	row("hydrant packed", "floor packed", "at most 1.5")
	row("hydrant packed", "sdk PutRecordBatch", "at most 0.33")
	row("sdk PutRecord", "hydrant", "at least 150")
	return w.String()
}

// streams measures one producer with many streams.
func (b *bench) streams() (string, error) {
	var w strings.Builder
	w.WriteString("| streams | CPU-s per million | records/s | peak MiB | goroutines, idle | heap, idle | heap a stream |\n|--:|--:|--:|--:|--:|--:|--:|\n")
	s, err := startSink("", "")
	if err != nil {
		return "", err
	}
	defer s.stop()
	for _, n := range []int{1, 10, 100, 1000} {
		j := job{Endpoint: s.Endpoint, Size: 200, Records: int(1e6 * b.seconds), Streams: n}
		r, err := b.self("streams", j)
		if err == nil {
			err = s.got(j)
		}
		if err != nil {
			return "", err
		}
		fmt.Printf("%d streams: %+v\n", n, r)
		fmt.Fprintf(&w, "| %d | %s | %s | %d | %d | %.1f MiB | %.1f KiB |\n", n, digits(r.perMillion()), count(float64(r.Records)/r.Elapsed),
			r.PeakRSS>>20, r.Goroutines, float64(r.HeapBytes)/(1<<20), float64(r.HeapBytes-r.HeapAtStart)/float64(n)/1024)
	}
	return w.String(), nil
}

// plot draws the CPU time of each sender, on a scale of logarithms.
func plot(all []result) []byte {
	const (
		left, right, top, bar, gap = 230, 80, 46, 18, 34
		width                      = 860
	)
	var w bytes.Buffer
	most, least := 0.0, math.Inf(1)
	for _, r := range all {
		most, least = max(most, r.perMillion()), min(least, r.perMillion())
	}
	least, most = math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(most)))
	x := func(v float64) float64 {
		return left + (width-left-right)*(math.Log10(v)-math.Log10(least))/(math.Log10(most)-math.Log10(least))
	}
	y := float64(top)
	var body bytes.Buffer
	for _, size := range sizes {
		fmt.Fprintf(&body, `<text x="12" y="%.0f" font-weight="bold">records of %s</text>`+"\n", y+13, bytesOf(size))
		y += bar + 6
		for _, r := range of(all, size) {
			fill := "#d9a05b"
			switch {
			case strings.HasPrefix(r.Sender, "hydrant"):
				fill = "#2f6fb3"
			case strings.HasPrefix(r.Sender, "floor"):
				fill = "#9aa5ad"
			}
			fmt.Fprintf(&body, `<text x="%d" y="%.0f" text-anchor="end">%s</text><rect x="%d" y="%.0f" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%.0f">%s</text>`+"\n",
				left-8, y+13, r.Sender, left, y, x(r.perMillion())-left, bar-4, fill, x(r.perMillion())+5, y+12, digits(r.perMillion()))
			y += bar
		}
		y += gap - bar
	}
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" font-family="sans-serif" font-size="12">`+"\n", width, y+8)
	fmt.Fprintf(&w, `<rect width="100%%" height="100%%" fill="white"/>`+"\n"+`<text x="12" y="20" font-size="14" font-weight="bold">CPU-seconds for a million records (less is better; the scale is logarithmic)</text>`+"\n")
	for v := least; v <= most*1.01; v *= 10 {
		fmt.Fprintf(&w, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%.0f" stroke="#e3e6e8"/><text x="%.1f" y="38" text-anchor="middle" fill="#68737b">%s</text>`+"\n", x(v), top-4, x(v), y, x(v), fmt.Sprintf("%g", v))
	}
	w.Write(body.Bytes())
	w.WriteString("</svg>\n")
	return w.Bytes()
}
