//go:build linux || darwin

package cli

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A session is a run of the program on a pseudo-terminal of its own.
type session struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File // our end
	near *os.File // the program's end, open here so that its state can be read

	mu     sync.Mutex
	screen bytes.Buffer
	grown  chan struct{}
}

// start runs the program, whose standard input is a pipe that ends at once: it
// has to find the terminal by itself.
func start(t *testing.T, args ...string) *session {
	t.Helper()
	tty, near, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close(); near.Close() })
	s := &session{t: t, tty: tty, near: near, grown: make(chan struct{}, 1)}
	s.cmd = exec.Command(lookProgram(t), args...)
	s.cmd.Stdout, s.cmd.Stderr = near, near
	s.cmd.ExtraFiles = []*os.File{near}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := tty.Read(buf)
			s.mu.Lock()
			s.screen.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.grown <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *session) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.screen.String()
}

// await waits until the screen shows the text n times and the echo is off.
func (s *session) await(text string, n int) {
	s.t.Helper()
	s.awaitText(text, n)
	require.Eventually(s.t, func() bool { return !s.echo() }, 10*time.Second, time.Millisecond)
}

func (s *session) awaitText(text string, n int) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for strings.Count(s.seen(), text) < n {
		select {
		case <-s.grown:
		case <-deadline:
			s.t.Fatalf("%q is not on the screen:\n%s", text, s.seen())
		}
	}
}

func (s *session) typeText(text string) {
	s.t.Helper()
	_, err := io.WriteString(s.tty, text)
	require.NoError(s.t, err)
}

// exit waits for the program, checks that the terminal has its echo back and
// that what was typed was never shown, and returns the exit status.
func (s *session) exit(typed ...string) int {
	s.t.Helper()
	_ = s.cmd.Wait()
	const end = "(all that it wrote has been read)"
	_, err := s.near.WriteString(end)
	require.NoError(s.t, err)
	s.awaitText(end, 1)
	assert.True(s.t, s.echo(), "the echo is back on")
	for _, secret := range typed {
		assert.NotContains(s.t, s.seen(), secret)
	}
	return s.cmd.ProcessState.ExitCode()
}

func verify(t *testing.T, file, user, password string) int {
	t.Helper()
	var out, errOut bytes.Buffer
	return Main([]string{program, "user", "verify", user, "--password-stdin", "-f", file}, strings.NewReader(password), &out, &errOut)
}

func TestPromptTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "--cost", "4", "-f", file)
	s.await(`New password for "elton": `, 1)
	s.typeText("d0cker\n")
	s.await(`Repeat the password for "elton": `, 1)
	s.typeText("d0cker\n")
	require.Equal(t, 0, s.exit("d0cker"), s.seen())
	assert.Contains(t, s.seen(), `added "elton"`)
	assert.Equal(t, 0, verify(t, file, "elton", "d0cker"))

	s = start(t, "user", "verify", "elton", "-f", file)
	s.await(`Password for "elton": `, 1)
	s.typeText("d0cker\n")
	require.Equal(t, 0, s.exit("d0cker"), s.seen())
}

func TestPromptAsksAgainOnMismatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "--cost", "4", "-f", file)
	for n := 1; n <= 2; n++ {
		s.await("New password", n)
		s.typeText("d0cker\n")
		s.await("Repeat", n)
		s.typeText("r3gL4b\n")
		s.await("the passwords do not match", n)
	}
	s.await("New password", 3)
	s.typeText("王小明\n")
	s.await("Repeat", 3)
	s.typeText("王小明\n")
	require.Equal(t, 0, s.exit("d0cker", "r3gL4b", "王"), s.seen())
	assert.Equal(t, 0, verify(t, file, "elton", "王小明"))
}

func TestPromptGivesUpAfterThreeMismatches(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "-f", file)
	for n := 1; n <= promptAttempts; n++ {
		s.await("New password", n)
		s.typeText("d0cker\n")
		s.await("Repeat", n)
		s.typeText("r3gL4b\n")
	}
	require.Equal(t, int(exitMismatch), s.exit("d0cker", "r3gL4b"), s.seen())
	assert.NoFileExists(t, file)
}

func TestPromptRefusesNoPassword(t *testing.T) {
	for name, typed := range map[string][]string{
		"empty":        {"\n", "\n", "\n"},
		"too long":     {strings.Repeat("x", 73) + "\n", "\n", " \n"},
		"end of input": {"\x04"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "htpasswd")
			s := start(t, "user", "add", "elton", "-f", file)
			for n, line := range typed {
				s.await("New password", n+1)
				s.typeText(line)
			}
			require.Equal(t, int(exitPassword), s.exit("xxx"), s.seen())
			assert.NoFileExists(t, file)
		})
	}
}

func TestCtrlCAtThePrompt(t *testing.T) {
	for name, interrupt := range map[string]func(*session){
		"typed":   func(s *session) { s.typeText("d0ck\x03") },
		"quit":    func(s *session) { s.typeText("d0ck\x1c") },
		"SIGTERM": func(s *session) { _ = s.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "htpasswd")
			s := start(t, "user", "add", "elton", "-f", file)
			s.await("New password", 1)
			interrupt(s)
			require.Equal(t, int(exitInterrupted), s.exit("d0ck"), s.seen())
			assert.Contains(t, s.seen(), "registryctl: interrupted")
			assert.NoFileExists(t, file)
		})
	}
}

// A hash at a high cost takes seconds, in which a Ctrl-C is heard as well.
func TestCtrlCWhileHashing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	s := start(t, "user", "add", "elton", "--cost", "17", "-f", file)
	s.await("New password", 1)
	s.typeText("d0cker\n")
	s.await("Repeat", 1)
	s.typeText("d0cker\n")
	require.Eventually(t, s.echo, 10*time.Second, time.Millisecond)
	begun := time.Now()
	s.typeText("\x03")
	require.Equal(t, int(exitInterrupted), s.exit("d0cker"), s.seen())
	assert.Less(t, time.Since(begun), 5*time.Second, "cost 17 takes 8 s")
	assert.NoFileExists(t, file)
}
