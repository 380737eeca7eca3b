package spool

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// Record is a record of a queue.
type Record struct {
	Data []byte
	// Source, of at most 1 KiB, and Position tell where it comes from; they are kept
	// with the record.
	Source   string
	Position int64
	// Tag is for the caller; kept in memory, so that it is nil after a restart.
	Tag any

	// Number, Time and MaybeHanded are set by Read. Numbers go up by one. Time is
	// when the record was appended. MaybeHanded is set when Read may have
	// returned it before a restart.
	Number      uint64
	Time        time.Time
	MaybeHanded bool
}

// MaxRecordBytes bounds a record.
const MaxRecordBytes = 64 << 20

const maxSourceBytes = 1 << 10

// handAhead is how many records more than Read has returned are noted as handed
// out, so that this need not be written each time.
const handAhead = 1 << 16

// groupBytes is how much is appended to a commit before others wait for the next.
const groupBytes = 4 << 20

// Queue is a durable queue. Its methods may be called from many goroutines, but
// for Read, which belongs to one.
type Queue struct {
	spool *Spool
	name  string
	dir   string

	// Guarded by the spool's mutex.
	segments   []*segment    // oldest first; they end where the next one begins
	next       uint64        // number of the next record committed
	acked      ranges        // begins with all below the watermark
	unnoted    ranges        // those of them that no note has
	noted      uint64        // handed, as the last note says
	before     uint64        // handed, before the start
	final      uint64        // handed, as Handed has told, or 0
	cursor     uint64        // what Read returns next
	tags       []tag         // of records that Read has not returned, by number
	open       *group        // what the next commit writes
	taken      chan struct{} // closed, and made anew, when a commit takes it
	source     []byte        // a buffer for a record's source
	recent     []*group      // committed, in memory for Read (recent.go)
	recentSize int64         // bytes of them
	committing bool          // the committer runs
	removed    chan struct{} // not nil: Remove was called; closed when no committer runs any more
	kicked     bool          // notes, or a sync, are to be written
	syncArmed  bool          // a timer for the interval runs
	syncDue    bool          // it has run out

	// The committer's own.
	made   bool     // the directory
	latest uint64   // number of the first record of the latest segment begun
	sick   *segment // could not be synced, though records of it are accepted
	w      writer

	// Read's own.
	r reader
}

type tag struct {
	number uint64
	value  any
}

// group is what a commit writes.
type group struct {
	buf   []byte
	n     uint64
	tags  []tag // numbered from 0
	at    time.Time
	first uint64 // the number of its first record
	err   error
	done  chan struct{} // closed when first or err are set

	// Of one that is kept for Read: its segment, and where it ends there.
	seg  *segment
	mark mark
}

