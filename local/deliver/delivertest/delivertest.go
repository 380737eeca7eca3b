// Package delivertest holds what every deliver.Destination must pass.
package delivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hydrant-go/hydrant/local/deliver"
)

// Read returns the content of an object, or an error when it is not there.
type Read func(bucket, key string) ([]byte, error)

// Run tests the destinations that open makes. Each of them is empty at first
// and is asked for its objects through the Read that came with it.
func Run(t *testing.T, open func(*testing.T) (deliver.Destination, Read)) {
	for name, test := range map[string]func(*testing.T, deliver.Destination, Read){
		"Bodies":   bodies,
		"Keys":     keys,
		"Replace":  replace,
		"Cancel":   cancelled,
		"AtOnce":   atOnce,
		"NoPieces": noPieces,
	} {
		t.Run(name, func(t *testing.T) {
			d, read := open(t)
			test(t, d, read)
		})
	}
}

func bodies(t *testing.T, d deliver.Destination, read Read) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for i, body := range [][][]byte{
		nil,
		{},
		{[]byte("one")},
		{[]byte("a"), {}, []byte("b\n"), nil, {0, 0xff}},
		{big, big[:1], big},
	} {
		o := &deliver.Object{Bucket: "b", Key: fmt.Sprint("body/", i), Body: body}
		// A second Put of the same Object must do the same: deliveries are retried.
		for range 2 {
			put(t, d, o)
			check(t, read, o)
		}
	}
}

func keys(t *testing.T, d deliver.Destination, read Read) {
	var list []*deliver.Object
	for i, name := range [][2]string{
		{"b", "flat"},
		{"b", "2026/07/13/14/s-1-2026-07-13-14-05-06-uuid.gz"},
		{"b", "legacy2026/07/13/14/x"},
		{"b", "with space/é/!'()*&$@=;:+,?%2e%2e/#"},
		{"b", ".hidden/..dots../..."},
		{"b", "long/" + strings.Repeat("n", 200)},
		{"other.bucket_-", "flat"},
	} {
		o := &deliver.Object{Bucket: name[0], Key: name[1], Body: [][]byte{fmt.Append(nil, i)}}
		put(t, d, o)
		list = append(list, o)
	}
	for _, o := range list {
		check(t, read, o)
	}
}

func replace(t *testing.T, d deliver.Destination, read Read) {
	for _, s := range []string{"first and longer", "second", ""} {
		o := &deliver.Object{Bucket: "b", Key: "k/1", Body: [][]byte{[]byte(s)}}
		put(t, d, o)
		check(t, read, o)
	}
}

func cancelled(t *testing.T, d deliver.Destination, read Read) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &deliver.Object{Bucket: "b", Key: "k", Body: [][]byte{[]byte("x")}}
	if err := d.Put(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with a cancelled context: %v, want context.Canceled", err)
	}
	if got, err := read(o.Bucket, o.Key); err == nil {
		t.Errorf("the object is there after a Put that failed: %q", got)
	}
}

func atOnce(t *testing.T, d deliver.Destination, read Read) {
	var wg sync.WaitGroup
	list := make([]*deliver.Object, 16)
	for i := range list {
		list[i] = &deliver.Object{Bucket: "b", Key: fmt.Sprintf("%d/%d", i%4, i), Body: [][]byte{fmt.Append(nil, i)}}
		wg.Go(func() {
			if err := d.Put(t.Context(), list[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, o := range list {
		check(t, read, o)
	}
}

// noPieces reads an object while it is replaced: every reader sees one whole
// version.
func noPieces(t *testing.T, d deliver.Destination, read Read) {
	version := func(i int) *deliver.Object {
		part := bytes.Repeat([]byte{byte('a' + i)}, 100_000)
		return &deliver.Object{Bucket: "b", Key: "k", Body: [][]byte{part, part, part}}
	}
	put(t, d, version(0))
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range 10 {
			if err := d.Put(t.Context(), version(i)); err != nil {
				t.Error(err)
			}
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		got, err := read("b", "k")
		if err != nil || len(got) != 300_000 || bytes.Count(got, got[:1]) != len(got) {
			t.Errorf("while it is replaced: %d bytes, %v, want 300,000 of one letter", len(got), err)
			break
		}
	}
	wg.Wait()
}

func put(t *testing.T, d deliver.Destination, o *deliver.Object) {
	t.Helper()
	if err := d.Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, read Read, o *deliver.Object) {
	t.Helper()
	got, err := read(o.Bucket, o.Key)
	if want := bytes.Join(o.Body, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("object %q holds %d bytes, %v, want %d", o.Key, len(got), err, len(want))
	}
}
