package cli

import "golang.org/x/sys/unix"

func (s *session) echo() bool {
	state, err := unix.IoctlGetTermios(int(s.near.Fd()), unix.TIOCGETA)
	return err == nil && state.Lflag&unix.ECHO != 0
}
