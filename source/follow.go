package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hydrant-go/hydrant/internal/vfs"
)

const (
	burstBytes   = 1 << 20
	burstRecords = 4096
	// maxOpen is how many files of which nothing is to be read are kept open.
	maxOpen = 256
	// keepGone is for how long the checkpoint of a file that is gone is kept: so
	// that it is known again when it turns up compressed, or from a backup.
	keepGone = 7 * 24 * time.Hour
)

// ErrFollowerClosed is what Follower.Next returns after Close.
var ErrFollowerClosed = errors.New("the follower is closed")

// FollowConfig says which files a Follower reads, and how.
type FollowConfig struct {
	// Paths are files, or patterns with *, ?, [a-z], {a,b} and, for any number of
	// directories, **. A file that is not there yet is waited for. Symbolic links
	// are followed; a file that has several paths is read once.
	Paths []string
	// Exclude are patterns of what is left out: of the whole path, or, without a
	// separator, of the file's name alone.
	Exclude []string

	// State is the file of the checkpoints. Only one Follower may use it at a
	// time. "": there are none, and a restart begins anew.
	State string
	// FromEnd begins the files that are found at the very first start, that is
	// without a State, at their end: after their last whole line. Files that
	// appear later are always read from their beginning.
	FromEnd bool

	// Start matches the lines (without their line end) with which a record of
	// several lines begins. What stands before the first of them is a record too.
	// nil: every line is a record, the empty ones as well.
	Start *regexp.Regexp
	// MultilineTimeout: where nothing has come for so long, a record of several
	// lines is whole. Default 5 s.
	MultilineTimeout time.Duration
	// MaxRecord is the most bytes of a record, its line end included. A longer one
	// comes in pieces. Default, and at most, MaxRecord.
	MaxRecord int

	// Poll is how often the files are looked at, whatever notification says.
	// Default 1 s.
	Poll time.Duration
	// NoNotify does without the operating system's notification of changes, which
	// only saves waiting for the next poll.
	NoNotify bool
	// RotateWait is for how long a file that was renamed or removed is still
	// watched after its end was read, as its writer may not know yet. After that a
	// last line without a line end is a record. Default 5 s.
	RotateWait time.Duration

	// Logger gets what a person should know of. Default slog.Default().
	Logger *slog.Logger
}

// Followed is a record of a file.
type Followed struct {
	Data   []byte // the line end included; valid until the next call of Next
	Path   string // where the file was last found by FollowConfig.Paths
	Offset int64  // of its first byte in the file, of a compressed one in its content
	Part   bool   // longer than MaxRecord, and goes on in the file's next record
	Mark   Mark   // for Done
}

// Mark stands for one record of one file. It can be compared.
type Mark struct {
	tail     *tail
	from, to int64
}

// FileState tells how far a file is.
type FileState struct {
	Path    string
	Size    int64 // bytes, of a compressed file those of its content
	Read    int64 // given out by Next up to here
	Settled int64 // done up to here without a gap; where a restart begins
}

// Follower reads files that grow, and finds the rest of those that were rotated,
// copied and truncated, compressed, or removed. Next is for one goroutine at a
// time; everything else may be called from any.
type Follower struct {
	cfg   FollowConfig
	log   *slog.Logger
	lock  io.Closer         // of State, or nil
	watch *fsnotify.Watcher // nil: only polls

	stop   chan struct{} // closed by Close
	wake   chan struct{} // Next may find something
	rescan chan struct{} // Rescan was called
	run    sync.WaitGroup

	// work guards what is below it. It is held while files are looked at and read,
	// never by Done.
	work     sync.Mutex
	closed   bool
	first    bool // the very first look of a Follower without checkpoints
	passes   uint64
	tails    []*tail            // in the order in which they were found
	byID     map[fileID]*tail   // those that have a file
	byHome   map[string]*tail   // the same, by where it is
	turns    map[string]*turn   // rotations of the last RotateWait, by path
	listings map[string][]place // of directories, in this pass
	watched  map[string]bool    // directories
	told     map[string]bool    // what was logged once
	open     int                // files
	unpacks  *tail              // the compressed file that is being read
	next     int                // the tail whose turn it is
	buf      []byte
	out      []Followed
	rest     leftover
	list     []*tail // of ready, kept for its memory
	scratch  [digestBytes]byte

	// mu guards what Done touches: settled and done of every tail, and changed.
	// Whoever holds work may take it, never the other way round.
	mu      sync.Mutex
	changed bool // since the state was saved
}

