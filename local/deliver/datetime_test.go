package deliver

import (
	"os"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the golden file's zones, on every system
)

// goldenTimes are the times of the golden file's first line.
func goldenTimes(t *testing.T, header []string) []time.Time {
	var times []time.Time
	for _, s := range header {
		instant, zone, _ := strings.Cut(s, " ")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		var at time.Time
		switch instant {
		case "+12026-04-05T03:04:05Z": // years that time.Parse does not know
			at = time.Date(12026, 4, 5, 3, 4, 5, 0, time.UTC)
		case "-0043-03-15T05:06:07Z":
			at = time.Date(-43, 3, 15, 5, 6, 7, 0, time.UTC)
		default:
			if at, err = time.Parse(time.RFC3339Nano, instant); err != nil {
				t.Fatal(err)
			}
		}
		times = append(times, at.In(loc))
	}
	return times
}

// differs tells where a zone's name is not Java's: see dateTime.
func differs(pattern string, at time.Time) bool {
	switch pattern {
	case "zzzz", "v", "vvvv":
		return at.Location() != time.UTC
	case "z", "zz", "zzz", "yyyy/MM/dd/HH/z":
		return at.Year() < 1900 // local mean time, KST and EST to Java
	}
	return false
}

func TestDateTimeGolden(t *testing.T) {
	golden, err := os.ReadFile("testdata/datetime/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(golden), "\r\n", "\n") // as git may check it out
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	times := goldenTimes(t, strings.Split(lines[0], "\t")[1:])
	compared := 0
	for _, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		pattern, want := cells[0], cells[1:]
		f, ok := parseDateTime(pattern)
		if accepted := len(want) > 1; !ok || !accepted {
			if ok != accepted {
				t.Errorf("pattern %q: accepted: %t, want %t", pattern, ok, accepted)
			}
			continue
		}
		for i, at := range times {
			got, err := f.format(at)
			if err != nil {
				got = "error"
			}
			compared++
			if got != want[i] && !differs(pattern, at) {
				t.Errorf("pattern %q of %v: got %q, want %q", pattern, at, got, want[i])
			}
		}
	}
	if compared < 9000 { // of about 340 patterns
		t.Errorf("%d texts compared: the golden file is not whole", compared)
	}
}

// What differs from Java, and what stands for it.
func TestDateTimeZoneNames(t *testing.T) {
	for _, tt := range []struct{ zone, pattern, want string }{
		{"America/New_York", "z zz zzz", "EDT EDT EDT"},
		{"America/New_York", "zzzz/v/vvvv", "America/New_York/America/New_York/America/New_York"},
		{"Asia/Kathmandu", "z", "Asia/Kathmandu"}, // whose abbreviation is +0545
		{"UTC", "z v zzzz", "UTC UTC Coordinated Universal Time"},
	} {
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := parseDateTime(tt.pattern)
		if got, err := f.format(time.Date(2026, 7, 13, 0, 0, 0, 0, loc)); err != nil || got != tt.want {
			t.Errorf("pattern %q in %s: %q, %v, want %q", tt.pattern, tt.zone, got, err, tt.want)
		}
	}
}
