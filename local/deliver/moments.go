package deliver

import (
	"iter"
	"time"
)

// Moments yields moments of the year that begins at from, in a zone (nil is UTC), of
// which one or the other has the longest text of every part that a prefix can print:
// every weekday in every month, with days of two digits, at the end of an afternoon's
// first hour and at the end of the day.
func Moments(from time.Time, zone *time.Location) iter.Seq[time.Time] {
	if zone == nil {
		zone = time.UTC
	}
	year, month, _ := from.In(zone).Date()
	return func(yield func(time.Time) bool) {
		for m := range time.Month(12) {
			for day := 11; day <= 17; day++ {
				for _, hour := range []int{12, 23} {
					if !yield(time.Date(year, month+m, day, hour, 59, 59, 0, zone)) {
						return
					}
				}
			}
		}
	}
}
