package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// noFollow opens a link itself and not the file behind it.
const noFollow = windows.O_FILE_FLAG_OPEN_REPARSE_POINT

// lockPoll is how often a waiting edit looks whether the lock is free: about as
// long as an edit holds it. To look costs more here than elsewhere, and many that
// wait must not take the time of the one that works.
const lockPoll = 25 * time.Millisecond

// How long an operation is tried again that fails because somebody has the file
// open for a moment: a reader, an antivirus program.
const (
	openFor   = 2 * time.Second
	renameFor = 5 * time.Second // only between two readers, of whom there may be many
)

func retry(limit time.Duration, op func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		err := op()
		if !isBusy(err) || time.Now().After(end) {
			return err
		}
	}
}

// isBusy is also true where access is denied for good: the error is the same.
func isBusy(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// openToRead lets others do with the file what they like, which os.Open does not:
// a file that is open in that way can be replaced, see replaceOpen.
func openToRead(path string, flag int) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	var h windows.Handle
	if err == nil {
		err = retry(openFor, func() (err error) {
			h, err = windows.CreateFile(name, windows.GENERIC_READ, shareAll, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|uint32(flag), 0)
			return err
		})
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

const shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// rename is MoveFileEx and not ReplaceFile, which keeps more of the old file but
// can fail half-way, with no file under the name any more.
func rename(from, to string) error {
	source, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	target, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if attributes, err := windows.GetFileAttributes(target); err == nil && attributes&windows.FILE_ATTRIBUTE_READONLY != 0 {
		return &fs.PathError{Op: "replace", Path: to, Err: errors.New("the file is marked read-only")} // to try again is in vain
	}
	err = retry(renameFor, func() error {
		err := windows.MoveFileEx(source, target, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
		if isBusy(err) && replaceOpen(source, to) == nil {
			return nil
		}
		return err
	})
	if isBusy(err) {
		err = fmt.Errorf("it is open in another program, or its access list forbids it: %w", err)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// replaceOpen is rename for a target that others have open, if they let it be
// deleted. Windows 10 brought that, and not every file system can do it.
func replaceOpen(source *uint16, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	name, err := windows.UTF16FromString(to)
	if err != nil {
		return err
	}
	// FILE_RENAME_INFO, see learn.microsoft.com/windows/win32/api/winbase.
	var info struct {
		flags      uint32
		root       windows.Handle
		nameLength uint32 // in bytes, without the NUL
		name       [windows.MAX_LONG_PATH]uint16
	}
	if len(name) > len(info.name) {
		return windows.ERROR_FILENAME_EXCED_RANGE
	}
	info.flags = windows.FILE_RENAME_REPLACE_IF_EXISTS | windows.FILE_RENAME_POSIX_SEMANTICS
	info.nameLength = uint32(2 * (len(name) - 1))
	copy(info.name[:], name)

	h, err := windows.CreateFile(source, windows.DELETE|windows.SYNCHRONIZE, shareAll, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OPEN_REPARSE_POINT|windows.FILE_FLAG_WRITE_THROUGH, 0)
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(h) }()
	size := unsafe.Offsetof(info.name) + uintptr(2*len(name))
	return windows.SetFileInformationByHandle(h, windows.FileRenameInfoEx, (*byte)(unsafe.Pointer(&info)), uint32(size))
}

// A dir need not be synced: MOVEFILE_WRITE_THROUGH has waited for the disk.
type dir struct{}

func openDir(string) (dir, error) { return dir{}, nil }
func (dir) close()                {}
func (dir) sync() error           { return nil }

// isShared does not matter where setOwnerAndMode does nothing.
func isShared(fs.FileInfo) bool { return false }

// settleTime sets the time of the last write to now. Windows would else do so
// when f is closed, and undo what another handle has set until then.
func settleTime(f *os.File) error { return setTime(f, time.Now(), 0) }

// setTime makes f newer than old by step.
func setTime(f *os.File, old time.Time, step time.Duration) error {
	written := windows.NsecToFiletime(old.Add(step).UnixNano())
	if err := windows.SetFileTime(windows.Handle(f.Fd()), nil, nil, &written); err != nil {
		return &fs.PathError{Op: "set the time of", Path: f.Name(), Err: err}
	}
	return nil
}

// setAttributes gives the new file the access list of the old one, inherited or
// not as it was there. A file without an old one takes its folder's.
func setAttributes(f *os.File, path string, old fs.FileInfo, _ fs.FileMode) error {
	if old == nil {
		return nil
	}
	// What these calls make of a slash, or of a path without a folder, is not
	// documented, and what is inherited depends on it.
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	tmp, err := filepath.Abs(f.Name())
	if err != nil {
		return err
	}
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return &fs.PathError{Op: "get access list", Path: path, Err: err}
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return &fs.PathError{Op: "get access list", Path: path, Err: err}
	}
	control, _, err := sd.Control()
	if err != nil {
		return &fs.PathError{Op: "get access list", Path: path, Err: err}
	}
	var kind windows.SECURITY_INFORMATION = windows.DACL_SECURITY_INFORMATION | windows.UNPROTECTED_DACL_SECURITY_INFORMATION
	if control&windows.SE_DACL_PROTECTED != 0 {
		kind = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	if err := windows.SetNamedSecurityInfo(tmp, windows.SE_FILE_OBJECT, kind, nil, nil, dacl, nil); err != nil {
		return &fs.PathError{Op: "set access list", Path: f.Name(), Err: err}
	}
	return nil
}

func setOwnerAndMode(*os.File, fs.FileInfo, fs.FileInfo, fs.FileMode) error { return nil }

// sameChangeTime is always true: the time is not in what Go knows of a file.
func sameChangeTime(fs.FileInfo, fs.FileInfo) bool { return true }
