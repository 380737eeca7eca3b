package cloudwatch

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

var me = awsapi.Caller{Account: "123456789012", Region: "us-east-1"}

// metric is a key of mine.
func metric(name string) Key {
	return Key{Caller: me, Namespace: "N", Name: name, Dimensions: []Dimension{{"a", "1"}, {"b", "2"}}, Unit: "Count"}
}

func (s *Store) between(k Key, start, end time.Time, period time.Duration) []Datapoint {
	return s.Statistics(Query{Key: k, Start: start, End: end, Period: period})
}

func TestSeries(t *testing.T) {
	s, now := &Store{}, time.Now().Truncate(time.Hour)
	r := s.Series(metric("m"))
	for _, v := range []float64{3, -1, math.NaN(), 2, math.Inf(1), math.Inf(-1)} {
		r.Add(now, v)
	}
	want := []Datapoint{{now.UTC(), 3, 4, -1, 3, "Count"}}
	with := func(change func(*Key)) Key {
		k := metric("m")
		change(&k)
		return k
	}
	for what, k := range map[string]Key{
		"the key":             metric("m"),
		"all units":           with(func(k *Key) { k.Unit = "" }),
		"dimensions in order": with(func(k *Key) { k.Dimensions[0], k.Dimensions[1] = k.Dimensions[1], k.Dimensions[0] }),
	} {
		if diff := gocmp.Diff(want, s.between(k, now, now.Add(time.Minute), time.Minute)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if s.Series(with(func(k *Key) { k.Dimensions[0], k.Dimensions[1] = k.Dimensions[1], k.Dimensions[0] })) != r {
		t.Error("the order of dimensions makes another series")
	}
	for what, change := range map[string]func(*Key){
		"account":    func(k *Key) { k.Account = "1" },
		"region":     func(k *Key) { k.Region = "eu-west-1" },
		"namespace":  func(k *Key) { k.Namespace = "M" },
		"name":       func(k *Key) { k.Name = "n" },
		"unit":       func(k *Key) { k.Unit = "None" },
		"fewer":      func(k *Key) { k.Dimensions = k.Dimensions[:1] },
		"more":       func(k *Key) { k.Dimensions = append(k.Dimensions, Dimension{"c", "3"}) },
		"value":      func(k *Key) { k.Dimensions[0].Value = "2" },
		"the joints": func(k *Key) { k.Dimensions = []Dimension{{"a", "1\x00\x01b\x00\x012"}} },
	} {
		if got := s.between(with(change), now, now.Add(time.Minute), time.Minute); got != nil {
			t.Errorf("another %s: %v", what, got)
		}
	}
}

// TestSeriesConcurrently is for the race detector: puts, reads and saves at once.
func TestSeriesConcurrently(t *testing.T) {
	s, now := &Store{}, time.Now().Truncate(time.Minute)
	const routines, samples = 8, 2000
	var wg sync.WaitGroup
	for i := range routines {
		r := s.Series(metric("m"))
		wg.Go(func() {
			for n := range samples {
				r.Add(now.Add(time.Duration(n%3)*time.Minute), 1)
				if n%500 == i {
					_ = s.between(metric("m"), now, now.Add(time.Hour), time.Minute)
					if err := s.Save(filepath.Join(t.TempDir(), "f")); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := s.between(metric("m"), now, now.Add(time.Hour), time.Hour); len(got) != 1 || got[0].SampleCount != routines*samples {
		t.Errorf("%v", got)
	}
}

func TestPeriods(t *testing.T) {
	s := &Store{}
	now := time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	r := s.Series(metric("m"))
	for _, d := range []time.Duration{5 * time.Minute, 0, 59 * time.Second, time.Minute} { // out of order
		r.Add(at(d), 1)
	}
	point := func(d time.Duration, n float64) Datapoint { return Datapoint{at(d), n, n, 1, 1, "Count"} }
	for _, tt := range []struct {
		what       string
		start, end time.Duration
		period     time.Duration
		want       []Datapoint
	}{
		{"by the minute", 0, time.Hour, time.Minute, []Datapoint{point(0, 2), point(time.Minute, 1), point(5*time.Minute, 1)}},
		{"by the hour", 0, time.Hour, time.Hour, []Datapoint{point(0, 4)}},
		{"end is exclusive", 0, time.Minute, time.Minute, []Datapoint{point(0, 2)}},
		{"end within a minute", 0, time.Minute + time.Nanosecond, time.Minute, []Datapoint{point(0, 2), point(time.Minute, 1)}},
		{"start is inclusive", time.Minute, 5 * time.Minute, time.Minute, []Datapoint{point(time.Minute, 1)}},
		{"start is rounded down", 119 * time.Second, 5 * time.Minute, time.Minute, []Datapoint{point(time.Minute, 1)}},
		{"periods count from the start", time.Minute, time.Hour, 2 * time.Minute, []Datapoint{point(time.Minute, 1), point(5*time.Minute, 1)}},
		{"before the start", -time.Hour, time.Hour, 2 * time.Hour, []Datapoint{point(-time.Hour, 4)}},
	} {
		if diff := gocmp.Diff(tt.want, s.between(metric("m"), at(tt.start), at(tt.end), tt.period)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, diff)
		}
	}
}

var seeds = flag.Int("seeds", 10, "how many random histories TestModel runs")

// TestModel compares random histories with every sample kept and added up anew: what
// is as old as a tier keeps is found by its periods alone, and also after a Save and
// a Load.
func TestModel(t *testing.T) {
	for range *seeds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { history(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func history(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := &Store{}
	var samples []int64 // when; each is 1
	file := filepath.Join(t.TempDir(), "metrics")
	for step := range 60 {
		time.Sleep(time.Duration(rnd.Int64N(20*day)) * time.Second / time.Duration(1+rnd.IntN(50)))
		now := time.Now()
		for range rnd.IntN(20) {
			at := now
			if rnd.IntN(2) == 0 { // as PutMetricData may
				at = now.Add(2*time.Hour - time.Duration(rnd.Int64N(int64(14*24*time.Hour))))
			}
			s.Series(metric("m")).add(at, now, set{0, 1, 1, 1, 1})
			samples = append(samples, at.Unix())
		}
		if rnd.IntN(5) == 0 {
			if err := s.Save(file); err != nil {
				t.Fatal(err)
			}
			s = &Store{}
			if err := s.Load(file); err != nil {
				t.Fatal(err)
			}
		}
		period := []int64{60, 300, 900, 3600, 2 * day}[rnd.IntN(5)]
		start := now.Add(-time.Duration(rnd.Int64N(500*day)) * time.Second)
		got := map[int64]float64{}
		last := time.Time{}
		for _, p := range s.between(metric("m"), start, now.Add(3*time.Hour), time.Duration(period)*time.Second) {
			if !p.Timestamp.After(last) {
				t.Errorf("seed %d, step %d: %v after %v", seed, step, p.Timestamp, last)
			}
			last = p.Timestamp
			got[p.Timestamp.Unix()] = p.Sum
		}
		if diff := gocmp.Diff(model(samples, now.Unix(), start.Unix(), period), got); diff != "" {
			t.Fatalf("seed %d, step %d, from %v by %d s (-want +got):\n%s", seed, step, start, period, diff)
		}
		if n := s.sets.Load(); n != s.count() {
			t.Fatalf("seed %d, step %d: %d sets are counted, %d are kept", seed, step, n, s.count())
		}
	}
}

// model adds up samples by period, from start on.
func model(samples []int64, now, start, period int64) map[int64]float64 {
	down := func(at, step int64) int64 { return at - at%step }
	switch age := now - start; {
	case age < 15*day:
		start = down(start, 60)
	case age < 63*day:
		start = down(start, 300)
	default:
		start = down(start, 3600)
	}
	want := map[int64]float64{}
	for _, at := range samples {
		at, step := down(at, 60), int64(60)
		if at < now-15*day {
			at, step = down(at, 300), 300
		}
		if at < now-63*day {
			at, step = down(at, 3600), 3600
		}
		if at >= start && at >= now-455*day && period%step == 0 {
			want[start+(at-start)/period*period]++
		}
	}
	return want
}

func (s *Store) count() (n int64) {
	for _, r := range s.series {
		for _, sets := range r.tiers {
			n += int64(len(sets))
		}
	}
	return n
}

// TestSeriesAreBounded: the quietest go, and their handles stay good.
func TestSeriesAreBounded(t *testing.T) {
	s, now := &Store{}, time.Now()
	handles := make([]*Series, maxSeries+1)
	for i := range handles {
		handles[i] = s.Series(metric(fmt.Sprint(i)))
		at := now
		if i < maxSeries/10 {
			at = now.Add(-time.Hour)
		}
		handles[i].Add(at, 1)
	}
	if got, want := len(s.series), maxSeries-maxSeries/10+1; got != want {
		t.Errorf("%d series are kept, want %d", got, want)
	}
	if n := s.sets.Load(); n != s.count() {
		t.Errorf("%d sets are counted, %d are kept", n, s.count())
	}
	all := func(name string) []Datapoint {
		return s.between(metric(name), now.Add(-2*time.Hour), now.Add(time.Hour), time.Hour)
	}
	if got := all("0"); got != nil {
		t.Errorf("the quietest is still there: %v", got)
	}
	if got := all(fmt.Sprint(maxSeries)); len(got) != 1 {
		t.Errorf("the newest: %v", got)
	}
	handles[0].Add(now, 1)
	handles[0].Add(now, 1)
	if got := all("0"); len(got) != 1 || got[0].Sum != 2 {
		t.Errorf("after its handle was used again: %v", got)
	}
}

// TestSetsAreBounded: when there are too many, all are kept for half the time.
func TestSetsAreBounded(t *testing.T) {
	defer func(n int64) { maxSets = n }(maxSets)
	maxSets = 1000
	s, now := &Store{}, time.Now().Truncate(time.Hour)
	r := s.Series(metric("m"))
	for i := range 20 * day / 60 {
		r.Add(now.Add(time.Duration(i)*time.Minute), 1)
		if n := s.sets.Load(); n > maxSets {
			t.Fatalf("%d sets after %d minutes", n, i)
		}
	}
	r.mu.Lock()
	sum := 0.0
	for _, sets := range r.tiers {
		for _, p := range sets {
			sum += p.sum
		}
	}
	r.mu.Unlock()
	if sum < 5*day/60 {
		t.Errorf("%v samples are left of 20 days", sum)
	}
}

func TestFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := new(Store).Load(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a file that is not there: %v", err)
	}
	s := &Store{}
	s.Series(metric("m")).Add(time.Now(), 1)
	good := filepath.Join(dir, "good")
	if err := s.Save(good); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	start := binary.BigEndian.AppendUint32([]byte{0x1a}, uint32(time.Now().Truncate(time.Minute).Unix()))
	for what, tt := range map[string]struct {
		text []byte
		want string
	}{
		"empty":        {nil, "this is not a file of metrics"},
		"another file": {[]byte("{}"), "this is not a file of metrics"},
		"a later one":  {bytes.Replace(text, []byte("Version\x01"), []byte("Version\x02"), 1), "its version is 2, this hydrant reads 1"},
		"cut short":    {text[:len(text)-1], "it is cut short or damaged"},
		"no series":    {text[:bytes.Index(text, []byte("Series"))+7], "it is cut short or damaged"},
		"a bad set":    {bytes.Replace(text, start, append([]byte{0x1a}, 0, 0, 0, 7), 1), "it is damaged"},
	} {
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, tt.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := new(Store).Load(bad); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", what, err, tt.want)
		}
	}
	if err := s.Save(filepath.Join(dir, "missing", "f")); err == nil {
		t.Error("a file in a folder that is not there could be saved")
	}
}

// TestChanged: a Save has all samples before it, and one that fails has none.
func TestChanged(t *testing.T) {
	s, dir := &Store{}, t.TempDir()
	r := s.Series(metric("m"))
	s.Series(metric("other"))
	want := func(what string, s *Store, changed bool) {
		t.Helper()
		if s.Changed() != changed {
			t.Errorf("%s: Changed is %t", what, !changed)
		}
	}
	want("no samples", s, false)
	r.Add(time.Now(), 1)
	want("a sample", s, true)
	if err := s.Save(filepath.Join(dir, "missing", "f")); err == nil {
		t.Error("a file in a folder that is not there could be saved")
	}
	want("a save that failed", s, true)
	if err := s.Save(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	want("a save", s, false)
	again := &Store{}
	if err := again.Load(filepath.Join(dir, "f")); err != nil {
		t.Fatal(err)
	}
	want("what was loaded", again, false)
	r.Add(time.Now(), 1) // of the same minute
	want("one more sample", s, true)
}

func BenchmarkAdd(b *testing.B) {
	s := &Store{}
	r := s.Series(metric("m"))
	now := time.Now()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Add(now, 1)
		}
	})
	b.Run("contended", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.Add(now, 1)
			}
		})
	})
	b.Run("minutes", func(b *testing.B) { // the worst: every sample begins a minute
		b.ReportAllocs()
		at := now
		for b.Loop() {
			r.Add(at, 1)
			at = at.Add(time.Minute)
		}
	})
}
