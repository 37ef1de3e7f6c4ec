package tokens

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenCA(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token.key")
	// Servers that start at once.
	cas := make([]*CA, 8)
	var wg sync.WaitGroup
	for i := range cas {
		wg.Go(func() {
			var err error
			cas[i], err = OpenCA(t.Context(), file)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	for _, ca := range cas {
		require.NotNil(t, ca)
		assert.True(t, ca.key.Equal(cas[0].key))
		assert.True(t, ca.cert.Equal(cas[0].cert))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		mode := map[string]os.FileMode{"token.key": 0o600, "token.crt": 0o644}[e.Name()]
		if mode == 0 {
			assert.NotContains(t, []string{".crt", ".pem", ".key"}, filepath.Ext(e.Name()))
		} else if runtime.GOOS != "windows" {
			assert.Equal(t, mode, info.Mode().Perm(), e.Name())
		}
	}

	// The certificate can be made anew: tokens of both are good for both.
	require.NoError(t, os.Remove(CertFile(file)))
	again, err := OpenCA(t.Context(), file)
	require.NoError(t, err)
	assert.True(t, again.key.Equal(cas[0].key))
	assert.Equal(t, cas[0].cert.RawSubject, again.cert.RawSubject)

	other := filepath.Join(t.TempDir(), "token.key")
	_, err = OpenCA(t.Context(), other)
	require.NoError(t, err)
	require.NoError(t, os.Rename(other, file))
	_, err = OpenCA(t.Context(), file)
	assert.EqualError(t, err, CertFile(file)+" does not belong to "+file+": remove it, and it is created again")
	for _, text := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err = OpenCA(t.Context(), file)
		assert.ErrorContains(t, err, file+": want ", "%q", text)
	}
	_, err = OpenCA(t.Context(), filepath.Join(dir, "none", "token.key"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