func (s *Spool) newQueue(name string) *Queue {
	return &Queue{
		spool: s, name: name, dir: queueDir(s.dir, name), next: 1, cursor: 1, acked: ranges{{0, 1}},
		open: newGroup(), taken: make(chan struct{}),
	}
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// Append adds records and returns the number of the first of them. When it
// returns nil they are durable, as Options.SyncEvery says; when it fails they
// were not accepted, though after a crash Read may return them. It waits for room
// until ctx ends.
func (q *Queue) Append(ctx context.Context, records ...Record) (first uint64, err error) {
	size, err := sizeOf(records)
	if err != nil {
		return 0, err
	}
	for {
		g, at, err := q.add(ctx, records, size)
		if err != nil {
			return 0, err
		}
		<-g.done
		switch {
		case g.err == nil:
			return g.first + at, nil
		case !vfs.IsFull(g.err):
			return 0, fmt.Errorf("append to the spool: %w", g.err)
		case q.spool.o.Refuse:
			return 0, fmt.Errorf("%w: %w", ErrFull, g.err)
		}
		if err := q.spool.diskFull(ctx, g.err); err != nil {
			return 0, err
		}
	}
}

// sizeOf is what the entries of records take.
func sizeOf(records []Record) (size int64, err error) {
	for i := range records {
		r := &records[i]
		if len(r.Data) > MaxRecordBytes || len(r.Source) > maxSourceBytes {
			return 0, fmt.Errorf("spool: a record has %d bytes and a source of %d, the limits are %d and %d",
				len(r.Data), len(r.Source), MaxRecordBytes, maxSourceBytes)
		}
		size += entryHeader + int64(len(r.Data))
		if r.sourced() {
			var b [2*binary.MaxVarintLen64 + 64]byte
			size += int64(len(r.appendSource(b[:0])))
		}
	}
	return size, nil
}

// add puts records into the open group, at a place that is known once it is
// committed.
func (q *Queue) add(ctx context.Context, records []Record, size int64) (g *group, at uint64, err error) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.roomLocked(ctx, int64(len(records)), size); err != nil {
		return nil, 0, err
	}
	for len(q.open.buf) >= groupBytes {
		taken := q.taken
		s.mu.Unlock()
		<-taken
		s.mu.Lock()
	}
	if q.removed != nil {
		s.freeLocked(int64(len(records)), size)
		return nil, 0, ErrClosed
	}
	g = q.open
	if g.n == 0 {
		g.at, g.buf = time.Now(), s.bufferLocked()
	}
	at = g.n
	g.buf = slices.Grow(g.buf, int(size))
	for i := range records {
		r := &records[i]
		if r.sourced() {
			q.source = r.appendSource(q.source[:0])
			g.buf = appendEntry(g.buf, kindSourced, q.source, r.Data)
		} else {
			g.buf = appendEntry(g.buf, kindRecord, r.Data)
		}
		if r.Tag != nil {
			g.tags = append(g.tags, tag{g.n, r.Tag})
		}
		g.n++
	}
	q.startLocked()
	return g, at, nil
}

// diskFull waits a second, or until something has been removed.
func (s *Spool) diskFull(ctx context.Context, why error) error {
	retry := time.NewTimer(time.Second)
	defer retry.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waitLocked(ctx, why, retry.C)
}

// Ack acknowledges records: they will not be read again, and go from the disk
// with their segment once nothing is left before them. That an acknowledgement is
// written soon, but not synced, means that a power cut may take it back; a process
// that dies takes back those of the last moments.
func (q *Queue) Ack(done ...Range) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.o.ReadOnly {
		return
	}
	var n uint64
	for _, r := range done {
		r.N = min(r.end(), q.next) - min(r.First, q.next)
		n += q.acked.add(r)
		q.unnoted.add(r)
	}
	s.freeLocked(int64(n), 0)
	q.kickLocked()
}

// Handed tells what is known when the queue is about to be closed: of the records
// that are left, none from this number on has been used since the last start,
// though Read may have returned it. Without it the next Read marks all of those as
// MaybeHanded.
func (q *Queue) Handed(below uint64) {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	q.final = max(below, 1)
	if q.cursor < q.before { // what was not read yet is as unsure as it was
		q.final = max(q.final, q.before)
	}
}

// low is the watermark: all records below it are acknowledged.
func (q *Queue) low() uint64 { return q.acked[0].end() }

// Stats is the state of a queue.
type Stats struct {
	Records  int64  // not acknowledged
	Bytes    int64  // of its files
	Segments int    // files
	Low      uint64 // the lowest number not acknowledged
	Next     uint64 // the number of the next record
	Unread   int64  // records that Read has not returned yet
}

// Stats returns the state of the queue.
func (q *Queue) Stats() Stats {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	st := Stats{
		Records: q.leftLocked(), Segments: len(q.segments), Low: q.low(), Next: q.next,
		Unread: int64(q.next-q.cursor) - int64(q.acked.count(q.cursor, q.next)),
	}
	for _, seg := range q.segments {
		st.Bytes += seg.size
	}
	return st
}

// leftLocked is how many committed records are not acknowledged.
func (q *Queue) leftLocked() int64 {
	return int64(q.next-q.low()) - int64(q.acked.count(q.low(), q.next))
}
