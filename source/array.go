package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// arrayState is the place in a JSON array.
type arrayState struct {
	stage   arrayStage
	compact bytes.Buffer
}

type arrayStage int

const (
	beforeArray arrayStage = iota
	firstElement
	afterElement
	afterArray
)

// readElement returns the array's next element.
func (r *Reader) readElement() (Record, error) {
	for {
		c, err := r.in.skipSpace()
		switch stage := r.array.stage; {
		case err == io.EOF && (stage == beforeArray || stage == afterArray):
			return Record{}, io.EOF
		case err == io.EOF:
			return Record{}, r.in.cutOff()
		case err != nil:
			return Record{}, err
		case stage == beforeArray && c == '[':
			r.in.take(1, 0)
			r.array.stage = firstElement
		case stage == beforeArray:
			return Record{}, r.in.broken("a JSON array begins with [, not with %q\n"+
				"hint: read it as ndjson or as lines", c)
		case stage == afterArray:
			return Record{}, r.in.broken("%q after the end of the JSON array\n"+
				"hint: if every line is a value of its own, read it as ndjson", c)
		case c == ']':
			r.in.take(1, 0)
			r.array.stage = afterArray
		case stage == firstElement:
			return r.element()
		case c != ',':
			return Record{}, r.in.broken("%q where a comma or the end of the JSON array should be", c)
		default:
			r.in.take(1, 0)
			if err := r.in.skipToValue(); err != nil {
				return Record{}, err
			}
			return r.element()
		}
	}
}

// skipToValue passes over the white space after a comma. A comma promises an
// element.
func (w *window) skipToValue() error {
	c, err := w.skipSpace()
	switch {
	case err == io.EOF:
		return w.cutOff()
	case err != nil:
		return err
	case c == ']':
		return w.broken("a comma before the end of the JSON array, where an element should follow")
	}
	return nil
}

// element returns the element that begins at the next byte.
func (r *Reader) element() (Record, error) {
	n, err := r.in.value()
	if err != nil {
		return Record{}, err
	}
	raw := r.in.rest()[:n]
	if n == 0 {
		return Record{}, r.in.broken("%q where an element of the JSON array should be", r.in.rest()[0])
	}
	r.array.compact.Reset()
	if err := json.Compact(&r.array.compact, raw); err != nil {
		return Record{}, r.in.invalid(raw)
	}
	rec := Record{Data: r.array.compact.Bytes(), Line: r.in.line, Offset: r.in.offset}
	r.in.take(n, int64(bytes.Count(raw, []byte("\n"))))
	rec.End = r.in.offset
	r.array.stage = afterElement
	return rec, nil
}

// value returns the length of the JSON value that begins at the next byte. What
// it finds is sure to be a value only if it is valid JSON; in front of what is
// broken it may end anywhere.
func (w *window) value() (int, error) {
	var s span
	for {
		rest := w.rest()
		done := s.scan(rest)
		if s.n > w.max {
			if complete(rest) == errInvalid {
				return 0, w.invalid(rest)
			}
			return 0, w.tooLong("this element")
		}
		if done {
			return s.n, nil
		}
		if err := w.more(); err == io.EOF && complete(rest) == errInvalid {
			return 0, w.invalid(rest)
		} else if err == io.EOF {
			return 0, w.cutOff()
		} else if err != nil {
			return 0, err
		}
	}
}

// span finds the end of a JSON value by its brackets and quotes alone. It goes
// on where it stopped, so that a long value is not scanned anew at every read.
type span struct {
	n        int // bytes scanned
	depth    int
	inString bool
	escaped  bool
}

// scan goes on through b, which begins with what it was given before, and tells
// whether the first n bytes are the whole value.
func (s *span) scan(b []byte) bool {
	for ; s.n < len(b); s.n++ {
		c := b[s.n]
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString && c == '\\':
			s.escaped = true
		case s.inString && c < ' ':
			// No JSON has that: the quote is missing. Stopping here keeps the
			// error near its cause, however long the input goes on.
			s.n++
			return true
		case c == '"':
			s.inString = !s.inString
			if !s.inString && s.depth == 0 {
				s.n++
				return true
			}
		case s.inString:
		case c == '[' || c == '{':
			s.depth++
		case s.depth == 0 && (c == ',' || c == ']' || c == '}' || spaces(b[s.n:s.n+1]) == 1):
			return true // the end of a number or a word
		case c == ']' || c == '}':
			s.depth--
			if s.depth == 0 {
				s.n++
				return true
			}
		}
	}
	return false
}

var (
	errPart    = errors.New("part of a JSON value")
	errInvalid = errors.New("not JSON")
)

// complete tells whether b begins with a whole JSON value (nil), could begin one
// if it went on (errPart), or could not (errInvalid).
func complete(b []byte) error {
	err := json.NewDecoder(bytes.NewReader(b)).Decode(new(json.RawMessage))
	switch {
	case err == nil:
		return nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return errPart
	}
	return errInvalid
}

func (w *window) broken(format string, args ...any) error {
	return fmt.Errorf("line %d, offset %d: %w", w.line, w.offset, fmt.Errorf(format, args...))
}

// invalid is the error of the element raw, which is next and not valid JSON.
func (w *window) invalid(raw []byte) error {
	at, cause := syntaxError(raw)
	line := w.line + int64(bytes.Count(raw[:at], []byte("\n")))
	return fmt.Errorf("line %d, offset %d: broken JSON in an element of the array: %w\n"+
		"hint: an array that is broken can't be read past that place; mend the input, or read it as lines",
		line, w.offset+at, cause)
}

func (w *window) cutOff() error {
	return w.broken("the input ends inside the JSON array: %w\nhint: it may have been cut off", io.ErrUnexpectedEOF)
}
