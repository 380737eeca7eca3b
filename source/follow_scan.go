package source

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// place is a file where it was found.
type place struct {
	path string
	info os.FileInfo
	id   fileID
}

// turn is a rotation at a path that may not be seen to its end yet.
type turn struct {
	since time.Time // the file that left was written to then: what came after it is younger
	until time.Time // so long files between the two are looked for
	last  *tail     // the youngest of those that left
	next  *tail     // the file at the path now, or nil
}

// completePaths makes the paths absolute, so that checkpoints do not depend on
// the working directory, and checks them.
func (c *FollowConfig) completePaths() error {
	var errs []error
	absolute := func(list []string, bare bool) []string {
		list = slices.Clone(list)
		for i, p := range list {
			if !doublestar.ValidatePathPattern(p) && !exists(p) {
				errs = append(errs, fmt.Errorf("%q is not a valid pattern", p))
			}
			if bare && !strings.ContainsRune(filepath.ToSlash(p), '/') {
				continue
			}
			abs, err := filepath.Abs(p)
			if err != nil {
				errs = append(errs, err)
			}
			list[i] = abs
		}
		return list
	}
	c.Paths, c.Exclude = absolute(c.Paths, false), absolute(c.Exclude, true)
	for _, p := range c.Paths {
		info, err := os.Stat(p)
		if err == nil && info.IsDir() {
			errs = append(errs, fmt.Errorf("%s is a directory\nhint: name its files, as in %s", p, filepath.Join(p, "*.log")))
		} else if err == nil && !info.Mode().IsRegular() {
			errs = append(errs, fmt.Errorf("%s is not a regular file, so there is no place in it to go on from\nhint: pipe it into hydrant send", p))
		}
	}
	return errors.Join(errs...)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// pass looks at all files: at what is at the paths, at what has left them, and
// for what is missing.
func (f *Follower) pass(now time.Time) {
	f.passes++
	f.listings = map[string][]place{}
	for _, t := range f.tails {
		t.failed = false
	}
	f.place(f.find(), now)
	f.follow(now)
	for _, t := range slices.Clone(f.tails) {
		if t.phase == missing {
			f.search(t, now)
		}
	}
	f.findMissed(now)
	for _, t := range slices.Clone(f.tails) {
		f.admit(t, now)
	}
	f.retire(now)
	f.watchAll()
}

// find returns the files at the paths, each once.
func (f *Follower) find() []place {
	var found []place
	index := map[fileID]int{}
	for _, pattern := range f.cfg.Paths {
		matches := []string{pattern}
		if !exists(pattern) {
			matches, _ = doublestar.FilepathGlob(pattern) // its syntax was checked
		}
		for _, path := range matches {
			p, ok := f.examine(path, len(matches) == 1 && matches[0] == pattern)
			if !ok {
				continue
			}
			i, twice := index[p.id]
			switch t := f.byID[p.id]; {
			case !twice:
				index[p.id] = len(found)
				found = append(found, p)
			case t != nil && t.path == p.path:
				found[i] = p // it has not moved only because it has another name too
			}
		}
	}
	return found
}

// examine looks at one path. named says that it is no match of a pattern, so that
// people want to hear why it is not read.
func (f *Follower) examine(path string, named bool) (place, bool) {
	for _, pattern := range f.cfg.Exclude {
		name := path
		if !filepath.IsAbs(pattern) {
			name = filepath.Base(path)
		}
		if ok, _ := doublestar.PathMatch(pattern, name); ok {
			return place{}, false
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return place{}, false
	}
	if err == nil && !info.Mode().IsRegular() {
		if named {
			f.once(slog.LevelWarn, "not a regular file, it is not followed", path, "mode", info.Mode().String())
		}
		return place{}, false
	}
	var id fileID
	if err == nil {
		id, err = identify(path, info)
	}
	if err != nil {
		f.once(slog.LevelWarn, "can't look at a file, will try again", path, "error", err)
		return place{}, false
	}
	return place{path, info, id}, true
}

// place assigns the files that are there to their tails, and makes tails of those
// that are new.
func (f *Follower) place(found []place, now time.Time) {
	var strangers []place
	for _, p := range found {
		t := f.byID[p.id]
		if t == nil {
			t = f.resume(p, now)
		}
		if t == nil {
			strangers = append(strangers, p)
			continue
		}
		t.pass = f.passes
		f.arrive(t, p, now)
	}
	for _, t := range f.tails {
		if t.phase == following && t.pass != f.passes {
			f.leave(t, now)
			t.phase = leaving
		}
	}
	slices.SortFunc(strangers, older)
	for _, p := range strangers {
		if t := f.byID[p.id]; t != nil { // meanwhile it was found to be the rest of another
			t.pass = f.passes
			f.arrive(t, p, now)
			continue
		}
		f.meet(p, following, now)
	}
}

// meet makes a tail of a file that is not known by its identity. What it is,
// admit finds out.
func (f *Follower) meet(p place, ph phase, now time.Time) *tail {
	t := &tail{
		path: p.path, home: p.path, id: p.id, phase: ph, fresh: true, pass: f.passes,
		size: p.info.Size(), mtime: p.info.ModTime(), wrote: p.info.ModTime(), grown: now, seen: now,
	}
	f.log.Debug("found a file", "path", p.path, "size", t.size, "missed", ph == leaving)
	f.tails = append(f.tails, t)
	f.byID[t.id] = t
	f.byHome[t.home] = t
	if ph == following {
		root := filepath.Join(filepath.Dir(t.path), rootName(t.path))
		if turn := f.turns[t.path]; turn != nil {
			t.comesAfter(turn.last)
			turn.next = t
		} else if turn := f.turns[root]; turn != nil && !t.mtime.Before(turn.since) {
			f.between(turn, t, now)
		}
	}
	f.opened(t, now) // so that it can be read even if it is removed at once
	return t
}

// resume finds the tail without a file whose file p is.
func (f *Follower) resume(p place, now time.Time) *tail {
	for _, t := range f.tails {
		unknown := t.head.Bytes == 0 // isHome finds out what is there now
		if t.phase >= missing && t.id == p.id && f.isHome(t, p, now) {
			if t.path == p.path {
				f.stayed(t)
			}
			if t.path == p.path && unknown && !isRotated(t.path) {
				f.filled(t, now)
			}
			t.lost = false
			f.byID[t.id] = t
			return t
		}
	}
	return nil
}

// stayed enters that the file of a tail is still at its path after a restart, so
// that only those before it may be elsewhere.
func (f *Follower) stayed(t *tail) {
	u := f.turns[t.path]
	if u == nil {
		return
	}
	u.next = t
	if u.last == t {
		u.last = t.after
	}
	if u.last == nil {
		delete(f.turns, t.path)
	}
}

// isHome tells whether p, which has the identity of t's file, is that file still.
// It is open then.
func (f *Follower) isHome(t *tail, p place, now time.Time) bool {
	if t.packed {
		return t.mtime.Equal(p.info.ModTime())
	}
	if t.head.Bytes == 0 && !related(t.path, p.path) {
		return false // there is nothing to tell it by, and the number may be another's now
	}
	home := t.home
	t.home = p.path
	if f.opened(t, now) {
		if ok, err := f.intact(t); err == nil && ok {
			return true
		}
		f.shut(t)
	}
	t.home = home
	return false
}

// arrive enters where the file of a tail was found.
func (f *Follower) arrive(t *tail, p place, now time.Time) {
	if t.path != p.path && t.phase == following {
		f.leave(t, now)
	} else if t.path != p.path && t.left.IsZero() {
		t.left = now
	}
	if f.byHome[t.home] == t {
		delete(f.byHome, t.home)
	}
	t.path, t.home, t.phase, t.seen = p.path, p.path, following, now
	f.byHome[t.home] = t
	f.look(t, p.info, now)
}

// leave enters that a tail's file is not at its path any more.
func (f *Follower) leave(t *tail, now time.Time) {
	t.left = now
	u := f.turns[t.path]
	if u == nil {
		u = &turn{since: t.wrote}
		f.turns[t.path] = u
	}
	if t.wrote.Before(u.since) {
		u.since = t.wrote
	}
	u.until = now.Add(f.cfg.RotateWait)
	u.last, u.next = t, nil
}

// follow looks at the files that have left their paths, by their handles.
func (f *Follower) follow(now time.Time) {
	for _, t := range slices.Clone(f.tails) {
		if t.phase != leaving {
			continue
		}
		if t.file == nil && !f.opened(t, now) {
			if !t.failed {
				f.lose(t, now)
			}
			continue
		}
		if info, err := t.file.Stat(); err == nil {
			f.look(t, info, now)
		}
	}
}

// lose enters that a tail has no file, and has it searched for.
func (f *Follower) lose(t *tail, now time.Time) {
	if f.byID[t.id] == t {
		delete(f.byID, t.id)
	}
	t.phase, t.missed = missing, now
}

// displaced enters that a compressed file is not the one that has t's content,
// though it has its number and time.
func (f *Follower) displaced(t *tail, now time.Time) {
	f.log.Debug("a compressed file is shorter than it was", "path", t.home, "read", t.read, "size", t.size)
	f.shut(t)
	f.leave(t, now)
	f.lose(t, now)
	t.id = fileID{}
}

// filled enters that a file has changed of which nothing is known. It may have been
// filled, copied and truncated in between, which nothing shows.
func (f *Follower) filled(t *tail, now time.Time) {
	u := f.turns[t.path]
	if u == nil {
		u = &turn{since: t.wrote}
		f.turns[t.path] = u
	}
	u.until = now.Add(f.cfg.RotateWait)
	u.next = t
}

// look compares a file with what it was, and finds out whether it was truncated.
func (f *Follower) look(t *tail, info os.FileInfo, now time.Time) {
	size, mtime := info.Size(), info.ModTime()
	if t.packed || size == t.size && mtime.Equal(t.mtime) {
		return
	}
	if size != t.size {
		t.grown = now
	}
	if t.head.Bytes == 0 && t.phase == following && !isRotated(t.path) {
		f.filled(t, now)
	}
	if t.fresh {
		t.changed(size, mtime)
		return
	}
	// Before its time is taken over, as that says what is younger than this file.
	if !f.opened(t, now) {
		return
	}
	if ok, err := f.intact(t); err != nil {
		f.fail(t, err)
		return
	} else if !ok {
		f.truncated(t, now)
		return
	}
	t.held = min(t.held, size)
	t.changed(size, mtime)
}

// changed enters what a file has become. The time of a rotated one says nothing of
// when it was written to: while it is copied it is that of the copying, and set back
// after.
func (t *tail) changed(size int64, mtime time.Time) {
	t.size, t.mtime = size, mtime
	if !isRotated(t.home) {
		t.wrote = mtime
	}
}

// truncated enters that t's file does not begin with what was read of it any
// more. What it is now is another tail, and t goes on where it was copied to, if
// it was.
func (f *Follower) truncated(t *tail, now time.Time) {
	n := &tail{
		path: t.path, home: t.home, id: t.id, file: t.file, phase: t.phase, left: t.left,
		grown: now, seen: now, pass: t.pass, used: t.used, after: t, fresh: true,
	}
	if info, err := t.file.Stat(); err == nil {
		n.size, n.mtime, n.wrote = info.Size(), info.ModTime(), info.ModTime()
	}
	t.file = nil
	f.log.Debug("a file was truncated", "path", t.path, "read", t.read, "size", n.size)
	f.leave(t, now)
	f.lose(t, now)
	f.turns[t.path].next = n
	f.tails = append(f.tails, n)
	f.byID[n.id], f.byHome[n.home] = n, n
	f.listings = map[string][]place{} // the copy may be younger than they
	f.search(t, now)
}

// retire ends what is finished, and forgets what need not be known any more.
func (f *Follower) retire(now time.Time) {
	for _, t := range f.tails {
		switch {
		case t.phase == missing && now.Sub(t.missed) >= f.cfg.RotateWait:
			f.giveUp(t)
		case t.phase == leaving && t.fresh && t.quiet(now, f.cfg.RotateWait),
			t.phase == leaving && !t.fresh && t.held >= t.size && t.held == t.read && t.quiet(now, f.cfg.RotateWait):
			f.close(t)
		}
	}
	for path, u := range f.turns {
		if now.After(u.until) {
			delete(f.turns, path)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tails = slices.DeleteFunc(f.tails, func(t *tail) bool {
		return t.phase == over && t.settled >= t.read && (t.fresh || t.end == 0 && f.turns[t.path] == nil || now.Sub(t.seen) > keepGone)
	})
}

// close ends a tail: its file is read.
func (f *Follower) close(t *tail) {
	f.log.Debug("a file is finished", "path", t.path, "was", t.home, "read", t.read)
	f.shut(t)
	t.phase = over
	if f.byID[t.id] == t {
		delete(f.byID, t.id)
	}
	if f.byHome[t.home] == t {
		delete(f.byHome, t.home)
	}
	f.mu.Lock()
	f.changed = true
	f.mu.Unlock()
}

// giveUp ends the search for a missing file.
func (f *Follower) giveUp(t *tail) {
	f.close(t)
	t.lost = true
	if t.end > 0 || t.size > 0 {
		f.log.Warn("the rest of a file that was truncated or removed was not found; how many bytes are missing is unknown",
			"path", t.path, "read", t.read, "last_size", t.size,
			"hint", "with copytruncate keep the copies in the same directory, and the last one uncompressed")
	}
}

// patience returns how long the next look at the files may wait.
func (f *Follower) patience(now time.Time) time.Duration {
	wait := f.cfg.Poll
	until := func(at time.Time, d time.Duration) {
		if d -= now.Sub(at); d > 0 {
			wait = min(wait, d)
		}
	}
	for _, t := range f.tails {
		if t.phase == missing {
			until(t.missed, f.cfg.RotateWait)
		}
		if t.phase == leaving || t.phase == following && !t.left.IsZero() && t.held > t.read {
			until(t.lastChange(), f.cfg.RotateWait)
		}
		if t.phase <= leaving && f.cfg.Start != nil && t.held > t.read {
			until(t.grown, f.cfg.MultilineTimeout)
		}
	}
	return max(wait, time.Millisecond)
}

// watchAll has the directories watched in which there may be something to read.
func (f *Follower) watchAll() {
	if f.watch == nil {
		return
	}
	add := func(dir string) {
		if f.watched[dir] {
			return
		}
		if err := f.watch.Add(dir); errors.Is(err, fs.ErrNotExist) {
			return // it may come
		} else if err != nil {
			f.once(slog.LevelWarn, "no notification of some changes, they are found by polling", "", "directory", dir, "error", err)
		}
		f.watched[dir] = true
	}
	for _, pattern := range f.cfg.Paths {
		dir, _ := doublestar.SplitPattern(filepath.ToSlash(pattern))
		add(filepath.FromSlash(dir))
	}
	for _, t := range f.tails {
		if t.phase == following {
			add(filepath.Dir(t.home))
		}
	}
}
