package scenario

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// Generator makes sample network records, one JSON object each:
//
//	{"ip_address":"203.11.7.92","timestamp":"2026-01-01T00:00:01.207Z","alert_level":"medium"}
//
// Two generators of one seed make the same records. The timestamps only grow, so
// no two records of a generator are alike, and one that is delivered twice can
// be told from two. The zero value is not ready for use.
type Generator struct {
	rng  *rand.Rand
	when time.Time
}

// NewGenerator returns the generator of seed, at its first record.
func NewGenerator(seed uint64) *Generator {
	return &Generator{
		rng:  rand.New(rand.NewPCG(seed, 0)),
		when: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
	}
}

// alertLevels holds each level as often as it comes in ten records.
var alertLevels = [...]string{
	"low", "low", "low", "low", "low", "medium", "medium", "medium", "high", "critical",
}

// Append appends the next record to dst, without a line end.
func (g *Generator) Append(dst []byte) []byte {
	g.when = g.when.Add(time.Duration(1+g.rng.IntN(2000)) * time.Millisecond)
	dst = append(dst, `{"ip_address":"`...)
	dst = strconv.AppendInt(dst, int64(1+g.rng.IntN(223)), 10)
	for range 3 {
		dst = append(dst, '.')
		dst = strconv.AppendInt(dst, int64(g.rng.IntN(256)), 10)
	}
	dst = append(dst, `","timestamp":"`...)
	dst = g.when.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","alert_level":"`...)
	dst = append(dst, alertLevels[g.rng.IntN(len(alertLevels))]...)
	return append(dst, `"}`...)
}
