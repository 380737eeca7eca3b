package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// open opens an input of a command: a file, or standard input for "-".
func (a *app) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(&interruptible{ctx: ctx, r: a.stdin, done: make(chan chunk, 1)}), nil
	}
	return os.Open(name)
}

func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// sizeOf is the size of all inputs together, 0 where it can't be known. It finds
// out before anything is read whether every file can be.
func sizeOf(files []string) (total int64, err error) {
	known := true
	for _, name := range files {
		if name == "-" {
			known = false
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		info, err := f.Stat()
		f.Close()
		switch {
		case err != nil:
			return 0, err
		case info.IsDir():
			return 0, fmt.Errorf("%s is a folder\nhint: name the files in it", name)
		case !info.Mode().IsRegular():
			known = false
		}
		total += info.Size()
	}
	if !known {
		return 0, nil
	}
	return total, nil
}

// interruptible ends a read of a terminal or a pipe when ctx does, though the
// system's own read goes on waiting until the process ends.
type interruptible struct {
	ctx  context.Context
	r    io.Reader
	buf  [64 << 10]byte
	done chan chunk
}

type chunk struct {
	n   int
	err error
}

func (i *interruptible) Read(p []byte) (int, error) {
	size := min(len(p), len(i.buf))
	go func() {
		n, err := i.r.Read(i.buf[:size])
		i.done <- chunk{n, err}
	}()
	select {
	case c := <-i.done:
		return copy(p, i.buf[:c.n]), c.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}
