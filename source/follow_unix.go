//go:build unix

package source

import (
	"fmt"
	"os"
	"syscall"
)

// openShared opens a file to read. Others may rename and remove it meanwhile.
func openShared(path string) (*os.File, error) { return os.Open(path) }

// identify returns the identity of the file at path that info is of.
func identify(path string, info os.FileInfo) (fileID, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, fmt.Errorf("%s: its file system tells no inode", path)
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}, nil
}

// identifyOpen returns the identity of an open file.
func identifyOpen(f *os.File, info os.FileInfo) (fileID, error) { return identify(f.Name(), info) }
