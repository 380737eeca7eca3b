package logs

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// PutLogEvents
//
// Kept: at most 1,048,576 bytes and 10,000 events of a batch, an event counting 26
// bytes on top of its message; order of time, within 24 hours; events that are too
// new, too old or past retention are left out and told of. A sequence token is taken
// and not looked at, as AWS does; one is returned, for clients of old.
// Left out: the entity, which is not kept; the quota of calls.

const (
	maxBatchBytes  = 1 << 20
	maxBatchEvents = 10_000
	eventOverhead  = 26 // bytes
	maxSpan        = day
	maxAhead       = 2 * 60 * 60 * 1000
	maxAge         = 14 * day
)

type putLogEventsInput struct {
	LogGroupName, LogStreamName *string
	LogEvents                   []struct {
		Timestamp *int64
		Message   *string
	}
}

type putLogEventsOutput struct {
	NextSequenceToken     string        `json:"nextSequenceToken"`
	RejectedLogEventsInfo *rejectedInfo `json:"rejectedLogEventsInfo,omitempty"`
}

type rejectedInfo struct {
	TooNew  *int `json:"tooNewLogEventStartIndex,omitempty"`
	TooOld  *int `json:"tooOldLogEventEndIndex,omitempty"`
	Expired *int `json:"expiredLogEventEndIndex,omitempty"`
}

func (s *Store) putLogEvents(c awsapi.Caller, in *putLogEventsInput) (any, error) {
	lines, err := in.lines()
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	s.mu.RLock()
	g, err := s.groupLocked(c, *in.LogGroupName)
	if err == nil {
		_, err = s.streamLocked(c, *in.LogGroupName, *in.LogStreamName)
	}
	var expired int64
	if err == nil {
		expired = g.expired(now)
	}
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	lines, rejected := accept(lines, now, expired)
	if n := len(lines); n > 0 && lines[n-1].Time-lines[0].Time > maxSpan {
		return nil, invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	if err := s.put(c, *in.LogGroupName, *in.LogStreamName, lines); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return putLogEventsOutput{NextSequenceToken: sequenceToken(s.seq), RejectedLogEventsInfo: rejected}, nil
}

// sequenceToken has the form of AWS's, 56 digits.
func sequenceToken(seq uint64) string { return fmt.Sprintf("%056d", seq+1) }

// lines checks the input as far as it needs no store.
func (in *putLogEventsInput) lines() ([]line, error) {
	n := len(in.LogEvents)
	switch {
	case checkGroup(in.LogGroupName) != nil:
		return nil, checkGroup(in.LogGroupName)
	case checkStream(in.LogStreamName) != nil:
		return nil, checkStream(in.LogStreamName)
	case in.LogEvents == nil:
		return nil, violation(nil, "logEvents", "not be null")
	case n == 0:
		return nil, violation("[]", "logEvents", "have length greater than or equal to 1")
	case n > maxBatchEvents:
		return nil, violation(fmt.Sprintf("[%d elements]", n), "logEvents", fmt.Sprintf("have length less than or equal to %d", maxBatchEvents))
	}
	lines := make([]line, n)
	size := 0
	for i, e := range in.LogEvents {
		at := fmt.Sprintf("logEvents.%d.member.", i+1)
		switch {
		case e.Timestamp == nil:
			return nil, violation(nil, at+"timestamp", "not be null")
		case *e.Timestamp < 0:
			return nil, violation(*e.Timestamp, at+"timestamp", "have value greater than or equal to 0")
		case e.Message == nil:
			return nil, violation(nil, at+"message", "not be null")
		case *e.Message == "":
			return nil, violation("", at+"message", "have length greater than or equal to 1")
		case i > 0 && *e.Timestamp < lines[i-1].Time:
			return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		lines[i] = line{*e.Timestamp, *e.Message}
		size += len(*e.Message) + eventOverhead
	}
	if size > maxBatchBytes {
		return nil, invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	return lines, nil
}

// accept returns those of the lines, which are in order, whose time is acceptable,
// and which others there are.
func accept(lines []line, now, expired int64) ([]line, *rejectedInfo) {
	older := func(than int64) int {
		i, _ := slices.BinarySearchFunc(lines, than, func(l line, t int64) int { return cmp.Compare(l.Time, t) })
		return i
	}
	tooOld, past, tooNew := older(now-maxAge), older(expired), older(now+maxAhead+1)
	var r rejectedInfo
	if tooOld > 0 {
		r.TooOld = &tooOld
	}
	if past > 0 {
		r.Expired = &past
	}
	if tooNew < len(lines) {
		r.TooNew = &tooNew
	}
	if r == (rejectedInfo{}) {
		return lines, nil
	}
	return lines[max(tooOld, past):max(tooOld, past, tooNew)], &r
}
