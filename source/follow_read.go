package source

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// leftover is what was read of a file and had no room in the burst.
type leftover struct {
	tail   *tail
	offset int64
	b      []byte
}

// ready returns the tails of which something is to be given out, the one whose
// turn it is first.
func (f *Follower) ready(now time.Time) []*tail {
	f.list = f.list[:0]
	f.next = min(f.next, len(f.tails))
	for i := range f.tails {
		i += f.next
		if i >= len(f.tails) {
			i -= len(f.tails)
		}
		if t := f.tails[i]; f.isReady(t, now) {
			f.list = append(f.list, t)
		}
	}
	return f.list
}

func (f *Follower) isReady(t *tail, now time.Time) bool {
	if t.phase > leaving || t.fresh || t.failed {
		return false
	}
	for t.after != nil {
		if !t.after.drained() {
			return false
		}
		t.after = t.after.after
	}
	if t.packed && f.unpacks != nil && f.unpacks != t {
		return false
	}
	return t.size > t.held || t.held > t.read && (t.quiet(now, f.cfg.RotateWait) || f.timedOut(t, now))
}

// timedOut tells whether a record of several lines is whole as nothing more has
// come. Its last line may be a part, which fill finds out.
func (f *Follower) timedOut(t *tail, now time.Time) bool {
	return f.cfg.Start != nil && !t.torn && now.Sub(t.grown) >= f.cfg.MultilineTimeout
}

// burst returns the next records of the files that have some.
func (f *Follower) burst(now time.Time) ([]Followed, error) {
	f.work.Lock()
	defer f.work.Unlock()
	if f.closed {
		return nil, ErrFollowerClosed
	}
	f.out = f.out[:0]
	ready := f.ready(now)
	if len(ready) != 1 {
		f.rest = leftover{}
	}
	used := 0
	for i, t := range ready {
		room := max(minRead/4, (burstBytes-used)/(len(ready)-i))
		if used > 0 {
			room = min(room, burstBytes-used)
		}
		if len(f.out) >= burstRecords || room < minRead/64 {
			break
		}
		took, again := f.fill(t, used, room, now)
		used += took
		f.next = slices.Index(f.tails, t)
		if again {
			break
		}
		f.next++
	}
	return f.out, nil
}

// fill adds the next records of a file to the burst. Their bytes are read into
// buf[used:], at most room of them; it returns how many it took. again says that
// the next record needs more room, and a burst of its own.
func (f *Follower) fill(t *tail, used, room int, now time.Time) (took int, again bool) {
	if b := f.leftover(t); b != nil {
		if n := f.give(t, b, false); n > 0 {
			f.keep(t, b[n:])
			return len(b), false
		}
	}
	if !f.opened(t, now) || f.growsOn(t, used, room, now) {
		return 0, false
	}
	for {
		b := f.space(used, room)
		n, err := readAt(f.body(t), b, t.read)
		if err != nil {
			f.fail(t, err)
			return 0, false
		}
		// What was read is only of this content if the file was not truncated
		// before, so this comes after it.
		if ok, err := f.intact(t); err != nil {
			f.fail(t, err)
			return 0, false
		} else if !ok {
			f.truncated(t, now)
			return 0, false
		}
		b = b[:n]
		ended := n < room
		if ended && t.packed && t.read+int64(n) < t.size {
			f.displaced(t, now)
			return 0, false
		}
		if ended {
			t.reach(t.read+int64(n), now)
		}
		gave := f.give(t, b, ended && f.whole(t, b, now))
		if gave == 0 && !ended {
			if used > 0 {
				return 0, true
			}
			room = min(2*room, f.cfg.MaxRecord)
			continue
		}
		t.held = t.read
		if rest := b[gave:]; len(f.out) >= burstRecords {
			f.keep(t, rest)
		} else if ended {
			t.held += int64(len(rest))
			t.torn = len(rest) > 0 && rest[len(rest)-1] != '\n'
		}
		if t.packed && t.read >= t.size {
			f.shut(t)
		}
		if gave == 0 {
			return 0, false
		}
		return n, false
	}
}

// reach enters that the file reaches to at least size.
func (t *tail) reach(size int64, now time.Time) {
	if size > t.size {
		t.size, t.grown = size, now
	}
}

