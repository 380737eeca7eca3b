package deliver

import (
	"archive/zip"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// format is a CompressionFormat of the API: AWS was seen to set this suffix and
// this Content-Encoding for it.
type format struct {
	extension       string
	contentEncoding string
	encode          func(records [][]byte, delimiter []byte) [][]byte
}

var formats = map[string]format{
	"UNCOMPRESSED":  {"", "", delimited},
	"GZIP":          {".gz", "gzip", encoder(gzipped)},
	"ZIP":           {".zip", "zip", encoder(zipped)},
	"Snappy":        {".snappy", "snappy-java", encoder(xerial)},
	"HADOOP_SNAPPY": {".snappy", "hadoop-snappy", encoder(hadoop)}, // a table of the developer guide has .hsnappy
}

// delimited is records with a delimiter between them, if there is one.
func delimited(records [][]byte, delimiter []byte) [][]byte {
	if len(delimiter) == 0 || len(records) < 2 {
		return records
	}
	list := make([][]byte, 0, 2*len(records)-1)
	for i, r := range records {
		if i > 0 {
			list = append(list, delimiter)
		}
		list = append(list, r)
	}
	return list
}

// encoder makes a format's encode of what compresses to a writer.
func encoder(to func(io.Writer) io.WriteCloser) func(records [][]byte, delimiter []byte) [][]byte {
	return func(records [][]byte, delimiter []byte) [][]byte {
		var out parts
		w := to(&out)
		for _, r := range delimited(records, delimiter) {
			_, _ = w.Write(r) // parts take everything
		}
		_ = w.Close()
		return out
	}
}

// partBytes is the size of the pieces that a compressed object is collected in: one
// that grew would be copied over and over.
const partBytes = 256 << 10

// parts collects what is written, in pieces.
type parts [][]byte

func (p *parts) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		last := len(*p) - 1
		if last < 0 || len((*p)[last]) == cap((*p)[last]) {
			*p = append(*p, make([]byte, 0, partBytes))
			continue
		}
		room := min(len(b), cap((*p)[last])-len((*p)[last]))
		(*p)[last] = append((*p)[last], b[:room]...)
		b = b[room:]
	}
	return n, nil
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

// zipWriter is an archive with one entry, which AWS was seen to name by a UUID.
type zipWriter struct {
	io.Writer // of the entry
	archive   *zip.Writer
}

func zipped(w io.Writer) io.WriteCloser {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	entry, _ := z.Create(newUUID()) // parts take everything
	return &zipWriter{entry, z}
}

func (z *zipWriter) Close() error { return z.archive.Close() }

// blocks compresses blocks of a size as raw snappy, each behind a header.
type blocks struct {
	w      io.Writer
	buf    []byte // is not full
	out    []byte
	size   int
	header func(dst []byte, raw, packed int) []byte
}

func (b *blocks) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := min(len(p), b.size-len(b.buf))
		b.buf = append(b.buf, p[:room]...)
		p = p[room:]
		if len(b.buf) == b.size {
			b.flush()
		}
	}
	return n, nil
}

func (b *blocks) flush() {
	packed := snappy.Encode(b.out[:cap(b.out)], b.buf)
	b.out = packed
	_, _ = b.w.Write(b.header(nil, len(b.buf), len(packed))) // parts take everything
	_, _ = b.w.Write(packed)
	b.buf = b.buf[:0]
}

func (b *blocks) Close() error {
	if len(b.buf) > 0 {
		b.flush()
	}
	return nil
}

// xerial is the stream of snappy-java's SnappyOutputStream: a head with the version
// and the least version that can read it, then blocks of 32 KiB behind their
// compressed length.
func xerial(w io.Writer) io.WriteCloser {
	_, _ = w.Write([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"))
	return &blocks{w: w, size: 32 << 10, header: func(dst []byte, _, packed int) []byte {
		return binary.BigEndian.AppendUint32(dst, uint32(packed))
	}}
}

// hadoop is the stream of Hadoop's BlockCompressorStream with its SnappyCodec:
// blocks behind their raw length, each of one chunk behind its compressed length.
// Hadoop's buffer has 256 KiB, less what snappy may grow by.
func hadoop(w io.Writer) io.WriteCloser {
	const buffer = 256 << 10
	return &blocks{w: w, size: buffer - (buffer/6 + 32), header: func(dst []byte, raw, packed int) []byte {
		dst = binary.BigEndian.AppendUint32(dst, uint32(raw))
		return binary.BigEndian.AppendUint32(dst, uint32(packed))
	}}
}
