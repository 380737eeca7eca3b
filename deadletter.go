package hydrant

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
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
// Write is on disk when it returns.
type DeadLetterFile struct {
	path string

	mu   sync.Mutex // guards the fields below
	file *os.File
	torn bool // the last line may be cut short, so the next begins on a new one
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
	if f.file == nil {
		if err := f.openLocked(); err != nil {
			return err
		}
	}
	if f.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err := f.file.Write(lines); err != nil {
		f.torn = true
		return err
	}
	f.torn = false
	return f.file.Sync()
}

func (f *DeadLetterFile) openLocked() error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		_, err = file.ReadAt(last, info.Size()-1)
		f.torn = last[0] != '\n'
	}
	if err != nil {
		file.Close()
		return err
	}
	f.file = file
	return nil
}

// Close closes the file. A later Write opens it again.
func (f *DeadLetterFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
