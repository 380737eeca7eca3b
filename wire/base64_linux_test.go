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
