package hydrant

import (
	"errors"
	"fmt"
	"time"
)

// ErrFull is what TryPut returns when the buffer has no room for the record.
var ErrFull = errors.New("hydrant: the buffer is full")

// ErrClosed is what the put calls and Flush return after Close has begun.
var ErrClosed = errors.New("hydrant: the producer is closed")

// Ack is the fate of one record.
type Ack struct {
	// Index is the record's place in its PutBatch or PutSeq, from 0.
	Index int
	// RecordID is Firehose's id of the stored record; records that were packed
	// together share it. Empty when Err is set. It holds on to the memory of the
	// whole answer: to keep it for long, keep a strings.Clone of it.
	RecordID string
	// Attempts counts the calls that carried the record.
	Attempts int
	// Latency is the time from Put to the fate.
	Latency time.Duration
	// MaybeDuplicate is set when an earlier call that carried the record ended
	// without an answer: Firehose may have stored it then too.
	MaybeDuplicate bool
	// Err is nil for a delivered record. Otherwise it is a [*DeadError]: the
	// record is in the dead letter.
	Err error
}

// DeadError says why a record went to the dead letter.
type DeadError struct {
	Code    string // as in DeadRecord
	Message string
}

func (e *DeadError) Error() string {
	if e.Code == "" {
		return "record in the dead letter: " + e.Message
	}
	return fmt.Sprintf("record in the dead letter: %s: %s", e.Code, e.Message)
}

// UndeliveredError is what Close returns when its context ends before all
// records have met their fate. The records are the caller's now, unless they are
// in the spool.
type UndeliveredError struct {
	// Spooled counts the records that are left in Spool, a directory, for the
	// next producer that has it.
	Spooled int64
	Spool   string
	// Records are the records that were neither delivered nor written to the
	// dead letter, oldest first.
	Records []DeadRecord
	// Err is the context's error.
	Err error
}

func (e *UndeliveredError) Error() string {
	if e.Spool != "" {
		return fmt.Sprintf("hydrant: closed with %d records left in the spool %s, for the next producer that has it: %v", e.Spooled, e.Spool, e.Err)
	}
	return fmt.Sprintf("hydrant: closed with %d records undelivered: %v", len(e.Records), e.Err)
}

func (e *UndeliveredError) Unwrap() error { return e.Err }
