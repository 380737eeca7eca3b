package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// dropBytes is how large the last segment may stay when nothing is left in it.
const dropBytes = 64 << 10

// writer is where commits go. Only the committer uses it; what others may see is
// published in commit, all at once.
type writer struct {
	file   vfs.File // nil when the next commit has to begin a segment
	seg    *segment
	end    mark
	synced mark // everything before it is durable
}

// mark is a place between two entries.
type mark struct {
	off   int64
	index uint32 // of the next record
}

func (q *Queue) kickLocked() {
	q.kicked = true
	q.startLocked()
}

// startLocked makes the committer run.
func (q *Queue) startLocked() {
	if !q.committing && q.removed == nil {
		q.committing = true
		q.spool.wg.Go(q.commit)
	}
}

// commit is the committer: it writes groups and notes as long as there are some,
// and removes what nobody needs any more.
func (q *Queue) commit() {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	for q.open.n > 0 || q.kicked {
		g := q.open
		q.open, q.kicked = newGroup(), false
		close(q.taken)
		q.taken = make(chan struct{})
		n := &note{at: g.at, handed: q.handedLocked(g.n), acked: q.unnoted}
		q.unnoted = nil
		var err error
		if g.n > 0 || q.syncDue || !(q.emptyLocked() && len(q.segments) <= 1) && (len(n.acked) > 0 || n.handed > q.noted || s.closed && (q.w.file != nil || n.handed < q.noted)) {
			sync := g.n > 0 && s.o.SyncEvery == 0 || q.syncDue
			q.syncDue = false
			s.mu.Unlock()
			err = q.write(g, n, sync)
			s.mu.Lock()
		}
		q.publishLocked(g, n, err)
		close(g.done)
		q.trimLocked()
	}
	q.committing = false
	if q.removed != nil {
		close(q.removed)
	}
}

// handedLocked is what a note says with n records behind it.
func (q *Queue) handedLocked(n uint64) uint64 {
	if q.spool.closed && q.final > 0 {
		return q.final
	}
	return max(q.noted, q.before, min(q.cursor+handAhead, q.next+n))
}

// publishLocked shows others what a commit has come to.
func (q *Queue) publishLocked(g *group, n *note, err error) {
	s, w := q.spool, &q.w
	s.bytes -= int64(len(g.buf)) // which had been reserved
	if w.file != nil {
		if last := len(q.segments) - 1; last < 0 || q.segments[last] != w.seg {
			q.segments = append(q.segments, w.seg)
		}
		s.bytes += w.end.off - w.seg.size
		w.seg.size = w.end.off
	}
	if err != nil {
		for _, r := range n.acked {
			q.unnoted.add(r)
		}
		g.err = err
		q.burnLocked(g.n)
		s.freeLocked(int64(g.n), 0)
		s.spareLocked(g.buf)
		return
	}
	q.noted = n.handed
	g.first = q.next
	for _, t := range g.tags {
		q.tags = append(q.tags, tag{g.first + t.number, t.value})
	}
	q.keepLocked(g)
	q.next += g.n
	s.count += int64(g.n)
	if s.o.SyncEvery > 0 && !q.syncArmed && w.synced.index != w.end.index {
		q.syncArmed = true
		time.AfterFunc(s.o.SyncEvery, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			q.syncArmed = false
			if !s.closed {
				q.syncDue = true
				q.kickLocked()
			}
		})
	}
}

// write appends a group and its note. When that fails it is tried once more, in a
// new segment: a file that could not be synced is not trusted again.
func (q *Queue) write(g *group, n *note, sync bool) error {
	err := q.put(g, n, sync)
	if err == nil {
		return nil
	}
	q.abandon()
	if g.n == 0 && q.sick == nil {
		return err // acknowledgements alone can wait
	}
	if again := q.put(g, n, true); again != nil {
		q.abandon()
		if vfs.IsFull(err) && vfs.IsFull(again) {
			return again // it says the same
		}
		return errors.Join(err, again)
	}
	return nil
}

