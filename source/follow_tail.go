package source

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// digestBytes is how much of a file's head, and of what was read last, tells
// whether it is still the same.
const digestBytes = 1 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileID is what the operating system knows a file by. It may be given to another
// file once the first is gone.
type fileID struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// digest is the CRC-32C of a number of bytes.
type digest struct {
	Bytes int64  `json:"bytes"`
	CRC   uint32 `json:"crc32c"`
}

func digestOf(b []byte) digest { return digest{int64(len(b)), crc32.Checksum(b, castagnoli)} }

// phase says where the file of a tail is.
type phase int

const (
	following phase = iota // at one of the paths
	leaving                // elsewhere or removed, and read to its end
	missing                // nowhere to be found yet
	over                   // read to its end, or given up: only known
)

// tail is one content, from its first byte to its last, whatever file it is in. A
// file that is truncated begins another tail, and this one goes on in the copy.
type tail struct {
	path  string // where it was last found by the paths of the configuration
	home  string // where its file is
	id    fileID
	file  *os.File // nil while closed
	phase phase
	fresh bool // not yet known whether it is new, or the rest of another tail

	packed bool      // its file is compressed; offsets count what comes out
	unpack *unpacked // of packed, while it is read

	head digest // of the first bytes, read or not
	from int64  // Offset where following began
	end  int64  // what was given out reaches, or before a restart reached, to here
	crc  uint32
	last digest // of the bytes before end

	read int64 // given out up to here
	held int64 // nothing but a part of a record from read to here
	torn bool  // which ends within a line
	size int64 // of the content, when it was looked at last

	mtime  time.Time // of the file, when it was looked at last
	wrote  time.Time // the same of the file that was written to: a copy is younger
	grown  time.Time // when size has changed
	left   time.Time // when it was renamed, removed or lost; zero: it never was
	seen   time.Time // when it was last found
	missed time.Time // since when it is missing
	lost   bool      // over, and not read to its end
	final  bool      // a copy: nobody writes to it
	after  *tail     // has to be read to its end before

	pass   uint64 // in which it was found
	used   uint64 // when the file was last used
	failed bool   // couldn't be read; the next pass tries again

	tried  time.Time // mtime and size of the file when it was examined, while fresh
	triedN int64
	twin   *tail // what it is the copy of so far, while fresh
	with   *tail // which it was compared with last,
	agreed int64 // and so far it was the same

	// Guarded by Follower.mu.
	settled int64
	done    []stretch // beyond settled, in order, neither touching nor overlapping
}

// stretch is the bytes from from to before to.
type stretch struct{ from, to int64 }

// settle enters that what is between from and to is done, and tells whether that
// has moved the checkpoint.
func (t *tail) settle(from, to int64) bool {
	from = max(from, t.settled)
	if from >= to {
		return false
	}
	// done[i:j] are those that touch or overlap it.
	i, _ := slices.BinarySearchFunc(t.done, from, func(s stretch, from int64) int { return int(min(max(s.to-from, -1), 1)) })
	j := i
	for j < len(t.done) && t.done[j].from <= to {
		from, to = min(from, t.done[j].from), max(to, t.done[j].to)
		j++
	}
	if from > t.settled {
		t.done = slices.Replace(t.done, i, j, stretch{from, to})
		return false
	}
	t.settled = to
	t.done = slices.Delete(t.done, i, j)
	return true
}

// comesAfter has t wait for u, unless u waits for t.
func (t *tail) comesAfter(u *tail) {
	for w := u; w != nil; w = w.after {
		if w == t {
			return
		}
	}
	t.after = u
}

// drained tells whether what comes after t may be read: its file has left its
// place, and all that was there then is read.
func (t *tail) drained() bool {
	switch {
	case t.phase == over || t.failed:
		return true
	case t.phase == missing:
		return false
	case t.left.IsZero():
		return true // found again, at its path: it never left
	case t.fresh:
		return t.twin != nil || t.size == 0 || t.triedN > 0
	}
	return t.held >= t.size
}

// quiet tells whether a file that has left its place can be taken for finished.
func (t *tail) quiet(now time.Time, wait time.Duration) bool {
	return t.packed || !t.left.IsZero() && (t.final || now.Sub(t.lastChange()) >= wait)
}

func (t *tail) lastChange() time.Time {
	if t.left.After(t.grown) {
		return t.left
	}
	return t.grown
}

// advance enters that b was given out.
func (t *tail) advance(b []byte) {
	to := t.read + int64(len(b))
	if to > t.end {
		t.crc = crc32.Update(t.crc, castagnoli, b[t.end-t.read:])
		t.end = to
		t.last = digestOf(b[max(0, len(b)-digestBytes):])
	}
	t.read = to
}

// body is what is read of the tail's open file.
func (f *Follower) body(t *tail) io.ReaderAt {
	if !t.packed {
		return t.file
	}
	if t.unpack == nil {
		t.unpack = &unpacked{file: t.file}
		f.unpacks = t
	}
	return t.unpack
}

