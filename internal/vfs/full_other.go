//go:build !unix

package vfs

import (
	"errors"
	"syscall"
)

// isFull knows Windows' ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.
func isFull(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39))
}