func (q *Queue) put(g *group, n *note, sync bool) error {
	w := &q.w
	if q.sick != nil {
		if err := q.heal(); err != nil {
			return err
		}
	}
	if w.file != nil && w.end.index > 0 && w.end.off+int64(len(g.buf)) > q.spool.o.SegmentBytes {
		if err := q.sync(); err != nil {
			return err
		}
		q.leave()
	}
	if w.file == nil {
		if err := q.begin(n.at); err != nil {
			return err
		}
	}
	if err := q.append(n.append(nil)); err != nil {
		return err
	}
	if err := q.append(g.buf); err != nil {
		return err
	}
	if sync {
		return q.sync()
	}
	return nil
}

// append writes entries at the segment's end.
func (q *Queue) append(entries []byte) error {
	if len(entries) == 0 {
		return nil
	}
	w := &q.w
	index := finish(entries, w.seg.salt, w.end.index)
	if _, err := w.file.WriteAt(entries, w.end.off); err != nil {
		return err
	}
	w.end = mark{w.end.off + int64(len(entries)), index}
	return nil
}

// sync makes the segment's records durable. Notes alone are not worth it.
func (q *Queue) sync() error {
	w := &q.w
	if w.synced.index == w.end.index {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.synced = w.end
	return nil
}

// begin makes a segment, with a note of all that has been acknowledged.
func (q *Queue) begin(at time.Time) error {
	s, w := q.spool, &q.w
	if !q.made {
		if err := s.fs.Mkdir(q.dir); err != nil {
			return err
		}
		q.made = true
	}
	s.mu.Lock()
	if q.next == q.latest {
		q.burnLocked(1)
	}
	q.latest = q.next
	full := note{at: at, handed: q.noted, acked: append([]Range(nil), q.acked...)}
	s.mu.Unlock()
	seg := &segment{first: q.next, salt: rand.Uint32()}
	path := filepath.Join(q.dir, seg.name())
	b := full.append(appendFileHeader(nil))
	finish(b[fileHeader:], seg.salt, 0)
	if err := q.writeFile(path+temporary, io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))); err != nil {
		return err
	}
	if err := s.fs.Rename(path+temporary, path); err != nil {
		return err
	}
	file, err := s.fs.Open(path)
	if err != nil {
		return err
	}
	whole := mark{off: int64(len(b))}
	*w = writer{file: file, seg: seg, end: whole, synced: whole}
	return s.fs.SyncDir(q.dir)
}

// leave stops writing to the segment, which stays as it is.
func (q *Queue) leave() {
	_ = q.w.file.Close() // all of it that matters is synced
	q.w = writer{}
}

// abandon gives the segment up after a failure: what has not been published of
// it goes.
func (q *Queue) abandon() {
	w := &q.w
	if w.file == nil {
		return
	}
	if w.seg.size > 0 {
		_ = w.file.Truncate(w.seg.size)
		if q.spool.o.SyncEvery != 0 && w.synced.off < w.seg.size {
			q.sick = w.seg
		}
	}
	_ = w.file.Close()
	if w.seg.size == 0 && q.spool.fs.Remove(filepath.Join(q.dir, w.seg.name())) != nil {
		// It has to go before later ones do: what is missing between two files has
		// been lost, what is missing before the first has not.
		q.spool.mu.Lock()
		q.segments = append(q.segments, w.seg)
		q.spool.mu.Unlock()
	}
	q.w = writer{}
}

