//go:build unix

package vfs

import (
	"errors"
	"syscall"
)

func isFull(err error) bool { return errors.Is(err, syscall.EDQUOT) }
