package ui

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes rows in columns, two spaces apart and aligned at the left. It
// holds all rows until Flush.
type Table struct {
	w      io.Writer
	rows   [][]string
	widths []int
}

// NewTable returns a Table without rows.
func NewTable(w io.Writer) *Table { return &Table{w: w} }

// Row adds a row. Rows may differ in length. Control characters become spaces.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = OneLine(cell)
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(row[i]))
	}
	t.rows = append(t.rows, row)
}

// Flush writes the rows with one Write and returns its error. The table is empty
// after that.
func (t *Table) Flush() error {
	var out strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)+2))
		}
		out.WriteString(strings.TrimRight(line.String(), " "))
		out.WriteByte('\n')
	}
	t.rows, t.widths = nil, nil
	_, err := io.WriteString(t.w, out.String())
	return err
}
