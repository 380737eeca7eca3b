// Package spool is a durable queue of records: what [Queue.Append] has returned
// for is on disk, and stays there until it is acknowledged, whatever happens to
// the process or the power.
//
// A [Spool] is a directory that one process has at a time, with a [Queue] for
// each name. Records are numbered and read in order; they may be acknowledged in
// any. A queue is a row of segment files, whose entries carry checksums; what has
// been acknowledged is written into them as well, and a segment is removed when
// nothing up to its end is left. docs/FORMAT.md has the format, what it assumes
// of a disk, and its limitations.
//
// All files of a queue are changed by one goroutine at a time, its committer
// (commit.go), which runs while there is something to write: it writes all that
// has been appended since its last turn at once, and syncs it once.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// ErrFull is what Append returns when Options.MaxBytes or MaxRecords are reached,
// and with the system's own error when the disk is full, if Options.Refuse is set.
var ErrFull = errors.New("the spool is full")

// ErrClosed is what Append, Read and Queue return after Close.
var ErrClosed = errors.New("the spool is closed")

// ErrLocked is what Open returns where another process has the spool.
var ErrLocked = vfs.ErrLocked

// Options are the settings of a spool. Zero values are the defaults.
type Options struct {
	// MaxBytes bounds the size of all files; default 1 GiB, at least 1 MiB.
	MaxBytes int64
	// MaxRecords bounds the records that are not acknowledged; 0 is no bound.
	MaxRecords int64
	// Refuse makes Append return ErrFull at once. By default it waits for room,
	// and when the disk is full tries again every second.
	Refuse bool
	// SyncEvery says when records are safe from a power cut: by default before
	// Append returns. A positive value is the most that a cut may take back; a
	// negative one leaves it to the operating system. A process that dies loses
	// nothing in any case.
	SyncEvery time.Duration
	// SegmentBytes is the size of a segment file; default 64 MiB, or an eighth of
	// MaxBytes if that is less. At least 4 KiB, at most 1 GiB.
	SegmentBytes int64
	// OnDamage is told of what can't be read any more. It must not call the spool.
	OnDamage func(Damage)
	// OnFull is told why Append has begun to wait for room, at most once a minute.
	OnFull func(error)
	// ReadOnly is for a look at a spool that another process may have: nothing is
	// locked or changed, Append returns ErrClosed, and Ack has no effect. What
	// Read returns is what was there at Open, less what has gone since.
	ReadOnly bool
	// FS is for tests; default is the operating system's.
	FS vfs.FS
}

// Damage is a piece of a segment that is not as it was written.
type Damage struct {
	Queue   string
	Segment string // the file
	Offset  int64
	Bytes   int64
	// Records counts those that were there, as far as known.
	Records int64
	// Torn is set at the end of the last segment. It is most likely what was being
	// written when the process or its machine stopped, and had not been accepted.
	Torn bool
	// Aside is a file with those bytes; empty when there are none but zeros.
	Aside string
}

func (d Damage) String() string {
	var text string
	switch {
	case d.Torn:
		text = fmt.Sprintf("%s: an unfinished write, or the last records: %d bytes from offset %d can't be read", d.Segment, d.Bytes, d.Offset)
	case d.Bytes == 0:
		text = fmt.Sprintf("%s: %d records that were behind offset %d are missing", d.Segment, d.Records, d.Offset)
	default:
		text = fmt.Sprintf("%s: %d records are lost, as %d bytes from offset %d have changed", d.Segment, d.Records, d.Bytes, d.Offset)
	}
	if d.Aside != "" {
		text += "; the bytes are in " + d.Aside
	}
	return text
}

// Spool is a directory of queues. Its methods may be called from many goroutines.
type Spool struct {
	dir  string
	o    Options
	fs   vfs.FS
	lock interface{ Close() error }
	// recent bounds what a queue keeps for Read in memory; tests change it.
	recent int64

	mu      sync.Mutex // guards the fields below, and what queues say that it does; never held over I/O
	stopped bool       // Append is over
	closed  bool       // everything is
	queues  map[string]*Queue
	strict  bool          // nobody else changes the files
	bytes   int64         // of all files, and of what is to be written
	records int64         // not acknowledged, and to be written
	count   int64         // of records committed since Open
	freed   chan struct{} // closed, and made anew, when there is more room
	told    time.Time     // when OnFull was called last
	kept    int64         // bytes of groups that queues keep for Read

	spare     [][]byte // buffers for groups
	spareSize int64    // bytes of them
	wg        sync.WaitGroup
}

