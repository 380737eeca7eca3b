package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// listSegments returns the segments in a queue's directory, oldest first.
func listSegments(fsys vfs.FS, dir string) ([]*segment, error) {
	list, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var segments []*segment
	for _, e := range list { // by name, which is by number
		if seg, ok := parseName(e.Name); ok && !e.Dir {
			seg.size = e.Size
			segments = append(segments, &seg)
		}
	}
	return segments, err
}

// recover finds out what the queue's files hold. It reads no more of them than it
// needs: the newest whose first note can be read, and those that follow. What is
// behind the last entry of all is set aside.
func (q *Queue) recover() error {
	var err error
	if q.segments, err = listSegments(q.spool.fs, q.dir); err != nil {
		return err
	}
	if len(q.segments) == 0 {
		if q.spool.o.ReadOnly {
			return nil
		}
		// Numbers begin anew, so none of an old file may come back.
		return q.spool.fs.SyncDir(q.dir)
	}
	q.made = true
	if !q.spool.o.ReadOnly {
		if err := q.sweep(); err != nil {
			return err
		}
	}
	q.acked.add(Range{0, q.segments[0].first}) // or the ones before would be there
	newest := len(q.segments) - 1
	q.latest = q.segments[newest].first
	for i := newest; i >= 0; i-- {
		f, err := survey(q.spool.fs, q.dir, q.segments[i])
		if err != nil {
			return err
		}
		if i == newest {
			q.next = max(f.next, q.low())
			if err := q.settleTail(q.segments[i], &f); err != nil {
				return err
			}
		}
		for _, r := range f.acked {
			r.N = min(r.end(), q.next) - min(r.First, q.next)
			q.acked.add(r)
		}
		q.before = cmp.Or(q.before, f.handed)
		if f.whole {
			break
		}
	}
	q.noted = q.before
	q.cursor = q.low()
	return nil
}

// sweep removes files that were never finished.
func (q *Queue) sweep() error {
	list, err := q.spool.fs.List(q.dir)
	for _, e := range list {
		if strings.HasSuffix(e.Name, temporary) {
			err = errors.Join(err, q.spool.fs.Remove(filepath.Join(q.dir, e.Name)))
		}
	}
	return err
}

// findings are what a segment holds beside its records.
type findings struct {
	end    int64  // of its last entry
	next   uint64 // number of the next record
	acked  []Range
	handed uint64 // as the last note says, 0 if there is none
	whole  bool   // acked is all that was acknowledged up to the end
	// Of the last commit, which is what follows the last note:
	settled bool   // it has no records
	holes   []hole // what is no entry
}

// hole is what is no entry, in place of records.
type hole struct {
	off, bytes int64
	records    Range
}

func survey(fsys vfs.FS, dir string, seg *segment) (f findings, err error) {
	path := filepath.Join(dir, seg.name())
	file, err := fsys.Open(path)
	if err != nil {
		return f, err
	}
	defer file.Close()
	header := make([]byte, fileHeader)
	if _, err := file.ReadAt(header, 0); err == nil {
		if err := checkFileHeader(header); err != nil {
			return f, fmt.Errorf("%s: %w", path, err)
		}
	} else if err != io.EOF {
		return f, err
	}
	sc := scanner{file: file, salt: seg.salt, off: fileHeader, size: seg.size}
	f.end = min(fileHeader, seg.size)
	for {
		off, index := sc.off, sc.index
		e, skipped, err := sc.next()
		if err == io.EOF {
			f.next = seg.first + uint64(sc.index)
			return f, nil
		}
		if err != nil {
			return f, fmt.Errorf("%s: %w", path, err)
		}
		if skipped > 0 {
			f.holes = append(f.holes, hole{off, skipped, Range{seg.first + uint64(index), uint64(e.index - index)}})
		}
		f.end = sc.off
		if e.kind != kindNote {
			f.settled = false
			continue
		}
		n, err := parseNote(e.payload)
		if err != nil {
			continue
		}
		if sc.off == int64(fileHeader+entryHeader+len(e.payload)) {
			f.whole = true
		}
		f.acked = append(f.acked, n.acked...)
		f.handed = n.handed
		f.settled, f.holes = true, nil
	}
}

// settleTail deals with the last commit of the newest segment, which may not have
// been finished when the process or its machine stopped: what is readable of it
// is kept, and what is not is set aside.
func (q *Queue) settleTail(seg *segment, f *findings) error {
	path := filepath.Join(q.dir, seg.name())
	for _, h := range f.holes {
		if err := q.reportTorn(Damage{Segment: path, Offset: h.off, Bytes: h.bytes, Records: int64(h.records.N)}); err != nil {
			return err
		}
		q.acked.add(h.records)
	}
	if seg.size > f.end {
		if err := q.reportTorn(Damage{Segment: path, Offset: f.end, Bytes: seg.size - f.end}); err != nil {
			return err
		}
	}
	if q.spool.o.ReadOnly {
		seg.size = f.end
		return nil
	}
	if seg.size == f.end && f.settled {
		file, err := q.spool.fs.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close()) // what has been acknowledged
	}
	// What was read of the last commit may be in the system's memory only, even
	// after a sync, if one had failed before.
	seg.size = f.end
	q.sick = seg
	if err := q.heal(); err != nil {
		return fmt.Errorf("copy the newest segment: %w", err)
	}
	return nil
}

func (q *Queue) reportTorn(d Damage) error {
	if !q.spool.strict {
		return nil // it is being written
	}
	d.Queue, d.Torn = q.name, true
	var err error
	if d.Aside, err = q.setAside(d, fmt.Sprintf("torn-%s-%08x", filepath.Base(d.Segment)[:16], d.Offset)); err != nil {
		return fmt.Errorf("set aside an unfinished write: %w", err)
	}
	if report := q.spool.o.OnDamage; report != nil {
		report(d)
	}
	return nil
}
