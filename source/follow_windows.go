package source

import (
	"os"
	"syscall"
)

// openShared opens a file to read. Others may rename and remove it meanwhile,
// which os.Open would not let them.
func openShared(path string) (*os.File, error) {
	return open(path, syscall.GENERIC_READ)
}

func open(path string, access uint32) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	share := uint32(syscall.FILE_SHARE_READ | syscall.FILE_SHARE_WRITE | syscall.FILE_SHARE_DELETE)
	h, err := syscall.CreateFile(name, access, share, nil, syscall.OPEN_EXISTING, syscall.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// identify returns the identity of the file at path: of whatever is there now,
// as a FileInfo has none.
func identify(path string, _ os.FileInfo) (fileID, error) {
	f, err := open(path, 0)
	if err != nil {
		return fileID{}, err
	}
	defer f.Close()
	return identifyOpen(f, nil)
}

// identifyOpen returns the identity of an open file.
func identifyOpen(f *os.File, _ os.FileInfo) (fileID, error) {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return fileID{}, &os.PathError{Op: "identify", Path: f.Name(), Err: err}
	}
	return fileID{uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}, nil
}