const lockFile = "lock"

// queuePrefix keeps names such as ".." from being directories of that name.
const queuePrefix = "q-"

func (o *Options) setDefaults() error {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(64<<20, o.MaxBytes/8)
	}
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.MaxBytes < 1<<20 {
		return fmt.Errorf("spool: MaxBytes is %d, it must be at least %d", o.MaxBytes, 1<<20)
	}
	if o.SegmentBytes < 4<<10 || o.SegmentBytes > 1<<30 {
		return fmt.Errorf("spool: SegmentBytes is %d, it must be %d to %d", o.SegmentBytes, 4<<10, 1<<30)
	}
	if o.MaxRecords < 0 {
		return fmt.Errorf("spool: MaxRecords is %d, it must not be negative", o.MaxRecords)
	}
	return nil
}

// Open opens the spool in dir, which it makes if need be, with all queues that
// are in it.
func Open(dir string, o Options) (*Spool, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, o: o, fs: o.FS, lock: noLock{}, recent: recentBytes, queues: map[string]*Queue{}, freed: make(chan struct{})}
	if o.ReadOnly {
		s.stopped = true
	} else {
		if err := o.FS.Mkdir(dir); err != nil {
			return nil, fmt.Errorf("make the spool's directory: %w", err)
		}
		if err := s.takeLock(); err != nil {
			return nil, err
		}
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool %s: %w", dir, err), s.lock.Close())
	}
	return s, nil
}

// takeLock keeps other processes out.
func (s *Spool) takeLock() error {
	lock, err := s.fs.Lock(filepath.Join(s.dir, lockFile))
	if err != nil {
		return fmt.Errorf("spool %s: %w", s.dir, err)
	}
	s.lock, s.strict = lock, true
	return nil
}

type noLock struct{}

func (noLock) Close() error { return nil }

// Verify reads all that a spool holds and is not acknowledged, reports what can't
// be read, and changes nothing. It returns how many records could be, and how many
// bytes they have. It fails with ErrLocked while another process has the spool.
func Verify(dir string, o Options) (records, bytes int64, err error) {
	if err := o.setDefaults(); err != nil {
		return 0, 0, err
	}
	o.ReadOnly = true
	s := &Spool{dir: dir, o: o, fs: o.FS, stopped: true, queues: map[string]*Queue{}, freed: make(chan struct{})}
	if _, err := s.fs.List(dir); err != nil { // Lock would make it
		return 0, 0, err
	}
	if err := s.takeLock(); err != nil {
		return 0, 0, err
	}
	err = s.load()
	for _, q := range s.Queues() {
		if err != nil {
			break
		}
		n, size, qerr := q.readAll()
		records, bytes, err = records+n, bytes+size, qerr
	}
	return records, bytes, errors.Join(err, s.Close())
}

func (q *Queue) readAll() (records, bytes int64, err error) {
	var list []Record
	for {
		if list, err = q.Read(list[:0], readSize); len(list) == 0 {
			return records, bytes, err
		}
		records += int64(len(list))
		for i := range list {
			bytes += int64(len(list[i].Data))
		}
	}
}

func (s *Spool) load() error {
	names, err := queueNames(s.fs, s.dir)
	for _, name := range names {
		q := s.newQueue(name)
		err := q.recover()
		for range 3 {
			if !s.o.ReadOnly || !errors.Is(err, fs.ErrNotExist) {
				break
			}
			q = s.newQueue(name) // a file has gone between the listing and the look
			err = q.recover()
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		s.queues[name] = q
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		for _, seg := range q.segments {
			s.bytes += seg.size
		}
		s.records += q.leftLocked()
		if !s.o.ReadOnly {
			q.kickLocked() // what is not needed any more goes
		}
	}
	return err
}

// queueNames lists the queues that have a directory.
func queueNames(fs vfs.FS, dir string) (names []string, err error) {
	list, err := fs.List(dir)
	for _, e := range list {
		escaped, ok := strings.CutPrefix(e.Name, queuePrefix)
		if !ok || !e.Dir {
			continue
		}
		if name, err := url.PathUnescape(escaped); err == nil {
			names = append(names, name)
		}
	}
	return names, err
}

func queueDir(dir, name string) string { return filepath.Join(dir, queuePrefix+escape(name)) }

// escape makes a file name of a queue's, as in a URL. Where upper and lower case
// are the same in file names, upper case is escaped as well.
func escape(name string) string {
	folds := runtime.GOOS == "windows" || runtime.GOOS == "darwin"
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' && !folds || strings.IndexByte("-_.", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Queue returns the queue of a name, which it makes if need be. Its directory is
// made by the first Append.
func (s *Spool) Queue(name string) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch q, ok := s.queues[name]; {
	case s.closed:
		return nil, ErrClosed
	case ok:
		return q, nil
	case name == "" || len(queueDir("", name)) > 255:
		return nil, fmt.Errorf("spool: %q is no name for a queue: it must have 1 to about 250 bytes", name)
	}
	s.queues[name] = s.newQueue(name)
	return s.queues[name], nil
}

// Queues returns all queues, by name.
func (s *Spool) Queues() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Queue, 0, len(s.queues))
	for _, q := range s.queues {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b *Queue) int { return strings.Compare(a.name, b.name) })
	return list
}

