package logs

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// FilterLogEvents
//
// Kept: startTime and endTime, both inclusive; logStreamNames or
// logStreamNamePrefix; filterPattern, see pattern.go; the events of all streams in
// order of time, up to 10,000 and 1 MiB a page; nextToken where another event matches.
// Left out: searchedLogStreams, which AWS leaves empty too.

const maxFilterStreams = 100

type filterLogEventsInput struct {
	LogGroupName, LogGroupIdentifier *string
	LogStreamNames                   []string
	LogStreamNamePrefix              *string
	StartTime, EndTime               *int64
	FilterPattern                    string
	NextToken                        *string
	Limit                            *int
}

type filterLogEventsOutput struct {
	Events             []filteredEvent `json:"events"`
	SearchedLogStreams []struct{}      `json:"searchedLogStreams"`
	NextToken          string          `json:"nextToken,omitempty"`
}

type filteredEvent struct {
	LogStreamName string `json:"logStreamName"`
	outputEvent
	EventID string `json:"eventId"`
}

func (s *Store) filterLogEvents(c awsapi.Caller, in *filterLogEventsInput) (any, error) {
	groupName, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	limit, err := checkLimit(in.Limit, maxPageEvents)
	if err != nil {
		return nil, err
	}
	match, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	var from position
	if in.NextToken != nil {
		direction := byte(0)
		if direction, from, err = parseToken(*in.NextToken); err != nil || direction != 'f' {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	queue, err := s.matching(c, groupName, in)
	if err != nil {
		return nil, err
	}
	out := filterLogEventsOutput{Events: []filteredEvent{}, SearchedLogStreams: []struct{}{}}
	size := 0
	for stream, e := range queue.from(from) {
		if !match(e.message) {
			continue
		}
		size += len(e.message) + eventOverhead
		if n := len(out.Events); n == limit || n > 0 && size > maxPageBytes {
			out.NextToken = before(e).token('f')
			break
		}
		out.Events = append(out.Events, filteredEvent{stream, outputEvent{e.time, e.message, e.ingested}, eventID(e)})
	}
	return out, nil
}

// eventID has the form of AWS's, 56 digits.
func eventID(e event) string { return fmt.Sprintf("%036d%020d", e.time, e.seq) }

// matching returns the events of the streams and the time that in asks for.
func (s *Store) matching(c awsapi.Caller, groupName string, in *filterLogEventsInput) (*merge, error) {
	switch {
	case in.LogStreamNames != nil && in.LogStreamNamePrefix != nil:
		return nil, invalid("LogStreamNamePrefix and LogStreamNames cannot be specified together.")
	case in.LogStreamNames != nil && (len(in.LogStreamNames) < 1 || len(in.LogStreamNames) > maxFilterStreams):
		return nil, violation(fmt.Sprintf("[%d elements]", len(in.LogStreamNames)), "logStreamNames", fmt.Sprintf("have 1 to %d elements", maxFilterStreams))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, err := s.groupLocked(c, groupName)
	if err != nil {
		return nil, err
	}
	start := max(deref(in.StartTime), g.expired(time.Now().UnixMilli()))
	end := orLast(in.EndTime)
	if end < math.MaxInt64 {
		end++ // inclusive
	}
	for _, name := range in.LogStreamNames {
		if g.streams[name] == nil {
			return nil, errNoStream
		}
	}
	q := &merge{}
	for name, st := range g.streams {
		if in.LogStreamNames != nil && !slices.Contains(in.LogStreamNames, name) || !strings.HasPrefix(name, deref(in.LogStreamNamePrefix)) {
			continue
		}
		if events := between(st.events, start, end); len(events) > 0 {
			*q = append(*q, source{name, events})
		}
	}
	return q, nil
}

// merge is a heap of streams by their first events, none of which is empty.
type merge []source

type source struct {
	stream string
	events []event
}

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return inOrder(m[i].events[0], m[j].events[0]) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(source)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// from gives the events of all streams from p on, in order, and uses m up.
func (m *merge) from(p position) func(yield func(string, event) bool) {
	return func(yield func(string, event) bool) {
		*m = slices.DeleteFunc(*m, func(s source) bool { return p.at(s.events) == len(s.events) })
		for i := range *m {
			(*m)[i].events = (*m)[i].events[p.at((*m)[i].events):]
		}
		heap.Init(m)
		for len(*m) > 0 {
			first := &(*m)[0]
			if !yield(first.stream, first.events[0]) {
				return
			}
			if first.events = first.events[1:]; len(first.events) == 0 {
				heap.Pop(m)
			} else {
				heap.Fix(m, 0)
			}
		}
	}
}
