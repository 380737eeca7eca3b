package hydrant

import (
	"maps"
	"math"
	"math/bits"
	"time"
)

// Stats is a snapshot of a producer's counters since New. It is consistent:
// Accepted = Delivered + DeadLettered + Pending holds in every snapshot.
type Stats struct {
	Accepted     int64 `json:"accepted"`
	Delivered    int64 `json:"delivered"`
	DeadLettered int64 `json:"dead_lettered"`
	Pending      int64 `json:"pending"`

	// AcceptedBytes and DeliveredBytes are raw bytes, delimiters included.
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
	return s
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
