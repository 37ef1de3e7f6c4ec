package cli

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
)

// Who waits too long for another edit is told so, and nothing is changed.
func TestLockTimeout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		hash, err := htpasswd.ParseHash(exampleHash)
		assert.NoError(t, err)
		calls := 0
		_, err = htpasswd.FileStore{Path: file, Create: true}.Update(t.Context(), func(f *htpasswd.File) error {
			if calls++; calls == 1 { // without the lock; of another text it is called again with it
				return cmp.Or(f.Add("francis", hash), os.WriteFile(file, []byte("# changed\n"), 0o600))
			}
			close(holding)
			<-release
			return errors.New("not now")
		})
		assert.Error(t, err)
	})
	<-holding
	cmd := exec.Command(lookProgram(t), "user", "add", "elton", "--generate", "--cost", "4", "--lock-timeout", "20ms", "-f", file)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	close(release)
	wg.Wait()
	require.Equal(t, int(exitIO), cmd.ProcessState.ExitCode(), errOut.String())
	assert.Empty(t, out.String(), "no password that was not set")
	assert.Contains(t, errOut.String(), "registryctl: cannot add \"elton\": "+file+" was still locked after 20ms\n")
	assert.Contains(t, errOut.String(), "use --lock-timeout to wait longer")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "# changed\n", string(text))
}

// The time to wait for the lock of the access file is that of --lock-timeout, also if it
// is none.
func TestLockTimeoutOfAccessFile(t *testing.T) {
	for _, file := range []string{"htpasswd", "-"} {
		p := newRegistryctl()
		f := fileFlags{program: p, path: pathFlag(file)}
		users, err := f.open(OpenOptions{})
		require.NoError(t, err)
		r, err := openRights("rights", users)
		require.NoError(t, err)
		assert.Zero(t, r.timeout)
		assert.Equal(t, p, r.program)
	}
}
