package s3

import (
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// body reads a stretch of an object, which is in many pieces, without putting
// them together. The SDK reads it more than once: to sign it, to send it, and to
// send it again.
type body struct {
	pieces [][]byte // the first holds the beginning, later ones may be of no concern
	skip   int      // bytes of the first piece before the beginning
	size   int64

	pos   int64 // next to be read
	piece int   // where that is
	off   int   // in the piece
}

var _ io.ReadSeeker = (*body)(nil)

func newBody(pieces [][]byte) *body {
	b := &body{pieces: pieces}
	for _, p := range pieces {
		b.size += int64(len(p))
	}
	return b
}

// cut cuts a body that nothing was read of into parts of n bytes; the last may
// be shorter.
func (b *body) cut(n int64) (parts []*body) {
	for b.pos < b.size {
		part := &body{pieces: b.pieces[b.piece:], skip: b.off, off: b.off, size: min(n, b.size-b.pos)}
		b.forward(part.size)
		parts = append(parts, part)
	}
	return parts
}

// next is what can be read of the current piece: at most n bytes, and some if n
// is not 0. The caller keeps n within the size.
func (b *body) next(n int64) []byte {
	for n > 0 && b.off == len(b.pieces[b.piece]) {
		b.piece, b.off = b.piece+1, 0
	}
	if n == 0 {
		return nil
	}
	piece := b.pieces[b.piece][b.off:]
	return piece[:min(int64(len(piece)), n)]
}

func (b *body) consume(n int) {
	b.off += n
	b.pos += int64(n)
}

func (b *body) forward(n int64) {
	for n > 0 {
		m := len(b.next(n))
		b.consume(m)
		n -= int64(m)
	}
}

// Read fills p as far as it goes: a piece may be a record of few bytes.
func (b *body) Read(p []byte) (int, error) {
	if b.pos == b.size {
		return 0, io.EOF
	}
	total := 0
	for total < len(p) && b.pos < b.size {
		n := copy(p[total:], b.next(b.size-b.pos))
		b.consume(n)
		total += n
	}
	return total, nil
}

// Seek goes to any place within the body.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.pos
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 || offset > b.size {
		return b.pos, fmt.Errorf("seek to %d of %d bytes", offset, b.size)
	}
	if offset < b.pos {
		b.pos, b.piece, b.off = 0, 0, b.skip
	}
	b.forward(offset - b.pos)
	return b.pos, nil
}

// client keeps the SDK from breaking its own calls (see internal/keepbody): it
// closes a body as soon as the answer begins. Here net/http does not ask the
// body for its end once it has all the bytes, so no copy is needed.
type client struct{ aws.HTTPClient }

func (c client) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil && req.ContentLength > 0 {
		sent := req.WithContext(req.Context()) // a copy
		sent.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(req.Body, req.ContentLength), req.Body}
		req = sent
	}
	return c.HTTPClient.Do(req)
}
