package logs

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/vfs"
)

const (
	stateFile    = "groups.json"
	stateFormat  = "hydrant logs"
	stateVersion = 1
)

// savedState is groups.json.
type savedState struct {
	Format  string       `json:"format"`
	Version int          `json:"version"`
	LastID  uint64       `json:"last_id"`
	Groups  []savedGroup `json:"groups"`
}

type savedGroup struct {
	Account   string            `json:"account"`
	Region    string            `json:"region"`
	Name      string            `json:"name"`
	Created   int64             `json:"created"`
	Retention int               `json:"retention_days,omitempty"`
	Class     string            `json:"class"`
	Tags      map[string]string `json:"tags,omitempty"`
	Streams   []savedStream     `json:"streams"`
}

type savedStream struct {
	ID      uint64 `json:"id"`
	Name    string `json:"name"`
	Created int64  `json:"created"`
}

// Open opens a store, with what its folder holds. Close it.
func Open(cfg Config) (*Store, error) {
	if cfg.MaxBytes < 0 {
		return nil, fmt.Errorf("logs: MaxBytes is %d, it must not be negative", cfg.MaxBytes)
	}
	s := &Store{
		log:     cfg.Logger,
		journal: journal{dir: cfg.Dir, limit: cmp.Or(cfg.MaxBytes, 64<<20)},
		groups:  map[groupKey]*group{},
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if cfg.Dir == "" {
		return s, nil
	}
	if err := (vfs.OS{}).Mkdir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	lock, err := (vfs.OS{}).Lock(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("logs: the folder %s: %w", cfg.Dir, err)
	}
	s.lock = lock
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("logs: open %s: %w", cfg.Dir, err), s.Close())
	}
	return s, nil
}

// Close closes the files. What is put afterwards is refused; a second Close does
// nothing.
func (s *Store) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.journal.closed {
		return nil
	}
	s.journal.closed = true
	err := s.journal.end()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("logs: close: %w", err)
	}
	return nil
}

// load reads the files. Nobody else has the store yet.
func (s *Store) load() error {
	streams, err := s.loadState()
	if err != nil {
		return err
	}
	err = s.journal.open(s.log, func(number int, e *entry) {
		if st := streams[e.Stream]; st != nil {
			st.add(e, number)
		}
		s.seq = max(s.seq, e.First+uint64(len(e.Events)))
	})
	if err != nil {
		return err
	}
	s.sweep()
	return nil
}

// loadState reads groups.json and returns the streams by their ids.
func (s *Store) loadState() (map[uint64]*stream, error) {
	text, err := os.ReadFile(filepath.Join(s.journal.dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var in savedState
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	switch {
	case err != nil:
		return nil, err
	case in.Format != stateFormat || in.Version != stateVersion:
		return nil, fmt.Errorf("%s is of the format %q, version %d; this hydrant reads %q, version %d: use the hydrant that wrote it, or move the folder away to begin anew",
			stateFile, in.Format, in.Version, stateFormat, stateVersion)
	}
	streams := map[uint64]*stream{}
	s.lastID = in.LastID
	for _, g := range in.Groups {
		into := &group{created: g.Created, retention: g.Retention, class: g.Class, tags: g.Tags, streams: map[string]*stream{}}
		s.groups[groupKey{awsapi.Caller{Account: g.Account, Region: g.Region}, g.Name}] = into
		for _, st := range g.Streams {
			into.streams[st.Name] = &stream{id: st.ID, created: st.Created}
			streams[st.ID] = into.streams[st.Name]
		}
	}
	return streams, nil
}

func (s *Store) stateLocked() *savedState {
	out := &savedState{Format: stateFormat, Version: stateVersion, LastID: s.lastID, Groups: []savedGroup{}}
	for key, g := range s.groups {
		saved := savedGroup{
			Account: key.Account, Region: key.Region, Name: key.name, Created: g.created, Retention: g.retention, Class: g.class,
			Tags: maps.Clone(g.tags), Streams: []savedStream{},
		}
		for name, st := range g.streams {
			saved.Streams = append(saved.Streams, savedStream{st.id, name, st.created})
		}
		out.Groups = append(out.Groups, saved)
	}
	return out
}

// change changes groups and streams by f, which holds mu, and writes them down. f
// returns how it is undone, which it is when it could not be written.
func (s *Store) change(f func() (undo func(), err error)) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	undo, err := f()
	if err != nil {
		s.mu.Unlock()
		return err
	}
	state := s.stateLocked()
	s.mu.Unlock()
	if err := s.journal.replaceState(state); err != nil {
		s.mu.Lock()
		undo()
		s.mu.Unlock()
		return fmt.Errorf("logs: write down groups and streams: %w", err)
	}
	return nil
}

// put appends events to a stream.
func (s *Store) put(c awsapi.Caller, group, name string, lines []line) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.RLock()
	st, err := s.streamLocked(c, group, name)
	first := s.seq + 1
	s.mu.RUnlock()
	if err != nil || len(lines) == 0 {
		return err
	}
	e := &entry{Stream: st.id, Ingested: time.Now().UnixMilli(), First: first, Events: lines}
	number, begun, err := s.journal.put(e)
	if err == nil {
		s.mu.Lock()
		st.add(e, number)
		s.seq += uint64(len(lines))
		s.mu.Unlock()
	}
	if begun {
		s.sweep()
	}
	if err != nil {
		return fmt.Errorf("logs: put events: %w", err)
	}
	return nil
}

// add appends e's events, in order of time.
func (st *stream) add(e *entry, segment int) {
	added := make([]event, len(e.Events))
	for i, l := range e.Events {
		added[i] = event{l.Time, e.Ingested, e.First + uint64(i), segment, l.Message}
	}
	slices.SortFunc(added, inOrder)
	if n := len(st.events); n > 0 && inOrder(added[0], st.events[n-1]) < 0 {
		st.events = slices.Concat(st.events, added)
		slices.SortFunc(st.events, inOrder)
	} else {
		st.events = append(st.events, added...)
	}
	st.ingested = max(st.ingested, e.Ingested)
}

func inOrder(a, b event) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.seq, b.seq)) }

// sweep drops the events of the oldest segments when there are too many, and those
// past retention; and the segments with none left. turn is held.
func (s *Store) sweep() {
	oldest := 0
	if n := s.journal.excess(); n > 0 {
		oldest = s.journal.segments[n].number
	}
	now := time.Now().UnixMilli()
	live := map[int]bool{}
	s.mu.Lock()
	for _, g := range s.groups {
		expired := g.expired(now)
		gone := func(e event) bool { return e.segment < oldest || e.time < expired }
		for _, st := range g.streams {
			if slices.ContainsFunc(st.events, gone) {
				st.events = slices.DeleteFunc(slices.Clone(st.events), gone)
			}
			for _, e := range st.events {
				live[e.segment] = true
			}
		}
	}
	s.mu.Unlock()
	if err := s.journal.keep(func(number int) bool { return live[number] }); err != nil {
		s.log.Error("files of old logs could not be removed", slog.Any("error", err))
	}
}

var _ io.Closer = (*Store)(nil)
