package local

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Quota is what a stream takes per second; 0 is no limit. AWS's defaults for
// Direct PUT are 500,000 records, 2,000 calls and 5 MiB in us-east-1, us-west-2
// and eu-west-1, and 100,000, 1,000 and 1 MiB elsewhere (developer guide,
// limits). What a second leaves unused may be used in the next, but no later.
type Quota struct {
	Records int `json:"records"` // accepted ones
	Calls   int `json:"calls"`   // PutRecord and PutRecordBatch together
	Bytes   int `json:"bytes"`   // raw, of accepted records
}

func (q Quota) validate() error {
	if q.Records < 0 || q.Calls < 0 || q.Bytes < 0 {
		return fmt.Errorf("the quota %+v has a negative limit; 0 is no limit", q)
	}
	return nil
}

// meter applies a Quota. Its owner guards it: has and take must see one state.
type meter struct{ calls, records, bytes *rate.Limiter }

func (q Quota) meter() meter {
	limiter := func(n int) *rate.Limiter {
		if n == 0 {
			return nil
		}
		return rate.NewLimiter(rate.Limit(n), n)
	}
	return meter{limiter(q.Calls), limiter(q.Records), limiter(q.Bytes)}
}

// quota is what m applies.
func (m meter) quota() Quota {
	limit := func(l *rate.Limiter) int {
		if l == nil {
			return 0
		}
		return l.Burst()
	}
	return Quota{Records: limit(m.records), Calls: limit(m.calls), Bytes: limit(m.bytes)}
}

// call admits a call or not.
func (m meter) call(now time.Time) bool {
	return has(m.calls, now, 1) && take(m.calls, now, 1)
}

// record admits a record of n bytes or not; one that is not admitted costs
// nothing.
func (m meter) record(now time.Time, n int) bool {
	return has(m.records, now, 1) && has(m.bytes, now, n) && take(m.records, now, 1) && take(m.bytes, now, n)
}

// has tells whether n fits now. More than a second's worth fits when a whole
// second's worth is there, or it would never get through.
func has(l *rate.Limiter, now time.Time, n int) bool {
	return l == nil || l.TokensAt(now) >= float64(min(n, l.Burst()))
}

// take takes n where has said yes. What goes beyond a second's worth is a debt
// that the next seconds pay.
func take(l *rate.Limiter, now time.Time, n int) bool {
	if l == nil {
		return true
	}
	for ; n > 0; n -= l.Burst() {
		l.ReserveN(now, min(n, l.Burst()))
	}
	return true
}
