package source

import (
	"bytes"
	"cmp"
	"encoding/json"
)

// lookAhead is how much of an input Auto looks at.
const lookAhead = 64 << 10

// detect tells the format from the input's start, which stays in the window. On
// a pipe it decides as soon as it can, which is a line's end at the earliest. In
// what pieces the input comes makes no difference.
func (w *window) detect() Format {
	for seen := 0; ; {
		rest := w.rest()
		full := len(rest) >= lookAhead
		if full {
			rest = rest[:lookAhead]
		}
		if full || bytes.IndexByte(rest[seen:], '\n') >= 0 {
			if f := guess(rest, full); f != Auto {
				return f
			}
		}
		seen = len(rest)
		if full || w.more() != nil {
			return cmp.Or(guess(rest, true), Lines)
		}
	}
}

// guess returns the format of an input that begins with b, or Auto if that takes
// more than b. all says that there will be no more.
func guess(b []byte, all bool) Format {
	b = b[spaces(b):]
	switch {
	case len(b) == 0:
		return Auto
	case b[0] == '[':
		return guessArray(b, all)
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	switch {
	case !whole && !all:
		return Auto
	case b[0] == '{' && json.Valid(line):
		return NDJSON
	case b[0] == '{' && !whole && complete(line) == errPart:
		return NDJSON // its first line goes on past the look-ahead
	}
	return Lines
}

// guessArray tells a JSON array from lines that begin with a bracket, such as
// "[info] started" and, as a number is valid JSON, "[0.000000] booting". An array
// that is broken after its first element stays one, so that people hear of it.
func guessArray(b []byte, all bool) Format {
	b = b[1+spaces(b[1:]):]
	if len(b) > 0 && b[0] == ']' {
		return guessEnd(b[1:], all)
	}
	var first span
	switch whole := first.scan(b); {
	case whole && !json.Valid(b[:first.n]), !whole && complete(b) == errInvalid:
		return Lines
	case !whole:
		return ifAll(all)
	}
	after := b[first.n:]
	after = after[spaces(after):]
	switch {
	case len(after) == 0:
		return ifAll(all)
	case after[0] == ']':
		return guessEnd(after[1:], all)
	case after[0] != ',' && b[0] != '{':
		return Lines
	}
	line, _, whole := bytes.Cut(after, []byte("\n"))
	if !whole && !all {
		return Auto
	}
	inside := span{depth: 1}
	if !inside.scan(line) {
		return JSONArray // it goes on past the line's end
	}
	return guessEnd(after[inside.n:], all)
}

// guessEnd decides by what stands after the closing bracket: anything means that
// it was text, or that every line is an array of its own.
func guessEnd(b []byte, all bool) Format {
	if spaces(b) < len(b) {
		return Lines
	}
	return ifAll(all)
}

// ifAll is JSONArray, if nothing that is still to come can change that.
func ifAll(all bool) Format {
	if all {
		return JSONArray
	}
	return Auto
}
