package vfs

import (
	"errors"
	"os"
	"syscall"
)

// syncData writes out a file's bytes and its length, but not its times, which
// saves a write to the journal of the file system where the length stays.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
