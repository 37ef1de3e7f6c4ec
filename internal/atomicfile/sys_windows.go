package atomicfile

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// noWait is for pipes that have names among the files, which Windows has not.
const noWait = 0

// lockPoll is how often a waiting edit looks whether the lock is free: about as
// long as an edit holds it. To look costs more here than elsewhere, and many that
// wait must not take the time of the one that works.
const lockPoll = 25 * time.Millisecond

// maxLinks bounds how many links are followed in a row.
const maxLinks = 40

// open finds the file at path and opens its directory. It follows the links on
// the way itself, and only those that may be trusted.
//
// As long as a directory is open, neither it nor one above it can be renamed. The
// way is gone a second time then: if it leads to the same place, it is the one
// that was looked at, and paths in that directory stay what they are.
func open(ctx context.Context, path string) (*target, error) {
	for range maxConflicts {
		dir, name, err := resolve(path)
		if err != nil {
			return nil, err
		}
		var root *os.Root
		err = retry(ctx, func() (err error) {
			root, err = os.OpenRoot(dir)
			return err
		})
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: dir, Err: cause(err)}
		}
		again, _, err := resolve(path)
		if err == nil && again == dir {
			return newTarget(ctx, path, root, name)
		}
		_ = root.Close()
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: ErrConflict}
}

