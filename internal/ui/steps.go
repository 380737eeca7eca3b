package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Steps tells how a longer job goes on: a line as each step begins, lines of
// detail, and how long it took. Its methods may be called from many goroutines.
// What can't be written is left out: the job matters more.
type Steps struct {
	w     io.Writer
	total int

	mu      sync.Mutex // guards what follows, and keeps lines whole
	current int        // 0 before the first step
	open    bool       // a step is under way
	began   time.Time
}

// NewSteps returns Steps that count up to total.
func NewSteps(w io.Writer, total int) *Steps { return &Steps{w: w, total: total} }

// Begin ends the step under way, if any, and begins the next.
func (s *Steps) Begin(title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
	s.current++
	s.open, s.began = true, time.Now()
	fmt.Fprintf(s.w, "%d/%d %s\n", s.current, s.total, OneLine(title))
}

// Detail tells something of the step under way, on a line of its own.
func (s *Steps) Detail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "    %s\n", strings.TrimRight(OneLine(fmt.Sprintf(format, args...)), " "))
}

// End ends the last step. Without one under way it does nothing.
func (s *Steps) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *Steps) endLocked() {
	if s.open {
		fmt.Fprintf(s.w, "    took %s\n", Duration(time.Since(s.began)))
	}
	s.open = false
}
