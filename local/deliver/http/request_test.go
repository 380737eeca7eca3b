package httpendpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
)

// sent is the body of a request as a receiver reads it.
type sent struct {
	RequestID string `json:"requestId"`
	Timestamp int64  `json:"timestamp"`
	Records   []struct {
		Data []byte `json:"data"`
	} `json:"records"`
}

func (s *sent) records() (list [][]byte) {
	for _, r := range s.Records {
		list = append(list, r.Data)
	}
	return list
}

func TestBody(t *testing.T) {
	r := newRequest([][]byte{[]byte("hello"), {}, []byte("hello world"), {0xff, 0}})
	r.head = `{"requestId":"ed4acda5-034f-9f42-bba1-f29aea6d7d8f","timestamp":1578090901599,"records":[` // as long as its own
	const want = `{"requestId":"ed4acda5-034f-9f42-bba1-f29aea6d7d8f","timestamp":1578090901599,"records":[` +
		`{"data":"aGVsbG8="},{"data":""},{"data":"aGVsbG8gd29ybGQ="},{"data":"/wA="}]}`
	if err := iotest.TestReader(r.body(), []byte(want)); err != nil {
		t.Error(err)
	}
	if r.length != int64(len(want)) {
		t.Errorf("length %d, want %d", r.length, len(want))
	}
}

// TestBodyRandom: whatever the records, the body is JSON that holds them, of the
// length that was told before, and compressed it is the same.
func TestBodyRandom(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 15 {
		records := make([][]byte, 1+rng.IntN(20))
		for i := range records {
			records[i] = make([]byte, rng.IntN([]int{1, 5, 100, 3 * pieceSize}[rng.IntN(4)])+rng.IntN(2)*pieceSize)
			for j := range records[i] {
				records[i][j] = byte(rng.Uint32())
			}
		}
		r := newRequest(records)
		plain, err := io.ReadAll(r.body())
		if err != nil || int64(len(plain)) != r.length {
			t.Fatalf("seed %d: %d bytes, %v, want %d", seed, len(plain), err, r.length)
		}
		var got sent
		if err := json.Unmarshal(plain, &got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !slices.EqualFunc(records, got.records(), bytes.Equal) || got.RequestID != r.id {
			t.Fatalf("seed %d: request id %s, %d records: other ones than were sent", seed, got.RequestID, len(got.Records))
		}
		if err := r.compress(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // each attempt reads it from the beginning
			packed, err := io.ReadAll(r.body())
			if err != nil || int64(len(packed)) != r.length {
				t.Fatalf("seed %d: %d bytes compressed, %v, want %d", seed, len(packed), err, r.length)
			}
			zr, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			if again, err := io.ReadAll(zr); err != nil || !bytes.Equal(plain, again) {
				t.Fatalf("seed %d: decompressed it differs: %v", seed, err)
			}
		}
	}
}

func TestRequestSizes(t *testing.T) {
	largest := make([]byte, 1_024_000)
	full := len(recordHead) + 1_365_336 + len(recordTail) + 1 // with its comma
	empty := newRequest([][]byte{{}})
	fixed := int(empty.length) - len(recordHead) - len(recordTail)
	n := (MaxBody - fixed + 1) / full // of the largest records
	left := MaxBody - fixed - n*full - len(recordHead) - len(recordTail)
	last := make([]byte, left/4*3) // fills the body to its last 3 bytes or less
	for _, tt := range []struct {
		name    string
		records [][]byte
		want    int // of them in the first request
	}{
		{"one", [][]byte{{}}, 1},
		{"10,000", make([][]byte, 10_000), 10_000},
		{"10,001", make([][]byte, 10_001), 10_000},
		{"64 MiB", append(repeat(largest, n), last), n + 1},
		{"3 bytes more", append(repeat(largest, n), append(last, 0, 0, 0)), n},
		{"many of the largest", repeat(largest, 60), n},
		{"one that is longer than a request", [][]byte{make([]byte, MaxBody), {}}, 1},
	} {
		r := newRequest(tt.records)
		if len(r.records) != tt.want {
			t.Errorf("%s: %d of %d records, want %d", tt.name, len(r.records), len(tt.records), tt.want)
		}
		if r.length > MaxBody && tt.want > 1 {
			t.Errorf("%s: a body of %d bytes", tt.name, r.length)
		}
	}
	if n != 49 || MaxBody != 67_108_864 {
		t.Errorf("%d of the largest records fit into %d bytes, want 49 into 67,108,864", n, MaxBody)
	}
}

func repeat(record []byte, n int) (list [][]byte) {
	for range n {
		list = append(list, record)
	}
	return list
}

func TestCompressStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newRequest([][]byte{{}}).compress(ctx); err == nil {
		t.Error("compress went on after its context had ended")
	}
}

func TestRequestID(t *testing.T) {
	a, b := newRequest([][]byte{{}}).id, newRequest([][]byte{{}}).id
	if a == b || len(a) != 36 || strings.Count(a, "-") != 4 {
		t.Errorf("request ids %s and %s", a, b)
	}
	var parts [5]uint64
	if _, err := fmt.Sscanf(a, "%8x-%4x-4%3x-%4x-%12x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4]); err != nil {
		t.Errorf("%s is no UUID of version 4: %v", a, err)
	}
}
