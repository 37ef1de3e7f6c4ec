package tokens

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/access"
)

func TestRights(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.access")
	var reported []string
	r, err := OpenRights(file, func(err error) { reported = append(reported, fmt.Sprint(err)) })
	require.NoError(t, err)
	assert.False(t, r.Found())
	may := func(user string) bool { return r.Now().Find(user, access.Push, "a") != nil }
	write := func(text string) {
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	assert.True(t, may("elton"), "without a file everyone may do everything")
	assert.False(t, may(""))

	write("francis push a\n")
	assert.False(t, may("elton"))
	assert.True(t, may("francis"))
	assert.True(t, r.Found())

	// A bad file, and one that is gone, leave the last good text in force.
	write("francis write a\n")
	assert.False(t, may("elton"))
	assert.True(t, may("francis"))
	assert.Error(t, r.Err())
	require.NoError(t, os.Remove(file))
	assert.False(t, may("elton"))
	assert.True(t, may("francis"))
	assert.ErrorIs(t, r.Err(), os.ErrNotExist)

	write("elton push a\n")
	assert.True(t, may("elton"))
	assert.NoError(t, r.Err())
	assert.Len(t, reported, 4)
	assert.Equal(t, []string{"<nil>", file + ": line 1: unknown action: expected pull, push, delete or all"}, reported[:2])
	assert.Equal(t, "<nil>", reported[3])

	// Two edits within one tick of the clock look the same: what was read soon after
	// an edit is read once more.
	old := time.Now().Add(-2 * settle)
	require.NoError(t, os.Chtimes(file, old, old))
	assert.True(t, may("elton"))
	r.readAt = old.Add(settle / 2)
	r.rights = access.Unrestricted()
	assert.False(t, may("francis"))
	r.rights = access.Unrestricted()
	assert.True(t, may("francis"), "read a third time")

	write("elton\n")
	_, err = OpenRights(file, nil)
	assert.EqualError(t, err, file+": line 1: expected a user, an action and repositories")
	_, err = OpenRights(filepath.Dir(file), nil)
	assert.Error(t, err)
}

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
