package wire

import (
	"math"
	"testing"
)

// Worked by hand at $0.029 a GB, and across the bounds of the tiers.
func TestPrice(t *testing.T) {
	const billion = 1_000_000_000
	for _, tt := range []struct {
		name    string
		region  string
		records int64
		size    int
		usd     float64
	}{
		{"nothing", "us-east-2", 0, 1, 0},
		{"1,000 x 1 KiB a second for a month", "us-east-1", 1000 * SecondsPerMonth, 1024, 363.41},
		{"the same, 5 in a record", "us-east-1", 200 * SecondsPerMonth, 5120, 72.68},
		{"a billion of 200 B", "us-east-2", billion, 200, 138.28},
		{"25 in a record", "us-east-2", billion / 25, 5000, 5.53},
		{"a billion of 1,024 B", "us-east-2", billion, 1024, 138.28},
		{"100 in a record", "us-east-2", billion / 100, 102_400, 27.66},
		{"one byte over", "us-east-2", billion, 5121, 276.57},
		{"Northern California", "us-west-1", GB / 5120, 5120, 0.03},
		{"Tokyo", "ap-northeast-1", 100 * GB / 5120, 5120, 3.60},
		{"unknown", "mars-north-1", 100 * GB / 5120, 5120, 2.90},
		{"to the first bound", "us-east-2", 512_000 * GB / 5120, 5120, 14_848},
		{"past the first bound", "us-east-2", 512_100 * GB / 5120, 5120, 14_848 + 2.5},
		{"past the second bound", "us-east-2", 2_048_100 * GB / 5120, 5120, 14_848 + 38_400 + 2},
	} {
		got := PriceIn(tt.region).USD(tt.records * BilledBytes(tt.size))
		if math.Abs(got-tt.usd) > 0.005 {
			t.Errorf("%s: $%.4f, want $%.2f", tt.name, got, tt.usd)
		}
	}
	for region, noted := range map[string]bool{"us-east-2": false, "us-west-1": false, "us-east-1": true, "ap-northeast-1": true, "mars-north-1": true, "": true} {
		if p := PriceIn(region); (p.Note != "") != noted {
			t.Errorf("note of %q: %q", region, p.Note)
		}
	}
}
