package awsapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant/wire"
)

// upload is a call whose body a client sends at will.
type upload struct {
	*io.PipeWriter
	parts  chan int // lengths, to be sent
	status chan int // one comes when it is answered
}

// begin makes a call of size bytes, -1 for an unknown number, of which it has sent
// the first.
func begin(h http.Handler, size int64, sent int) *upload {
	r, w := io.Pipe()
	req := httptest.NewRequest(http.MethodPost, "/", r)
	req.ContentLength = size
	req.Header.Set("X-Amz-Target", wire.TargetPrefix+"ListDeliveryStreams")
	u := &upload{w, make(chan int, 10), make(chan int, 1)}
	go func() {
		status, _ := do(h, req)
		r.Close()
		u.status <- status
	}()
	go func() {
		for n := range u.parts {
			_, _ = u.Write(bytes.Repeat([]byte(" "), n))
		}
	}()
	u.send(sent)
	return u
}

func (u *upload) send(n int) {
	u.parts <- n
	synctest.Wait()
}

// breakOff ends the body before its time.
func (u *upload) breakOff() {
	close(u.parts)
	u.CloseWithError(io.ErrUnexpectedEOF)
}

// answered is the status if there is one by now.
func (u *upload) answered() int {
	synctest.Wait()
	select {
	case status := <-u.status:
		return status
	default:
		return 0
	}
}

// TestRoomForBodies: what clients send at the same time is bounded; who finds no room
// waits for a while, and is told to slow down; small calls never wait.
func TestRoomForBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quiet(Config{NoAuth: true})
		small := func(when string) {
			t.Helper()
			if status, answer := do(h, request("ListDeliveryStreams", `{"Limit":1}`)); status != 200 {
				t.Errorf("%s, a small call: %d %s", when, status, answer)
			}
		}
		var all []*upload
		for range 100 { // who has sent nothing of it takes no room
			all = append(all, begin(h, MaxBodyBytes, 0), begin(h, -1, smallBody-1))
		}
		var holders []*upload
		for range roomForBodies / MaxBodyBytes {
			holders = append(holders, begin(h, MaxBodyBytes, smallBody))
		}
		all = append(all, holders[1:]...)
		small("when there is no room")

		started := time.Now()
		first, second := begin(h, -1, smallBody), begin(h, smallBody+1, smallBody)
		time.Sleep(patience - 1)
		if a, b := first.answered(), second.answered(); a != 0 || b != 0 {
			t.Errorf("after %v, without room: %d, %d, want no answer", time.Since(started), a, b)
		}
		time.Sleep(time.Nanosecond)
		if a, b := first.answered(), second.answered(); a != 503 || b != 503 {
			t.Errorf("after %v, without room: %d, %d, want 503", time.Since(started), a, b)
		}

		waits := begin(h, MaxBodyBytes, smallBody)
		holders[0].breakOff()
		if status := holders[0].answered(); status != http.StatusRequestTimeout {
			t.Errorf("a body that breaks off: %d", status)
		}
		waits.send(MaxBodyBytes - smallBody)
		if status := waits.answered(); status != 400 { // 8 MiB of spaces
			t.Errorf("who has found room gets %d, want 400", status)
		}
		small("in the end")
		for _, u := range append(all, first, second, waits) {
			u.breakOff()
		}
		synctest.Wait()
		f := h.(*front)
		if !f.bodies.TryAcquire(roomForBodies) || !f.decoding.TryAcquire(roomForDecoding) {
			t.Error("room is held when all calls are over")
		}
	})
}

// TestRoomForDecoding: what is decoded into what may be many times as large waits for
// its turn, by the size of the body.
func TestRoomForDecoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := quiet(Config{NoAuth: true}).(*front)
		if !f.decoding.TryAcquire(roomForDecoding) {
			t.Fatal("no room in the beginning")
		}
		for _, tt := range []struct {
			what   string
			change func(*http.Request)
		}{
			{"JSON", func(*http.Request) {}},
			{"gzip", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
			{"Query", func(r *http.Request) {
				r.Header.Del("X-Amz-Target")
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}},
		} {
			r := request("ListDeliveryStreams", `{"Limit":1}`)
			tt.change(r)
			start := time.Now()
			if status, answer := do(f, r); status != 503 || time.Since(start) != patience {
				t.Errorf("%s: %d %s after %v, want 503 after %v", tt.what, status, answer, time.Since(start), patience)
			}
		}
		f.decoding.Release(roomForDecoding)
		if status, answer := do(f, request("ListDeliveryStreams", `{"Limit":1}`)); status != 200 {
			t.Errorf("with room: %d %s", status, answer)
		}
	})
}

