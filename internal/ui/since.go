package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseSince reads a time before now: how long ago, such as "90s", "1h30m" or "7d", or
// a time such as "2026-11-25T14:00:00Z".
func ParseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := parseDays(text); err == nil {
		if ago < 0 {
			return time.Time{}, fmt.Errorf("%q is in the future", text)
		}
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%q is no time; write how long ago, such as 30m, 12h or 7d, or a time such as %s", text, now.UTC().Truncate(time.Hour).Format(time.RFC3339))
	case at.After(now):
		return time.Time{}, fmt.Errorf("%q is in the future", text)
	}
	return at, nil
}

// parseDays is time.ParseDuration, which knows no days.
func parseDays(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil && strings.HasSuffix(text, "d") {
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}
