package ui

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Terminal is one that can erase lines.
type Terminal struct {
	w    io.Writer
	size func() (columns, rows int, err error)
	last int // lines that Redraw has drawn
}

// TerminalOf is the terminal that w is, or nil: w must be an *os.File, and
// TERM=dumb denies that anything can be erased.
func TerminalOf(w io.Writer) *Terminal {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &Terminal{w: f, size: func() (int, int, error) { return term.GetSize(int(f.Fd())) }}
}

// Size is how large the terminal is now, as windows change; 80 by 24 where it does not
// tell.
func (t *Terminal) Size() (columns, rows int) {
	columns, rows, err := t.size()
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// Redraw writes text in place of what it has written before. What does not fit the
// terminal is cut off: lines that have scrolled away can't be erased.
func (t *Terminal) Redraw(text string) error {
	columns, rows := t.Size()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if most := max(1, rows-1); len(lines) > most {
		lines = append(lines[:most-1:most-1], "...")
	}
	var out strings.Builder
	if up := min(t.last, rows-1); up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	out.WriteString("\r\x1b[J") // erases to the end of the screen
	for _, line := range lines {
		out.WriteString(cut(line, columns-1)) // the last column may make the terminal wrap
		out.WriteByte('\n')
	}
	t.last = len(lines)
	_, err := io.WriteString(t.w, out.String())
	return err
}
