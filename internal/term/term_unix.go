//go:build unix

package term

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func openDevices() (in, out *os.File, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return tty, tty, err
}

// holdStop keeps Ctrl-Z from stopping the process until release is called.
func holdStop() (release func()) {
	if signal.Ignored(unix.SIGTSTP) {
		return func() {}
	}
	signal.Ignore(unix.SIGTSTP)
	return func() { signal.Reset(unix.SIGTSTP) }
}

// interrupted is for Windows: elsewhere Ctrl-C does not end a read.
func interrupted(context.Context) bool { return false }

// disableEcho leaves the terminal reading whole lines, and Ctrl-C a signal.
func disableEcho(fd int) error {
	state, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return err
	}
	state.Lflag &^= unix.ECHO
	state.Lflag |= unix.ICANON | unix.ISIG
	state.Iflag |= unix.ICRNL | iutf8
	return unix.IoctlSetTermios(fd, ioctlSetTermios, state)
}
