package cli

import (
	"bytes"
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
		_, err := htpasswd.FileStore{Path: file, Create: true}.Update(t.Context(), func(*htpasswd.File) error {
			close(holding)
			<-release
			return nil
		})
		assert.NoError(t, err)
	})
	<-holding
	var out, errOut bytes.Buffer
	status := Main([]string{program, "user", "add", "elton", "--generate", "--cost", "4", "--lock-timeout", "20ms", "-f", file}, nil, &out, &errOut)
	close(release)
	wg.Wait()
	require.Equal(t, int(exitIO), status)
	assert.Empty(t, out.String(), "no password that was not set")
	assert.Contains(t, errOut.String(), "registryctl: cannot add \"elton\": "+file+" was still locked after 20ms\n")
	assert.Contains(t, errOut.String(), "--lock-timeout waits longer")
	assert.NoFileExists(t, file)
}
