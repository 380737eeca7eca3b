package hydrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// CodeRecordTooLarge is the [DeadRecord] code of a record that is longer, with
// its delimiter, than Firehose's 1,024,000 bytes. No call was made for it.
const CodeRecordTooLarge = "RecordTooLarge"

// DeadRecord is a record that could not be delivered, and why. Its JSON form is
// a line of a dead letter file; Data is base64 there.
type DeadRecord struct {
	Stream string `json:"stream"`
	// Source and Position are where the record comes from, if that was given with
	// it.
	Source   string `json:"source,omitempty"`
	Position int64  `json:"position,omitempty"`
	// Data holds the record's bytes as they were sent, delimiter and all.
	Data []byte `json:"data"`
	// Code is the service's error code, RecordTooLarge, or empty where no answer
	// came; Message is in words.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Attempts counts the calls that carried the record.
	Attempts int `json:"attempts"`
	// First is when the record was accepted, Last when it was given up.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// MaybeDelivered is set when some call that carried the record ended without
	// an answer, so that Firehose may have stored it.
	MaybeDelivered bool `json:"maybe_delivered,omitempty"`
}

// DeadLetter takes records that cannot be delivered. A record counts as dead
// only after Write returned nil; on an error the producer tries again after a
// wait. Write may be called from many goroutines and must not keep the slice.
type DeadLetter interface {
	Write(ctx context.Context, records []DeadRecord) error
}

// DeadLetterFile is a [DeadLetter] that appends JSON lines to a file. Every
// Write is on disk when it returns nil. After an error some of its records may be
// in the file all the same; written again, they are in it twice.
//
// A file that is renamed or removed while it is open, as by logrotate without
// copytruncate, is let go of: the next Write begins a new one.
//
// Several processes may append to one file of a local disk: each Write is one
// write of the system, which goes to the file's end whole. A line that a crash or
// a full disk has cut short costs only itself, as the next one begins on a new
// line. On Windows a file that another process has open can't be renamed.
type DeadLetterFile struct {
	// MaxBytes bounds the file. Where a Write would go beyond it, the file is
	// renamed first, from NAME.ndjson to NAME-20261125T031530.123Z.ndjson (the
	// time in UTC), and a new one begun. Nothing is ever deleted. The records of
	// one Write stay together, so a file may be as large as they are. Default 0: no
	// bound. Set it before the first Write.
	MaxBytes int64

	path string

	mu      sync.Mutex // guards the fields below; held over the file's I/O, which it orders
	file    *os.File   // nil before the first Write, and after Close
	info    fs.FileInfo
	suspect bool // a sync of the file that info is about has failed: what it holds may not be on disk
}

// NewDeadLetterFile returns a dead letter in the file at path. The file is
// opened, and made if need be, by the first Write.
func NewDeadLetterFile(path string) *DeadLetterFile { return &DeadLetterFile{path: path} }

// Path is the file's path.
func (f *DeadLetterFile) Path() string { return f.path }

// Write appends records and syncs the file.
func (f *DeadLetterFile) Write(_ context.Context, records []DeadRecord) error {
	var lines []byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode a dead record: %w", err)
		}
		lines = append(append(lines, line...), '\n')
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.appendLocked(lines); err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	return nil
}

func (f *DeadLetterFile) appendLocked(lines []byte) error {
	for range 10 {
		torn, err := f.readyLocked(int64(len(lines)))
		if err != nil {
			return err
		}
		text := lines
		if torn {
			text = append([]byte{'\n'}, lines...)
		}
		if _, err := f.file.Write(text); err != nil {
			return err
		}
		if err := f.file.Sync(); err != nil {
			f.suspect = true
			return err
		}
		// A file that was removed after readyLocked has taken the records with it.
		// One that was renamed has them, and so will the next: better twice than never.
		if info, err := os.Stat(f.path); err == nil && os.SameFile(info, f.info) {
			return nil
		}
	}
	return errors.New("the file is renamed or removed each time that it is written")
}

// readyLocked sees to it that file is the one at path, can be trusted, and has
// room for n bytes. It tells whether the last line is cut short: by this process or
// another, so it looks each time.
func (f *DeadLetterFile) readyLocked(n int64) (torn bool, err error) {
	info, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	there := err == nil
	same := there && f.info != nil && os.SameFile(info, f.info)
	full := there && f.MaxBytes > 0 && info.Size() > 0 && info.Size()+n > f.MaxBytes
	if full || same && f.suspect {
		if err := f.rotateLocked(); err != nil {
			return false, err
		}
	}
	if !same || f.file == nil {
		if err := f.openLocked(); err != nil {
			return false, err
		}
	}
	return endsTorn(f.file)
}

// endsTorn tells whether the last line of a file has no end.
func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}

func (f *DeadLetterFile) openLocked() error {
	_ = f.closeLocked() // another file by now; what it holds is synced
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = vfs.OS{}.SyncDir(filepath.Dir(f.path)) // it may be new
	}
	if err != nil {
		file.Close()
		return err
	}
	f.file, f.info, f.suspect = file, info, false
	return nil
}

// rotateLocked closes the file and gives it another name.
func (f *DeadLetterFile) rotateLocked() error {
	_ = f.closeLocked() // Windows renames no open file
	name, err := f.reserve(time.Now())
	if err != nil {
		return err
	}
	if err := os.Rename(f.path, name); err != nil {
		_ = os.Remove(name)                  // the empty one
		if !errors.Is(err, fs.ErrNotExist) { // or another process was faster
			return err
		}
	}
	f.info, f.suspect = nil, false
	return vfs.OS{}.SyncDir(filepath.Dir(f.path))
}

// reserve makes an empty file of a name that no other has, for a rename to
// replace: a rename alone may replace anything.
func (f *DeadLetterFile) reserve(now time.Time) (string, error) {
	ext := filepath.Ext(f.path)
	stem := strings.TrimSuffix(f.path, ext) + now.UTC().Format("-20060102T150405.000Z")
	name := stem + ext
	for n := 2; ; n++ {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return name, file.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		name = fmt.Sprintf("%s-%d%s", stem, n, ext)
	}
}

// Reopen closes the file, so that the next Write opens what is at its path then.
// It is for a program that is told, by SIGHUP say, that the file was renamed; Write
// notices by itself too, but holds on to the old file until then.
func (f *DeadLetterFile) Reopen() error { return f.Close() }

// Close closes the file. A later Write opens it again.
func (f *DeadLetterFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closeLocked()
}

func (f *DeadLetterFile) closeLocked() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
