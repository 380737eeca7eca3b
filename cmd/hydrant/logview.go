package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// logEntry is an event of a log.
type logEntry struct {
	admin.DeliveryError
	event admin.LogEvent
	log   admin.ErrorLog
}

// entry makes one of an event, or tells that it is of another stream than the one that
// is meant: several may log to one place.
func (r *logReader) entry(s *logSource, e admin.LogEvent) (entry *logEntry, ok bool) {
	entry = &logEntry{admin.ParseDeliveryError(e.Message), e, s.ErrorLog}
	if entry.Stream == "" && len(s.streams) == 1 {
		entry.Stream = s.streams[0]
	}
	return entry, r.all || entry.Stream == "" || entry.Stream == s.streams[0]
}

// poll yields what is new in all logs, in order of time. What fails is in the source.
func (r *logReader) poll(ctx context.Context) iter.Seq[*logEntry] {
	return func(yield func(*logEntry) bool) {
		type head struct {
			entry *logEntry
			next  func() *logEntry
		}
		var heads []head // the first entry of each log that has more
		for _, s := range r.sources {
			next, stop := iter.Pull(r.entries(ctx, s))
			defer stop()
			h := head{next: func() *logEntry { e, _ := next(); return e }}
			if h.entry = h.next(); h.entry != nil {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			first := 0
			for i := range heads {
				if heads[i].entry.event.Time.Before(heads[first].entry.event.Time) {
					first = i
				}
			}
			h := &heads[first]
			if !yield(h.entry) {
				return
			}
			if h.entry = h.next(); h.entry == nil {
				heads = slices.Delete(heads, first, first+1)
			}
		}
	}
}

// entries yields what is new in a log.
func (r *logReader) entries(ctx context.Context, s *logSource) iter.Seq[*logEntry] {
	return func(yield func(*logEntry) bool) {
		s.err = nil
		for e, err := range s.tail.Poll(ctx) {
			if s.err = err; err != nil {
				return
			}
			if entry, ok := r.entry(s, e); ok && !yield(entry) {
				return
			}
		}
	}
}

// newestOf keeps the last n, and tells how many came before them.
func newestOf(entries iter.Seq[*logEntry], n int) (kept []*logEntry, dropped int) {
	for e := range entries {
		if kept = append(kept, e); len(kept)/2 >= n {
			dropped += len(kept) - n
			kept = append(kept[:0], kept[len(kept)-n:]...)
		}
	}
	if more := len(kept) - n; more > 0 {
		return kept[more:], dropped + more
	}
	return kept, dropped
}

// deliveryErrorJSON is an entry as --json prints it.
type deliveryErrorJSON struct {
	Time        time.Time `json:"time"`
	Ingested    time.Time `json:"ingested"`
	Stream      string    `json:"stream"`
	Destination string    `json:"destination"`
	Code        string    `json:"code"`
	Message     string    `json:"message"`
	Remedy      string    `json:"remedy"`
	Processor   string    `json:"processor"`
	Version     string    `json:"version"`
	LogGroup    string    `json:"log_group"`
	LogStream   string    `json:"log_stream"`
	EventID     string    `json:"event_id"`
	Raw         string    `json:"raw"`
}

func (r *logReader) show(e *logEntry) error {
	r.shown++
	remedy := admin.Remedy(e.Code)
	if r.json {
		return r.printJSON(deliveryErrorJSON{
			e.event.Time, e.event.Ingested, e.Stream, e.Destination, e.Code, e.Message, remedy, e.Processor, e.Version,
			e.log.Group, e.log.Stream, e.event.ID, e.event.Message,
		})
	}
	head := e.event.Time.UTC().Format("2006-01-02 15:04:05Z")
	if r.all && e.Stream != "" {
		head += "  " + ui.OneLine(e.Stream)
	}
	for _, part := range []string{e.Code, e.Destination, e.Processor} {
		if part != "" {
			head += "  " + ui.OneLine(part)
		}
	}
	text := head + "\n  " + ui.OneLine(e.Message) + "\n"
	if r.last[e.Stream] == e.Code+e.Message {
		text = head + "  as before\n"
	}
	r.last[e.Stream] = e.Code + e.Message
	if remedy != "" && !r.told[e.Code] { // once is enough
		r.told[e.Code] = true
		text += "  hint: " + remedy + "\n"
	}
	_, err := fmt.Fprint(r.stdout, text)
	return err
}