// resolve returns the directory and the name of the file that path leads to.
func resolve(path string) (dir, name string, err error) {
	fail := func(path string, err error) (string, string, error) {
		return "", "", &fs.PathError{Op: "open", Path: path, Err: cause(err)}
	}
	if path == "" {
		return fail(path, fs.ErrNotExist)
	}
	// It also removes the dots and blanks at the end, which Windows ignores.
	full, err := filepath.Abs(path)
	if err != nil {
		return fail(path, err)
	}
	if IsDevice(filepath.Base(path)) || strings.HasPrefix(full, `\\.\`) {
		return fail(path, ErrNotRegular)
	}
	dir, rest := start(full)
	for links := 0; len(rest) > 0; {
		name = rest[0]
		rest = rest[1:]
		if name == ".." { // of the target of a link
			dir = filepath.Dir(dir)
			continue
		}
		at := filepath.Join(dir, name)
		info, err := os.Lstat(at)
		if err != nil && (len(rest) > 0 || !errors.Is(err, fs.ErrNotExist)) {
			return fail(at, err)
		}
		target := ""
		if err == nil && info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
			// A junction is a link, too. What cannot be read as one is not.
			if target, err = os.Readlink(at); err != nil {
				target = ""
			}
		}
		switch {
		case target != "":
			if links++; links > maxLinks {
				return fail(path, errors.New("too many symbolic links"))
			}
			if err := checkOwner(at); err != nil {
				return "", "", err
			}
			if filepath.VolumeName(target) == "" && os.IsPathSeparator(target[0]) {
				target = filepath.VolumeName(dir) + target
			}
			more := rest
			if filepath.IsAbs(target) {
				dir, rest = start(filepath.Clean(target))
			} else {
				rest = components(target)
			}
			rest = slices.Concat(rest, more)
		case len(rest) == 0:
			return dir, name, nil
		default:
			dir = at
		}
	}
	return fail(path, ErrNotRegular)
}

// start returns the root directory of a full path, and the rest.
func start(full string) (dir string, rest []string) {
	volume := filepath.VolumeName(full)
	return volume + `\`, components(full[len(volume):])
}

func components(path string) []string {
	names := strings.FieldsFunc(path, func(c rune) bool { return c == '\\' || c == '/' })
	return slices.DeleteFunc(names, func(name string) bool { return name == "." })
}

// checkOwner returns a LinkError unless the link belongs to the user who edits or
// to the system. What administrators make belongs to their group.
func checkOwner(link string) error {
	name, err := windows.UTF16PtrFromString(link)
	if err != nil {
		return err
	}
	h, err := windows.CreateFile(name, windows.READ_CONTROL, shareAll, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: link, Err: err}
	}
	defer func() { _ = windows.CloseHandle(h) }()
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return &fs.PathError{Op: "open", Path: link, Err: err}
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return &fs.PathError{Op: "open", Path: link, Err: err}
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	const trustedInstaller = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	if owner == nil || owner.Equals(me.User.Sid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		owner.IsWellKnown(windows.WinLocalSystemSid) || owner.String() == trustedInstaller {
		return nil
	}
	account := owner.String()
	if user, domain, _, err := owner.LookupAccount(""); err == nil {
		account = domain + `\` + user
	}
	return &LinkError{Link: link, Owner: account}
}

// tryLock reports whether the lock of f was free, and takes it. What is locked is
// a byte far behind the end, so that others can read and write the file.
func tryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxInt32}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func unlock(f *os.File) error {
	at := windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxInt32}
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &at)
}

// busyFor is how long an operation is tried again that fails because somebody has
// the file open for a moment: a reader, an antivirus program.
const busyFor = 5 * time.Second

func retry(ctx context.Context, op func() error) error {
	for end := time.Now().Add(busyFor); ; {
		err := op()
		if !isBusy(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return cmp.Or(canceled(ctx), err) // what was waited for
		case <-time.After(time.Millisecond):
		}
	}
}

// isBusy is also true if access is denied for good: the error is the same.
func isBusy(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) ||
		errors.Is(err, windows.ERROR_DELETE_PENDING)
}

const shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// openToRead lets others do with the file what they like, which os.Open does not:
// a file that is open in that way can be replaced.
func openToRead(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	var h windows.Handle
	if err == nil {
		err = retry(context.Background(), func() (err error) {
			h, err = windows.CreateFile(name, windows.GENERIC_READ, shareAll, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
			return err
		})
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// rename is MoveFileEx and not ReplaceFile, which keeps more of the old file but
// can fail half-way, with no file under the name any more.
func rename(dir *os.Root, from, to string) error {
	to = filepath.Join(dir.Name(), to)
	source, err := windows.UTF16PtrFromString(filepath.Join(dir.Name(), from))
	if err != nil {
		return err
	}
	target, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	err = windows.MoveFileEx(source, target, windows.MOVEFILE_REPLACE_EXISTING|windows.MOVEFILE_WRITE_THROUGH)
	if isBusy(err) && replaceOpen(source, to) == nil {
		return nil
	}
	return err
}

// replaceOpen is rename for a target that others have open, if they let it be
// deleted. Windows 10 brought that, and not every file system can do it.
func replaceOpen(source *uint16, to string) error {
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

// remove is os.Remove, which knows more versions of Windows than Root.Remove does.
func remove(dir *os.Root, name string) error { return os.Remove(filepath.Join(dir.Name(), name)) }

// A directory need not be synced: MOVEFILE_WRITE_THROUGH has waited for the disk.
func openToSync(*os.Root) (*os.File, error)       { return nil, nil }
func syncRename(*os.Root, *os.File, string) error { return nil }

// hide hides the lock file, as its dot does elsewhere.
func hide(f *os.File) { _ = addAttributes(f, windows.FILE_ATTRIBUTE_HIDDEN) }

// isShared does not matter where setOwnerAndMode does nothing.
func isShared(fs.FileInfo) bool { return false }

// settleTime sets the time of the last write to now. Windows would else do so
// when f is closed, and undo what another handle has set until then.
func settleTime(f *os.File) error { return setTime(f, time.Now(), 0) }

// setTime makes f newer than old by step.
func setTime(f *os.File, old time.Time, step time.Duration) error {
	written := windows.NsecToFiletime(old.Add(step).UnixNano())
	return windows.SetFileTime(windows.Handle(f.Fd()), nil, nil, &written)
}

// keptAttributes are those that an edit keeps. The others are about how a file is
// stored.
const keptAttributes = windows.FILE_ATTRIBUTE_HIDDEN | windows.FILE_ATTRIBUTE_SYSTEM |
	windows.FILE_ATTRIBUTE_ARCHIVE | windows.FILE_ATTRIBUTE_NOT_CONTENT_INDEXED

// copyAttributes gives the new file f the access list of the old one, inherited or
// not as it was there, and its attributes. Without an old file it keeps the
// access list of its directory.
func copyAttributes(f, old *os.File, _ fs.FileMode) error {
	if old == nil {
		return nil
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(old.Fd()), &info); err != nil {
		return err
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_READONLY != 0 {
		return ErrReadOnly // to replace it would be tried in vain
	}
	sd, err := windows.GetNamedSecurityInfo(old.Name(), windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	control, _, err := sd.Control()
	if err != nil {
		return err
	}
	var kind windows.SECURITY_INFORMATION = windows.DACL_SECURITY_INFORMATION | windows.UNPROTECTED_DACL_SECURITY_INFORMATION
	if control&windows.SE_DACL_PROTECTED != 0 {
		kind = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	}
	if err := windows.SetNamedSecurityInfo(f.Name(), windows.SE_FILE_OBJECT, kind, nil, nil, dacl, nil); err != nil {
		return err
	}
	return addAttributes(f, info.FileAttributes&keptAttributes)
}

// addAttributes adds attributes to those of f, and removes none.
func addAttributes(f *os.File, attributes uint32) error {
	var is windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &is); err != nil {
		return err
	}
	// FILE_BASIC_INFO; a time of 0 stays.
	info := struct {
		times      [4]int64
		attributes uint32
		_          uint32
	}{attributes: is.FileAttributes | attributes}
	return windows.SetFileInformationByHandle(windows.Handle(f.Fd()), windows.FileBasicInfo, (*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
}

func setOwnerAndMode(*os.File, fs.FileInfo, fs.FileInfo, fs.FileMode) error { return nil }

// copyAccessList does nothing: a file takes the access list of its directory.
func copyAccessList(*os.File, *os.File) error { return nil }

func modeDiffers(fs.FileInfo, fs.FileMode) bool { return false }

// sameChangeTime is always true: the time is not in what Go knows of a file.
func sameChangeTime(fs.FileInfo, fs.FileInfo) bool { return true }