// Follow begins to follow files. It fails where a pattern is not valid, where a
// path that was named is a directory or a device, and where the State can't be
// read or is in use.
func Follow(cfg FollowConfig) (*Follower, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	f := &Follower{
		cfg: cfg, log: cfg.Logger,
		stop: make(chan struct{}), wake: make(chan struct{}, 1), rescan: make(chan struct{}, 1),
		byID: map[fileID]*tail{}, byHome: map[string]*tail{}, turns: map[string]*turn{},
		watched: map[string]bool{}, told: map[string]bool{},
		buf: make([]byte, burstBytes),
	}
	if err := f.start(); err != nil {
		if f.lock != nil {
			err = errors.Join(err, f.lock.Close())
		}
		return nil, err
	}
	return f, nil
}

func (f *Follower) start() error {
	now := time.Now()
	f.first = true
	if f.cfg.State != "" {
		var err error
		if f.lock, err = (vfs.OS{}).Lock(f.cfg.State + ".lock"); errors.Is(err, vfs.ErrLocked) {
			return fmt.Errorf("the checkpoints %s are in use: %w\nhint: give each follower a state file of its own", f.cfg.State, err)
		} else if err != nil {
			return fmt.Errorf("lock the checkpoints: %w", err)
		}
		if err := f.load(now); err != nil {
			return err
		}
	}
	if !f.cfg.NoNotify {
		f.notify()
	}
	f.work.Lock()
	f.pass(now)
	f.work.Unlock()
	f.first = false
	// Where the files were begun has to be known before anything is given out: a
	// restart would else take itself for the first start.
	if err := f.save(true); err != nil {
		f.closeFiles()
		return err
	}
	f.run.Go(f.loop)
	if f.cfg.State != "" {
		f.run.Go(f.saver)
	}
	return nil
}

// complete checks the configuration and sets the defaults.
func (c *FollowConfig) complete() error {
	var errs []error
	if len(c.Paths) == 0 {
		errs = append(errs, errors.New("no path to follow"))
	}
	if c.MaxRecord < 0 || c.MaxRecord > MaxRecord {
		errs = append(errs, fmt.Errorf("MaxRecord is %d, it must be from 1 to %d", c.MaxRecord, MaxRecord))
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"MultilineTimeout", c.MultilineTimeout}, {"Poll", c.Poll}, {"RotateWait", c.RotateWait}} {
		if d.v < 0 {
			errs = append(errs, fmt.Errorf("%s is %v, it must not be negative", d.name, d.v))
		}
	}
	errs = append(errs, c.completePaths())
	c.MaxRecord = cmp.Or(c.MaxRecord, MaxRecord)
	c.MultilineTimeout = cmp.Or(c.MultilineTimeout, 5*time.Second)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.RotateWait = cmp.Or(c.RotateWait, 5*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return errors.Join(errs...)
}

// Next returns the records that are there now, at most 1 MiB or 4,096 of them,
// or one that is longer. It waits until there is one. The slice and the data are
// valid until it is called again. Records of one file are in order; a file that
// took another's place comes after what was there of the other. It fails with
// ctx's error, and with ErrFollowerClosed; what goes wrong with single files is
// logged and tried again.
func (f *Follower) Next(ctx context.Context) ([]Followed, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if out, err := f.burst(time.Now()); err != nil || len(out) > 0 {
			return out, err
		}
		select {
		case <-ctx.Done():
		case <-f.stop:
		case <-f.wake:
		}
	}
}

// Done says that the records of the marks are delivered, or safe elsewhere. The
// checkpoint of a file is never beyond a record that is not done.
func (f *Follower) Done(marks ...Mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range marks {
		f.changed = m.tail.settle(m.from, m.to) || f.changed
	}
}

// Rescan has the paths looked at now.
func (f *Follower) Rescan() {
	select {
	case f.rescan <- struct{}{}:
	default: // one that was asked for before has not begun
	}
}

// Files returns the state of every file that is there, or not settled yet.
func (f *Follower) Files() []FileState {
	f.work.Lock()
	defer f.work.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	var files []FileState
	for _, t := range f.tails {
		if t.phase != over || t.settled < t.read {
			files = append(files, FileState{t.path, t.size, t.read, t.settled})
		}
	}
	return files
}

