package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What waits for a pipe that nothing comes from ends with the first signal.
func TestInterruptWhileReading(t *testing.T) {
	for name, args := range map[string][]string{
		"password": {"user", "add", "elton", "--password-stdin"},
		"hash":     {"user", "add", "elton", "--hash", "-"},
		"file":     {"user", "list", "-f", "-"},
		"list":     {"user", "import"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(lookProgram(t), args...)
			cmd.Dir = t.TempDir()
			theirs, stdin, err := os.Pipe()
			require.NoError(t, err)
			defer theirs.Close()
			defer stdin.Close()
			cmd.Stdin = theirs
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			// Once it has taken what is in the pipe it waits for more.
			_, err = stdin.WriteString("x")
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				n, err := unix.IoctlGetInt(int(theirs.Fd()), unix.TIOCINQ)
				return err == nil && n == 0
			}, 10*time.Second, time.Millisecond)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			said := make([]byte, 100)
			n, _ := stderr.Read(said)
			_ = cmd.Wait()
			assert.Equal(t, int(exitInterrupted), cmd.ProcessState.ExitCode())
			assert.Equal(t, "registryctl: interrupted\n", string(said[:n]))
			assert.NoDirExists(t, filepath.Join(cmd.Dir, "auth"))
		})
	}
}

// So does what waits for somebody to open the other end of a named pipe.
func TestInterruptWhileOpening(t *testing.T) {
	for name, args := range map[string][]string{
		"password": {"user", "add", "elton", "--password-file", "pipe"},
		"ca-file":  {"user", "verify", "elton", "--registry", "localhost:1", "--ca-file", "pipe", "--password-stdin"},
		"list":     {"user", "import", "pipe"},
		"file":     {"user", "list", "-f", "pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(lookProgram(t), args...)
			cmd.Dir = t.TempDir()
			require.NoError(t, unix.Mkfifo(filepath.Join(cmd.Dir, "pipe"), 0o600))
			var said strings.Builder
			cmd.Stderr = &said
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			require.Eventually(t, func() bool {
				tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", cmd.Process.Pid))
				return slices.ContainsFunc(tasks, func(task string) bool { // it waits in open
					call, _ := os.ReadFile(task)
					return strings.HasPrefix(string(call), fmt.Sprintf("%d ", unix.SYS_OPENAT))
				})
			}, 10*time.Second, time.Millisecond)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			ended := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
			_ = cmd.Wait()
			ended.Stop()
			assert.Equal(t, int(exitInterrupted), cmd.ProcessState.ExitCode())
			assert.Equal(t, "registryctl: interrupted\n", said.String())
		})
	}
}
