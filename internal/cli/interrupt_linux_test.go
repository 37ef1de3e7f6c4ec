package cli

import (
	"os"
	"os/exec"
	"path/filepath"
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
