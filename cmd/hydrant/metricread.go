package main

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/hydrant-go/hydrant/admin"
)

// maxPoints is how many datapoints a reading may have, of 8 bytes each.
const maxPoints = 10_000_000

// reading is what CloudWatch has of a stream in a window.
type reading struct {
	stream string
	window admin.Window
	series map[stat][]float64 // a value for each period; NaN where there is no datapoint
	known  int                // periods up to the newest datapoint; of later ones nothing is known yet
}

// readMetrics reads what the figures of the streams are made of.
func readMetrics(ctx context.Context, c cloudwatch.GetMetricDataAPIClient, streams []string, figures []figure, w admin.Window) ([]*reading, error) {
	var stats []stat
	for i := range figures {
		for _, s := range figures[i].of {
			if !slices.Contains(stats, s) {
				stats = append(stats, s)
			}
		}
	}
	if n := len(streams) * len(stats) * w.Periods(); n > maxPoints {
		return nil, usageError("that would be %d data points\nhint: give a longer --period, or a later --since", n)
	}
	var readings []*reading
	var metrics []admin.Metric
	for _, name := range streams {
		r := &reading{stream: name, window: w, series: map[stat][]float64{}}
		for _, s := range stats {
			r.series[s] = slices.Repeat([]float64{math.NaN()}, w.Periods())
			metrics = append(metrics, admin.Metric{Stream: name, Name: s.name, Stat: s.stat})
		}
		readings = append(readings, r)
	}
	for p, err := range admin.MetricData(ctx, c, metrics, w) {
		if err != nil {
			return nil, err
		}
		if i := w.Index(p.Time); i >= 0 && i < w.Periods() {
			r := readings[p.Metric/len(stats)]
			r.series[stats[p.Metric%len(stats)]][i] = p.Value
			r.known = max(r.known, i+1)
		}
	}
	for _, r := range readings {
		for _, l := range quotaLimits {
			fill(r.series[l])
		}
	}
	return readings, nil
}

// fill takes a limit to hold until another is published, and the first one to have
// held before.
func fill(limit []float64) {
	first := slices.IndexFunc(limit, isKnown)
	if first < 0 {
		return
	}
	last := limit[first]
	for i, v := range limit {
		if math.IsNaN(v) {
			limit[i] = last
		}
		last = limit[i]
	}
}

// newest is the beginning of the newest period with a datapoint; zero if there is none.
func (r *reading) newest() time.Time {
	if r.known == 0 {
		return time.Time{}
	}
	return r.window.From.Add(time.Duration(r.known-1) * r.window.Period)
}

// values are a figure's, one for each period; NaN is missing.
func (r *reading) values(f *figure) []float64 {
	list := make([]float64, r.window.Periods())
	v := make([]float64, len(f.of))
	for i := range list {
		for k, s := range f.of {
			v[k] = math.NaN()
			if of := r.series[s]; of != nil {
				v[k] = of[i]
			}
			if math.IsNaN(v[k]) && s.adds() && i < r.known {
				v[k] = 0
			}
		}
		list[i] = f.at(v, r.window.Period)
	}
	return list
}

func (f *figure) at(v []float64, over time.Duration) float64 {
	if f.value == nil {
		return v[0]
	}
	return f.value(v, over.Seconds())
}

// total is a figure of the whole window, where it is made of what adds up; else NaN.
func (r *reading) total(f *figure) float64 {
	v := make([]float64, len(f.of))
	for k, s := range f.of {
		if !s.adds() || r.known == 0 {
			return math.NaN()
		}
		for _, x := range r.series[s] {
			if !math.IsNaN(x) {
				v[k] += x
			}
		}
	}
	return f.at(v, r.window.To.Sub(r.window.From))
}

// extremes are the least, the greatest and the last of values; NaN where all are missing.
func extremes(values []float64) (least, greatest, last float64) {
	least, greatest, last = math.NaN(), math.NaN(), math.NaN()
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if !(v >= least) {
			least = v
		}
		if !(v <= greatest) {
			greatest = v
		}
		last = v
	}
	return least, greatest, last
}