// Close writes the checkpoints and stops everything. Data that Next returned
// stays valid. What is not done then is given out again by the next Follower.
func (f *Follower) Close() error { return f.end(true) }

// end stops the follower; without save it leaves behind what a kill would.
func (f *Follower) end(save bool) error {
	f.work.Lock()
	was := f.closed
	f.closed = true
	f.work.Unlock()
	if was {
		return nil
	}
	close(f.stop)
	var errs []error
	if f.watch != nil {
		errs = append(errs, f.watch.Close())
	}
	f.run.Wait()
	if save {
		errs = append(errs, f.save(true))
	}
	f.closeFiles()
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

func (f *Follower) closeFiles() {
	f.work.Lock()
	defer f.work.Unlock()
	for _, t := range f.tails {
		f.shut(t)
	}
}

// notify begins to watch for changes.
func (f *Follower) notify() {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("no notification of changes, the files are polled", "poll", f.cfg.Poll, "error", err)
		return
	}
	f.watch = w
}

// loop looks at the files: at single ones when a notification names them, at all
// of them at every poll. It is its goroutine.
func (f *Follower) loop() {
	var events <-chan fsnotify.Event
	var failed <-chan error
	if f.watch != nil {
		events, failed = f.watch.Events, f.watch.Errors
	}
	timer := time.NewTimer(f.cfg.Poll)
	defer timer.Stop()
	dirty := map[string]bool{}
	var all bool
	for {
		select {
		case <-f.stop:
			return
		case <-timer.C:
			all = true
		case <-f.rescan:
			all = true
		case <-failed: // events may be lost
			all = true
		case ev := <-events:
			all = note(ev, dirty) || all
			all = f.collect(events, dirty) || all
		}
		timer.Reset(f.lookAround(all, dirty))
		all = false
		clear(dirty)
	}
}

// collect waits a little, so that a file that is written to all the time is not
// looked at for every write: the kernel joins events that nobody fetches.
func (f *Follower) collect(events <-chan fsnotify.Event, dirty map[string]bool) (all bool) {
	pause := time.NewTimer(5 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-f.stop:
	}
	for range 1000 {
		select {
		case ev := <-events:
			all = note(ev, dirty) || all
		default:
			return all
		}
	}
	return true
}

// note enters what an event is about, and tells whether names have changed.
func note(ev fsnotify.Event, dirty map[string]bool) bool {
	dirty[ev.Name] = true
	return ev.Has(fsnotify.Create) || ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename)
}

// lookAround looks at the files and returns how long the next look may wait.
func (f *Follower) lookAround(all bool, dirty map[string]bool) time.Duration {
	f.work.Lock()
	defer f.work.Unlock()
	now := time.Now()
	if all {
		f.pass(now)
	}
	for name := range dirty {
		delete(f.watched, name) // if it is a directory, it may be another one now
		if t := f.byHome[name]; t != nil && !all {
			f.glance(t, now)
		}
	}
	if len(f.ready(now)) > 0 {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	return f.patience(now)
}

// saver writes the checkpoints soon after they have changed, and takes at most a
// twentieth of the time for it. It is its goroutine.
func (f *Follower) saver() {
	const soon = 100 * time.Millisecond
	timer := time.NewTimer(soon)
	defer timer.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-timer.C:
			start := time.Now()
			if err := f.save(false); err != nil {
				f.log.Error("write the checkpoints", "state", f.cfg.State, "error", err)
			}
			timer.Reset(max(soon, 20*time.Since(start)))
		}
	}
}

// once logs a thing about a path once.
func (f *Follower) once(level slog.Level, what, path string, args ...any) {
	key := what + "\x00" + path
	if f.told[key] {
		return
	}
	f.told[key] = true
	f.log.Log(context.Background(), level, what, append([]any{"path", path}, args...)...)
}

// glance looks at one file that something has happened to.
func (f *Follower) glance(t *tail, now time.Time) {
	var info os.FileInfo
	var err error
	if t.file != nil {
		info, err = t.file.Stat()
	} else if info, err = os.Stat(t.home); err == nil {
		if id, fail := identify(t.home, info); fail != nil || id != t.id {
			return // the next pass sees to it
		}
	}
	if err == nil {
		f.look(t, info, now)
		f.admit(t, now)
	}
}
