package hydrant

import (
	"maps"
	"math"
	"math/bits"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// Stats is a snapshot of a producer's counters since New. It is consistent:
// Accepted = Delivered + DeadLettered + Damaged + Pending holds in every snapshot.
type Stats struct {
	Accepted     int64 `json:"accepted"`
	Delivered    int64 `json:"delivered"`
	DeadLettered int64 `json:"dead_lettered"`
	Pending      int64 `json:"pending"`
	// Recovered counts those of Accepted that were found in the spool at the
	// start. Damaged counts records that the spool could not read any more: their
	// bytes are in its directory.
	Recovered int64 `json:"recovered,omitempty"`
	Damaged   int64 `json:"damaged,omitempty"`

	// AcceptedBytes and DeliveredBytes are raw bytes, delimiters included, of
	// AcceptedBytes those of recovered records left out.
	AcceptedBytes  int64 `json:"accepted_bytes"`
	DeliveredBytes int64 `json:"delivered_bytes"`
	// FirehoseRecords counts what was delivered as Firehose counts it: a pack of
	// many records is one.
	FirehoseRecords int64 `json:"firehose_records"`
	// BilledBytes is what Firehose bills for them: the size of each, as sent,
	// rounded up to 5,120 bytes. UnpackedBilledBytes is what it would bill had
	// each record been sent on its own.
	BilledBytes         int64 `json:"billed_bytes"`
	UnpackedBilledBytes int64 `json:"unpacked_billed_bytes"`
	// LingerPaddingBytes is the part of BilledBytes that a longer linger might
	// have saved: the padding of calls that were sent before they were full.
	LingerPaddingBytes int64 `json:"linger_padding_bytes"`
	// BilledUSD and UnpackedBilledUSD are those bytes in dollars, at the price of
	// the region for Direct PUT ingestion; PriceNote says what is not certain
	// about it. LingerUSDPerMonth is what LingerPaddingBytes costs in a month at
	// the rate of the last 10 to 20 seconds.
	BilledUSD         float64 `json:"billed_usd"`
	UnpackedBilledUSD float64 `json:"unpacked_billed_usd"`
	LingerUSDPerMonth float64 `json:"linger_usd_per_month"`
	PriceNote         string  `json:"price_note,omitempty"`

	// BufferedBytes is how much of Config.MaxBuffer is taken, SpoolBytes the size
	// of the spool's files, InFlight how many calls are under way.
	BufferedBytes int64 `json:"buffered_bytes"`
	SpoolBytes    int64 `json:"spool_bytes,omitempty"`
	InFlight      int   `json:"in_flight"`

	// Calls counts put calls made, FailedCalls those that failed as a whole.
	Calls       int64 `json:"calls"`
	FailedCalls int64 `json:"failed_calls"`
	// Refused counts records that an answer refused one by one, each time;
	// RefusedByCode splits it by error code.
	Refused       int64            `json:"refused"`
	RefusedByCode map[string]int64 `json:"refused_by_code,omitempty"`
	// Retries counts the times that a record was sent again.
	Retries int64 `json:"retries"`
	// MaybeDuplicate counts delivered records that may be stored twice, because
	// an earlier call that carried them ended without an answer.
	MaybeDuplicate int64 `json:"maybe_duplicate"`

	// Latency is the time from Put to the answer of the delivered records.
	Latency Histogram `json:"latency"`

	// LastFailure is the latest failure of a call or a record, in words; empty
	// after a call that went through whole.
	LastFailure string `json:"last_failure,omitempty"`
}

// Stats returns the counters as they stand.
func (p *Producer) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.RefusedByCode = maps.Clone(s.RefusedByCode)
	s.BilledUSD, s.UnpackedBilledUSD, s.PriceNote = p.price.USD(s.BilledBytes), p.price.USD(s.UnpackedBilledBytes), p.price.Note
	s.LingerUSDPerMonth = p.price.USD(int64(p.padding.rate(time.Now(), s.LingerPaddingBytes) * wire.SecondsPerMonth))
	s.BufferedBytes = p.used
	if p.spool != nil {
		// What is durable counts as accepted, before it can meet its fate.
		t := p.spool.Totals()
		s.SpoolBytes, s.Accepted = t.Bytes, s.Recovered+t.Appended
		s.Pending = s.Accepted - s.Delivered - s.DeadLettered - s.Damaged
	}
	for _, st := range p.streams {
		s.InFlight += st.window.calls
	}
	return s
}

// CallInfo is what a put call has come to.
type CallInfo struct {
	Stream string
	Start  time.Time     // of sending
	Took   time.Duration // until its answer was read, or it failed
	// Records counts those that the call carried, FirehoseRecords as Firehose
	// counts them; Bytes is their size as they were sent.
	Records, FirehoseRecords, Bytes int
	// Delivered and Refused count records by what the answer said of each.
	Delivered, Refused int
	// Slowest is the longest time from Put to here of a record delivered.
	Slowest time.Duration
	// Code and Message are why the call failed as a whole, both empty otherwise.
	// Code is empty too where no answer came.
	Code, Message string
	// RequestID is the service's name for the call; empty where no answer came.
	RequestID string
}

// info is what the hook for calls gets.
func (c *call) info(o *outcome, now time.Duration) CallInfo {
	info := CallInfo{Stream: c.stream.name, Start: c.start, Took: o.took, FirehoseRecords: int(c.load.Records), Bytes: int(c.load.Bytes), Records: c.records, RequestID: c.answer.requestID}
	for _, f := range o.delivered {
		info.Delivered += f.n
		info.Slowest = max(info.Slowest, now-f.members[0].at)
	}
	if o.whole != nil {
		info.Code, info.Message = o.whole.code, o.whole.message
	} else {
		info.Refused = info.Records - info.Delivered
	}
	return info
}

// recent tells how fast a counter has grown of late, by what it was a while ago.
type recent struct{ last, mark reading }

type reading struct {
	at time.Time
	n  int64
}

// recentTime is how long ago that is, once to twice.
const recentTime = 10 * time.Second

func (r *recent) note(now time.Time, n int64) {
	if now.Sub(r.mark.at) >= recentTime {
		r.last, r.mark = r.mark, reading{now, n}
	}
}

// rate is the growth in a second.
func (r *recent) rate(now time.Time, n int64) float64 {
	return float64(n-r.last.n) / max(now.Sub(r.last.at).Seconds(), 1)
}

// Histogram counts durations by size. Counts[i] holds those of less than
// LatencyBound(i) that no earlier count holds; the last holds all others.
type Histogram struct {
	Counts [20]int64     `json:"counts"`
	Sum    time.Duration `json:"sum"`
}

// LatencyBound is the upper bound of a histogram's i-th count: 250 µs, and then
// twice the one before. The last count, 19, has none.
func LatencyBound(i int) time.Duration { return 250 * time.Microsecond << i }

func (h *Histogram) add(d time.Duration) {
	d = max(d, 0)
	h.Sum += d
	h.Counts[min(bits.Len64(uint64(d/LatencyBound(0))), len(h.Counts)-1)]++
}

func (h *Histogram) merge(o *Histogram) {
	h.Sum += o.Sum
	for i, n := range o.Counts {
		h.Counts[i] += n
	}
}

// Count is how many durations h holds.
func (h *Histogram) Count() (n int64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile is a duration that the share q of all, from 0 to 1, does not exceed:
// the upper bound of the count where it lies. 0 without any.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.Count())))
	if rank == 0 {
		return 0
	}
	i := 0
	for ; i < len(h.Counts)-1 && rank > h.Counts[i]; i++ {
		rank -= h.Counts[i]
	}
	return LatencyBound(i)
}
