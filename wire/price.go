package wire

// GB is what Firehose's prices are per: 2^30 bytes. SecondsPerMonth is the month
// of AWS's calculator, 730 hours.
const (
	GB              = 1 << 30
	SecondsPerMonth = 730 * 3600
)

// Price is what Firehose takes for Direct PUT ingestion in a region: so much a
// billed GB, less beyond each bound. Format conversion, partitioning and VPC
// delivery cost extra, and so does the destination.
type Price struct {
	Region string
	Tiers  []Tier
	// Note says what about the figures is not certain; empty if nothing is known
	// against them.
	Note string
}

// Tier is a part of a month's volume. UpTo is its end in GB, 0 for the last.
type Tier struct{ UpTo, USD float64 }

// PricesAsOf is the month in which the prices were gathered. None was read from
// AWS's own page.
const PricesAsOf = "2026-11"

// tiers are a region's three prices. AWS's price list gives the bounds as
// 512,000 and 2,048,000 GB; a calculator was seen to take 500,000 and 2,000,000.
func tiers(first, second, third float64) []Tier {
	return []Tier{{512_000, first}, {2_048_000, second}, {0, third}}
}

var prices = map[string]Price{
	"us-east-1":      {Tiers: tiers(0.029, 0.025, 0.020), Note: "the prices beyond 500 TB are taken from us-east-2"},
	"us-east-2":      {Tiers: tiers(0.029, 0.025, 0.020)},                                                     // AWS price list, by way of its calculator
	"us-west-1":      {Tiers: tiers(0.035, 0.030, 0.024)},                                                     // AWS price list
	"ap-northeast-1": {Tiers: tiers(0.036, 0.031, 0.025), Note: "the prices of Tokyo are from an older list"}, // unverified
}

// PriceIn is the price in a region. Where it is not known it is that of
// us-east-2, and the note says so.
func PriceIn(region string) Price {
	p, ok := prices[region]
	if !ok {
		p = prices["us-east-2"]
		p.Note = "the price is not known for this region; that of us-east-2 is taken"
	}
	p.Region = region
	return p
}

// USD is what a month with that many billed bytes costs, in dollars.
func (p Price) USD(billed int64) float64 {
	volume, from, sum := float64(billed)/GB, 0.0, 0.0
	for _, t := range p.Tiers {
		if t.UpTo == 0 || volume <= t.UpTo {
			return sum + (volume-from)*t.USD
		}
		sum += (t.UpTo - from) * t.USD
		from = t.UpTo
	}
	return sum
}
