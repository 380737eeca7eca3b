package local

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// Faults decides what goes wrong. Next is asked once for each put call that
// reaches the backend, with the operation (PutRecord or PutRecordBatch) and its
// number of records. It is called from many goroutines.
type Faults interface {
	Next(op string, records int) Fault
}

// Fault is what goes wrong with one put call; its zero value is nothing. What is
// set applies in this order: Delay, ResetBefore, Code, Refuse, ResetAfter,
// Answer.
type Fault struct {
	// Delay comes before anything else.
	Delay time.Duration
	// Code, if not empty, fails the whole call with this error; nothing is
	// stored. Status 0 is 503.
	Status        int
	Code, Message string
	// Reset breaks the connection off.
	Reset Reset
	// Refuse, if not nil, gives the error code and message that record i is
	// refused with, or "" to let it pass on to the quota. PutRecord fails as a
	// whole then: HTTP 503, or 500 for InternalFailure.
	Refuse func(i int) (code, message string)
	// Answer, if not nil, changes the answer after the records are stored.
	Answer func(*wire.PutResponse)
}

// Reset says when a connection breaks.
type Reset int

const (
	NoReset     Reset = iota
	ResetBefore       // nothing is stored
	ResetAfter        // the records are stored, the client never learns of it
)

// Plan is random faults in given shares, each 0 to 1. The same Seed and the
// same sequence of calls give the same faults. Use it by pointer, and do not
// change it once it is in use.
//
// In JSON its members are seed, refuse, error, reset_before, reset_after,
// delay_share, delay ("200ms") and rules; a rule's are op, share, delay, refuse,
// status, code, message and reset ("before" or "after").
type Plan struct {
	Seed uint64
	// Refuse is the share of records that are refused with "Slow down.".
	Refuse float64
	// Error is the share of calls that fail whole with nothing stored, half of
	// them with 503 ServiceUnavailableException, half with 500 InternalFailure.
	Error float64
	// ResetBefore and ResetAfter are shares of calls whose connection breaks:
	// before anything is stored, and after all is stored.
	ResetBefore, ResetAfter float64
	// DelayShare is the share of calls that wait, evenly between 0 and Delay.
	DelayShare float64
	Delay      time.Duration
	// Rules are for calls that the shares above let pass: the first whose draw
	// says so applies.
	Rules []Rule

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

// Rule is what goes wrong with a share of the put calls.
type Rule struct {
	Op    string  // PutRecord or PutRecordBatch; "" is both
	Share float64 // of the calls, above 0 to 1
	Delay time.Duration
	// Refuse is the share of the call's records that are refused, each with Code
	// and Message; 0: Code fails the whole call.
	Refuse float64
	// Status is of a whole call that fails; default 503.
	Status int
	// Code and Message default to ServiceUnavailableException and "Slow down.",
	// where the rule does nothing else.
	Code, Message string
	Reset         Reset
}

// Validate names every share that is not between 0 and 1, those that can't stand
// together, and what else is wrong.
func (p *Plan) Validate() error {
	var errs []error
	share := func(name string, value float64) {
		if !(value >= 0 && value <= 1) { // so that NaN is found too
			errs = append(errs, fmt.Errorf("the share %s is %v, it must be 0 to 1", name, value))
		}
	}
	share("Refuse", p.Refuse)
	share("Error", p.Error)
	share("ResetBefore", p.ResetBefore)
	share("ResetAfter", p.ResetAfter)
	share("DelayShare", p.DelayShare)
	share("Error+ResetBefore+ResetAfter", p.Error+p.ResetBefore+p.ResetAfter)
	delay := func(d time.Duration) {
		if d < 0 {
			errs = append(errs, fmt.Errorf("the delay is %v, it must not be negative", d))
		}
	}
	delay(p.Delay)
	for i, r := range p.Rules {
		rule := fmt.Sprintf("of rule %d", i+1)
		share(rule, r.Share)
		share("Refuse "+rule, r.Refuse)
		delay(r.Delay)
		if r.Share == 0 {
			errs = append(errs, fmt.Errorf("the share %s is 0, so it never applies", rule))
		}
		if r.Op != "" && r.Op != "PutRecord" && r.Op != "PutRecordBatch" {
			errs = append(errs, fmt.Errorf("the op %s is %q, it must be PutRecord or PutRecordBatch", rule, r.Op))
		}
		if r.Status != 0 && (r.Status < 400 || r.Status > 599) {
			errs = append(errs, fmt.Errorf("the status %s is %d, it must be 400 to 599", rule, r.Status))
		}
	}
	return errors.Join(errs...)
}

// planJSON is a Plan in JSON.
type planJSON struct {
	Seed        uint64     `json:"seed,omitempty"`
	Refuse      float64    `json:"refuse,omitempty"`
	Error       float64    `json:"error,omitempty"`
	ResetBefore float64    `json:"reset_before,omitempty"`
	ResetAfter  float64    `json:"reset_after,omitempty"`
	DelayShare  float64    `json:"delay_share,omitempty"`
	Delay       duration   `json:"delay,omitempty"`
	Rules       []ruleJSON `json:"rules,omitempty"`
}

type ruleJSON struct {
	Op      string   `json:"op,omitempty"`
	Share   float64  `json:"share"`
	Delay   duration `json:"delay,omitempty"`
	Refuse  float64  `json:"refuse,omitempty"`
	Status  int      `json:"status,omitempty"`
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message,omitempty"`
	Reset   Reset    `json:"reset,omitempty"`
}

// duration is a time such as "200ms" in JSON.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// MarshalText gives a Reset's name in a plan.
func (r Reset) MarshalText() ([]byte, error) {
	return []byte([...]string{"", "before", "after"}[r]), nil
}

// UnmarshalText takes before and after.
func (r *Reset) UnmarshalText(text []byte) error {
	switch string(text) {
	case "":
		*r = NoReset
	case "before":
		*r = ResetBefore
	case "after":
		*r = ResetAfter
	default:
		return fmt.Errorf("reset is %q, it must be before or after", text)
	}
	return nil
}

// MarshalJSON writes the plan.
func (p *Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{p.Seed, p.Refuse, p.Error, p.ResetBefore, p.ResetAfter, p.DelayShare, duration(p.Delay), nil}
	for _, r := range p.Rules {
		out.Rules = append(out.Rules, ruleJSON{r.Op, r.Share, duration(r.Delay), r.Refuse, r.Status, r.Code, r.Message, r.Reset})
	}
	return json.Marshal(out)
}

// ParsePlan reads a plan from JSON, and validates it.
func ParsePlan(text []byte) (*Plan, error) {
	var in planJSON
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("the fault plan: %w\nhint: its members are seed, refuse, error, reset_before, reset_after, delay_share, delay and rules; a rule's are op, share, delay, refuse, status, code, message and reset", err)
	}
	p := &Plan{Seed: in.Seed, Refuse: in.Refuse, Error: in.Error, ResetBefore: in.ResetBefore, ResetAfter: in.ResetAfter, DelayShare: in.DelayShare, Delay: time.Duration(in.Delay)}
	if p.Delay > 0 && p.DelayShare == 0 {
		p.DelayShare = 1
	}
	for _, r := range in.Rules {
		p.Rules = append(p.Rules, Rule{r.Op, r.Share, time.Duration(r.Delay), r.Refuse, r.Status, r.Code, r.Message, r.Reset})
	}
	return p, p.Validate()
}

