package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"
)

// docs/FORMAT.md draws what is written here.

const (
	magic       = "HYDSPOOL"
	version     = 1
	fileHeader  = 16 // magic, version, CRC
	entryHeader = 12 // CRC, length and kind, index
	suffix      = ".seg"
	maxPayload  = 1<<28 - 1
)

// Kinds of entries.
const (
	kindRecord  = 1 // payload: the record
	kindSourced = 2 // payload: length of the source, position, the source, the record
	kindNote    = 3 // payload: time, handed, acknowledged ranges
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is a file of a queue. Its name holds what is needed to read it: the
// number of its first record, and the salt of its checksums, so that a record
// that holds entries of some segment is not taken for entries of this one.
type segment struct {
	first  uint64
	salt   uint32
	size   int64 // bytes that have been committed
	copies int   // how often its file has been replaced
}

func (s *segment) name() string { return fmt.Sprintf("%016x-%08x%s", s.first, s.salt, suffix) }

// parseName is the segment that a file's name stands for.
func parseName(name string) (s segment, ok bool) {
	first, salt, ok := strings.Cut(strings.TrimSuffix(name, suffix), "-")
	a, err := strconv.ParseUint(first, 16, 64)
	b, err2 := strconv.ParseUint(salt, 16, 32)
	s.first, s.salt = a, uint32(b)
	return s, ok && err == nil && err2 == nil && s.name() == name
}

func appendFileHeader(b []byte) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-12:], castagnoli))
}

// checkFileHeader fails for a file of another format. A damaged header is not
// needed to read what follows.
func checkFileHeader(b []byte) error {
	if binary.LittleEndian.Uint32(b[12:]) != crc32.Checksum(b[:12], castagnoli) {
		return nil
	}
	if v := binary.LittleEndian.Uint32(b[8:]); string(b[:8]) != magic || v != version {
		return fmt.Errorf("segment of format %q version %d, this program reads %q version %d: use the one that wrote it", b[:8], v, magic, version)
	}
	return nil
}

// appendEntry appends an entry whose index and CRC finish fills in.
func appendEntry(b []byte, kind byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	var h [entryHeader]byte
	binary.LittleEndian.PutUint32(h[4:], uint32(kind)<<28|uint32(n))
	b = append(b, h[:]...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// finish fills in the indices, from index on, and the CRCs of the entries in b,
// and returns the index of the next record.
func finish(b []byte, salt, index uint32) uint32 {
	for len(b) > 0 {
		kind, n := kindAndLength(b)
		binary.LittleEndian.PutUint32(b[8:], index)
		binary.LittleEndian.PutUint32(b, crc32.Update(salt, castagnoli, b[4:entryHeader+n]))
		if kind != kindNote {
			index++
		}
		b = b[entryHeader+n:]
	}
	return index
}

func kindAndLength(b []byte) (kind byte, n int) {
	v := binary.LittleEndian.Uint32(b[4:])
	return byte(v >> 28), int(v & maxPayload)
}

// note is what stands before the records of a commit: when they were appended,
// below which number records may have been handed out, and what has been
// acknowledged since the note before. The first note of a segment holds all
// that has been.
type note struct {
	at     time.Time
	handed uint64
	acked  []Range
}

func (n *note) append(b []byte) []byte {
	p := binary.LittleEndian.AppendUint64(nil, uint64(n.at.UnixNano()))
	p = binary.AppendUvarint(p, n.handed)
	for _, r := range n.acked {
		p = binary.AppendUvarint(p, r.First)
		p = binary.AppendUvarint(p, r.N)
	}
	return appendEntry(b, kindNote, p)
}

var errNote = errors.New("malformed note")

func parseNote(b []byte) (n note, err error) {
	if len(b) < 8 {
		return n, errNote
	}
	n.at, b = time.Unix(0, int64(binary.LittleEndian.Uint64(b))), b[8:]
	number := func() uint64 {
		v, k := binary.Uvarint(b)
		if k <= 0 {
			err = errNote
			return 0
		}
		b = b[k:]
		return v
	}
	n.handed = number()
	for err == nil && len(b) > 0 {
		r := Range{number(), number()}
		if r.First+r.N < r.First {
			err = errNote
		}
		n.acked = append(n.acked, r)
	}
	return n, err
}

// sourced tells whether it is to be kept where the record comes from.
func (r *Record) sourced() bool { return r.Source != "" || r.Position != 0 }

func (r *Record) appendSource(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.Source)))
	return append(binary.AppendVarint(b, r.Position), r.Source...)
}

