package cloudwatch

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// Dimension is a part of what tells metrics apart.
type Dimension struct{ Name, Value string }

// Key names a series: the samples of one caller's metric in one unit.
type Key struct {
	awsapi.Caller
	Namespace, Name string
	Dimensions      []Dimension // in any order
	Unit            string      // one of CloudWatch's, such as Count; "" is None
}

// tiers are how long CloudWatch keeps samples, and how finely (API reference,
// GetMetricStatistics). What leaves one is added up in the next.
var tiers = [...]struct{ step, keep int64 }{ // seconds
	{60, 15 * day}, {300, 63 * day}, {3600, 455 * day},
}

const day = 24 * 60 * 60

// maxSeries is how many series a store has at most: beyond it those that have been
// quiet for longest go.
const maxSeries = 20_000

// maxSets is how many statistic sets a store keeps, of 40 bytes: beyond it all
// are kept for half the time. It is a variable for the tests.
var maxSets int64 = 4 << 20

// Store keeps metrics as statistic sets of a minute: the number of samples, their
// sum, minimum and maximum. Single samples are not kept, so that there are no
// percentiles. Sets are kept for 15 days, sums of 5 minutes for 63 days and of an
// hour for 455 days, as CloudWatch keeps them; all is bounded, see [Store.Series].
// The zero value is an empty store. Its methods may be called from many
// goroutines.
type Store struct {
	sets    atomic.Int64 // in all series
	squeeze atomic.Int32 // sets are kept for 1/2^squeeze of the time

	mu     sync.Mutex // guards series; taken before a series' own
	series map[seriesID]*Series
}

// seriesID is a key in a form that can be compared.
type seriesID struct{ metric, unit string }

// id joins what names a metric, in an order that sorts as its parts do.
func (k *Key) id() seriesID {
	parts := []string{k.Account, k.Region, k.Namespace, k.Name}
	for _, d := range k.Dimensions {
		parts = append(parts, d.Name, d.Value)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strings.ReplaceAll(p, "\x00", "\x00\xff") + "\x00\x01")
	}
	return seriesID{b.String(), k.Unit}
}

func sorted(dims []Dimension) []Dimension {
	return slices.SortedFunc(slices.Values(dims), func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
}

// Series is the samples of one key.
type Series struct {
	store *Store
	key   Key // its dimensions sorted, its unit set

	mu    sync.Mutex // guards the fields below
	tiers [len(tiers)][]set
	fresh bool // has samples that were not saved
	gone  bool // from the store, which may have another of the key
}

// set is the statistics of one step of time.
type set struct {
	start                int64 // seconds since 1970
	count, sum, min, max float64
}

func (a *set) merge(b set) {
	a.count += b.count
	a.sum += b.sum
	a.min = min(a.min, b.min)
	a.max = max(a.max, b.max)
}

// Series returns the series of a key, which it makes if need be. A store has at
// most 20,000: beyond it those go whose last sample is oldest. A handle stays good
// when its series goes.
func (s *Store) Series(k Key) *Series {
	k.Unit = cmp.Or(k.Unit, "None")
	k.Dimensions = sorted(k.Dimensions)
	id := k.id()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.series[id]
	if r == nil {
		s.makeRoomLocked()
		r = &Series{store: s, key: k}
		s.series[id] = r
	}
	return r
}

// all returns the series as they are now.
func (s *Store) all() map[seriesID]*Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.series)
}

// makeRoomLocked drops a tenth of the series when there are too many, so that it
// is seldom done.
func (s *Store) makeRoomLocked() {
	if s.series == nil {
		s.series = map[seriesID]*Series{}
	}
	if len(s.series) < maxSeries {
		return
	}
	type quiet struct {
		id   seriesID
		last int64
	}
	var all []quiet
	for id, r := range s.series {
		all = append(all, quiet{id, r.last()})
	}
	slices.SortFunc(all, func(a, b quiet) int { return cmp.Compare(a.last, b.last) })
	for _, q := range all[:maxSeries/10] {
		s.series[q.id].drop()
		delete(s.series, q.id)
	}
}

func (r *Series) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	for t := range r.tiers {
		r.resizeLocked(t, nil)
	}
}

// last is the start of the newest set, or 0.
func (r *Series) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sets := range r.tiers {
		if n := len(sets); n > 0 {
			return sets[n-1].start
		}
	}
	return 0
}

// Add takes a sample. It is quick and allocates nothing but for the first sample of
// a minute. A value that is no number, or infinite, is passed over.
func (r *Series) Add(now time.Time, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	r.add(now, now, set{count: 1, sum: value, min: value, max: value})
}

// add takes the samples of p, which were made at the given time.
func (r *Series) add(at, now time.Time, p set) {
	p.start = floor(at.Unix(), tiers[0].step)
	r.mu.Lock()
	r.fresh = true
	if n := len(r.tiers[0]); n > 0 && r.tiers[0][n-1].start == p.start {
		r.tiers[0][n-1].merge(p)
		r.mu.Unlock()
		return
	}
	if r.gone {
		r.mu.Unlock()
		r.store.Series(r.key).add(at, now, p)
		return
	}
	r.insertLocked(0, p)
	r.rollLocked(now)
	r.mu.Unlock()
	if r.store.sets.Load() > maxSets {
		r.store.trim(now)
	}
}

