package source

import (
	"bytes"
	"cmp"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	packedName = regexp.MustCompile(`\.(gz|zst|zstd)$`)
	// app.log.1, app.log-20260101, app.log.2026-01-01T10:00:00, app.log.old
	rotatedName = regexp.MustCompile(`^(.+)[._-](\d[\w.:+-]*|old|bak|prev|orig)$`)
	// app-20260101.log, app-2026-01-01T10-00-00.000.log
	datedName = regexp.MustCompile(`^(.+?)[._-](\d{4}-?\d\d-?\d\d[\d.T:_-]*)(\.[A-Za-z]\w*)$`)
)

// rootName is the name that a rotated file had while it was written to, as far as
// names can tell.
func rootName(path string) string {
	name := packedName.ReplaceAllString(filepath.Base(path), "")
	if m := datedName.FindStringSubmatch(name); m != nil {
		return m[1] + m[3]
	}
	for {
		m := rotatedName.FindStringSubmatch(name)
		if m == nil {
			return name
		}
		name = m[1]
	}
}

// isRotated tells whether a file is, by its name, not the one that is written to.
func isRotated(path string) bool { return filepath.Base(path) != rootName(path) }

// related tells whether two files may be of one log, by their names.
func related(a, b string) bool {
	return filepath.Dir(a) == filepath.Dir(b) && rootName(a) == rootName(b)
}

// siblings returns the files of a directory, those that were written to last at
// the end.
func (f *Follower) siblings(dir string) []place {
	if list, ok := f.listings[dir]; ok {
		return list
	}
	var list []place
	entries, _ := os.ReadDir(dir) // where it can't be read, nothing is found
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if id, err := identify(path, info); err == nil {
			list = append(list, place{path, info, id})
		}
	}
	slices.SortFunc(list, older)
	f.listings[dir] = list
	return list
}

// older orders files by when they were written to last. Where the file system's
// clock can't tell, app.log.2 comes before app.log.1, and both before app.log.
func older(a, b place) int {
	return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()),
		cmp.Compare(rotations(b.path), rotations(a.path)),
		isLast(a.path)-isLast(b.path),
		strings.Compare(a.path, b.path))
}

func isLast(path string) int {
	if isRotated(path) {
		return 0
	}
	return 1
}

// rotations is the number in a name such as app.log.2, if it counts rotations.
func rotations(path string) int {
	name := packedName.ReplaceAllString(path, "")
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '.')+1:])
	if err != nil || n > 9999 {
		return 0 // a date, of which the later is younger, or none
	}
	return n
}

// search looks for the file of a tail that has none: under another name, as a
// copy, or compressed.
func (f *Follower) search(t *tail, now time.Time) {
	list := f.siblings(filepath.Dir(t.path))
	for _, p := range list {
		if u := f.byID[p.id]; p.id == t.id && (u == nil || u.fresh) && f.isHome(t, p, now) {
			size, final := t.size, t.final
			f.adopt(t, p, u, now)
			if t.packed {
				t.size, t.final = size, final
			}
			return
		}
	}
	if t.end == 0 && t.head.Bytes == 0 { // nothing is known of it, so its copy is as good as new
		f.close(t)
		t.id = fileID{}
		return
	}
	// The open ones first: one of them may be the copy, removed after it was
	// compressed.
	for _, p := range slices.Concat(f.strangers(), list) {
		u := f.byID[p.id]
		if u != nil && !u.fresh || !mayHold(p, t) {
			continue
		}
		if packed, length, ok := f.holds(p, u, t); ok {
			f.adopt(t, p, u, now)
			t.packed, t.final = packed, true
			t.size = length
			return
		}
	}
}

// strangers returns the open files of which it is not known what they are.
func (f *Follower) strangers() (list []place) {
	for _, t := range f.tails {
		if t.fresh && t.file != nil {
			if info, err := t.file.Stat(); err == nil {
				list = append(list, place{t.home, info, t.id})
			}
		}
	}
	slices.SortFunc(list, older)
	return list
}

// mayHold tells whether the file at p may be a copy of t's by its name, which is
// then that of a rotated file, and its time.
func mayHold(p place, t *tail) bool {
	return isRotated(p.path) && related(p.path, t.path) && !p.info.ModTime().Before(t.wrote)
}

// holds tells whether the content of the file at p begins with what was given out
// of t, and how long it is. Of a compressed file all has to be there. u is the
// tail that has the file open, or nil.
func (f *Follower) holds(p place, u, t *tail) (packed bool, length int64, ok bool) {
	var file *os.File
	var err error
	if u != nil && u.file != nil {
		file = u.file
	} else if file, err = openAs(p.path, p.id); file == nil || err != nil {
		return false, 0, false
	} else {
		defer file.Close()
	}
	packed, length, err = f.measure(file, p)
	if err != nil || length < t.end {
		return packed, length, false
	}
	ok, err = t.begins(content(file))
	return packed, length, err == nil && ok
}

