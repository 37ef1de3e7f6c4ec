//go:build linux || darwin || freebsd || netbsd || openbsd

package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// noWait opens a pipe without waiting for its other end.
const noWait = unix.O_NONBLOCK

// lockPoll is the time between two attempts to take the lock: about as long as an edit
// holds it.
const lockPoll = 5 * time.Millisecond

// tryLock reports whether the lock of f was free, and takes it.
func tryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EOPNOTSUPP):
			return false, errors.ErrUnsupported
		case errors.Is(err, unix.EINTR):
			continue
		}
		return err == nil, err
	}
}

func unlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// retry is for Windows, where programs keep others from a file.
func retry(_ context.Context, op func() error) error { return op() }

func openToRead(path string) (*os.File, error) { return os.Open(path) }

func rename(dir *os.Root, from, to string) error { return dir.Rename(from, to) }

func remove(dir *os.Root, name string) error { return dir.Remove(name) }

func openToSync(dir *os.Root) (*os.File, error) { return dir.Open(".") }

// syncRename makes a rename in the directory durable.
func syncRename(_ *os.Root, dir *os.File, _ string) error {
	// Some network file systems do not sync directories, and say so with EINVAL.
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// hide is for Windows: here the dot hides the lock file.
func hide(*os.File) {}

// isShared reports whether a file has another name, and so perhaps another purpose.
func isShared(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Nlink > 1 }

// settleTime is for Windows: here each write sets the time at once.
func settleTime(*os.File) error { return nil }

// setTime makes f newer than old by step. Only the owner of a file can set any time;
// others, who write in place, wait for the step and set the current time.
func setTime(f *os.File, old time.Time, step time.Duration) error {
	err := setModTime(f, old.Add(step))
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	time.Sleep(step)
	return touch(f)
}

// copyAttributes gives the new file f the owner, group, access list and further
// attributes of the old one, if there is one, and the mode.
func copyAttributes(f, old *os.File, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var like fs.FileInfo
	if old != nil {
		if like, err = old.Stat(); err != nil {
			return err
		}
	}
	if err := setOwner(f, info, like); err != nil {
		return err
	}
	if err := copyXattrs(f, old); err != nil {
		return err
	}
	// Last, since an access list is a part of the mode.
	if info, err = f.Stat(); err != nil {
		return err
	}
	return setMode(f, info, mode)
}

// setOwnerAndMode gives f, which info describes, the owner of like and the mode. It
// changes only what differs. Like may be nil.
func setOwnerAndMode(f *os.File, info, like fs.FileInfo, mode fs.FileMode) error {
	if err := setOwner(f, info, like); err != nil {
		return err
	}
	return setMode(f, info, mode)
}

func setOwner(f *os.File, info, like fs.FileInfo) error {
	if like == nil {
		return nil
	}
	is, want := info.Sys().(*syscall.Stat_t), like.Sys().(*syscall.Stat_t)
	if is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}

func setMode(f *os.File, info fs.FileInfo, mode fs.FileMode) error {
	if !modeDiffers(info, mode) {
		return nil
	}
	return f.Chmod(mode)
}

func modeDiffers(info fs.FileInfo, mode fs.FileMode) bool { return info.Mode().Perm() != mode }
