//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow opens a file only if its name is no link, and does not wait for the
// other end if it is a pipe.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// retry is for Windows, where a file that someone has open cannot be replaced.
func retry(op func() error) error { return op() }

func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes a rename in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some network file systems do not sync folders, and say so with EINVAL.
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
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
