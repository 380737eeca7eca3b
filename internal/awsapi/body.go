package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hydrant-go/hydrant/wire"
)

// What calls hold in memory is bounded, however many there are: each may hold
// smallBody bytes, as the number of calls is the http.Server's matter; what is
// longer has to find room first, for which it waits, and so does what is decoded
// into something larger. Room is asked for when the first smallBody bytes have come,
// so that nobody holds it by a header alone; for all of a body at once, and for its
// decoding later, so that no two calls wait for one another.
const (
	// MaxBodyBytes is the largest body that is read, as it is sent and decompressed.
	// The largest sensible call, 4 MiB of records in base64, needs some 5.6 million
	// bytes.
	MaxBodyBytes = 8 << 20

	smallBody = 64 << 10
	// roomForBodies is for the larger bodies of all calls.
	roomForBodies = 256 << 20
	// roomForDecoding is for the bodies that are decoded at once, into what may take
	// many times as much.
	roomForDecoding = MaxBodyBytes
	// patience is how long a call waits for room. AWS's SDKs wait a minute or more
	// for an answer.
	patience = 10 * time.Second
	// maxValues is more than any call has: PutMetricData may have 1,000 metrics of
	// 150 values with as many counts.
	maxValues = 400_000
)

// rooms are a front end's.
type rooms struct{ bodies, decoding *semaphore.Weighted }

func newRooms() rooms {
	return rooms{semaphore.NewWeighted(roomForBodies), semaphore.NewWeighted(roomForDecoding)}
}

// Memory for bodies, by whether they need room.
var (
	smallBodies = sync.Pool{New: func() any { return new([smallBody]byte) }}
	largeBodies = sync.Pool{New: func() any { return new([]byte) }}
)

// holding is what a call holds until free.
type holding struct {
	rooms
	small                *[smallBody]byte
	large                *[]byte
	ofBodies, ofDecoding int64
}

func (h *holding) free() {
	if h.small != nil {
		smallBodies.Put(h.small)
	}
	if h.large != nil {
		largeBodies.Put(h.large)
	}
	if h.ofBodies > 0 {
		h.bodies.Release(h.ofBodies)
	}
	if h.ofDecoding > 0 {
		h.decoding.Release(h.ofDecoding)
	}
	*h = holding{rooms: h.rooms}
}

// find waits for room.
func find(ctx context.Context, room *semaphore.Weighted, n int64) error {
	if room.TryAcquire(n) {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if room.Acquire(waiting, n) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errNoRoom
}

var (
	errNoRoom   = &wire.Error{Status: http.StatusServiceUnavailable, Code: wire.CodeServiceUnavailable, Message: wire.SlowDown}
	errTooLarge = &wire.Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLargeException",
		Message: fmt.Sprintf("The request's body is larger than %d bytes.", MaxBodyBytes),
	}
)

// read reads a request's body, which is good until free.
func (h *holding) read(r *http.Request) ([]byte, error) {
	size := int(min(r.ContentLength, MaxBodyBytes+1)) // below 0: not known
	if size > MaxBodyBytes {
		return nil, errTooLarge
	}
	h.small = smallBodies.Get().(*[smallBody]byte)
	body := h.small[:]
	if size >= 0 {
		body = body[:min(size, smallBody)]
	}
	n, err := fill(r.Body, body)
	if err == nil && n != size {
		if size < 0 {
			size = MaxBodyBytes + 1
		}
		if err := find(r.Context(), h.bodies, int64(size)); err != nil {
			return nil, err
		}
		h.ofBodies = int64(size)
		h.large = largeBodies.Get().(*[]byte)
		*h.large = slices.Grow((*h.large)[:0], size)[:size]
		copy(*h.large, body)
		body = *h.large
		var more int
		more, err = fill(r.Body, body[n:])
		n += more
	}
	switch {
	case n > MaxBodyBytes:
		return nil, errTooLarge
	case n == int(r.ContentLength), r.ContentLength < 0 && err == io.EOF:
		return body[:n], nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// refusal is an error of read as the client gets it. How AWS words it is not known.
func refusal(err error) error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return &wire.Error{
		Status: http.StatusRequestTimeout, Code: "RequestTimeoutException",
		Message: "The request's body came too slowly or broke off: " + err.Error(),
	}
}

// fill reads until b is full or the reader has an error, which is io.EOF only where
// the body ends: what breaks off has another.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = r.Read(b[n:])
		n += more
	}
	return n, err
}

// Admit waits until the body may be decoded into what is larger than itself, and an
// operation that does not call Decode calls it before it does that. The room is the
// call's until the operation returns.
func (c *Call) Admit() error { return c.admit(int64(len(c.Body))) }

func (c *Call) admit(n int64) error {
	if c.ofDecoding > 0 {
		return nil
	}
	n = max(n, 1)
	if err := find(c.r.Context(), c.decoding, n); err != nil {
		return err
	}
	c.ofDecoding = n
	return nil
}

// DecodeJSON is [json.Unmarshal] for what a client sends. It refuses a text with more
// values than any call has, as two bytes may become a structure of hundreds.
func DecodeJSON(text []byte, v any) error {
	if countValues(text) > maxValues {
		return fmt.Errorf("there are more than %d values", maxValues)
	}
	return json.Unmarshal(text, v)
}

// countValues is about how many values a JSON text has.
func countValues(text []byte) (n int) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ',', '[', '{':
			n++
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}