// insertLocked adds p to the set of its start. Mostly that is the last.
func (r *Series) insertLocked(t int, p set) {
	sets := r.tiers[t]
	i, found := len(sets), false
	if i > 0 && sets[i-1].start >= p.start {
		i, found = slices.BinarySearchFunc(sets, p.start, func(s set, start int64) int { return cmp.Compare(s.start, start) })
	}
	if found {
		sets[i].merge(p)
		return
	}
	r.resizeLocked(t, slices.Insert(sets, i, p))
}

func (r *Series) resizeLocked(t int, sets []set) {
	r.store.sets.Add(int64(len(sets) - len(r.tiers[t])))
	r.tiers[t] = sets
}

// rollLocked moves what is too old for its tier to the next, or drops it.
func (r *Series) rollLocked(now time.Time) {
	squeeze := r.store.squeeze.Load()
	for t, tier := range tiers {
		sets := r.tiers[t]
		oldest := now.Unix() - tier.keep>>squeeze
		n := 0
		for ; n < len(sets) && sets[n].start < oldest; n++ {
			if t+1 < len(tiers) {
				p := sets[n]
				p.start = floor(p.start, tiers[t+1].step)
				r.insertLocked(t+1, p)
			}
		}
		if n > 0 {
			r.resizeLocked(t, sets[n:])
		}
	}
}

// trim shortens what is kept until it fits.
func (s *Store) trim(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.sets.Load() > maxSets && s.squeeze.Load() < 20 {
		s.squeeze.Add(1)
		for _, r := range s.series {
			r.mu.Lock()
			r.rollLocked(now)
			r.mu.Unlock()
		}
	}
}

func floor(seconds, step int64) int64 {
	return seconds - (seconds%step+step)%step
}

// Query asks for statistics of a metric.
type Query struct {
	Key                  // Unit "" is all of them
	Start, End time.Time // [Start, End)
	Period     time.Duration
}

// Datapoint is the statistic set of one period.
type Datapoint struct {
	Timestamp   time.Time // the period's start
	SampleCount float64   // above 0
	Sum         float64
	Minimum     float64
	Maximum     float64
	Unit        string
}

// Statistics returns a datapoint for every period with samples, in order of time
// and, at the same time, of unit. Start is rounded down as CloudWatch rounds it, to
// a minute or, after 15 and 63 days, to 5 minutes and an hour, and periods are
// counted from it; the period is a multiple of a minute. What is kept as sums of 5
// minutes or an hour is left out where the period is no multiple of them.
func (s *Store) Statistics(q Query) []Datapoint {
	units := units
	if q.Unit != "" {
		units = []string{q.Unit}
	}
	now := time.Now()
	q.Dimensions = sorted(q.Dimensions)
	id := q.Key.id()
	var points []Datapoint
	for _, id.unit = range units {
		s.mu.Lock()
		r := s.series[id]
		s.mu.Unlock()
		if r != nil {
			points = r.read(points, now, &q)
		}
	}
	slices.SortStableFunc(points, func(a, b Datapoint) int { return a.Timestamp.Compare(b.Timestamp) })
	return points
}

// read appends r's datapoints to points.
func (r *Series) read(points []Datapoint, now time.Time, q *Query) []Datapoint {
	start, end, period := roundStart(now, q.Start), q.End.Add(time.Second-1).Unix(), int64(q.Period/time.Second)
	first := len(points)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rollLocked(now)
	for t, tier := range slices.Backward(tiers[:]) { // the oldest first
		if period%tier.step != 0 {
			continue
		}
		sets := r.tiers[t]
		i, _ := slices.BinarySearchFunc(sets, start, func(s set, start int64) int { return cmp.Compare(s.start, start) })
		for _, p := range sets[i:] {
			if p.start >= end {
				break
			}
			at := time.Unix(start+floor(p.start-start, period), 0).UTC()
			if n := len(points); n > first && points[n-1].Timestamp.Equal(at) {
				points[n-1].merge(p)
			} else {
				points = append(points, Datapoint{at, p.count, p.sum, p.min, p.max, r.key.Unit})
			}
		}
	}
	return points
}

func (d *Datapoint) merge(p set) {
	d.SampleCount += p.count
	d.Sum += p.sum
	d.Minimum = min(d.Minimum, p.min)
	d.Maximum = max(d.Maximum, p.max)
}

// roundStart rounds a query's start down to what is kept of its age, in seconds
// since 1970.
func roundStart(now, start time.Time) int64 {
	step := tiers[len(tiers)-1].step
	for _, tier := range slices.Backward(tiers[:]) {
		if now.Unix()-start.Unix() < tier.keep {
			step = tier.step
		}
	}
	return floor(start.Unix(), step)
}
