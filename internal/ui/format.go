// Package ui is what the command shows to people: sizes, tables, steps and a
// progress line. It uses no colour.
package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bytes is n in binary units with one decimal, as "12.3 MiB"; below 1 KiB it is
// exact, as "1023 B".
func Bytes(n int64) string {
	if -1024 < n && n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/1024, 0
	// What would be rounded to 1024.0 is 1.0 of the next unit.
	for math.Round(math.Abs(v)*10) >= 10240 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[unit])
}

// Count is n with a comma before every third digit, as "5,450".
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Rate is bytes a second, as "12.3 MiB/s", or "-" if took is not positive.
func Rate(bytes int64, took time.Duration) string {
	if took <= 0 {
		return "-"
	}
	return Bytes(int64(float64(bytes)/took.Seconds())) + "/s"
}

// Duration is d in at most two units: "12ms", "1.2s", "59s", "1m05s", "2h03m",
// "3d04h". A negative one counts as 0.
func Duration(d time.Duration) string {
	d = max(0, d)
	// Each case rounds before it compares, or 59.9 seconds would become "60s".
	switch {
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond)/time.Millisecond)
	case d.Round(time.Second/10) < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Round(time.Second/10).Seconds())
	case d.Round(time.Second) < time.Minute:
		return fmt.Sprintf("%ds", d.Round(time.Second)/time.Second)
	case d.Round(time.Second) < time.Hour:
		return pair(d.Round(time.Second), time.Minute, 'm', time.Second, 's')
	case d.Round(time.Minute) < 24*time.Hour:
		return pair(d.Round(time.Minute), time.Hour, 'h', time.Minute, 'm')
	}
	return pair(d.Round(time.Hour), 24*time.Hour, 'd', time.Hour, 'h')
}

func pair(d, big time.Duration, bigName rune, small time.Duration, smallName rune) string {
	return fmt.Sprintf("%d%c%02d%c", d/big, bigName, d%big/small, smallName)
}

// oneLine makes text that came from elsewhere harmless: no control character of
// it reaches the terminal, and no line end breaks a table.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