// measure returns the length of a file's content. Of a compressed one it is an
// error if it is not whole: somebody may still be writing it.
func (f *Follower) measure(file *os.File, p place) (packed bool, length int64, err error) {
	c := content(file)
	var first [1]byte
	if _, err = io.ReadFull(c, first[:]); err != nil && err != io.EOF {
		return c.kind != "", 0, err
	}
	if c.kind == "" {
		return false, p.info.Size(), nil
	}
	if err == io.EOF {
		return true, 0, nil
	}
	length, err = io.Copy(io.Discard, c)
	return true, length + 1, err
}

// adopt gives a tail the file at p as its own. u is what was made of that file
// before anything was known of it, or nil.
func (f *Follower) adopt(t *tail, p place, u *tail, now time.Time) {
	f.log.Debug("found where a file goes on", "path", t.path, "in", p.path, "read", t.read)
	f.shut(t)
	t.id, t.home, t.phase = p.id, p.path, leaving
	t.size, t.mtime, t.held = p.info.Size(), p.info.ModTime(), t.read
	t.left, t.seen, t.pass, t.lost, t.final = now, now, f.passes, false, false
	if u != nil {
		if u.phase == following {
			t.phase, t.path = following, u.path
		}
		t.file, u.file = u.file, nil
		u.phase, u.size = over, 0
		f.inherit(u, t)
	}
	f.byID[t.id], f.byHome[t.home] = t, t
	f.opened(t, now)
}

// inherit puts t where u stood in the order of things: who waited for u waits for
// t, and for those that u waited for.
func (f *Follower) inherit(u, t *tail) {
	before := t
	if u.after != nil {
		before = u.after
		last := before
		for last.after != nil && last != t {
			last = last.after
		}
		if last != t {
			last.comesAfter(t)
		}
	}
	for _, w := range f.tails {
		if w.after == u {
			w.after = nil
			w.comesAfter(before)
		}
		if w.twin == u {
			w.twin = t
		}
	}
	for _, turn := range f.turns {
		if turn.last == u {
			turn.last = before
		}
		if turn.next == u {
			turn.next = nil
		}
	}
}

// findMissed looks for files that have come to a path and left it again between
// two looks: those beside it that are not known, have the name of a rotated file,
// and are younger than the one that left.
func (f *Follower) findMissed(now time.Time) {
	for path, turn := range f.turns {
		for _, p := range f.siblings(filepath.Dir(path)) {
			if f.byID[p.id] != nil || p.info.Size() == 0 || p.info.ModTime().Before(turn.since) || !rotationOf(p.path, path) || f.isKnown(p, now) {
				continue
			}
			t := f.meet(p, leaving, now)
			t.path, t.wrote = path, turn.since
			f.between(turn, t, now)
		}
	}
}

// between enters that t was at the path after u's last file and before its next.
func (f *Follower) between(u *turn, t *tail, now time.Time) {
	t.left = now
	t.comesAfter(u.last)
	u.last = t
	if u.next == nil {
		return
	}
	u.next.comesAfter(t)
	// In the list, which a restart finds, too.
	if i, j := slices.Index(f.tails, u.next), slices.Index(f.tails, t); i >= 0 && i < j {
		f.tails = slices.Insert(slices.Delete(f.tails, j, j+1), i, t)
	}
}

// rotationOf tells whether name is path's, and what rotation adds to it.
func rotationOf(name, path string) bool {
	return related(name, path) && isRotated(name) && !isRotated(path)
}

// isKnown tells whether p is, by its identity, a file that is over.
func (f *Follower) isKnown(p place, now time.Time) bool {
	for _, t := range f.tails {
		if t.phase >= missing && t.id == p.id && f.isHome(t, p, now) {
			f.shut(t)
			t.home, t.seen = p.path, now
			return true
		}
	}
	return false
}

// admit finds out what a file is that has something in it and is not known by its
// identity: new, the rest of another, or the copy of one that is still written.
func (f *Follower) admit(t *tail, now time.Time) {
	if !t.fresh || t.phase > leaving || t.size == 0 {
		return
	}
	if t.size == t.triedN && t.mtime.Equal(t.tried) && (t.twin == nil || t.twin.phase <= leaving) && t.triedN > 0 {
		return
	}
	if !f.opened(t, now) {
		return
	}
	info, err := t.file.Stat()
	if err != nil || maybePacked(t.file, info.Size()) {
		return
	}
	p := place{t.home, info, t.id}
	t.changed(info.Size(), info.ModTime())
	t.tried, t.triedN, t.twin = t.mtime, t.size, nil
	packed, length, err := f.measure(t.file, p)
	if err != nil && !packed {
		f.fail(t, err)
		return
	} else if err != nil {
		f.once(slog.LevelWarn, "a compressed file is not whole, it is read when it is", t.home, "error", err)
		return
	}
	if u := f.origin(t, p, packed, length, now); u != nil {
		if u.phase <= leaving {
			t.twin = u
			f.log.Debug("a file is the copy of another", "path", t.home, "of", u.home)
			return
		}
		f.adopt(u, p, t, now)
		u.packed, u.final = packed, true
		u.size = length
		return
	}
	if !t.fresh || t.phase == over { // origin has found whose it is
		return
	}
	t.fresh, t.packed = false, packed
	if packed {
		t.size = length
	}
	f.begin(t)
}

