package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
)

// TestMemoryFile holds a file beside a slice, through random writes, cuts and reads.
func TestMemoryFile(t *testing.T) {
	m := NewMemory()
	opened, err := m.Create("/d/f")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var want []byte
	for range 3000 {
		switch rng.IntN(8) {
		case 0, 1, 2: // at the end, or behind it
			b := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(50))
			gap := max(0, rng.IntN(20)-10)
			if _, err := opened.WriteAt(b, int64(len(want)+gap)); err != nil {
				t.Fatal(err)
			}
			want = append(append(want, make([]byte, gap)...), b...)
		case 3:
			size := max(0, len(want)+rng.IntN(60)-50)
			if err := opened.Truncate(int64(size)); err != nil {
				t.Fatal(err)
			}
			want = append(want, make([]byte, max(0, size-len(want)))...)[:size]
		default:
			off, b := rng.IntN(len(want)+10), make([]byte, rng.IntN(80))
			n, err := opened.ReadAt(b, int64(off))
			rest := want[min(off, len(want)):]
			if !bytes.Equal(b[:n], rest[:min(len(rest), len(b))]) || (err == io.EOF) != (n < len(b)) {
				t.Fatalf("read %d bytes at %d of %d: %d, %v", len(b), off, len(want), n, err)
			}
		}
		if size, _ := opened.Size(); size != int64(len(want)) {
			t.Fatalf("size %d, want %d", size, len(want))
		}
	}
	if _, err := opened.WriteAt([]byte("x"), int64(len(want))-1); len(want) > 0 && !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a write over what is there: %v", err)
	}
}
