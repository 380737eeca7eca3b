package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// besideBars is about how many columns the rest of a line of bars takes.
const besideBars = 60

// oneText is a stream's metrics for people.
func (m *metering) oneText(r *reading) string {
	if r.known == 0 {
		return ""
	}
	rows := [][]string{{"", "total", "least", "most", "last"}}
	var bars [][]float64
	for i := range m.target.figures {
		f := &m.target.figures[i]
		values := r.values(f)
		least, most, last := extremes(values)
		rows = append(rows, []string{f.label, f.unit.write(r.total(f)), f.unit.write(least), f.unit.write(most), f.unit.write(last)})
		bars = append(bars, values)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, to %s: %s, periods of %s\n\n", r.stream, m.target.name, spanText(r.window), ui.Duration(r.window.Period))
	m.table(&out, rows, 1, bars, r.window.Period)
	fmt.Fprintf(&out, "\n%s\n", quotaText(r))
	return out.String()
}

// allText is a line for each stream.
func (m *metering) allText(list []*reading, w admin.Window) string {
	if len(list) == 0 {
		return ""
	}
	rows := [][]string{{"stream", "records", "bytes", "throttled", "quota used", "delivered", "failed", "success", "freshness"}}
	var bars [][]float64
	for _, r := range list {
		s := summarise(r, figuresOf(r))
		rows = append(rows, []string{
			r.stream, inCount.writeKnown(s.IncomingRecords), inBytes.writeKnown(s.IncomingBytes), inCount.writeKnown(s.ThrottledRecords), inShare.writeKnown(s.QuotaShare),
			inCount.writeKnown(s.DeliveredRecords), inCount.writeKnown(s.FailedDeliveries), inShare.writeKnown(s.Success), inSeconds.writeKnown(s.DataFreshness),
		})
		bars = append(bars, r.values(&incomingFigures[0]))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, periods of %s\n\n", spanText(w), ui.Duration(w.Period))
	m.table(&out, rows, len(rows[0]), bars, w.Period)
	return out.String()
}

// table writes rows, the first of which is their heads, on a terminal with bars in the
// given column of the others: as many of the latest as there is room for.
func (m *metering) table(out *strings.Builder, rows [][]string, column int, bars [][]float64, period time.Duration) {
	if m.terminal != nil {
		columns, _ := m.terminal.Size()
		room := max(0, columns-1-widthOf(rows)-2)
		for i := range rows {
			text := ""
			switch {
			case i > 0:
				values := bars[i-1]
				text = ui.Sparkline(values[max(0, len(values)-room):])
			case room > len("last 59m59s") && room < len(bars[0]):
				text = "last " + ui.Duration(time.Duration(room)*period)
			}
			rows[i] = slices.Insert(rows[i], column, text)
		}
	}
	t := ui.NewTable(out)
	for _, row := range rows {
		t.Row(row...)
	}
	_ = t.Flush() // to memory
}

// widthOf is how many columns a table of the rows takes.
func widthOf(rows [][]string) int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

func spanText(w admin.Window) string {
	to := w.To.UTC().Format("15:04 UTC")
	if w.From.YearDay() != w.To.YearDay() || w.To.Sub(w.From) > 24*time.Hour {
		to = minuteText(w.To)
	}
	return w.From.UTC().Format("2006-01-02 15:04") + " to " + to
}

// quotaText is what the stream may take in a second.
func quotaText(r *reading) string {
	l := lastLimits(r)
	if l == (limitsJSON{}) {
		return "CloudWatch shows no quota of this stream"
	}
	return fmt.Sprintf("quota: %s/s, %s records/s, %s calls/s", inBytes.writeKnown(l.Bytes), inCount.writeKnown(l.Records), inCount.writeKnown(l.Calls))
}

// writeKnown is v for people; nil is missing.
func (u unit) writeKnown(v *float64) string {
	if v == nil {
		return "-"
	}
	return u.write(*v)
}

// write is v for people; NaN is missing.
func (u unit) write(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	switch u {
	case inBytes:
		return ui.Bytes(int64(v))
	case inBytesPerSecond:
		return ui.Bytes(int64(v)) + "/s"
	case inShare:
		return percent(v)
	case inSeconds:
		return ui.Duration(time.Duration(v * float64(time.Second)))
	case inMillis:
		return ui.Duration(time.Duration(v * float64(time.Millisecond)))
	}
	return ui.Count(int64(math.Round(v)))
}

// percent is v rounded down, as 100% must mean all; what is more than nothing is not 0%.
func percent(v float64) string {
	switch tenths := math.Floor(v * 1000); {
	case v > 0 && tenths == 0:
		return "<0.1%"
	case math.Mod(tenths, 10) == 0:
		return fmt.Sprintf("%.0f%%", tenths/10)
	default:
		return fmt.Sprintf("%.1f%%", tenths/10)
	}
}
