package hydrant

import "maps"

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
	// BilledBytes is what Firehose bills for the delivered records: each one's
	// size rounded up to 5,120 bytes.
	BilledBytes int64 `json:"billed_bytes"`

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