// parse takes the record from an entry. The text of its source is shared with the
// one before, where it is the same.
func (r *Record) parse(e entry, before string) {
	r.Data = e.payload
	if e.kind != kindSourced {
		return
	}
	n, k := binary.Uvarint(e.payload)
	if k <= 0 {
		return
	}
	position, j := binary.Varint(e.payload[k:])
	if j <= 0 || n > uint64(len(e.payload)-k-j) {
		return
	}
	source := e.payload[k+j:][:n]
	r.Source, r.Position, r.Data = before, position, e.payload[k+j+int(n):]
	if string(source) != before {
		r.Source = string(source)
	}
}

// entry is what scanner finds. Its payload is valid until the next one.
type entry struct {
	kind    byte
	index   uint32 // of a record, or of the one after a note
	payload []byte
}

// scanner walks through a segment. What is no entry, as its bytes have changed or
// were never written, it passes over.
type scanner struct {
	file      io.ReaderAt
	salt      uint32
	off, size int64  // of the next entry; of the segment
	index     uint32 // of the next record

	buf  []byte
	from int64 // where in the file buf begins
}

// readSize is what a scanner reads at once.
const readSize = 256 << 10

// view returns n bytes of the file, fewer at its end.
func (s *scanner) view(off int64, n int) ([]byte, error) {
	if off >= s.size {
		return nil, nil
	}
	n = int(min(int64(n), s.size-off))
	at := off - s.from
	if at < 0 || at+int64(n) > int64(len(s.buf)) {
		want := int(min(int64(max(n, readSize)), s.size-off))
		if cap(s.buf) < want {
			s.buf = make([]byte, want)
		}
		got, err := s.file.ReadAt(s.buf[:want], off)
		if err != nil && err != io.EOF {
			return nil, err
		}
		s.buf, s.from, at = s.buf[:got], off, 0
		if got < want { // shorter than it was
			s.size = off + int64(got)
			n = min(n, got)
		}
	}
	return s.buf[at : at+int64(n)], nil
}

// next returns the next entry, and how many bytes before it are none. At the
// segment's end the error is io.EOF, and skipped counts all bytes up to there.
func (s *scanner) next() (e entry, skipped int64, err error) {
	start := s.off
	for off := start; off < s.size; off++ {
		e, ok, err := s.at(off, off-start)
		if err != nil {
			return entry{}, 0, err
		}
		if ok {
			s.advance(off, e)
			return e, off - start, nil
		}
	}
	s.off = max(start, s.size)
	return entry{}, s.off - start, io.EOF
}

// here returns the entry that begins where the scanner is, if one does.
func (s *scanner) here() (e entry, ok bool, err error) {
	if e, ok, err = s.at(s.off, 0); ok {
		s.advance(s.off, e)
	}
	return e, ok, err
}

func (s *scanner) advance(off int64, e entry) {
	s.off = off + int64(entryHeader+len(e.payload))
	s.index = e.index
	if e.kind != kindNote {
		s.index++
	}
}

// buffered tells whether here can look without a read, which would take the
// memory of earlier entries.
func (s *scanner) buffered() bool {
	at := s.off - s.from
	if at < 0 || at+entryHeader > int64(len(s.buf)) {
		return false
	}
	_, n := kindAndLength(s.buf[at:])
	return at+entryHeader+int64(n) <= int64(len(s.buf))
}

// at is the entry at off, if there is one that can follow after so many bytes
// that are none.
func (s *scanner) at(off, skipped int64) (e entry, ok bool, err error) {
	h, err := s.view(off, entryHeader)
	if err != nil || len(h) < entryHeader {
		return e, false, err
	}
	kind, n := kindAndLength(h)
	index := binary.LittleEndian.Uint32(h[8:])
	if kind < kindRecord || kind > kindNote || int64(n) > s.size-off-entryHeader ||
		index < s.index || int64(index-s.index) > skipped/entryHeader {
		return e, false, nil
	}
	b, err := s.view(off, entryHeader+n)
	if err != nil || len(b) < entryHeader+n || binary.LittleEndian.Uint32(b) != crc32.Update(s.salt, castagnoli, b[4:]) {
		return e, false, err
	}
	return entry{kind, index, b[entryHeader:]}, true, nil
}
