package ui

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 100 * time.Millisecond
	// rateOver is how far back the rate looks: long enough to be calm, short
	// enough to show that a stream has begun to throttle.
	rateOver = 5 * time.Second

	minBar, maxBar = 10, 30
)

// Snapshot is how far a job has come.
type Snapshot struct {
	Bytes   int64  // of the total
	Records int64  // delivered
	Note    string // what people should know now, such as "retrying: …"; may be empty
}

// Progress draws one line on a terminal while a job runs, ten times a second at
// most: share done, bytes, records, rate and time left. The line leaves the
// cursor at its start, so that what others write to the terminal covers it.
type Progress struct {
	w        io.Writer
	width    func() int // of the terminal; nil if there is none
	total    int64
	snapshot func() Snapshot

	start, end sync.Once
	stop       chan struct{}
	drawing    sync.WaitGroup
}

// NewProgress returns a Progress of total bytes, or 0 if that is not known. It
// stays silent unless w is an *os.File on a terminal that can erase a line,
// which TERM=dumb denies. snapshot is called from one goroutine, between Start
// and Stop.
func NewProgress(w io.Writer, total int64, snapshot func() Snapshot) *Progress {
	p := &Progress{w: w, total: total, snapshot: snapshot, stop: make(chan struct{})}
	if t := TerminalOf(w); t != nil {
		p.width = func() int { width, _ := t.Size(); return width }
	}
	return p
}

// Start begins the drawing. Only the first call does.
func (p *Progress) Start() {
	p.start.Do(func() {
		if p.width != nil {
			p.drawing.Go(p.draw)
		}
	})
}

// Stop erases the line and returns when nothing more is drawn. It may be called
// again, and without Start.
func (p *Progress) Stop() {
	p.end.Do(func() { close(p.stop) })
	p.drawing.Wait()
}

// The escape sequence erases from the cursor to the line's end. It comes before
// the text: behind it, the cursor of a full line stands on its last character.
const erase = "\r\x1b[K"

func (p *Progress) draw() {
	started := time.Now()
	meter := meter{{started, p.snapshot().Bytes}}
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			_, _ = io.WriteString(p.w, erase)
			return
		case <-tick.C:
		}
		now, s := time.Now(), p.snapshot()
		line := line{Snapshot: s, total: p.total, rate: meter.add(now, s.Bytes), elapsed: now.Sub(started)}
		// The last column stays free: a terminal may wrap when it is written to.
		// The width is asked anew each time, as windows change.
		_, _ = io.WriteString(p.w, erase+line.render(p.width()-1)+"\r")
	}
}

// meter measures the rate over the last rateOver.
type meter []sample

type sample struct {
	at    time.Time
	bytes int64
}

// add takes a measurement and returns the rate in bytes a second.
func (m *meter) add(now time.Time, bytes int64) float64 {
	for len(*m) > 1 && now.Sub((*m)[0].at) > rateOver {
		*m = (*m)[1:]
	}
	*m = append(*m, sample{now, bytes})
	first := (*m)[0]
	if took := now.Sub(first.at).Seconds(); took > 0 {
		return float64(bytes-first.bytes) / took
	}
	return 0
}

// line is what a progress line tells.
type line struct {
	Snapshot
	total   int64
	rate    float64 // bytes a second
	elapsed time.Duration
}

// render is the line in at most width columns. With too little room the bar goes
// first, then the line's end.
func (l line) render(width int) string {
	share, facts := "", l.facts()
	if l.total > 0 {
		done := float64(min(max(l.Bytes, 0), l.total)) / float64(l.total)
		// Rounded down, as 100% must mean that all is read.
		share = fmt.Sprintf("%3d%%  ", int(done*100))
		if room := width - len(share) - len([]rune(facts)) - len("[]  "); room >= minBar {
			size := min(room, maxBar)
			full := int(done * float64(size))
			share += "[" + strings.Repeat("=", full) + strings.Repeat(" ", size-full) + "]  "
		}
	}
	return cut(share+facts, width)
}

func (l line) facts() string {
	size, left := Bytes(l.Bytes), Duration(l.elapsed)
	if l.total > 0 {
		size += " of " + Bytes(l.total)
		left = l.left()
	}
	facts := []string{size, Count(l.Records) + " records", Bytes(int64(l.rate)) + "/s"}
	for _, f := range []string{left, OneLine(l.Note)} {
		if f != "" {
			facts = append(facts, f)
		}
	}
	return strings.Join(facts, "  ")
}

// left is the time left at the present rate; empty where nothing can be said.
func (l line) left() string {
	const most = 99 * 24 * time.Hour
	seconds := float64(l.total-l.Bytes) / l.rate
	if l.rate <= 0 || seconds <= 0 || seconds > most.Seconds() {
		return ""
	}
	if seconds < 10 {
		return fmt.Sprintf("%.0fs left", math.Ceil(seconds)) // Duration's tenths would only flicker
	}
	return Duration(time.Duration(seconds*float64(time.Second))) + " left"
}

func cut(s string, width int) string {
	runes := []rune(s)
	switch {
	case len(runes) <= width:
		return s
	case width <= 3:
		return string(runes[:max(0, width)])
	}
	return string(runes[:width-3]) + "..."
}
