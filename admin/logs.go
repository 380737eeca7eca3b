package admin

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// LogEvent is a line of a log.
type LogEvent struct {
	ID       string    // of the event; no other event of the log stream has it
	Time     time.Time // to the millisecond, as its writer says
	Ingested time.Time // when CloudWatch Logs took it, which may be minutes later
	Message  string
}

// LogQuery says which events of a log stream are read.
type LogQuery struct {
	Group, Stream string
	From          time.Time // the first moment, to the millisecond; zero is the log's beginning
	Pattern       string    // a filter pattern of CloudWatch Logs; empty matches all
}

// LogEvents yields the events of a log stream, the oldest first. An error ends the
// sequence; a log group or stream that is not there is one.
func LogEvents(ctx context.Context, c cloudwatchlogs.FilterLogEventsAPIClient, q LogQuery) iter.Seq2[LogEvent, error] {
	return paged(fmt.Sprintf("read log stream %s of %s", q.Stream, q.Group), func(token string) (events []LogEvent, next string, err error) {
		in := &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &q.Group, LogStreamNames: []string{q.Stream}, FilterPattern: unlessEmpty(q.Pattern), NextToken: unlessEmpty(token),
		}
		if !q.From.IsZero() {
			in.StartTime = aws.Int64(q.From.UnixMilli())
		}
		page, err := c.FilterLogEvents(ctx, in)
		if err != nil {
			return nil, "", err
		}
		for _, e := range page.Events {
			events = append(events, LogEvent{
				ID:   aws.ToString(e.EventId),
				Time: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), Ingested: time.UnixMilli(aws.ToInt64(e.IngestionTime)).UTC(),
				Message: aws.ToString(e.Message),
			})
		}
		return events, aws.ToString(page.NextToken), nil
	})
}

const (
	// logOverlap is how late an event may arrive and still be seen by a LogTail. It
	// also bounds how far this machine's clock may be ahead of AWS's, which takes no
	// call that is more than five minutes off.
	logOverlap = 10 * time.Minute
	// maxSeen is how many events a LogTail remembers, of about 150 bytes each.
	maxSeen = 50_000
)

// LogTail reads a log stream as it grows. It belongs to one goroutine.
//
// Events may arrive late and out of order, so that each poll looks back over ten
// minutes before the last one, and passes over what it has seen there. It remembers
// 50,000 events at most: where more come in that time it looks back over half of them
// and more, so that none comes twice.
type LogTail struct {
	client cloudwatchlogs.FilterLogEventsAPIClient
	query  LogQuery        // From moves on
	seen   map[string]bool // ids of events from query.From on
	order  []seenEvent     // the same, in order of arrival
}

type seenEvent struct {
	id string
	at time.Time
}

// NewLogTail returns a LogTail of the events of q.
func NewLogTail(c cloudwatchlogs.FilterLogEventsAPIClient, q LogQuery) *LogTail {
	return &LogTail{client: c, query: q, seen: map[string]bool{}}
}

// Poll yields the events that no poll has yielded before, the oldest first. What an
// error, or the caller, has left of them is for the next poll.
func (t *LogTail) Poll(ctx context.Context) iter.Seq2[LogEvent, error] {
	return func(yield func(LogEvent, error) bool) {
		started := time.Now()
		for e, err := range LogEvents(ctx, t.client, t.query) {
			if err != nil {
				yield(e, err)
				return
			}
			// From may have moved on since the call was made; what is before it is forgotten.
			if t.seen[e.ID] || e.Time.Before(t.query.From) {
				continue
			}
			t.remember(e)
			if !yield(e, nil) {
				return
			}
		}
		t.lookFrom(started.Add(-logOverlap))
	}
}

// remember keeps e's id, and forgets half of the others if need be.
func (t *LogTail) remember(e LogEvent) {
	t.seen[e.ID] = true
	t.order = append(t.order, seenEvent{e.ID, e.Time})
	if len(t.order) <= maxSeen {
		return
	}
	latest := t.order[0].at
	for _, o := range t.order[:maxSeen/2] {
		if o.at.After(latest) {
			latest = o.at
		}
	}
	t.lookFrom(latest.Add(time.Millisecond))
}

// lookFrom makes polls begin at a time, unless they begin later already, and forgets
// the events before it.
func (t *LogTail) lookFrom(from time.Time) {
	from = from.Truncate(time.Millisecond) // as AWS takes it
	if !from.After(t.query.From) {
		return
	}
	t.query.From = from
	t.order = slices.DeleteFunc(t.order, func(o seenEvent) bool {
		if o.at.Before(from) {
			delete(t.seen, o.id)
			return true
		}
		return false
	})
}