// heal copies a segment that has accepted records and could not be synced, while
// they can still be read: the disk may not have them, and a second sync would not
// say so.
func (q *Queue) heal() error {
	fsys, path := q.spool.fs, filepath.Join(q.dir, q.sick.name())
	from, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := q.writeFile(path+temporary, io.NewSectionReader(from, 0, q.sick.size)); err != nil {
		return err
	}
	if err := fsys.Rename(path+temporary, path); err != nil {
		return err
	}
	if err := fsys.SyncDir(q.dir); err != nil {
		return err
	}
	q.spool.mu.Lock()
	q.sick.copies++ // Read has to open it again
	q.spool.mu.Unlock()
	q.sick = nil
	return nil
}

// temporary is what the name of a file ends with that is not whole yet.
const temporary = ".tmp"

// writeFile makes a file and syncs it. One of that name goes: it is from before a
// crash.
func (q *Queue) writeFile(path string, from *io.SectionReader) error {
	fsys := q.spool.fs
	to, err := fsys.Create(path)
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.Remove(path); err != nil {
			return err
		}
		to, err = fsys.Create(path)
	}
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(io.NewOffsetWriter(to, 0), from, make([]byte, max(1, min(from.Size(), readSize))))
	return errors.Join(err, to.Sync(), to.Close())
}

// burnLocked passes over numbers that a failure has used up: they may be in a file
// that could not be removed.
func (q *Queue) burnLocked(n uint64) {
	q.acked.add(Range{q.next, n})
	q.next += n
}

// emptyLocked tells whether nothing is left in the queue, nor to be written, and
// the last segment is not kept for what comes next.
func (q *Queue) emptyLocked() bool {
	return q.low() == q.next && q.open.n == 0 && (q.w.file == nil || q.w.end.off >= dropBytes)
}

// trimLocked removes the segments that hold nothing that is left. It lets go of
// the mutex meanwhile.
func (q *Queue) trimLocked() {
	for {
		n := 0
		for n < len(q.segments)-1 && q.segments[n+1].first <= q.low() {
			n++
		}
		last := n == 0 && len(q.segments) == 1 && q.emptyLocked()
		if last {
			n = 1
		}
		if n == 0 || q.w.file == nil && len(q.unnoted) > 0 {
			return
		}
		gone := q.segments[:n]
		q.spool.mu.Unlock()
		removed, err := q.remove(gone, last)
		q.spool.mu.Lock()
		q.segments = q.segments[removed:]
		var bytes int64
		for _, seg := range gone[:removed] {
			bytes += seg.size
		}
		q.spool.freeLocked(0, bytes)
		if err != nil {
			return // there will be a next time
		}
	}
}

// remove removes the first segments, and returns how many. That nothing is left in
// them has to be durable before; only the very last leaves nothing to say it in.
func (q *Queue) remove(gone []*segment, last bool) (removed int, err error) {
	w, fsys := &q.w, q.spool.fs
	if last && w.file != nil {
		q.leave()
	}
	if w.file != nil && w.synced.off < w.end.off {
		if err := w.file.Sync(); err != nil {
			q.abandon()
			return 0, err
		}
		w.synced = w.end
	}
	for i, seg := range gone {
		if err := fsys.Remove(filepath.Join(q.dir, seg.name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
		if seg == q.sick {
			q.sick = nil // with nothing left in it
		}
	}
	return len(gone), fsys.SyncDir(q.dir)
}

// discard removes the files of a queue whose committer has ended.
func (q *Queue) discard() error {
	if q.w.file != nil {
		q.leave()
	}
	q.r.leave()
	var err error
	for _, seg := range q.segments {
		if e := q.spool.fs.Remove(filepath.Join(q.dir, seg.name())); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	_ = q.spool.fs.Remove(q.dir) // it stays when something has been set aside in it
	return err
}

// close ends the queue. The committer has.
func (q *Queue) close() error {
	var err error
	if q.w.file != nil {
		err = q.sync()
		if err != nil {
			err = fmt.Errorf("sync queue %s: %w", q.name, err)
		}
		q.leave()
	}
	q.r.leave()
	if !q.made || q.low() < q.next {
		return err
	}
	return errors.Join(err, q.discard())
}