// Next draws the fault of one call.
func (p *Plan) Next(op string, records int) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rng == nil {
		p.rng = rand.New(rand.NewPCG(p.Seed, 0))
	}
	var f Fault
	if p.rng.Float64() < p.DelayShare {
		f.Delay = time.Duration(p.rng.Float64() * float64(p.Delay))
	}
	switch x := p.rng.Float64(); {
	case x < p.Error/2:
		f.Status, f.Code, f.Message = 503, wire.CodeServiceUnavailable, wire.SlowDown
	case x < p.Error:
		f.Status, f.Code, f.Message = 500, wire.CodeInternalFailure, internalFailure
	case x < p.Error+p.ResetBefore:
		f.Reset = ResetBefore
	case x < p.Error+p.ResetBefore+p.ResetAfter:
		f.Reset = ResetAfter
	}
	f.Refuse = p.refuseLocked(records, p.Refuse, wire.CodeServiceUnavailable, wire.SlowDown)
	for _, r := range p.Rules {
		drawn := p.rng.Float64() < r.Share // always, so that a seed means the same for all calls
		if drawn && (r.Op == "" || r.Op == op) && f.Code == "" && f.Reset == NoReset {
			p.applyLocked(&f, &r, records)
			break
		}
	}
	return f
}

// refuseLocked draws the records that are refused.
func (p *Plan) refuseLocked(records int, share float64, code, message string) func(int) (string, string) {
	if share == 0 {
		return nil
	}
	refused := make([]bool, records)
	for i := range refused {
		refused[i] = p.rng.Float64() < share
	}
	return func(i int) (string, string) {
		if refused[i] {
			return code, message
		}
		return "", ""
	}
}

// applyLocked adds a rule's fault.
func (p *Plan) applyLocked(f *Fault, r *Rule, records int) {
	f.Delay += r.Delay
	f.Reset = r.Reset
	code, message := cmp.Or(r.Code, wire.CodeServiceUnavailable), r.Message
	if message == "" && code == wire.CodeServiceUnavailable {
		message = wire.SlowDown
	}
	switch {
	case r.Refuse > 0:
		f.Refuse = p.refuseLocked(records, r.Refuse, code, cmp.Or(message, internalFailure))
	case r.Code != "" || r.Status != 0 || r.Delay == 0 && r.Reset == NoReset:
		f.Status, f.Code, f.Message = cmp.Or(r.Status, 503), code, message
	}
}

// internalFailure is our wording: no source shows AWS's.
const internalFailure = "Internal service failure."
