// Package deliver turns a buffer of records into an object as Firehose writes it
// to S3, and hands it to a [Destination]. Each destination is a folder of its
// own below this one; delivertest is what all of them must pass.
package deliver

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Object is one delivery. It is read, never changed, so a Put that failed can be
// tried again with the same Object.
type Object struct {
	Stream          string // that it comes from
	Bucket          string
	Key             string
	ContentEncoding string // "" is none
	// Body is the object's content in parts, which follow each other with
	// nothing between them. An uncompressed object's parts are its records.
	Body [][]byte
}

// WriteTo writes the whole body. It makes a write for each part: give it a
// buffered writer.
func (o *Object) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for _, part := range o.Body {
		n, err := w.Write(part)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// Destination is where objects go. Put is atomic: when it returns nil the whole
// object is there for good, in place of any earlier one of its name; when it
// returns an error, or is cut off at any point, no reader sees a part of it. It
// may be called from many goroutines.
type Destination interface {
	Put(context.Context, *Object) error
}

// Spec is what a stream's configuration says of its objects.
type Spec struct {
	Bucket      string
	Prefix      string
	Stream      string
	Version     string         // of the configuration: "1" for a new stream
	Compression string         // UNCOMPRESSED or GZIP
	Extension   string         // ends the key; "" is the compression's own
	Zone        *time.Location // of the times in the key; nil is UTC
}

// Validate tells whether objects can be made to the Spec.
func (s *Spec) Validate() error {
	if _, ok := formats[s.Compression]; !ok {
		return fmt.Errorf("compression %q is not one of UNCOMPRESSED and GZIP", s.Compression)
	}
	return nil
}

// Object makes the object of records, the oldest of which arrived at arrival.
// It keeps the records' bytes; they must not change any more. The Spec must be
// valid.
func (s *Spec) Object(arrival time.Time, records [][]byte) *Object {
	f := formats[s.Compression]
	return &Object{
		Stream:          s.Stream,
		Bucket:          s.Bucket,
		Key:             s.Key(arrival),
		ContentEncoding: f.contentEncoding,
		Body:            f.encode(records),
	}
}
