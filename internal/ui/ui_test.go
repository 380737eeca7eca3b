package ui

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBytes(t *testing.T) {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", -1: "-1 B", 1024: "1.0 KiB", 1536: "1.5 KiB", -1536: "-1.5 KiB",
		1_024_000: "1000.0 KiB", mib - 52: "1023.9 KiB", mib - 51: "1.0 MiB", mib: "1.0 MiB", 4 * mib: "4.0 MiB",
		12*mib + 300*kib: "12.3 MiB", gib - 1: "1.0 GiB", 5 * 1024 * gib: "5.0 TiB",
		math.MaxInt64: "8.0 EiB", math.MinInt64: "-8.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 5450: "5,450", 1234567: "1,234,567", -100: "-100", -1000: "-1,000",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	tests := []struct {
		bytes int64
		took  time.Duration
		want  string
	}{
		{10 << 20, 4 * time.Second, "2.5 MiB/s"},
		{100, 200 * time.Millisecond, "500 B/s"},
		{0, time.Second, "0 B/s"},
		{5, 0, "-"},
		{5, -time.Second, "-"},
	}
	for _, tt := range tests {
		if got := Rate(tt.bytes, tt.took); got != tt.want {
			t.Errorf("Rate(%d, %v) = %q, want %q", tt.bytes, tt.took, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 0: "0ms", 400 * time.Microsecond: "0ms", 12 * time.Millisecond: "12ms",
		999_400 * time.Microsecond: "999ms", 999_600 * time.Microsecond: "1.0s", 1240 * time.Millisecond: "1.2s",
		9940 * time.Millisecond: "9.9s", 9960 * time.Millisecond: "10s", 59400 * time.Millisecond: "59s",
		59600 * time.Millisecond: "1m00s", 65 * time.Second: "1m05s", time.Hour - time.Second: "59m59s",
		time.Hour - 400*time.Millisecond: "1h00m", 123 * time.Minute: "2h03m", 24*time.Hour - time.Minute: "23h59m",
		24*time.Hour - time.Second: "1d00h", 76 * time.Hour: "3d04h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	tab := NewTable(&out)
	tab.Row("", "PutRecord", "PutRecordBatch")
	tab.Row("records", "100", "5,450")
	tab.Row("größe", "1.0 KiB")
	tab.Row("note", "a\tb\nc\x1b[31m", "", "")
	tab.Row()
	tab.Row("refused records", "", "x")
	want := strings.Join([]string{
		"                 PutRecord   PutRecordBatch",
		"records          100         5,450",
		"größe            1.0 KiB",
		"note             a b c [31m",
		"",
		"refused records              x",
		"",
	}, "\n")
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	out.Reset()
	tab.Row("a", "b")
	if err := tab.Flush(); err != nil || out.String() != "a  b\n" {
		t.Errorf("second use: got %q, %v", out.String(), err)
	}
}

func TestTableWriteError(t *testing.T) {
	tab := NewTable(failing{})
	tab.Row("a")
	if err := tab.Flush(); err != errFault {
		t.Errorf("Flush: got %v, want %v", err, errFault)
	}
}

var errFault = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFault }

func TestSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := NewSteps(&out, 2)
		s.End()
		s.Begin("Set up")
		time.Sleep(1200 * time.Millisecond)
		s.Detail("stream %s is active\n", "a\nb")
		s.Begin("Clean up")
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { s.Detail("100%%") })
		}
		all.Wait()
		s.End()
		s.End()
		want := "1/2 Set up\n    stream a b is active\n    took 1.2s\n2/2 Clean up\n    100%\n    100%\n    100%\n    took 0ms\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

