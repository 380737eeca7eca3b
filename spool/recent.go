package spool

// What has just been committed is read from the memory that it was written from, as
// long as Read keeps up: q.recent holds groups one after the other, of which Read is in
// the first, or before it. What Read is too far behind for is left to the files.

const (
	// recentBytes bounds what is kept of a queue (Spool.recent). One that is stuck
	// keeps that much for nothing.
	recentBytes = groupBytes
	// keptBytes bounds what is kept of all queues of a spool.
	keptBytes = 8 * groupBytes
	// spareBytes bounds the buffers that wait for a group.
	spareBytes = 2 * groupBytes
)

// keepLocked keeps a group that has been committed up to the writer's end, or takes its
// buffer back. It is called before q.next moves on.
func (q *Queue) keepLocked(g *group) {
	s, size := q.spool, g.memory()
	last := len(q.recent) - 1
	near := last < 0 && q.next-q.cursor <= 2*g.n || last >= 0 && q.recent[last].end() == q.next
	if g.n == 0 || !near || q.recentSize+size > s.recent || s.kept+size > keptBytes || q.removed != nil {
		s.spareLocked(g.buf)
		return
	}
	g.seg, g.mark = q.w.seg, q.w.end
	q.recent = append(q.recent, g)
	q.recentSize += size
	s.kept += size
}

// end is the number of the record behind the group's.
func (g *group) end() uint64 { return g.first + g.n }

// memory is what the group takes, which may be more than it holds.
func (g *group) memory() int64 { return int64(cap(g.buf)) }

// dropLocked lets go of the groups that end at a number or before it.
func (q *Queue) dropLocked(upTo uint64) {
	s := q.spool
	for len(q.recent) > 0 && q.recent[0].end() <= upTo {
		g := q.recent[0]
		q.recent[0] = nil
		q.recent = q.recent[1:]
		q.recentSize -= g.memory()
		s.kept -= g.memory()
		q.r.passed = g
		s.spareLocked(g.buf)
		g.buf = nil
	}
}

// spareLocked takes the buffer of a group that nobody needs any more.
func (s *Spool) spareLocked(buf []byte) {
	if size := int64(cap(buf)); size > 0 && s.spareSize+size <= spareBytes {
		s.spare = append(s.spare, buf[:0])
		s.spareSize += size
	}
}

// bufferLocked returns the buffer of a new group.
func (s *Spool) bufferLocked() (buf []byte) {
	if last := len(s.spare) - 1; last >= 0 {
		buf, s.spare[last] = s.spare[last], nil
		s.spare = s.spare[:last]
		s.spareSize -= int64(cap(buf))
	}
	return buf
}

// collectRecent reads from a group that is in memory.
func (q *Queue) collectRecent(list []Record, v *view, bytes int) []Record {
	r := &q.r
	if r.group != v.recent {
		r.group, r.off, r.number = v.recent, 0, v.recent.first
	}
	for buf := r.group.buf; r.off < len(buf) && bytes > 0; {
		kind, n := kindAndLength(buf[r.off:])
		e := entry{kind: kind, payload: buf[r.off+entryHeader:][:n:n]}
		had := len(list)
		list = q.take(list, v, e, r.number, r.group.at)
		if len(list) > had {
			bytes -= len(list[had].Data)
		}
		r.off += entryHeader + n
		r.number++
	}
	return list
}
