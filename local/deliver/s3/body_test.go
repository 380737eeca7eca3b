package s3

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"
)

// TestBody reads random bodies, whole and in parts, as bytes.Reader does.
func TestBody(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var pieces [][]byte
		for range rng.IntN(20) {
			piece := make([]byte, rng.IntN(4)*rng.IntN(10))
			for i := range piece {
				piece[i] = byte(rng.IntN(256))
			}
			pieces = append(pieces, piece)
		}
		all := bytes.Join(pieces, nil)
		if err := iotest.TestReader(newBody(pieces), all); err != nil {
			t.Fatalf("%q: %v", pieces, err)
		}
		n := 1 + rng.IntN(40)
		rest := all
		for i, part := range newBody(pieces).cut(int64(n)) {
			want := rest[:min(n, len(rest))]
			rest = rest[len(want):]
			if err := iotest.TestReader(part, want); err != nil || part.size != int64(len(want)) {
				t.Fatalf("%q in parts of %d, number %d of %d bytes: %v", pieces, n, i, part.size, err)
			}
		}
		if len(rest) > 0 {
			t.Fatalf("%q in parts of %d: %d bytes are missing", pieces, n, len(rest))
		}
	}
	for _, offset := range []int64{-1, 5} {
		if _, err := newBody([][]byte{[]byte("four")}).Seek(offset, io.SeekStart); err == nil {
			t.Errorf("seek to %d of 4 bytes was accepted", offset)
		}
	}
}
