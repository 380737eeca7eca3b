package ui

import "testing"

func TestDollars(t *testing.T) {
	for v, want := range map[float64]string{
		0: "$0.00", 363.412: "$363.41", 12345678.9: "$12,345,678.90", 0.1: "$0.10", 0.05: "$0.050", 0.00012345: "$0.00012", 1e-12: "$0.000000000", -2.5: "-$2.50",
	} {
		if got := Dollars(v); got != want {
			t.Errorf("Dollars(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512B": 512, "500KB": 500_000, "1.5MiB": 3 << 19, "5 MiB": 5 << 20, "2gib": 2 << 30, "1TB": 1e12,
	} {
		if got, err := ParseBytes(text); got != want || err != nil {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "1.2.3", "-5", "5 apples", "99999999999TiB", "1e3"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
}
