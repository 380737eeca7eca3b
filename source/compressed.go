package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest zstd window accepted: 128 MiB, what the zstd command
// writes with --long at its default. It is memory that the input asks for.
const maxWindow = 128 << 20

// sticky keeps the error of the source itself: to tell it from one of the
// compressed data, and because the layers above ask again after an error.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.err = err
	return n, err
}

// decompressor reads src, decompressed if it is compressed.
type decompressor struct {
	src  *sticky
	r    io.Reader // nil before the first read
	kind string    // of compression, empty for none
}

func (d *decompressor) Read(p []byte) (int, error) {
	if d.r == nil {
		if err := d.open(); err != nil {
			return 0, d.explain(err)
		}
	}
	n, err := d.r.Read(p)
	return n, d.explain(err)
}

// open looks for the magic numbers of RFC 1952 (with its only method, deflate)
// and RFC 8878.
func (d *decompressor) open() (err error) {
	buf := bufio.NewReaderSize(d.src, 64<<10)
	switch {
	case startsWith(buf, "\x1f\x8b\x08"):
		d.kind = "gzip"
		d.r, err = gzip.NewReader(buf)
	case startsWith(buf, "\x28\xb5\x2f\xfd"):
		d.kind = "zstd"
		// With a concurrency of one it starts no goroutine, so nothing has to be
		// closed when the caller leaves in the middle.
		d.r, err = zstd.NewReader(buf, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	default:
		d.r = buf
	}
	return err
}

// startsWith reads no further than needed to tell, as on a pipe the next byte
// may be long in coming. An error is met again by the next read.
func startsWith(buf *bufio.Reader, magic string) bool {
	for n := 1; n <= len(magic); n++ {
		b, err := buf.Peek(n)
		if err != nil || !bytes.HasPrefix([]byte(magic), b) {
			return false
		}
	}
	return true
}

func (d *decompressor) explain(err error) error {
	switch {
	case err == nil || d.kind == "" || err == io.EOF:
		return err
	case d.src.err != nil && d.src.err != io.EOF:
		return d.src.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the %s input is cut off: %w\nhint: it was copied or written only in part", d.kind, err)
	}
	return fmt.Errorf("the %s input is broken: %w", d.kind, err)
}
