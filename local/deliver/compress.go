package deliver

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
)

// format is a CompressionFormat of the API: AWS was seen to set this suffix and
// this Content-Encoding for it.
type format struct {
	extension       string
	contentEncoding string
	// encode makes an object's body, in parts that follow each other, of records
	// with the delimiter between them; none is after the last (AWS was seen to do
	// so for AppendDelimiterToRecord). The parts may be the records themselves.
	encode func(records [][]byte, delimiter []byte) [][]byte
}

// AWS was seen to end HADOOP_SNAPPY's keys with .snappy; the developer guide
// says .hsnappy. UNVERIFIED: how large AWS's blocks are and how well it compresses;
// here it is as snappy-java and Hadoop do it.
var formats = map[string]format{
	"UNCOMPRESSED":  {"", "", joined},
	"GZIP":          {".gz", "gzip", in(gzipped)},
	"ZIP":           {".zip", "zip", in(zipped)},
	"Snappy":        {".snappy", "snappy-java", in(xerial)},
	"HADOOP_SNAPPY": {".snappy", "hadoop-snappy", in(hadoop)},
}

func joined(records [][]byte, delimiter []byte) [][]byte {
	if len(delimiter) == 0 {
		return records
	}
	list := make([][]byte, 0, 2*len(records))
	for piece := range delimited(records, delimiter) {
		list = append(list, piece)
	}
	return list
}

// in makes a format's encode of what writes the pieces of an object.
func in(write func(*parts, iter.Seq[[]byte])) func(records [][]byte, delimiter []byte) [][]byte {
	return func(records [][]byte, delimiter []byte) [][]byte {
		var out parts
		write(&out, delimited(records, delimiter))
		return out.list
	}
}

// delimited is records with the delimiter between them.
func delimited(records [][]byte, delimiter []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i, r := range records {
			if i > 0 && len(delimiter) > 0 && !yield(delimiter) {
				return
			}
			if !yield(r) {
				return
			}
		}
	}
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func gzipped(out *parts, pieces iter.Seq[[]byte]) {
	zw := gzipWriters.Get().(*gzip.Writer)
	zw.Reset(out)
	for piece := range pieces {
		_, _ = zw.Write(piece) // parts take everything
	}
	_ = zw.Close()
	zw.Reset(io.Discard) // or the pool would hold the object
	gzipWriters.Put(zw)
}

var flateWriters = sync.Pool{New: func() any {
	fw, _ := flate.NewWriter(nil, flate.DefaultCompression) // fails for unknown levels only
	return fw
}}

// zipped writes an archive of one entry.
func zipped(out *parts, pieces iter.Seq[[]byte]) {
	fw := flateWriters.Get().(*flate.Writer)
	zw := zip.NewWriter(out)
	zw.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		fw.Reset(w)
		return fw, nil
	})
	header := &zip.FileHeader{Name: uuid.NewString(), Method: zip.Deflate, Modified: time.Now().UTC()}
	entry, _ := zw.CreateHeader(header) // as in Write, only out could fail
	for piece := range pieces {
		_, _ = entry.Write(piece)
	}
	_ = zw.Close()
	fw.Reset(io.Discard)
	flateWriters.Put(fw)
}

// What snappy-java's SnappyOutputStream writes: its magic, its version and the
// oldest one that can read it, then blocks of 32 KiB, its default. A block is
// its length and raw snappy.
const (
	xerialHeader = "\x82SNAPPY\x00" + "\x00\x00\x00\x01" + "\x00\x00\x00\x01"
	xerialBlock  = 32 << 10
)

func xerial(out *parts, pieces iter.Seq[[]byte]) {
	_, _ = io.WriteString(out, xerialHeader)
	var chunk snappyChunk
	for block := range blocks(pieces, xerialBlock) {
		_, _ = out.Write(chunk.of(block))
	}
}

// Hadoop's SnappyCodec has buffers of 256 KiB, and its BlockCompressorStream puts
// no more into a block than is sure to fit into one compressed: its reader takes
// no longer chunk.
const (
	hadoopBuffer = 256 << 10
	hadoopBlock  = hadoopBuffer - hadoopBuffer/6 - 32
)

// hadoop writes blocks of their uncompressed length and one chunk. No block is
// one of no bytes, as Hadoop itself writes it.
func hadoop(out *parts, pieces iter.Seq[[]byte]) {
	var chunk snappyChunk
	for block := range blocks(pieces, hadoopBlock) {
		out.writeLength(len(block))
		_, _ = out.Write(chunk.of(block))
	}
	if out.list == nil {
		out.writeLength(0)
	}
}

// blocks cuts the pieces, joined, into blocks of size bytes; the last may be
// shorter, and none is empty. A block is good until the next one.
func blocks(pieces iter.Seq[[]byte], size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		block := make([]byte, 0, size)
		for piece := range pieces {
			for len(piece) > 0 {
				n := min(len(piece), size-len(block))
				block = append(block, piece[:n]...)
				piece = piece[n:]
				if len(block) < size {
					continue
				}
				if !yield(block) {
					return
				}
				block = block[:0]
			}
		}
		if len(block) > 0 {
			yield(block)
		}
	}
}

// snappyChunk is the memory in which chunks are made.
type snappyChunk []byte

// of returns the length of block in raw snappy, and that. It is good until the
// next call.
func (c *snappyChunk) of(block []byte) []byte {
	if most := 4 + s2.MaxEncodedLen(len(block)); len(*c) < most {
		*c = make([]byte, most)
	}
	n := len(s2.EncodeSnappy((*c)[4:], block))
	binary.BigEndian.PutUint32(*c, uint32(n))
	return (*c)[:4+n]
}

// parts is a writer into pieces of memory, so that what is written once stays
// where it is. Each is as long as all before it within these bounds.
type parts struct {
	list [][]byte
	size int
}

const (
	partLeast = 4 << 10
	partMost  = 256 << 10
)

// Write never fails.
func (p *parts) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		last := len(p.list) - 1
		if last < 0 || len(p.list[last]) == cap(p.list[last]) {
			p.list = append(p.list, make([]byte, 0, min(max(partLeast, p.size), partMost)))
			last++
		}
		part := p.list[last]
		fit := min(len(b), cap(part)-len(part))
		p.list[last] = append(part, b[:fit]...)
		b, p.size = b[fit:], p.size+fit
	}
	return n, nil
}

// writeLength is what precedes a block in Hadoop's framing.
func (p *parts) writeLength(n int) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	_, _ = p.Write(b[:])
}
