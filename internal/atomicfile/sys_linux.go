package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// searchOnly opens a directory to look up names in it, which is all that there is
// a right to in many.
const searchOnly = unix.O_PATH

const accessList = "system.posix_acl_access"

// keptXattrs say who may do what with a file, beside owner and mode: the POSIX
// access list and the labels of the security modules. What users have attached to
// it, in the namespace "user", is kept too.
var keptXattrs = []string{accessList, "security.selinux", "security.SMACK64"}

// copyXattrs gives f the attributes of the old file, and takes away the access
// list that it got only from its directory. Without an old file it keeps the
// label that the policy of its directory gives.
func copyXattrs(f, old *os.File) error {
	names := []string{accessList}
	if old != nil {
		users, err := userXattrs(old)
		if err != nil {
			return err
		}
		names = slices.Concat(keptXattrs, users)
	}
	for _, name := range names {
		if err := copyXattr(f, old, name); err != nil {
			return err
		}
	}
	return nil
}

// copyAccessList gives f the access list of another file.
func copyAccessList(f, like *os.File) error { return copyXattr(f, like, accessList) }

func copyXattr(f, old *os.File, name string) error {
	var want []byte
	var err error
	if old != nil {
		if want, err = xattr(old, name); err != nil {
			return err
		}
	}
	is, err := xattr(f, name)
	switch {
	case err != nil || bytes.Equal(want, is):
		return err
	case want == nil:
		return unix.Fremovexattr(int(f.Fd()), name)
	}
	return unix.Fsetxattr(int(f.Fd()), name, want, 0)
}

// maxXattr is the size that Linux allows for a value, and for the list of names.
const maxXattr = 64 << 10

// xattr returns nil if the file, or the whole file system, has none of that name.
func xattr(f *os.File, name string) ([]byte, error) {
	value := make([]byte, maxXattr)
	n, err := unix.Fgetxattr(int(f.Fd()), name, value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return value[:n], nil
}

func userXattrs(f *os.File) ([]string, error) {
	list := make([]byte, maxXattr)
	n, err := unix.Flistxattr(int(f.Fd()), list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(string(list[:n]), "\x00"), func(name string) bool {
		return !strings.HasPrefix(name, "user.")
	}), nil
}

func setModTime(f *os.File, t time.Time) error {
	stamp, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return utimes(f, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, stamp})
}

func touch(f *os.File) error {
	return utimes(f, []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}})
}

// utimes sets the times of an open file.
func utimes(f *os.File, times []unix.Timespec) error {
	err := unix.UtimesNanoAt(int(f.Fd()), "", times, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // before Linux 5.8
		err = unix.UtimesNanoAt(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), times, 0)
	}
	return err
}

func sameChangeTime(a, b fs.FileInfo) bool {
	return a.Sys().(*syscall.Stat_t).Ctim == b.Sys().(*syscall.Stat_t).Ctim
}

func changeTime(s *unix.Stat_t) unix.Timespec { return s.Ctim }

// isProc reports whether the directory is one of procfs.
func isProc(dir int) bool {
	var stat unix.Statfs_t
	return unix.Fstatfs(dir, &stat) == nil && stat.Type == unix.PROC_SUPER_MAGIC
}
