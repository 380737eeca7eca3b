package local

import (
	"log/slog"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// stream is a delivery stream: its settings, what lets records in, and its flow.
type stream struct {
	backend *Backend
	key     streamKey
	log     *slog.Logger
	queue   *spool.Queue // its journal
	flow    *flow
	totals  totals
	series  series
	order   sync.Mutex // held over an append where somebody watches the order

	mu    sync.Mutex // guards the fields below; never held over I/O
	set   *settings
	meter meter
	gone  error       // not nil: takes no records any more, and answers this
	end   *time.Timer // of a stream that is DELETING
}

// newStream returns a stream that delivers nothing before start, and takes records when
// it is entered. One that is brought back was admitted before. An error is one of the
// settings, and a [*wire.Error].
func newStream(b *Backend, set *settings, admitted bool) (*stream, error) {
	s := &stream{backend: b, key: set.key(), set: set, log: b.log.With(slog.String("stream", set.Name))}
	p, err := newPlan(s, set)
	if err == nil && !admitted {
		err = p.admit()
	}
	if err != nil {
		return nil, err
	}
	if s.queue, err = b.journal.Queue(set.ID); err != nil {
		return nil, err
	}
	s.flow = newFlow(s, s.queue, p)
	return s, nil
}

// start delivers what an earlier process has left, and ends a deletion.
func (s *stream) start() {
	s.flow.kick()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.set.Deleted.IsZero() {
		s.endLater(s.set)
	}
}

// quotaLocked is the stream's own quota, or the Firehose's. The backend's mu is held,
// too.
func (s *stream) quotaLocked() Quota {
	if s.set.Quota != nil {
		return *s.set.Quota
	}
	if q := s.backend.quota; q != (Quota{}) || !s.backend.cfg.RegionQuota {
		return q
	}
	q := wire.DefaultQuota(s.key.Region)
	return Quota{Records: int(q.Records), Calls: int(q.Calls), Bytes: int(q.Bytes)}
}

func (s *stream) settings() *settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set
}

func (s *stream) arn() string { return s.key.ARN(wire.SigningName, "deliverystream/"+s.key.name) }

// status is what the stream is by its settings.
func (s *stream) status(set *settings) server.Status {
	switch {
	case !set.Deleted.IsZero():
		return server.Deleting
	case s.within(set.Created):
		return server.Creating
	}
	return server.Active
}

// within tells whether a state that began at t still lasts.
func (s *stream) within(t time.Time) bool {
	return time.Since(t) < s.backend.scaled(s.backend.cfg.StateDelay)
}

// acceptsLocked is nil when records may be put.
func (s *stream) acceptsLocked() error {
	if s.gone != nil {
		return s.gone
	}
	if s.status(s.set) != server.Active {
		return wire.Errorf(wire.CodeResourceNotFound, "Firehose %s is not active in %s account.", s.key.name, s.key.Account)
	}
	return nil
}

// whyGone is what a put is told that came past the end of its stream.
func (s *stream) whyGone() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return s.gone
	}
	return errClosed
}

// refuse ends the taking of records.
func (s *stream) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = err
	}
}

// stop ends every delivery of a stream that refuses records, and tells how many
// are left in its journal.
func (s *stream) stop() (left int64) {
	s.mu.Lock()
	if s.end != nil {
		s.end.Stop()
	}
	s.mu.Unlock()
	s.flow.stop()
	return s.queue.Stats().Records
}