// maybePacked tells whether a file is too short to say that it is not compressed.
func maybePacked(file *os.File, size int64) bool {
	var b [4]byte
	n, _ := readAt(file, b[:min(size, 4)], 0)
	return n > 0 && n < 4 && (strings.HasPrefix("\x1f\x8b\x08", string(b[:n])) && n < 3 || strings.HasPrefix("\x28\xb5\x2f\xfd", string(b[:n])))
}

// begin says where reading a new file begins.
func (f *Follower) begin(t *tail) {
	if t.packed {
		head := make([]byte, min(t.size, digestBytes))
		if _, err := io.ReadFull(content(t.file), head); err == nil {
			t.head = digestOf(head)
		}
	} else if _, err := f.intact(t); err != nil {
		f.fail(t, err)
	}
	if !f.first || !f.cfg.FromEnd {
		return
	}
	at := t.size
	if !t.packed {
		at = lastLine(t.file, t.size)
		b := make([]byte, min(at, digestBytes))
		if n, err := readAt(t.file, b, at-int64(len(b))); err == nil && n == len(b) {
			t.last = digestOf(b)
		}
	}
	t.read, t.held, t.from, t.end = at, at, at, at
	f.mu.Lock()
	t.settled = at
	f.mu.Unlock()
}

// lastLine returns where a last line without a line end begins: a record must not
// begin in the middle of it. Where that is more than 1 MiB back, it is size.
func lastLine(file *os.File, size int64) int64 {
	b := make([]byte, min(size, 1<<20))
	n, err := readAt(file, b, size-int64(len(b)))
	if err != nil || n < len(b) {
		return size
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 || len(b) < 1<<20 {
		return size - int64(len(b)-i-1)
	}
	return size
}

// origin returns the tail whose content the file of t holds: one that is over,
// which may go on in it, or one that is still read, of which it is a copy or will
// be the rest.
func (f *Follower) origin(t *tail, p place, packed bool, length int64, now time.Time) *tail {
	if f.first {
		return nil
	}
	for _, u := range slices.Clone(f.tails) {
		live := u.phase <= leaving && !u.packed && !u.final && !isRotated(u.home)
		if u == t || u.fresh && !live || !related(u.path, p.path) && !related(u.home, p.path) {
			continue
		}
		switch {
		case u.phase == over:
			if isRotated(p.path) && u.end > 0 && (u.lost && length >= u.end || length == u.end) && f.sameAs(u, t) {
				return u
			}
		case u.phase == missing:
			if mayHold(p, u) && u.end > 0 && length >= u.end && f.sameAs(u, t) {
				return u
			}
		case packed || u.final || u.packed:
			if (u.end > 0 && length >= u.end || u.end == 0 && length == u.size && f.sameBytes(u, t)) && f.sameAs(u, t) {
				return u
			}
		case live && isRotated(t.home):
			if f.isCopy(t, u, now) {
				return u
			}
			if t.phase == over || !t.fresh {
				return nil
			}
		}
	}
	return nil
}

func (f *Follower) sameAs(u, t *tail) bool {
	ok, err := u.begins(content(t.file))
	return ok && err == nil
}

// sameBytes compares the whole content of two files, where nothing was given out
// of u yet that it could be told by.
func (f *Follower) sameBytes(u, t *tail) bool {
	if u.file == nil {
		return false
	}
	a, b := crc32.New(castagnoli), crc32.New(castagnoli)
	n, err1 := io.Copy(a, content(u.file))
	m, err2 := io.Copy(b, content(t.file))
	return err1 == nil && err2 == nil && n == m && a.Sum32() == b.Sum32()
}

// isCopy tells whether all of t's file is what the file of u begins with. Where
// u's file turns out to be truncated, t may become its rest.
func (f *Follower) isCopy(t, u *tail, now time.Time) bool {
	if !f.opened(u, now) {
		return false
	}
	same, err := f.agree(t, u)
	if err == nil && same {
		return true
	}
	if ok, err := f.intact(u); err == nil && !ok {
		f.truncated(u, now)
	}
	return false
}

// agree compares t's file with the beginning of u's, from where they were the
// same the last time.
func (f *Follower) agree(t, u *tail) (bool, error) {
	if t.with != u {
		t.with, t.agreed = u, 0
	}
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for t.agreed < t.size {
		n, err := readAt(t.file, a[:min(int64(len(a)), t.size-t.agreed)], t.agreed)
		if err != nil || n == 0 {
			return false, err
		}
		m, err := readAt(u.file, b[:n], t.agreed)
		if err != nil || !bytes.Equal(a[:n], b[:m]) {
			t.agreed = 0
			return false, err
		}
		t.agreed += int64(n)
	}
	return true, nil
}
