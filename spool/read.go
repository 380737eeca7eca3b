package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// reader is where Read is. Only Read uses it.
type reader struct {
	source string // the latest

	// In files:
	seg    *segment // nil before the first
	copies int      // of seg, when it was opened
	file   vfs.File
	scan   scanner
	at     time.Time // of the latest note

	// In memory:
	group  *group // nil before the first
	off    int    // of the next entry
	number uint64 // of its record
	passed *group // the last that was let go of
}

// leave lets go of the file.
func (r *reader) leave() {
	if r.file != nil {
		_ = r.file.Close()
	}
	r.seg, r.file, r.scan, r.at = nil, nil, scanner{buf: r.scan.buf[:0]}, time.Time{}
}

// Read appends to list the next records that are not acknowledged, in order, and
// returns it: none when there are no more yet, otherwise about so many bytes of
// them, at least one record. Their memory is valid until the next Read. Records
// that can't be read any more are set aside in a file, reported to
// Options.OnDamage, and acknowledged.
func (q *Queue) Read(list []Record, bytes int) ([]Record, error) {
	had := len(list)
	for {
		v, err := q.look()
		if err != nil || v.cursor == v.limit {
			return list, err
		}
		if v.recent != nil {
			list = q.collectRecent(list, &v, bytes)
			q.pass(list[had:], v.cursor)
			if len(list) > had {
				return list, nil
			}
			continue
		}
		if v.seg == nil {
			if err := q.lose(&v, Damage{}, v.limit); err != nil {
				return list, err
			}
			continue
		}
		if q.r.seg != v.seg || q.r.copies != v.copies {
			if err := q.enter(v); err != nil {
				return list, err
			}
		}
		q.r.scan.size = v.size
		if g := q.r.passed; g != nil && g.seg == v.seg && g.mark.off > q.r.scan.off {
			q.r.scan.off, q.r.scan.index = g.mark.off, g.mark.index
		}
		list, err = q.collect(list, &v, bytes)
		q.pass(list[had:], v.cursor)
		if err != nil || len(list) > had {
			return list, err
		}
	}
}

// view is what Read may read now: records from cursor up to limit, which seg has,
// or which are missing if seg is nil.
type view struct {
	recent        *group // has them in memory, if not nil
	seg           *segment
	size          int64
	copies        int
	cursor, limit uint64
	acked         ranges // beyond the cursor, from before a restart
}

// look finds the segment of the next record.
func (q *Queue) look() (v view, err error) {
	q.spool.mu.Lock()
	defer q.spool.mu.Unlock()
	if q.spool.closed {
		return v, ErrClosed
	}
	v.cursor, v.limit = q.acked.upTo(q.cursor), q.next
	q.dropLocked(v.cursor)
	if len(q.recent) > 0 && q.recent[0].first <= v.cursor {
		v.recent = q.recent[0]
	}
	for _, seg := range q.segments {
		if seg.first > v.cursor {
			v.limit = min(v.limit, seg.first)
			break
		}
		v.seg, v.size, v.copies = seg, seg.size, seg.copies
	}
	for _, r := range q.acked {
		if r.First > v.cursor {
			v.acked = append(v.acked, r)
		}
	}
	return v, nil
}

func (q *Queue) enter(v view) error {
	q.r.leave()
	file, err := q.spool.fs.Open(filepath.Join(q.dir, v.seg.name()))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the spool: %w", err)
		}
		file = missing{}
	}
	q.r.seg, q.r.copies, q.r.file = v.seg, v.copies, file
	q.r.scan = scanner{file: file, salt: v.seg.salt, off: fileHeader, buf: q.r.scan.buf}
	return nil
}

// missing stands for a file that somebody has removed.
type missing struct{ vfs.File }

func (missing) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (missing) Close() error                      { return nil }

// collect reads from one segment, for as long as the scanner's memory holds
// still.
func (q *Queue) collect(list []Record, v *view, bytes int) ([]Record, error) {
	r, had := &q.r, len(list)
	for v.cursor < v.limit && bytes > 0 && (len(list) == had || r.scan.buffered()) {
		e, ok, err := r.scan.here()
		if !ok && err == nil {
			if len(list) > had {
				return list, nil // what is wrong comes next
			}
			e, err = q.skip(v)
		}
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, fmt.Errorf("read the spool: %s: %w", filepath.Join(q.dir, v.seg.name()), err)
		}
		if e.kind == kindNote {
			if n, err := parseNote(e.payload); err == nil {
				r.at = n.at
			}
			continue
		}
		n := len(list)
		if list = q.take(list, v, e, v.seg.first+uint64(e.index), r.at); len(list) > n {
			bytes -= len(list[n].Data)
		}
	}
	return list, nil
}

