//go:build unix

package objects

import (
	"io/fs"
	"syscall"
)

// inode differs between two files that are there at the same time, such as an
// object and what is about to replace it.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
