//go:build darwin || freebsd

package term

import "golang.org/x/sys/unix"

const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlSetTermios = unix.TIOCSETA

	iutf8 = 0x4000 // IUTF8: a backspace takes back a character, not a byte of it
)

func flushInput(fd int) error {
	const read = 1 // FREAD of <sys/fcntl.h>
	return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, read)
}
