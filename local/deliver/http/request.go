package httpendpoint

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
)

// Limits of one request.
const (
	// MaxRecords is the most records of a request.
	MaxRecords = 10_000
	// MaxBody is the most bytes of a request's body before compression, base64
	// and all: so reads the specification. The buffering hint, up to 64 MiB as
	// well, counts raw bytes; whether AWS cuts such a buffer in two is not known.
	MaxBody = 64 << 20
)

const (
	recordHead = `{"data":"`
	recordTail = `"}`
	bodyTail   = `]}`
)

// request is one request, the same in all its attempts.
type request struct {
	id      string
	head    string
	records [][]byte
	length  int64       // of the body
	packed  net.Buffers // the compressed body; nil is as it is
}

// newRequest makes the request of as many of the records as it may have, one at
// least.
func newRequest(records [][]byte) *request {
	r := &request{id: uuid.NewString()}
	r.head = fmt.Sprintf(`{"requestId":"%s","timestamp":%d,"records":[`, r.id, time.Now().UnixMilli())
	size := len(r.head) + len(bodyTail)
	for i, data := range records {
		more := len(recordHead) + base64.StdEncoding.EncodedLen(len(data)) + len(recordTail)
		if i > 0 {
			more++ // comma
		}
		if i == MaxRecords || i > 0 && size+more > MaxBody {
			records = records[:i]
			break
		}
		size += more
	}
	r.records, r.length = records, int64(size)
	return r
}

// compress makes the compressed body, which is kept for all attempts: its length
// must be known before the first. It fails only when ctx ends.
func (r *request) compress(ctx context.Context) error {
	var out blocks
	zw := gzip.NewWriter(&out)
	if _, err := io.Copy(zw, &untilDone{ctx, r.body()}); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	r.packed = net.Buffers(out)
	r.length = 0
	for _, b := range r.packed {
		r.length += int64(len(b))
	}
	return nil
}

// body reads the body from its beginning.
func (r *request) body() io.Reader {
	if r.packed != nil {
		b := slices.Clone(r.packed)
		return &b
	}
	return &body{text: []byte(r.head), records: r.records}
}

// body makes the text of a request while it is read, so that it takes no memory
// worth mentioning.
type body struct {
	text    []byte // made and not yet read
	rest    []byte // of the record that is being encoded
	records [][]byte
	begun   bool // a record
	ended   bool
	buf     []byte
}

// pieceSize is how much of a record is encoded at once: a multiple of 3, so that
// no padding comes between.
const pieceSize = 24 << 10

func (b *body) Read(p []byte) (n int, err error) {
	for n < len(p) && (len(b.text) > 0 || b.more()) {
		c := copy(p[n:], b.text)
		b.text = b.text[c:]
		n += c
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// more makes more text, or tells that there is none.
func (b *body) more() bool {
	b.buf = b.buf[:0]
	switch {
	case len(b.rest) > 0:
		b.encode()
	case len(b.records) > 0:
		if b.begun {
			b.buf = append(b.buf, ',')
		}
		b.begun = true
		b.buf = append(b.buf, recordHead...)
		b.rest, b.records = b.records[0], b.records[1:]
		b.encode()
	case !b.ended:
		b.ended = true
		b.buf = append(b.buf, bodyTail...)
	default:
		return false
	}
	b.text = b.buf
	return true
}

func (b *body) encode() {
	n := min(len(b.rest), pieceSize)
	b.buf = base64.StdEncoding.AppendEncode(b.buf, b.rest[:n])
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		b.buf = append(b.buf, recordTail...)
	}
}

// untilDone reads until ctx ends.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}

// blocks is memory that grows by blocks and is never copied.
type blocks net.Buffers

const blockSize = 64 << 10

func (b *blocks) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if n := len(*b); n == 0 || len((*b)[n-1]) == cap((*b)[n-1]) {
			*b = append(*b, make([]byte, 0, blockSize))
		}
		last := &(*b)[len(*b)-1]
		n := min(len(p), cap(*last)-len(*last))
		*last = append(*last, p[:n]...)
		p = p[n:]
	}
	return total, nil
}

// httpRequest is one attempt of r. Whoever has waited for open knows that net/http
// does not read r's records any more.
func (e *Endpoint) httpRequest(ctx context.Context, r *request, open *sync.WaitGroup) *http.Request {
	h := http.Header{
		"Content-Type":                    {"application/json"},
		"User-Agent":                      {userAgent},
		"X-Amz-Firehose-Protocol-Version": {"1.0"},
		"X-Amz-Firehose-Request-Id":       {r.id},
		"X-Amz-Firehose-Source-Arn":       {e.cfg.SourceARN},
	}
	for name, value := range map[string]string{
		"X-Amz-Firehose-Access-Key":        e.cfg.AccessKey,
		"X-Amz-Firehose-Common-Attributes": e.attributes,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	if r.packed != nil {
		h.Set("Content-Encoding", "gzip")
	}
	newBody := func() (io.ReadCloser, error) {
		open.Add(1)
		return &closing{Reader: r.body(), close: sync.OnceFunc(open.Done)}, nil
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: e.url, Host: e.url.Host, Header: h,
		ContentLength: r.length,
		GetBody:       newBody, // for a kept connection that turns out closed before a byte was written
	}).WithContext(ctx)
	req.Body, _ = newBody()
	return req
}

// userAgent is what AWS was seen to send.
const userAgent = "Amazon Kinesis Data Firehose Agent/1.0"

type closing struct {
	io.Reader
	close func()
}

func (c *closing) Close() error {
	c.close()
	return nil
}
