package logs

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// GetLogEvents
//
// Kept: startTime inclusive and endTime exclusive; up to 10,000 events and 1 MiB a
// page, in order of time; the last ones unless startFromHead is set; tokens forward
// and backward, of which one comes back as it was given when there is nothing more
// in its direction.
// Left out: tokens expire with AWS after 24 hours, and never here. What is put later
// with an older time than where a token stands is not met by going forward.

const (
	maxPageEvents = 10_000
	maxPageBytes  = 1 << 20
)

type getLogEventsInput struct {
	LogGroupName, LogGroupIdentifier, LogStreamName *string
	StartTime, EndTime                              *int64
	NextToken                                       *string
	Limit                                           *int
	StartFromHead                                   bool
}

type getLogEventsOutput struct {
	Events            []outputEvent `json:"events"`
	NextForwardToken  string        `json:"nextForwardToken"`
	NextBackwardToken string        `json:"nextBackwardToken"`
}

type outputEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

// position is a place between events: before those that it does not come after.
type position struct {
	time int64
	seq  uint64
}

func (p position) after(e event) bool {
	return cmp.Or(cmp.Compare(p.time, e.time), cmp.Compare(p.seq, e.seq)) > 0
}

func before(e event) position { return position{e.time, e.seq} }
func after(e event) position  { return position{e.time, e.seq + 1} }

// at is the index of the first event that p does not come after.
func (p position) at(events []event) int {
	i, _ := slices.BinarySearchFunc(events, p, func(e event, p position) int {
		if p.after(e) {
			return -1
		}
		return 1
	})
	return i
}

// token has the form of AWS's, f/…/s forward and b/…/s backward.
func (p position) token(direction byte) string {
	return fmt.Sprintf("%c/%036d%020d/s", direction, p.time, p.seq)
}

func parseToken(token string) (direction byte, p position, err error) {
	if _, err := fmt.Sscanf(token, "%c/%36d%20d/s", &direction, &p.time, &p.seq); err != nil ||
		direction != 'f' && direction != 'b' || p.token(direction) != token {
		return 0, p, invalid("The specified nextToken is invalid.")
	}
	return direction, p, nil
}

func (s *Store) getLogEvents(c awsapi.Caller, in *getLogEventsInput) (any, error) {
	groupName, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := checkStream(in.LogStreamName); err != nil {
		return nil, err
	}
	limit, err := checkLimit(in.Limit, maxPageEvents)
	if err != nil {
		return nil, err
	}
	events, err := s.events(c, groupName, *in.LogStreamName)
	if err != nil {
		return nil, err
	}
	events = between(events, deref(in.StartTime), orLast(in.EndTime))
	direction, place := byte('b'), position{time: math.MaxInt64}
	switch {
	case in.NextToken != nil:
		if direction, place, err = parseToken(*in.NextToken); err != nil {
			return nil, err
		}
	case in.StartFromHead || len(events) == 0: // what comes to an empty stream is ahead
		direction, place = 'f', position{}
	}
	return page(events, direction, place, limit), nil
}

// page takes events from a place on, forward or backward.
func page(events []event, direction byte, place position, limit int) getLogEventsOutput {
	i := place.at(events)
	if direction == 'f' {
		events = events[i : i+fit(events[i:], limit, false)]
	} else {
		events = events[i-fit(events[:i], limit, true) : i]
	}
	out := getLogEventsOutput{Events: []outputEvent{}}
	for _, e := range events {
		out.Events = append(out.Events, outputEvent{e.time, e.message, e.ingested})
	}
	front, end := place, place
	if n := len(events); n > 0 {
		front, end = before(events[0]), after(events[n-1])
	}
	out.NextForwardToken, out.NextBackwardToken = end.token('f'), front.token('b')
	return out
}

// fit is how many of the first, or the last, events make a page.
func fit(events []event, limit int, last bool) int {
	n, size := min(limit, len(events)), 0
	for i := range n {
		e := events[i]
		if last {
			e = events[len(events)-1-i]
		}
		if size += len(e.message) + eventOverhead; size > maxPageBytes && i > 0 {
			return i
		}
	}
	return n
}

// events returns a stream's events that are not past retention.
func (s *Store) events(c awsapi.Caller, groupName, name string) ([]event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, err := s.streamLocked(c, groupName, name)
	if err != nil {
		return nil, err
	}
	return between(st.events, s.groups[groupKey{c, groupName}].expired(time.Now().UnixMilli()), math.MaxInt64), nil
}

// between returns the events of [start, end).
func between(events []event, start, end int64) []event {
	events = events[position{time: start}.at(events):]
	return events[:position{time: end}.at(events)]
}

func orLast(end *int64) int64 {
	if end == nil {
		return math.MaxInt64
	}
	return *end
}

func checkLimit(limit *int, most int) (int, error) {
	switch {
	case limit == nil:
		return most, nil
	case *limit < 1:
		return 0, violation(*limit, "limit", "have value greater than or equal to 1")
	case *limit > most:
		return 0, violation(*limit, "limit", fmt.Sprintf("have value less than or equal to %d", most))
	}
	return *limit, nil
}
