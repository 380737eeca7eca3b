package ui

import (
	"math"
	"strings"
)

const bars = "▁▂▃▄▅▆▇█"

// Sparkline draws values as bars that begin at 0, a column for each, the largest of
// them full. 0 is the lowest bar, and no other value is that low; NaN, for what is
// missing, and what is negative are left blank.
func Sparkline(values []float64) string {
	largest := 0.0
	for _, v := range values {
		if v > largest { // not NaN
			largest = v
		}
	}
	levels := []rune(bars)
	var out strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v) || v < 0:
			out.WriteByte(' ')
		case v == 0:
			out.WriteRune(levels[0])
		default:
			top := len(levels) - 1
			out.WriteRune(levels[min(top, max(1, int(math.Round(v/largest*float64(top)))))])
		}
	}
	return out.String()
}