// Remove takes a queue away, with all that it holds. Its Append returns ErrClosed from
// then on, once it has waited for room; its Read must have returned. A crash
// meanwhile may leave a part of the queue, as may an error.
func (s *Spool) Remove(q *Queue) error {
	s.mu.Lock()
	if s.closed || s.o.ReadOnly || q.removed != nil {
		s.mu.Unlock()
		return ErrClosed
	}
	q.removed = make(chan struct{})
	if !q.committing {
		close(q.removed)
	}
	s.mu.Unlock()
	<-q.removed
	err := q.discard()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, q.name)
	var bytes int64
	for _, seg := range q.segments {
		bytes += seg.size
	}
	s.freeLocked(q.leftLocked(), bytes)
	q.dropLocked(q.next)
	if err != nil {
		return fmt.Errorf("remove queue %s: %w", q.name, err)
	}
	return nil
}

// Dir is the spool's directory.
func (s *Spool) Dir() string { return s.dir }

// Totals are of all queues of a spool.
type Totals struct {
	Bytes    int64 // of all files, and of what is being written
	Records  int64 // not acknowledged; they include those that are being written
	Appended int64 // since Open: those that Append has returned for, and Read may
}

// Totals returns the state of the spool.
func (s *Spool) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Totals{Bytes: s.bytes, Records: s.records, Appended: s.count}
}

// Stop ends Append: it returns ErrClosed from now on, also where it waits for
// room. What it has accepted can still be read and acknowledged.
func (s *Spool) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopLocked()
}

func (s *Spool) stopLocked() {
	if !s.stopped {
		s.stopped = true
		close(s.freed)
	}
}

// Close makes all that was appended and acknowledged durable, and lets go of the
// directory. Append and Read must have returned. Queues that have nothing left
// leave no files behind.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.stopLocked()
	if s.o.ReadOnly {
		s.mu.Unlock()
		for _, q := range s.queues {
			q.r.leave()
		}
		return s.lock.Close()
	}
	for _, q := range s.queues {
		q.kickLocked()
	}
	s.mu.Unlock()
	s.wg.Wait()
	var errs []error
	for _, q := range s.Queues() {
		errs = append(errs, q.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// roomLocked waits until there is room for n records of so many bytes, and takes
// it. What is larger than the whole spool passes when that is empty.
func (s *Spool) roomLocked(ctx context.Context, n, bytes int64) error {
	for {
		switch {
		case s.stopped:
			return ErrClosed
		case s.records == 0,
			s.bytes+bytes <= s.o.MaxBytes && (s.o.MaxRecords == 0 || s.records+n <= s.o.MaxRecords):
			s.bytes += bytes
			s.records += n
			return nil
		}
		full := fmt.Errorf("%w: %d records in %d bytes in %s", ErrFull, s.records, s.bytes, s.dir)
		if s.o.Refuse {
			return full
		}
		if err := s.waitLocked(ctx, full, nil); err != nil {
			return err
		}
	}
}

// waitLocked waits for more room, as there is none for the reason why, and at
// most until retry says.
func (s *Spool) waitLocked(ctx context.Context, why error, retry <-chan time.Time) error {
	freed := s.freed
	tell := s.o.OnFull != nil && ctx.Err() == nil && time.Since(s.told) >= time.Minute
	if tell {
		s.told = time.Now()
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	if tell {
		s.o.OnFull(why)
	}
	select {
	case <-freed:
	case <-retry:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// freeLocked gives room back.
func (s *Spool) freeLocked(n, bytes int64) {
	s.bytes -= bytes
	s.records -= n
	if (n > 0 || bytes > 0) && !s.stopped {
		close(s.freed)
		s.freed = make(chan struct{})
	}
}
