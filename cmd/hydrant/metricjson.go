package main

import (
	"math"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/admin"
)

// streamSummary is what is shown of any stream, in one number each; nil is missing.
type streamSummary struct {
	Stream           string     `json:"stream"`
	Newest           *time.Time `json:"newest"`
	IncomingRecords  *float64   `json:"incoming_records"`
	IncomingBytes    *float64   `json:"incoming_bytes"`
	IncomingCalls    *float64   `json:"incoming_calls"`
	ThrottledRecords *float64   `json:"throttled_records"`
	QuotaShare       *float64   `json:"quota_share"` // the highest
	DeliveredRecords *float64   `json:"delivered_records"`
	DeliveredBytes   *float64   `json:"delivered_bytes"`
	FailedDeliveries *float64   `json:"failed_deliveries"`
	Success          *float64   `json:"success"`
	DataFreshness    *float64   `json:"data_freshness_seconds"` // the highest
	Limits           limitsJSON `json:"limits"`
}

// limitsJSON is a stream's quota of a second.
type limitsJSON struct {
	Bytes   *float64 `json:"bytes"`
	Records *float64 `json:"records"`
	Calls   *float64 `json:"calls"`
}

type windowJSON struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Period int       `json:"period_seconds"`
}

type oneStreamJSON struct {
	streamSummary
	windowJSON
	Destination string       `json:"destination"`
	Metrics     []metricJSON `json:"metrics"`
}

type metricJSON struct {
	Name   string      `json:"name"`
	Unit   unit        `json:"unit"`
	Total  *float64    `json:"total"`
	Least  *float64    `json:"least"`
	Most   *float64    `json:"most"`
	Last   *float64    `json:"last"`
	Points []pointJSON `json:"points"`
}

type pointJSON struct {
	Time  time.Time `json:"time"`
	Value float64   `json:"value"`
}

type allStreamsJSON struct {
	windowJSON
	Streams []streamSummary `json:"streams"`
}

// everyTarget is what is read of streams whose destination was not asked.
var everyTarget = slices.Concat(incomingFigures, deliveryFigures(s3Prefix), deliveryFigures(httpPrefix))

// figuresOf are the figures of a stream whose destination was not asked: what posts to
// an endpoint may have metrics of S3 too, for its backup.
func figuresOf(r *reading) []figure {
	posts := deliveryFigures(httpPrefix)
	for i := range posts {
		for _, s := range posts[i].of {
			if slices.ContainsFunc(r.series[s], isKnown) {
				return slices.Concat(incomingFigures, posts)
			}
		}
	}
	return slices.Concat(incomingFigures, deliveryFigures(s3Prefix))
}

func isKnown(v float64) bool { return !math.IsNaN(v) }

// known is v, or nil if it is missing.
func knownOrNil(v float64) *float64 {
	if !isKnown(v) {
		return nil
	}
	return &v
}

func summarise(r *reading, figures []figure) streamSummary {
	s := streamSummary{Stream: r.stream, Limits: lastLimits(r)}
	if t := r.newest(); !t.IsZero() {
		s.Newest = &t
	}
	members := map[string]**float64{
		"incoming_records": &s.IncomingRecords, "incoming_bytes": &s.IncomingBytes, "incoming_calls": &s.IncomingCalls,
		"throttled_records": &s.ThrottledRecords, "quota_share": &s.QuotaShare,
		"delivered_records": &s.DeliveredRecords, "delivered_bytes": &s.DeliveredBytes, "failed_deliveries": &s.FailedDeliveries,
		"success": &s.Success, "data_freshness_seconds": &s.DataFreshness,
	}
	for i := range figures {
		if member := members[figures[i].key]; member != nil {
			whole := r.total(&figures[i])
			if !isKnown(whole) {
				_, whole, _ = extremes(r.values(&figures[i]))
			}
			*member = knownOrNil(whole)
		}
	}
	return s
}

// lastLimits are the limits that were published last.
func lastLimits(r *reading) limitsJSON {
	last := func(s stat) *float64 {
		_, _, v := extremes(r.series[s])
		return knownOrNil(v)
	}
	return limitsJSON{last(quotaLimits[0]), last(quotaLimits[1]), last(quotaLimits[2])}
}

func toJSON(w admin.Window) windowJSON {
	return windowJSON{w.From, w.To, int(w.Period / time.Second)}
}

func oneJSON(r *reading, t *metricTarget) oneStreamJSON {
	out := oneStreamJSON{streamSummary: summarise(r, t.figures), windowJSON: toJSON(r.window), Destination: t.key, Metrics: []metricJSON{}}
	for i := range t.figures {
		f := &t.figures[i]
		values := r.values(f)
		least, most, last := extremes(values)
		m := metricJSON{f.key, f.unit, knownOrNil(r.total(f)), knownOrNil(least), knownOrNil(most), knownOrNil(last), []pointJSON{}}
		for i, v := range values {
			if isKnown(v) && r.published(f, i) {
				m.Points = append(m.Points, pointJSON{r.window.From.Add(time.Duration(i) * r.window.Period), v})
			}
		}
		out.Metrics = append(out.Metrics, m)
	}
	return out
}

// published tells whether CloudWatch has something of a period that the figure is made
// of, besides limits, which are there also when nothing happens.
func (r *reading) published(f *figure, i int) bool {
	return slices.ContainsFunc(f.of, func(s stat) bool {
		return !slices.Contains(quotaLimits, s) && isKnown(r.series[s][i])
	})
}

func allJSON(list []*reading, w admin.Window) allStreamsJSON {
	out := allStreamsJSON{windowJSON: toJSON(w), Streams: []streamSummary{}}
	for _, r := range list {
		out.Streams = append(out.Streams, summarise(r, figuresOf(r)))
	}
	return out
}
