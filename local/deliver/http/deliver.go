package httpendpoint

import (
	"context"
	"encoding/base64"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"
)

// The waits between attempts: 1 s, 2 s, 4 s … up to 120 s, each off by up to
// 15 %. (The specification prints MAX where only MIN makes sense.)
const (
	firstBackoff = time.Second
	lastBackoff  = 2 * time.Minute
	jitter       = 0.15
)

// ErrorOutputType is what !{firehose:error-output-type} stands for in the prefix
// of the error records of an HTTP endpoint.
const ErrorOutputType = "http-endpoint-failed"

// Failure is one request that was not acknowledged, or what was left when the
// context ended. The endpoint may have stored its records all the same, as when
// the answer was lost.
type Failure struct {
	// From and To say which records these are: records[From:To] of Deliver.
	From, To int
	// Cancelled is set when the context ended: these records are still to be
	// delivered, and what stands below tells of attempts before that, if any.
	Cancelled bool
	// Permanent is set for an answer 413: AWS drops the records, without an
	// error record.
	Permanent bool
	// Code and Message are of the last attempt that failed.
	Code, Message string
	// Attempts is how many were made.
	Attempts int
	// Began is when the first attempt did, Ended when the last one was over.
	Began, Ended time.Time
}

// Deliver sends records in requests of up to 10,000 records and 64 MiB, one after
// the other, and returns those requests that were not acknowledged, in order:
// none when all is delivered. A request that failed does not keep later ones
// from being sent.
//
// A request that failed is sent again, with the same request id, until RetryFor
// is over. That time starts with the first failure and does not run while an
// answer is waited for; an acknowledgement ends it. What AWS does not say: the
// last wait is cut so that the last attempt begins when the time is over, and
// the time is one for all requests of a Deliver, so that an endpoint that is
// down holds up ten requests no longer than one. Each is sent at least once.
//
// When ctx ends Deliver returns at once; the last Failure then is Cancelled and
// holds all that is left. Deliver does not read records after it has returned.
func (e *Endpoint) Deliver(ctx context.Context, records [][]byte) []Failure {
	var failures []Failure
	var p patience
	for from := 0; from < len(records); {
		r := newRequest(records[from:])
		to := from + len(r.records)
		if f := e.send(ctx, r, &p); f != nil {
			if f.Cancelled {
				to = len(records)
			}
			f.From, f.To = from, to
			failures = append(failures, *f)
		}
		from = to
	}
	return failures
}

// send makes as many attempts as patience allows. It returns nil when one was
// acknowledged.
func (e *Endpoint) send(ctx context.Context, r *request, p *patience) *Failure {
	f := &Failure{Began: time.Now()}
	if e.cfg.Gzip && r.compress(ctx) != nil {
		f.Cancelled = true
		return f
	}
	for {
		if ctx.Err() != nil {
			f.Cancelled = true
			return f
		}
		o := e.attempt(ctx, r)
		if o.code != "" && ctx.Err() != nil {
			continue // its end, not the endpoint's fault
		}
		if e.cfg.Attempted != nil {
			e.cfg.Attempted(r.records, o.code)
		}
		if o.code == "" {
			*p = patience{}
			return nil
		}
		f.Attempts++
		f.Code, f.Message, f.Permanent, f.Ended = o.code, o.message, o.permanent, time.Now()
		p.failed(o)
		wait := min(backoff(f.Attempts-1), p.left(e.cfg.RetryFor))
		again := !o.permanent && wait > 0
		e.logAttempt(ctx, r, o, f.Attempts, again, wait)
		if !again {
			return f
		}
		pause(ctx, wait)
	}
}

func (e *Endpoint) logAttempt(ctx context.Context, r *request, o outcome, attempt int, again bool, wait time.Duration) {
	attrs := []slog.Attr{
		slog.String("code", o.code), slog.String("message", o.message), slog.Any("error", o.cause),
		slog.String("endpoint", e.url.Host), // the rest of the URL may hold a secret
		slog.String("request_id", r.id), slog.Int("records", len(r.records)), slog.Int("attempt", attempt),
	}
	if again {
		attrs = append(attrs, slog.Duration("retry_in", wait))
	}
	e.log.LogAttrs(ctx, slog.LevelWarn, "HTTP endpoint did not acknowledge a request", attrs...)
}

// patience is how long failures have lasted.
type patience struct {
	since  time.Time     // the first failure; zero is none
	waited time.Duration // for answers, since then
}

func (p *patience) failed(o outcome) {
	if p.since.IsZero() {
		p.since = time.Now()
		return
	}
	p.waited += o.waited
}

func (p *patience) left(of time.Duration) time.Duration { return of - (time.Since(p.since) - p.waited) }

// backoff is the wait before retry n, from 0.
func backoff(n int) time.Duration {
	wait := float64(firstBackoff<<min(n, 10)) * (1 - jitter + 2*jitter*rand.Float64())
	return min(time.Duration(wait), lastBackoff)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// AppendErrorLine appends the error record of one of the Failure's records, as a
// line of JSON: what stands in the objects under the error prefix. arrival is
// when the record came. sequence becomes its dataId; in AWS's example it is a
// number of 56 digits.
func (f *Failure) AppendErrorLine(dst, data []byte, arrival time.Time, sequence string) []byte {
	number := func(name string, n int64) { dst = strconv.AppendInt(append(dst, name...), n, 10) }
	text := func(name, s string) { dst = appendJSON(append(dst, name...), s) }
	number(`{"attemptsMade":`, int64(f.Attempts))
	number(`,"arrivalTimestamp":`, arrival.UnixMilli())
	text(`,"errorCode":`, f.Code)
	text(`,"errorMessage":`, f.Message)
	number(`,"attemptEndingTimestamp":`, f.Ended.UnixMilli())
	dst = base64.StdEncoding.AppendEncode(append(dst, `,"rawData":"`...), data)
	// 0 for all that does not come from an aggregated Kinesis record.
	number(`","subsequenceNumber":`, 0)
	text(`,"dataId":`, sequence+".0")
	return append(dst, "}\n"...)
}