// intact tells whether an open file still begins with what was read of it: by
// its head and by what was read last, as reading all would take too long. It
// extends the print of the head to what is there now.
func (f *Follower) intact(t *tail) (bool, error) {
	if t.packed {
		return true, nil
	}
	b := f.scratch[:]
	n, err := readAt(t.file, b, 0)
	if err != nil {
		return false, err
	}
	if int64(n) < t.head.Bytes || digestOf(b[:t.head.Bytes]) != t.head {
		return false, nil
	}
	t.head = digestOf(b[:n])
	b = b[:t.last.Bytes]
	n, err = readAt(t.file, b, t.end-t.last.Bytes)
	return err == nil && n == len(b) && digestOf(b) == t.last, err
}

// begins tells whether a content begins with all that was given out of t.
func (t *tail) begins(content io.Reader) (bool, error) {
	head := make([]byte, t.head.Bytes)
	if _, err := io.ReadFull(content, head); err != nil {
		return false, ignoreEnd(err)
	}
	if digestOf(head) != t.head {
		return false, nil
	}
	content = io.MultiReader(bytes.NewReader(head), content)
	if _, err := io.CopyN(io.Discard, content, t.from); err != nil {
		return false, ignoreEnd(err)
	}
	h := crc32.New(castagnoli)
	if _, err := io.CopyN(h, content, t.end-t.from); err != nil {
		return false, ignoreEnd(err)
	}
	return h.Sum32() == t.crc, nil
}

// ignoreEnd makes nothing of a content's end, which only says that it is shorter.
func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// readAt reads as much of b as there is. The end is no error.
func readAt(r io.ReaderAt, b []byte, offset int64) (int, error) {
	n, err := r.ReadAt(b, offset)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// unpacked gives a compressed file's content at any offset. Forwards is cheap,
// and so is back to the start of the last read; further back it begins anew.
type unpacked struct {
	file   *os.File
	r      io.Reader
	offset int64  // of r
	kept   []byte // what is before offset
}

func (u *unpacked) ReadAt(b []byte, offset int64) (int, error) {
	if u.r == nil || offset < u.offset-int64(len(u.kept)) {
		u.r, u.offset, u.kept = content(u.file), 0, u.kept[:0]
	}
	if skip := offset - u.offset; skip > 0 {
		n, err := io.CopyN(io.Discard, u.r, skip)
		u.offset += n
		u.kept = u.kept[:0]
		if err != nil {
			return 0, err
		}
	}
	n := copy(b, u.kept[len(u.kept)-int(u.offset-offset):])
	if n == len(b) {
		return n, nil
	}
	m, err := io.ReadFull(u.r, b[n:])
	u.offset += int64(m)
	u.kept = append(u.kept[:0], b[:n+m]...)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n + m, err
}

// content reads a file from its beginning, decompressed if it is compressed,
// whatever others read of it.
func content(file *os.File) *decompressor {
	return &decompressor{src: &sticky{r: io.NewSectionReader(file, 0, 1<<62)}}
}

// openAs opens the file at path. Without an error there is none if another file has
// come to be there, as in the middle of a rotation.
func openAs(path string, id fileID) (*os.File, error) {
	file, err := openShared(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		var is fileID
		if is, err = identifyOpen(file, info); err == nil && is == id {
			return file, nil
		}
	}
	file.Close()
	return nil, nil
}

// opened opens a tail's file where it is not, and tells whether it is.
func (f *Follower) opened(t *tail, now time.Time) bool {
	t.used = f.passes
	if t.file != nil {
		return true
	}
	file, err := openAs(t.home, t.id)
	if err != nil {
		f.fail(t, err)
	}
	if file == nil {
		return false // the next pass finds where it went
	}
	f.makeRoom()
	t.file = file
	f.open++
	return true
}

// makeRoom closes the file that has not been used for longest, where there are
// too many. A file that has left its path is never closed before its end: it may
// have no name any more.
func (f *Follower) makeRoom() {
	if f.open < maxOpen {
		return
	}
	var oldest *tail
	for _, t := range f.tails {
		if t.file == nil || t.phase != following || t.unpack != nil {
			continue
		}
		if oldest == nil || less(t, oldest) {
			oldest = t
		}
	}
	if oldest != nil {
		f.shut(oldest)
	}
}

// less tells whether a is to be closed before b: those without anything to read
// first.
func less(a, b *tail) bool {
	if idle := a.held >= a.size; idle != (b.held >= b.size) {
		return idle
	}
	return a.used < b.used
}

func (f *Follower) shut(t *tail) {
	if f.unpacks == t {
		f.unpacks, t.unpack = nil, nil
	}
	if t.file != nil {
		t.file.Close()
		t.file = nil
		f.open--
	}
}
