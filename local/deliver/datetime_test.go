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
	lines := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	times := goldenTimes(t, strings.Split(lines[0], "\t")[1:])
	compared := 0
	for _, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		pattern, want := cells[0], cells[1:]
		f, err := parseDateTime(pattern)
		if refused := len(want) == 1; refused || err != nil {
			if (err != nil) != refused {
				t.Errorf("pattern %q: %v, Java refuses it: %t", pattern, err, refused)
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
	if compared < 9000 {
		t.Errorf("%d texts compared: the golden file is not whole", compared)
	}
}
