package local

import (
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

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

// Validate names every share that is not between 0 and 1, and those that can't
// stand together.
func (p *Plan) Validate() error {
	var errs []error
	for _, s := range []struct {
		name  string
		value float64
	}{
		{"Refuse", p.Refuse},
		{"Error", p.Error},
		{"ResetBefore", p.ResetBefore},
		{"ResetAfter", p.ResetAfter},
		{"DelayShare", p.DelayShare},
		{"Error+ResetBefore+ResetAfter", p.Error + p.ResetBefore + p.ResetAfter},
	} {
		if !(s.value >= 0 && s.value <= 1) { // so that NaN is found too
			errs = append(errs, fmt.Errorf("the share %s is %v, it must be 0 to 1", s.name, s.value))
		}
	}
	if p.Delay < 0 {
		errs = append(errs, fmt.Errorf("the delay is %v, it must not be negative", p.Delay))
	}
	return errors.Join(errs...)
}

// Next draws the fault of one call.
func (p *Plan) Next(_ string, records int) Fault {
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
	refused := make([]bool, records)
	for i := range refused {
		refused[i] = p.rng.Float64() < p.Refuse
	}
	f.Refuse = func(i int) (code, message string) {
		if refused[i] {
			return wire.CodeServiceUnavailable, wire.SlowDown
		}
		return "", ""
	}
	return f
}

// internalFailure is our wording: no source shows AWS's.
const internalFailure = "Internal service failure."