func TestRender(t *testing.T) {
	const mib = 1 << 20
	half := line{Snapshot: Snapshot{Bytes: 5 * mib, Records: 1234}, total: 10 * mib, rate: 2 * mib, elapsed: time.Minute}
	noted := half
	noted.Note = "retrying: Slow\ndown.\x1b[2J"
	done, grown, stuck, slow, unknown := half, half, half, half, half
	done.Bytes = 10 * mib
	grown.Bytes = 11 * mib
	stuck.rate = 0
	slow.rate = 0.1
	unknown.total = 0
	almost := half
	almost.Bytes = 10*mib - 1
	tests := []struct {
		name  string
		line  line
		width int
		want  string
	}{
		{"wide", half, 200, " 50%  [===============               ]  5.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s  3s left"},
		{"narrow", half, 79, " 50%  [=======        ]  5.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s  3s left"},
		{"no room for the bar", half, 70, " 50%  5.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s  3s left"},
		{"cut", half, 20, " 50%  5.0 MiB of ..."},
		{"three columns", half, 3, " 50"},
		{"no columns", half, 0, ""},
		{"less than none", half, -1, ""},
		{"note", noted, 90, " 50%  5.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s  3s left  retrying: Slow down. [2J"},
		{"done", done, 79, "100%  [=======================]  10.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s"},
		{"almost done", almost, 61, " 99%  10.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s  1s left"},
		{"file has grown", grown, 60, "100%  11.0 MiB of 10.0 MiB  1,234 records  2.0 MiB/s"},
		{"no rate", stuck, 60, " 50%  5.0 MiB of 10.0 MiB  1,234 records  0 B/s"},
		{"far away", slow, 60, " 50%  5.0 MiB of 10.0 MiB  1,234 records  0 B/s"},
		{"unknown total", unknown, 79, "5.0 MiB  1,234 records  2.0 MiB/s  1m00s"},
		{"nothing yet", line{}, 79, "0 B  0 records  0 B/s  0ms"},
	}
	for _, tt := range tests {
		if got := tt.line.render(tt.width); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
	for width := range 200 {
		for _, tt := range tests {
			if got := tt.line.render(width); len(got) > width {
				t.Errorf("%s: %q is wider than %d", tt.name, got, width)
			}
		}
	}
}

func TestMeter(t *testing.T) {
	start := time.Unix(0, 0)
	m := meter{{start, 100}}
	var got []float64
	for i := range 100 {
		rate := m.add(start.Add(time.Duration(i)*100*time.Millisecond), 100+int64(i)*50) // 500 B/s
		got = append(got, rate)
	}
	if got[0] != 0 || math.Abs(got[1]-500) > 1 || math.Abs(got[99]-500) > 1 {
		t.Errorf("rates %v, want 500", got)
	}
	if len(m) > 60 {
		t.Errorf("%d samples are kept", len(m))
	}
	// An hour's stall must not be smoothed over.
	if rate := m.add(start.Add(time.Hour), 100+99*50); rate != 0 {
		t.Errorf("rate %v after a stall", rate)
	}
}

// screen is the terminal: it keeps each write with its time.
type screen struct {
	width  atomic.Int64
	writes []string
	at     []time.Time
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes, s.at = append(s.writes, string(p)), append(s.at, time.Now())
	return len(p), nil
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scr := &screen{}
		scr.width.Store(80)
		started := time.Now()
		p := NewProgress(scr, 1000, func() Snapshot {
			n := int64(time.Since(started) / time.Millisecond)
			return Snapshot{Bytes: n, Records: n / 10}
		})
		p.width = func() int { return int(scr.width.Load()) }
		p.Start()
		p.Start()
		time.Sleep(550 * time.Millisecond)
		synctest.Wait()
		if len(scr.writes) != 5 {
			t.Fatalf("drawn %d times in 550ms, want 5: %q", len(scr.writes), scr.writes)
		}
		want := erase + " 50%  [===========            ]  500 B of 1000 B  50 records  1000 B/s  1s left\r"
		if got := scr.writes[4]; got != want {
			t.Errorf("drawn\n     %q\nwant %q", got, want)
		}
		scr.width.Store(12) // the window was made smaller
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := scr.writes[5]; len(strings.Trim(strings.TrimPrefix(got, erase), "\r")) > 11 {
			t.Errorf("drawn %q in 12 columns", got)
		}
		for i, at := range scr.at[1:] {
			if gap := at.Sub(scr.at[i]); gap < redrawEvery {
				t.Errorf("redrawn after %v", gap)
			}
		}
		p.Stop()
		p.Stop()
		n := len(scr.writes)
		if got := scr.writes[n-1]; got != erase {
			t.Errorf("last write is %q, want the line erased", got)
		}
		time.Sleep(time.Second)
		if len(scr.writes) != n {
			t.Errorf("drawn after Stop: %q", scr.writes[n:])
		}
	})
}

func TestProgressStopsWithoutStart(t *testing.T) {
	p := NewProgress(io.Discard, 0, nil)
	p.Stop()
	p.Start()
	p.Stop()
}

// No snapshot is taken and nothing written where there is no terminal.
func TestProgressIsSilent(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buf bytes.Buffer
	for _, w := range []io.Writer{file, &buf, io.Discard, (*os.File)(nil)} {
		synctest.Test(t, func(t *testing.T) {
			p := NewProgress(w, 10, func() Snapshot { t.Error("a snapshot was taken"); return Snapshot{} })
			p.Start()
			time.Sleep(time.Second)
			p.Stop()
		})
	}
	if info, err := file.Stat(); err != nil || info.Size() > 0 || buf.Len() > 0 {
		t.Errorf("written: %d bytes to the file, %q to the buffer (%v)", info.Size(), buf.String(), err)
	}
}
