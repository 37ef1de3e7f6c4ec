package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const accessList = "system.posix_acl_access"

// keptXattrs hold what says who may do what with a file, beside owner and mode:
// the POSIX access list and the labels of the security modules.
var keptXattrs = []string{accessList, "security.selinux", "security.SMACK64"}

// setAccessList gives f the access list and labels of the file at path, and
// takes away those that it got from its folder alone.
func setAccessList(f *os.File, path string, old fs.FileInfo) error {
	for _, name := range keptXattrs {
		var want []byte
		var err error
		if old != nil {
			want, err = getXattr(func(b []byte) (int, error) { return unix.Getxattr(path, name, b) })
			if err != nil {
				return &fs.PathError{Op: "getxattr " + name, Path: path, Err: err}
			}
		} else if name != accessList {
			continue // a new file has the label that its folder's policy gives
		}
		is, err := getXattr(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
		switch {
		case err != nil || bytes.Equal(want, is):
		case want == nil:
			err = unix.Fremovexattr(int(f.Fd()), name)
		default:
			err = unix.Fsetxattr(int(f.Fd()), name, want, 0)
		}
		if err != nil {
			return &fs.PathError{Op: "setxattr " + name, Path: f.Name(), Err: err}
		}
	}
	return nil
}

// getXattr returns nil where the file, or the whole file system, has none.
func getXattr(get func([]byte) (int, error)) ([]byte, error) {
	value := make([]byte, 64<<10) // the largest there can be
	n, err := get(value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return value[:n], nil
}

func sameChangeTime(a, b fs.FileInfo) bool {
	return a.Sys().(*syscall.Stat_t).Ctim == b.Sys().(*syscall.Stat_t).Ctim
}