// whole tells whether what stands at the end of the file, after b was read up to
// there, is a record although nothing shows its end.
func (f *Follower) whole(t *tail, b []byte, now time.Time) bool {
	if t.quiet(now, f.cfg.RotateWait) {
		return true
	}
	return f.cfg.Start != nil && len(b) > 0 && b[len(b)-1] == '\n' && now.Sub(t.grown) >= f.cfg.MultilineTimeout
}

// growsOn reads only what is new of a long line that has not come to its end, so
// that a line that comes byte by byte is not read anew for every byte.
func (f *Follower) growsOn(t *tail, used, room int, now time.Time) bool {
	long := t.held - t.read
	if long < minRead/4 || f.cfg.Start != nil || t.packed || t.quiet(now, f.cfg.RotateWait) {
		return false
	}
	b := f.space(used, room)
	n, err := readAt(t.file, b, t.held)
	if err != nil || n == room || bytes.IndexByte(b[:n], '\n') >= 0 || int(long)+n >= f.cfg.MaxRecord {
		return false
	}
	if ok, err := f.intact(t); err != nil || !ok {
		return false // found again, and seen to, by the full read
	}
	t.held += int64(n)
	t.reach(t.held, now)
	return t.size <= t.held
}

// give adds the records of b, which is at the tail's place, to the burst, and
// returns how many bytes they are. whole: what is left at its end is one too.
func (f *Follower) give(t *tail, b []byte, whole bool) int {
	pos := 0
	for len(f.out) < burstRecords && pos < len(b) {
		n, part := f.record(b[pos:], whole)
		if n == 0 {
			break
		}
		if part {
			f.once(slog.LevelWarn, fmt.Sprintf("a record is longer than %d bytes and comes in pieces", f.cfg.MaxRecord), t.path)
		}
		from := t.read + int64(pos)
		f.out = append(f.out, Followed{b[pos : pos+n : pos+n], t.path, from, part, Mark{t, from, from + int64(n)}})
		pos += n
	}
	if pos > 0 {
		t.advance(b[:pos])
	}
	return pos
}

// record returns the length of the record that b begins with, or 0 if its end is
// not there.
func (f *Follower) record(b []byte, whole bool) (n int, part bool) {
	if f.cfg.Start == nil {
		n = bytes.IndexByte(b[:min(len(b), f.cfg.MaxRecord)], '\n') + 1
	} else {
		n = f.lines(b, whole)
	}
	switch {
	case n > 0 && n <= f.cfg.MaxRecord:
		return n, false
	case n > f.cfg.MaxRecord, len(b) > f.cfg.MaxRecord, len(b) == f.cfg.MaxRecord && !whole:
		return f.cfg.MaxRecord, true
	case whole:
		return len(b), false
	}
	return 0, false
}

// lines returns the length of the lines before the next that begins a record, or
// 0 if there is none in b.
func (f *Follower) lines(b []byte, whole bool) int {
	for pos := 0; pos <= f.cfg.MaxRecord; {
		i := bytes.IndexByte(b[pos:], '\n')
		if i < 0 {
			break
		}
		pos += i + 1
		line, _, ended := bytes.Cut(b[pos:], []byte("\n"))
		if !ended && (!whole || len(line) == 0) {
			break
		}
		if f.cfg.Start.Match(bytes.TrimSuffix(line, []byte("\r"))) {
			return pos
		}
	}
	return 0
}

// space is buf[used:used+room], made where there is no room. What is before used
// stays where it is, as it was given out.
func (f *Follower) space(used, room int) []byte {
	if used+room > len(f.buf) {
		f.buf = make([]byte, used+room)
	}
	return f.buf[used : used+room]
}

// keep keeps what was read beyond a full burst for the next one.
func (f *Follower) keep(t *tail, b []byte) {
	f.rest = leftover{t, t.read, b}
	t.held = t.read
	t.size = max(t.size, t.read+int64(len(b)))
}

func (f *Follower) leftover(t *tail) []byte {
	l := f.rest
	f.rest = leftover{}
	if l.tail != t || l.offset != t.read || len(l.b) == 0 {
		return nil
	}
	return l.b
}

// fail logs why a file can't be read. The next pass tries again.
func (f *Follower) fail(t *tail, err error) {
	t.failed = true
	if t.packed {
		f.shut(t) // another may have its turn
	}
	f.once(slog.LevelWarn, "can't read a file, will try again", t.home, "error", err)
}
