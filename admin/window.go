package admin

import (
	"fmt"
	"time"
)

// Window is a time in whole periods, from From to before To.
type Window struct {
	From, To time.Time
	Period   time.Duration
}

const day = 24 * time.Hour

// kept is for how long CloudWatch has any metrics.
const kept = 455 * day

// NewWindow is [from, to) widened to whole periods, as they lie since 1970. The period
// is a multiple of [FinestPeriod], which 0 stands for; any other is an error. A from of
// more than 455 days ago becomes that, as nothing is kept for longer.
func NewWindow(from, to time.Time, period time.Duration) (Window, error) {
	if oldest := time.Now().Add(-kept); from.Before(oldest) {
		from = oldest
	}
	finest := FinestPeriod(from)
	if period == 0 {
		period = finest
	}
	if period < finest || period%finest != 0 {
		return Window{}, fmt.Errorf("the period is %s, and of %s CloudWatch has multiples of %s only", period, since(finest), finest)
	}
	w := Window{From: floor(from, period), To: floor(to.Add(period-1), period), Period: period}
	return w, nil
}

// FinestPeriod is the finest period of metrics that begin at a time: a minute for 15
// days, five for 63 and an hour before, as CloudWatch keeps them no finer (API
// reference, GetMetricData). Both bounds are an hour early, for AWS goes by its own
// clock and refuses a finer one.
func FinestPeriod(from time.Time) time.Duration {
	switch age := time.Since(from); {
	case age > 63*day-time.Hour:
		return time.Hour
	case age > 15*day-time.Hour:
		return 5 * time.Minute
	}
	return time.Minute
}

// since says of what age a period is the finest.
func since(finest time.Duration) string {
	switch finest {
	case time.Hour:
		return "what is older than 63 days"
	case 5 * time.Minute:
		return "what is older than 15 days"
	}
	return "a delivery stream"
}

func floor(t time.Time, period time.Duration) time.Time {
	seconds, step := t.Unix(), int64(period/time.Second)
	return time.Unix(seconds-(seconds%step+step)%step, 0).UTC()
}

// Periods is how many periods the window has; 0 if it ends before it begins.
func (w Window) Periods() int { return int(max(0, w.To.Sub(w.From)/w.Period)) }

// Index is the place of the period that t lies in; it may be outside the window.
func (w Window) Index(t time.Time) int { return int(floor(t, w.Period).Sub(w.From) / w.Period) }
