// Package source is where records come from: the lines of a text, the lines of
// an NDJSON file, or the elements of a JSON array, plain or compressed by gzip
// or zstd; and the files that a Follower follows while they grow and are rotated.
// Its memory does not grow with the input.
package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	valid "github.com/segmentio/encoding/json"
)

// MaxRecord is the most bytes of one record, its line end included: 16 MiB. It
// bounds the memory and lies far above what Firehose takes, so a record that is
// too long for Firehose still comes out whole and can go to a dead letter.
const MaxRecord = 16 << 20

// Format says how an input is divided into records.
type Format int

const (
	// Auto looks at the start of the input, at most 64 KiB of it: an array whose
	// first element is valid JSON is a JSONArray, an input whose first line is a
	// JSON object is NDJSON, and everything else is Lines.
	Auto Format = iota
	// Lines takes every line as it is, with its "\n" or "\r\n"; the last one may
	// have none. An empty line is a record too.
	Lines
	// NDJSON takes every line as Lines does and checks that it is one valid JSON
	// value. Lines of white space alone are passed over.
	NDJSON
	// JSONArray takes the elements of one JSON array, each compacted to one line
	// without a line end.
	JSONArray
)

var formatNames = []string{Auto: "auto", Lines: "lines", NDJSON: "ndjson", JSONArray: "json"}

// String is the name that ParseFormat knows.
func (f Format) String() string {
	if f < 0 || int(f) >= len(formatNames) {
		return fmt.Sprintf("Format(%d)", int(f))
	}
	return formatNames[f]
}

// ParseFormat returns the format of that name: auto, lines, ndjson or json.
func ParseFormat(name string) (Format, error) {
	i := slices.Index(formatNames, name)
	if i < 0 {
		return Auto, fmt.Errorf("no format %q; there are %s", name, strings.Join(formatNames, ", "))
	}
	return Format(i), nil
}

// Record is one record and its place in the input. Places count the bytes of the
// decompressed input, a byte order mark included.
type Record struct {
	Data   []byte // valid until the next step of the iteration
	Line   int64  // line on which it begins, from 1
	Offset int64  // of its first byte, from 0
	End    int64  // first byte after it and its line end; an array's comma is not part of it

	// Err is a *BadRecord where Data is not what the format promises. The
	// records after it are still good.
	Err error
}

// BadRecord is the error of one record that is not of its input's format.
type BadRecord struct {
	Offset int64 // in the input, of the byte where it goes wrong
	Err    error // what is wrong there
}

func (e *BadRecord) Error() string {
	return fmt.Sprintf("not valid JSON at offset %d: %v", e.Offset, e.Err)
}

func (e *BadRecord) Unwrap() error { return e.Err }

// Reader divides an input into records. It is for one goroutine.
type Reader struct {
	in     *window
	format Format
	next   func() (Record, error) // nil before the input's start was looked at
	array  arrayState
	err    error // what the iteration ended with, io.EOF included
}

// NewReader returns a Reader of r in the format f. gzip (of any number of
// members) and zstd are recognised and decompressed, and a UTF-8 byte order mark
// is left out, whatever the format. Nothing is read yet.
func NewReader(r io.Reader, f Format) *Reader {
	in := &window{r: &decompressor{src: &sticky{r: r}}, max: MaxRecord, line: 1}
	return &Reader{in: in, format: f}
}

// Format is the input's format; with Auto, what was found once the first step of
// Records is done.
func (r *Reader) Format() Format { return r.format }

// Records yields the records in order, each as soon as it was read whole. An
// error ends the iteration: a read error, a truncated or broken compressed
// input, a record over MaxRecord, or a JSON array that is not valid. All records
// that were whole before it are yielded first, and a part of one never is. After
// a break another call goes on with the next record; after an error it yields
// the same error.
func (r *Reader) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r.err == nil {
			rec, err := r.step()
			if err != nil {
				r.err = err
				break
			}
			if !yield(rec, nil) {
				return
			}
		}
		if r.err != io.EOF {
			yield(Record{}, r.err)
		}
	}
}

func (r *Reader) step() (Record, error) {
	if r.next == nil {
		if err := r.start(); err != nil {
			return Record{}, err
		}
	}
	return r.next()
}

func (r *Reader) start() error {
	r.in.skipMark()
	if r.format == Auto {
		r.format = r.in.detect()
	}
	switch r.format {
	case Lines:
		r.next = r.readLine
	case NDJSON:
		r.next = r.readJSONLine
	case JSONArray:
		r.next = r.readElement
	default:
		return fmt.Errorf("no format %v", r.format)
	}
	return nil
}

// readLine returns the next line. The last one needs no line end, but only the
// input's true end makes it whole: before any other error it may be a half.
func (r *Reader) readLine() (Record, error) {
	n, err := r.in.lineEnd()
	if err != nil {
		return Record{}, err
	}
	rec := Record{Line: r.in.line, Offset: r.in.offset}
	rec.Data = r.in.take(n, 1)
	rec.End = r.in.offset
	return rec, nil
}

func (r *Reader) readJSONLine() (Record, error) {
	for {
		rec, err := r.readLine()
		if err != nil {
			return Record{}, err
		}
		if spaces(rec.Data) == len(rec.Data) {
			continue
		}
		if !valid.Valid(rec.Data) && !json.Valid(rec.Data) {
			at, cause := syntaxError(rec.Data)
			rec.Err = &BadRecord{Offset: rec.Offset + at, Err: cause}
		}
		return rec, nil
	}
}

// syntaxError tells what makes b, which is not valid JSON, invalid, and at which
// of its bytes.
func syntaxError(b []byte) (at int64, cause error) {
	cause = json.Unmarshal(b, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](cause); ok {
		// The parser has counted the byte that it stumbles on.
		at = max(0, syntax.Offset-1)
	}
	return at, cause
}

// spaces counts the white space, as JSON knows it, that b begins with.
func spaces(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return i
		}
	}
	return len(b)
}