// take appends the record of an entry to list, unless it is none of v.
func (q *Queue) take(list []Record, v *view, e entry, number uint64, at time.Time) []Record {
	if number < v.cursor || number >= v.limit {
		return list
	}
	v.cursor = number + 1
	if v.acked.has(number) {
		return list
	}
	list = append(list, Record{})
	rec := &list[len(list)-1]
	rec.Number, rec.Time, rec.MaybeHanded = number, at, number < q.before
	rec.parse(e, q.r.source)
	if rec.Source != "" {
		q.r.source = rec.Source
	}
	return list
}

// skip passes over bytes that are no entry, to the next one that is, and sets
// aside the records that were there. It returns io.EOF where none follows.
func (q *Queue) skip(v *view) (entry, error) {
	r := &q.r
	was := r.scan
	e, skipped, err := r.scan.next()
	if err != nil && err != io.EOF {
		return e, err
	}
	end := v.limit
	if err == nil {
		end = min(end, v.seg.first+uint64(e.index))
	}
	path := filepath.Join(q.dir, v.seg.name())
	if lerr := q.lose(v, Damage{Segment: path, Offset: was.off, Bytes: skipped}, end); lerr != nil {
		r.scan.off, r.scan.index = was.off, was.index
		return e, lerr
	}
	return e, err
}

// lose gives up the records from the cursor to end, which can't be read.
func (q *Queue) lose(v *view, d Damage, end uint64) error {
	lost := Range{v.cursor, max(v.cursor, end) - v.cursor}
	d.Records = int64(lost.N - v.acked.count(lost.First, lost.end()))
	if d.Records == 0 {
		v.cursor = lost.end()
		return nil
	}
	if q.spool.o.ReadOnly && !q.spool.strict && q.vanished(v.seg) {
		v.cursor = lost.end()
		return nil // with all that was in it acknowledged
	}
	d.Queue = q.name
	if d.Segment == "" {
		d.Segment = filepath.Join(q.dir, fmt.Sprintf("%016x-*%s", v.cursor, suffix))
	}
	var err error
	if d.Aside, err = q.setAside(d, fmt.Sprintf("damaged-%016x", v.cursor)); err != nil {
		return fmt.Errorf("set aside what is damaged: %w", err)
	}
	v.cursor = lost.end()
	q.pass(nil, v.cursor)
	q.Ack(lost)
	if report := q.spool.o.OnDamage; report != nil {
		report(d)
	}
	return nil
}

// vanished tells whether a segment's file is gone.
func (q *Queue) vanished(seg *segment) bool {
	if seg == nil {
		return true
	}
	f, err := q.spool.fs.Open(filepath.Join(q.dir, seg.name()))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	_ = f.Close()
	return false
}

// setAside copies what is damaged to a file of its own, and returns its path. For
// nothing but zeros there is none.
func (q *Queue) setAside(d Damage, name string) (path string, err error) {
	if d.Bytes == 0 || q.spool.o.ReadOnly {
		return "", nil
	}
	fsys := q.spool.fs
	from, err := fsys.Open(d.Segment)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer from.Close()
	if zero, err := allZero(from, d.Offset, d.Bytes); err != nil || zero {
		return "", err
	}
	path = filepath.Join(q.dir, name)
	if err := q.writeFile(path, io.NewSectionReader(from, d.Offset, d.Bytes)); err != nil {
		return "", err
	}
	return path, fsys.SyncDir(q.dir)
}

func allZero(f io.ReaderAt, off, n int64) (bool, error) {
	r := bufio.NewReader(io.NewSectionReader(f, off, n))
	for {
		switch b, err := r.ReadByte(); {
		case err == io.EOF:
			return true, nil
		case err != nil || b != 0:
			return false, err
		}
	}
}

// pass moves the cursor behind what has been read, and gives the records their
// tags. What is handed out is noted as such first.
func (q *Queue) pass(list []Record, cursor uint64) {
	s := q.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	q.cursor = cursor
	n := 0
	for i := range list {
		for n < len(q.tags) && q.tags[n].number < list[i].Number {
			n++
		}
		if n < len(q.tags) && q.tags[n].number == list[i].Number {
			list[i].Tag = q.tags[n].value
		}
	}
	for n < len(q.tags) && q.tags[n].number < cursor {
		n++
	}
	clear(q.tags[:n])
	q.tags = q.tags[n:]
	if cursor <= q.noted || len(list) == 0 || s.closed || s.o.ReadOnly {
		return
	}
	g := q.open
	q.kickLocked()
	s.mu.Unlock()
	<-g.done
	s.mu.Lock()
}
