package ui

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestSparkline(t *testing.T) {
	missing := math.NaN()
	for _, tc := range []struct {
		values []float64
		want   string
	}{
		{nil, ""},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, "▁▂▃▄▅▆▇█"},
		{[]float64{0, 0, 0}, "▁▁▁"},
		{[]float64{5, 5, 5}, "███"},
		{[]float64{1e-9, 1e9, 0}, "▂█▁"}, // little is more than nothing
		{[]float64{90, 100}, "▇█"},       // from 0, not from the smallest
		{[]float64{missing, 3, missing, 0}, " █ ▁"},
		{[]float64{missing, missing}, "  "},
		{[]float64{-1, 2}, " █"},
		{[]float64{math.MaxFloat64, math.MaxFloat64 / 2, 0}, "█▅▁"},
	} {
		if got := Sparkline(tc.values); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.values, got, tc.want)
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 25, 14, 30, 0, 0, time.FixedZone("", 3600))
	for text, want := range map[string]any{
		"1h": now.Add(-time.Hour), "90s": now.Add(-90 * time.Second), "1h30m": now.Add(-90 * time.Minute), "0s": now,
		"7d": now.Add(-7 * 24 * time.Hour), "455d": now.Add(-455 * 24 * time.Hour),
		"2026-11-25T13:30:00Z": now, "2026-11-25T10:00:00+01:00": now.Add(-4*time.Hour - 30*time.Minute),
		"2026-11-25T13:30:01Z": "in the future", "-1h": "in the future",
		"": "such as 30m, 12h or 7d, or a time such as 2026-11-25T13:00:00Z", "d": "no time", "1.5d": "no time", "-7d": "no time", "1w": "no time", "yesterday": "no time",
		"2026-11-25": "no time", "99999999d": "no time",
	} {
		got, err := ParseSince(text, now)
		if problem, bad := want.(string); bad {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: %v (%v), want an error with %q", text, got, err, problem)
			}
		} else if err != nil || !got.Equal(want.(time.Time)) {
			t.Errorf("%q: %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestRedraw(t *testing.T) {
	var out bytes.Buffer
	columns, rows, sizeErr := 10, 5, error(nil)
	term := &Terminal{w: &out, size: func() (int, int, error) { return columns, rows, sizeErr }}
	draw := func(text, want string) {
		t.Helper()
		out.Reset()
		if err := term.Redraw(text); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("drawn %q, want %q", out.String(), want)
		}
	}
	draw("one\ntwo\n", "\r\x1b[Jone\ntwo\n")
	draw("three\n", "\x1b[2A\r\x1b[Jthree\n")
	draw("0123456789\n▁▁▁▁▁▁▁▁▁\n", "\x1b[1A\r\x1b[J012345...\n▁▁▁▁▁▁▁▁▁\n")
	draw("a\nb\nc\nd\n", "\x1b[2A\r\x1b[Ja\nb\nc\nd\n")
	draw("a\nb\nc\nd\ne\n", "\x1b[4A\r\x1b[Ja\nb\nc\n...\n")
	rows = 3 // the window was made smaller
	draw("a\nb\nc", "\x1b[2A\r\x1b[Ja\n...\n")
	rows = 1
	draw("a\nb", "\r\x1b[J...\n")
	sizeErr = errors.New("no size")
	if columns, rows := term.Size(); columns != 80 || rows != 24 {
		t.Errorf("without a size it is %d by %d", columns, rows)
	}
}

func TestTerminalOf(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{file, &bytes.Buffer{}, io.Discard} {
		if TerminalOf(w) != nil {
			t.Errorf("%T is a terminal", w)
		}
	}
}
