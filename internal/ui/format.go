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

// OneLine makes text that came from elsewhere harmless: no control character of
// it reaches the terminal, and no line end breaks a table.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// ParseBytes reads a size such as "512", "500KB" or "1.5 MiB".
func ParseBytes(text string) (int64, error) {
	i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && !unicode.IsDigit(r) })
	if i < 0 {
		i = len(text)
	}
	v, err := strconv.ParseFloat(text[:i], 64)
	factor, ok := map[string]float64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	}[strings.ToUpper(strings.TrimSpace(text[i:]))]
	if err != nil || !ok || v*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size; write such as 512, 500KB or 1.5MiB", text)
	}
	return int64(v * factor), nil
}

// Dollars is v with two decimals, or with as many as a small sum needs to show
// two figures, as "$0.00012".
func Dollars(v float64) string {
	decimals := 2
	for small := math.Abs(v); small > 0 && small < 0.095 && decimals < 9; small *= 10 {
		decimals++
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, rest, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err == nil {
		text = Count(n) + "." + rest
	}
	if v < 0 {
		return "-$" + text
	}
	return "$" + text
}