// TestBombs: what a body of 8 MiB, or of some thousand bytes that are compressed,
// makes of the memory.
func TestBombs(t *testing.T) {
	type list struct {
		List []struct{ A, B, C, D, E, F, G, H string }
	}
	bombed := &Service{
		Name: "Firehose", Target: wire.TargetPrefix, JSON: wire.ContentType, CBOR: "/service/Echo/operation/", Version: "1",
		Operations: map[string]Operation{"Take": func(_ context.Context, c *Call) (any, error) { return nil, c.Decode(new(list)) }},
	}
	h := New(Config{Services: []*Service{bombed}, NoAuth: true, Logger: quietLogger})
	full := func(head, part, tail string) string {
		return head + strings.Repeat(part, (MaxBodyBytes-len(head)-len(tail))/len(part)) + tail
	}
	packed := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		return b.String()
	}
	var deep strings.Builder
	for i := 0; deep.Len() < MaxBodyBytes-80; i++ {
		fmt.Fprintf(&deep, "&%d%s", i, strings.Repeat(".1", maxDepth-1))
	}
	for _, tt := range []struct {
		what, kind, body string
		status           int
		most             uint64 // MiB that are allocated
	}{
		{"empty objects", "json", full(`{"List":[{}`, `,{}`, `]}`), 400, 8},
		{"empty objects in gzip", "json gzip", packed(full(`{"List":[{}`, `,{}`, `]}`)), 400, 64},
		{"zeros in gzip", "json gzip", packed(strings.Repeat("\x00", 4*MaxBodyBytes)), 413, 64},
		{"the most objects", "json", `{"List":[{}` + strings.Repeat(`,{}`, (maxValues-3)/2) + `]}`, 200, 256},
		{"lists in lists", "json", full(`{"List":`, `[`, ``), 400, 8},
		{"lists in lists in an unknown member", "json", full(`{"X":`, `[`, ``), 400, 8},
		{"lists in lists, in CBOR", "cbor", full("\xa1\x64List", "\x81", ""), 400, 8},
		{"tags of tags, in CBOR", "cbor", full("\xa1\x64List", "\xc1", ""), 400, 8},
		{"a list of 2^63, in CBOR", "cbor", "\xa1\x64List\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 400, 8},
		{"a text of 2^63, in CBOR", "cbor", "\xa1\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", 400, 8},
		{"a text of 2^40, in CBOR", "cbor", "\xa1\x64List\x7b\x00\x00\x01\x00\x00\x00\x00\x00", 400, 8},
		{"lists without end, in CBOR", "cbor", full("\xa1\x64List", "\x9f", ""), 400, 8},
		{"parameters", "query", full("Action=Take&Version=1", "&", ""), 400, 32},
		{"100,000 parameters", "query", "Action=Take&Version=1" + strings.Repeat("&List.member.1.A=x", 100_000), 200, 64},
		{"parameters in parameters", "query", "Action=Take&Version=1" + deep.String(), 400, 96},
		{"a parameter of 4 million parts", "query", full("Action=Take&Version=1&x", ".x", ""), 400, 32},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
		if strings.HasSuffix(tt.kind, "gzip") {
			r.Header.Set("Content-Encoding", "gzip")
		}
		switch kind, _, _ := strings.Cut(tt.kind, " "); kind {
		case "json":
			r.Header.Set("X-Amz-Target", wire.TargetPrefix+"Take")
		case "query":
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		case "cbor":
			r.URL.Path = "/service/Echo/operation/Take"
			r.Header.Set("Smithy-Protocol", rpcCBOR)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, answer := do(h, r)
		runtime.ReadMemStats(&after)
		// The body itself, and its copy for the parameters, come on top.
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; status != tt.status || got > tt.most+2*MaxBodyBytes>>20 {
			t.Errorf("%s: %d %.200s, %d MiB were allocated, want %d and at most %d MiB", tt.what, status, answer, got, tt.status, tt.most)
		} else {
			t.Logf("%s: %d MiB", tt.what, got)
		}
	}
}
