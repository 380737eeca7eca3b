//go:build linux || darwin

package main

import "syscall"

// diskFree is how many bytes of a folder's disk are left to this user; false where that
// is not known.
func diskFree(dir string) (int64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
