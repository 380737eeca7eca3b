package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget makes the system forget what it has in memory of a file that is synced.
func forget(f *os.File) error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
