//go:build unix

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

func openDevices() (in, out *os.File, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return tty, tty, err
}

// disableEcho leaves the terminal reading whole lines, and Ctrl-C a signal.
func disableEcho(fd int) error {
	state, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, ioctlSetTermios, state)
}
