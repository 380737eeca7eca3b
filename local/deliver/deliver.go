// Package deliver turns a buffer of records into an object as Firehose writes it
// to S3, and hands it to a [Destination]. Each destination is a folder of its
// own below this one; delivertest is what all of them must pass.
package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
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
	// nothing between them. An uncompressed object's parts are its records, and the
	// delimiters between them.
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

// ErrNoBucket is what a Put finds where its bucket was removed.
var ErrNoBucket = errors.New("the bucket does not exist")

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
	Stream      string
	Version     string // of the configuration: "1" for a new stream
	Prefix      *Prefix
	Partitioned bool           // dynamically: nothing is added to the prefix
	Errors      bool           // the prefix is an [ErrorPrefix]: nothing is added to it
	Compression string         // one of the API's formats
	Extension   string         // ends the key; "" is the compression's own
	Encoding    string         // the Content-Encoding; "" is the compression's own
	Zone        *time.Location // of the times in the key; nil is UTC
	Delimiter   []byte         // between two records
}

// Validate tells whether objects can be made to the Spec.
func (s *Spec) Validate() error {
	if _, ok := formats[s.Compression]; !ok {
		return fmt.Errorf("compression %q is not one of %s", s.Compression, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}
	return nil
}

// Object makes the object of records, the oldest of which arrived at v.Time. It
// keeps the records' bytes; they must not change any more. The Spec must be valid.
// An error is one of the prefix: v lacks a partition key.
func (s *Spec) Object(v Values, records [][]byte) (*Object, error) {
	key, err := s.Key(v)
	if err != nil {
		return nil, err
	}
	f := formats[s.Compression]
	return &Object{Stream: s.Stream, Bucket: s.Bucket, Key: key, ContentEncoding: cmp.Or(s.Encoding, f.contentEncoding), Body: f.encode(records, s.Delimiter)}, nil
}
