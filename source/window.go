package source

import (
	"bytes"
	"fmt"
	"io"
)

// minRead is the least room for a read. A larger one costs memory and saves
// nothing.
const minRead = 256 << 10

// window is the part of the input that is in memory: what was read and not yet
// taken, and its place.
type window struct {
	r      io.Reader
	max    int // bytes of one record; MaxRecord, and less in tests
	buf    []byte
	pos    int   // buf[pos:] is not yet taken
	offset int64 // of buf[pos] in the input
	line   int64 // of buf[pos], from 1
	err    error // of the last read; what is in buf comes before it
}

func (w *window) rest() []byte { return w.buf[w.pos:] }

// take returns the next n bytes, in which lines line ends are. They are valid
// until more is called.
func (w *window) take(n int, lines int64) []byte {
	b := w.rest()[:n:n]
	w.pos += n
	w.offset += int64(n)
	w.line += lines
	return b
}

// more reads once, so that a record on a pipe is not held back by one that is
// still to come. It returns the error when nothing was read.
func (w *window) more() error {
	if w.err != nil {
		return w.err
	}
	w.makeRoom()
	for range 100 {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		w.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

// makeRoom moves what is left to the front where that is the smaller part, so
// that no byte is moved more often than bytes are taken, and else doubles the
// buffer. No caller reads on past w.max bytes of one record, which bounds it.
func (w *window) makeRoom() {
	size, rest := cap(w.buf), w.rest()
	if size-len(w.buf) >= minRead {
		return
	}
	if len(rest) > w.pos || size-len(rest) < minRead {
		size = max(2*minRead, min(2*size, w.max+2*minRead))
	}
	if size > cap(w.buf) {
		w.buf = append(make([]byte, 0, size), rest...)
	} else {
		w.buf = w.buf[:copy(w.buf, rest)]
	}
	w.pos = 0
}

// lineEnd returns the length of the next line, its line end included.
func (w *window) lineEnd() (int, error) {
	for seen := 0; ; {
		rest := w.rest()
		i := bytes.IndexByte(rest[seen:], '\n')
		n := seen + i + 1
		if i < 0 {
			n = len(rest)
		}
		if n > w.max {
			return 0, w.tooLong("this line")
		}
		if i >= 0 {
			return n, nil
		}
		seen = n
		if err := w.more(); err == io.EOF && n > 0 {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

func (w *window) tooLong(what string) error {
	return fmt.Errorf("line %d, offset %d: %s is longer than %d bytes, the most that a record can have\n"+
		"hint: if the input's format was not told right, name it", w.line, w.offset, what, w.max)
}

// skipSpace passes over white space and returns the byte after it, which stays.
func (w *window) skipSpace() (byte, error) {
	for {
		rest := w.rest()
		n := spaces(rest)
		w.take(n, int64(bytes.Count(rest[:n], []byte("\n"))))
		if n < len(rest) {
			return rest[n], nil
		}
		if err := w.more(); err != nil {
			return 0, err
		}
	}
}

var mark = []byte("\xef\xbb\xbf")

// skipMark passes over a UTF-8 byte order mark, reading no further than needed to
// tell that there is none.
func (w *window) skipMark() {
	for {
		rest := w.rest()
		if bytes.HasPrefix(rest, mark) {
			w.take(len(mark), 0)
			return
		}
		if !bytes.HasPrefix(mark, rest) || w.more() != nil {
			return // an error is met again by whoever reads on, after what is left
		}
	}
}
