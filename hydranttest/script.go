package hydranttest

import (
	"slices"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// Script gives the first put call the first fault, the second call the second,
// and so on; calls after the last have none. A zero Fault lets its call pass.
// When several goroutines put at once, the calls take them as they come.
func Script(faults ...local.Fault) local.Faults {
	return &script{faults: slices.Clone(faults)}
}

type script struct {
	mu     sync.Mutex // guards faults
	faults []local.Fault
}

func (s *script) Next(string, int) local.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return local.Fault{}
	}
	next := s.faults[0]
	s.faults = s.faults[1:]
	return next
}

// Always gives every put call the same fault.
func Always(f local.Fault) local.Faults { return always(f) }

type always local.Fault

func (a always) Next(string, int) local.Fault { return local.Fault(a) }

// RefuseAll refuses every record of a call with "Slow down.", as AWS throttles.
func RefuseAll() local.Fault {
	return local.Fault{Refuse: func(int) (code, message string) { return wire.CodeServiceUnavailable, wire.SlowDown }}
}

// Refuse refuses the records at these indices, from 0, with "Slow down.".
func Refuse(indices ...int) local.Fault {
	return RefuseWith(wire.CodeServiceUnavailable, wire.SlowDown, indices...)
}

// RefuseWith refuses the records at these indices with an error of your choice.
func RefuseWith(code, message string, indices ...int) local.Fault {
	return local.Fault{Refuse: func(i int) (string, string) {
		if slices.Contains(indices, i) {
			return code, message
		}
		return "", ""
	}}
}

// Fail fails the whole call; nothing is stored.
func Fail(status int, code, message string) local.Fault {
	return local.Fault{Status: status, Code: code, Message: message}
}

// ResetBefore breaks the connection before anything is stored.
func ResetBefore() local.Fault { return local.Fault{Reset: local.ResetBefore} }

// ResetAfter breaks the connection when all is stored: the answer is lost.
func ResetAfter() local.Fault { return local.Fault{Reset: local.ResetAfter} }

// Slow delays the call by d.
func Slow(d time.Duration) local.Fault { return local.Fault{Delay: d} }

// Answer has change alter the answer once the records are stored, as to answer
// for fewer records than were sent.
func Answer(change func(*wire.PutResponse)) local.Fault { return local.Fault{Answer: change} }
