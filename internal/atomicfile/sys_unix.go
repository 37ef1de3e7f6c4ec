//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// noFollow opens a file only if its name is no link, and does not wait for the
// other end if it is a pipe.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// lockPoll is how often a waiting edit looks whether the lock is free: about as
// long as an edit holds it.
const lockPoll = 5 * time.Millisecond

func openToRead(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|flag, 0)
}

func rename(from, to string) error { return os.Rename(from, to) }

// A dir is a folder that is open to be synced.
type dir struct{ f *os.File }

func openDir(name string) (dir, error) {
	f, err := os.Open(name)
	return dir{f}, err
}

func (d dir) close() { _ = d.f.Close() }

// sync makes a rename in the folder durable.
func (d dir) sync() error {
	// Some network file systems do not sync folders, and say so with EINVAL.
	if err := d.f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// isShared reports whether a file has another name, under which it may be
// anything.
func isShared(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Nlink > 1 }

// settleTime is for Windows: elsewhere each write sets the time at once.
func settleTime(*os.File) error { return nil }

// setTime makes f newer than old by step. Only its owner can choose the time;
// whoever may write it, as in place, lets the step pass and sets it to now.
func setTime(f *os.File, old time.Time, step time.Duration) error {
	err := os.Chtimes(f.Name(), time.Time{}, old.Add(step))
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	time.Sleep(step)
	return unix.Utimes(f.Name(), nil)
}

// setAttributes gives the new file f the owner, group, mode and access list of
// the old one, or the mode perm where there is none.
func setAttributes(f *os.File, path string, old fs.FileInfo, perm fs.FileMode) error {
	if old != nil {
		perm = old.Mode().Perm()
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := setOwnerAndMode(f, info, old, perm); err != nil {
		return err
	}
	return setAccessList(f, path, old)
}

// setOwnerAndMode changes f, which is info, where it differs from the owner of
// like and from perm. Like may be nil.
func setOwnerAndMode(f *os.File, info, like fs.FileInfo, perm fs.FileMode) error {
	if like != nil {
		want, is := owner(like), owner(info)
		if want != is {
			if err := f.Chown(int(want.uid), int(want.gid)); err != nil {
				return err
			}
		}
	}
	if info.Mode().Perm() == perm {
		return nil
	}
	return f.Chmod(perm)
}

type ids struct{ uid, gid uint32 }

func owner(info fs.FileInfo) ids {
	stat := info.Sys().(*syscall.Stat_t)
	return ids{stat.Uid, stat.Gid}
}
