//go:build darwin || freebsd || netbsd || openbsd

package atomicfile

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// copyXattrs does nothing: x/sys has no access lists for these systems.
func copyXattrs(*os.File, *os.File) error { return nil }

func copyAccessList(*os.File, *os.File) error { return nil }

func setModTime(f *os.File, t time.Time) error {
	now := unix.NsecToTimeval(time.Now().UnixNano())
	return unix.Futimes(int(f.Fd()), []unix.Timeval{now, unix.NsecToTimeval(t.UnixNano())})
}

func touch(f *os.File) error { return unix.Futimes(int(f.Fd()), nil) }

func changeTime(s *unix.Stat_t) unix.Timespec { return s.Ctim }

// isProc is for Linux.
func isProc(int) bool { return false }
