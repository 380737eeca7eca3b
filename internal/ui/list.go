package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// List shows things that change while a job runs: on a terminal a row for each, drawn
// in place, with the time that the job has taken; elsewhere a line for each change. Its
// methods may be called from many goroutines. What can't be written is left out: the job
// matters more.
type List struct {
	w     io.Writer
	size  func() (width, height int) // of the terminal; nil if there is none
	began time.Time

	mu      sync.Mutex // guards what follows, and keeps lines whole
	rows    []listRow
	changes int
	drawn   int // lines on the screen
	ended   bool

	stop    chan struct{}
	ticking sync.WaitGroup
}

type listRow struct {
	key     string
	cells   []string
	changed int // the how many-th change it was
}

// NewList returns an empty List. Stop it. It draws in place only if w is an *os.File on a
// terminal that can, which TERM=dumb denies.
func NewList(w io.Writer) *List {
	l := &List{w: w, began: time.Now(), stop: make(chan struct{})}
	if t := TerminalOf(w); t != nil {
		l.size = t.Size
		l.start()
	}
	return l
}

// start draws each second, for the time.
func (l *List) start() {
	l.ticking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-tick.C:
				l.mu.Lock()
				l.drawLocked()
				l.mu.Unlock()
			}
		}
	})
}

// elapsed is the time that the job has taken, in whole seconds.
func (l *List) elapsed() string {
	d := time.Since(l.began).Truncate(time.Second)
	if d == 0 {
		return "0s"
	}
	return Duration(d)
}

// Set makes a row of cells, or changes the one with this key. line is what tells of
// it where there is no terminal; empty: nothing does.
func (l *List) Set(key, line string, cells ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size == nil {
		if line != "" {
			fmt.Fprintln(l.w, OneLine(line))
		}
		return
	}
	at := slices.IndexFunc(l.rows, func(r listRow) bool { return r.key == key })
	if at < 0 {
		at = len(l.rows)
		l.rows = append(l.rows, listRow{key: key})
	}
	row := &l.rows[at]
	row.cells = row.cells[:0]
	for _, cell := range cells {
		row.cells = append(row.cells, OneLine(cell))
	}
	l.changes++
	row.changed = l.changes
	l.drawLocked()
}

// Say writes a line, above the rows.
func (l *List) Say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.eraseLocked()
	fmt.Fprintln(l.w, OneLine(fmt.Sprintf(format, args...)))
	l.drawLocked()
}

// Stop leaves the rows as they are, and returns when nothing more is drawn. It may be
// called again.
func (l *List) Stop() {
	l.mu.Lock()
	if !l.ended {
		l.drawLocked()
		l.ended = true
		close(l.stop)
	}
	l.mu.Unlock()
	l.ticking.Wait()
}

// eraseLocked goes back to where the list begins, and erases all from there.
func (l *List) eraseLocked() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	l.drawn = 0
}

// drawLocked writes the list with one Write, so that it does not flicker. What a
// low terminal has no room for is left out: what changed longest ago.
func (l *List) drawLocked() {
	if l.size == nil || l.ended || len(l.rows) == 0 {
		return
	}
	width, height := l.size()
	rows := l.latestLocked(max(1, height-2))
	var out strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	widths := columnWidths(rows)
	for _, row := range rows {
		// The last column stays free: a terminal may wrap when it is written to.
		fmt.Fprintln(&out, cut(row.render(widths), width-1))
	}
	fmt.Fprintln(&out, cut(l.elapsed(), width-1))
	l.drawn = len(rows) + 1
	_, _ = io.WriteString(l.w, out.String())
}

// latestLocked are the rows that changed last, at most so many, in their order.
func (l *List) latestLocked(most int) []listRow {
	if len(l.rows) <= most {
		return l.rows
	}
	var when []int
	for i := range l.rows {
		when = append(when, l.rows[i].changed)
	}
	slices.Sort(when)
	from := when[len(when)-most]
	return slices.DeleteFunc(slices.Clone(l.rows), func(r listRow) bool { return r.changed < from })
}

func columnWidths(rows []listRow) (widths []int) {
	for _, row := range rows {
		for i, cell := range row.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func (r *listRow) render(widths []int) string {
	var line strings.Builder
	for i, cell := range r.cells {
		line.WriteString(cell)
		line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return strings.TrimRight(line.String(), " ")
}
