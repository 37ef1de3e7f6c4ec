package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/creack/pty"
)

// record runs registryctl with a terminal, on which it is given the password, and
// returns what there is to see: what was asked, and then what was said.
func record(dir string, args []string) (string, error) {
	tty, near, err := pty.Open()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// Not the terminal, on which it would show how far it is, and how fast.
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.ExtraFiles = []*os.File{near}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	err = cmd.Start()
	_ = near.Close() // the program has its own
	if err != nil {
		return "", err
	}
	asked := make(chan string, 1)
	go func() { asked <- answer(tty) }()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) { // check fails, as it should
		return "", fmt.Errorf("%q: %w", args, err)
	}
	return strings.ReplaceAll(<-asked, "\r", "") + said.String(), nil
}

// answer types the password at each prompt, and returns all that was shown.
func answer(tty io.ReadWriter) string {
	var shown strings.Builder
	buf := make([]byte, 1024)
	for {
		n, err := tty.Read(buf)
		if err != nil {
			return shown.String() // the program has ended
		}
		shown.Write(buf[:n])
		if strings.HasSuffix(shown.String(), ": ") {
			if _, err := io.WriteString(tty, sessionPassword+"\n"); err != nil {
				return shown.String()
			}
		}
	}
}
