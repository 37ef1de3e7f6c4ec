package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// noFollow opens a link itself and not the file behind it.
const noFollow = windows.O_FILE_FLAG_OPEN_REPARSE_POINT

// How long an operation is tried again that fails because somebody has the file
// open for a moment: a reader, an antivirus program.
const (
	openFor   = 2 * time.Second
	renameFor = 5 * time.Second // only between two readers, of whom there may be many
)

func retry(op func() error) error { return retryFor(openFor, op) }

func retryFor(limit time.Duration, op func() error) error {
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		err := op()
		busy := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !busy || time.Now().After(end) {
			return err
		}
	}
}

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
	err = retryFor(renameFor, func() error {
		return windows.MoveFileEx(source, target, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
	})
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
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
func settleTime(f *os.File) error { return setTime(f, time.Now()) }

func setTime(f *os.File, t time.Time) error {
	written := windows.NsecToFiletime(t.UnixNano())
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
	if err := windows.SetNamedSecurityInfo(f.Name(), windows.SE_FILE_OBJECT, kind, nil, nil, dacl, nil); err != nil {
		return &fs.PathError{Op: "set access list", Path: f.Name(), Err: err}
	}
	return nil
}

func setOwnerAndMode(*os.File, fs.FileInfo, fs.FileInfo, fs.FileMode) error { return nil }

// sameChangeTime is always true: the time is not in what Go knows of a file.
func sameChangeTime(fs.FileInfo, fs.FileInfo) bool { return true }
