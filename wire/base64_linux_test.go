package wire

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// The vector instructions of the base64 module give what the standard library
// gives, for every length and position, and touch no byte outside of the data:
// here the data ends, and the text ends, at the edge of a page that may not be
// touched.
func TestBase64AtTheEdgeOfMemory(t *testing.T) {
	in, out := edge(t), edge(t)
	for i := range in {
		in[i] = byte(rand.Uint32())
	}
	for size := range 2000 {
		data := in[len(in)-size:]
		want := recordHead + base64.StdEncoding.EncodeToString(data) + recordTail
		dst := out[len(out)-len(want):][:0]
		if got := appendRecord(dst, data); string(got) != want {
			t.Fatalf("%d bytes %x:\ngot  %s\nwant %s", size, data, got, want)
		}
		start := in[:size]
		if got := appendRecord(nil, start); !bytes.Equal(got, []byte(recordHead+base64.StdEncoding.EncodeToString(start)+recordTail)) {
			t.Fatalf("%d bytes from the start differ", size)
		}
	}
}

// Decoding in place gives the same too, and touches no byte before the text nor
// after it.
func TestDecodeInPlaceAtTheEdgeOfMemory(t *testing.T) {
	memory := edge(t)
	for size := range 2000 {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(data)
		place := memory[len(memory)-len(text):]
		before := memory[len(memory)-len(text)-1:][:1]
		copy(place, text)
		before[0] = 0xa5
		if got, ok := decodeInPlace(place); !ok || !bytes.Equal(got, data) || before[0] != 0xa5 {
			t.Fatalf("decodeInPlace(%s) = %x, %v, want %x; the byte before: %x", text, got, ok, data, before)
		}
		// Records stand close together: the byte after belongs to the next one.
		copy(memory, text)
		memory[len(text)] = 0xa5
		if got, ok := decodeInPlace(memory[:len(text)]); !ok || !bytes.Equal(got, data) || memory[len(text)] != 0xa5 {
			t.Fatalf("decodeInPlace(%s) = %x, %v, want %x; the byte after: %x", text, got, ok, data, memory[len(text)])
		}
	}
}

// edge is memory that ends where the next byte may not be touched.
func edge(t *testing.T) []byte {
	t.Helper()
	page := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[2*page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return memory[: 2*page : 2*page]
}
