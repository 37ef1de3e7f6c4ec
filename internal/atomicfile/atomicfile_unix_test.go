//go:build unix

package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A relative link starts from the folder it is really in, not from the one that
// its path names.
func TestResolveThroughALinkedFolder(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o700))
	want := filepath.Join(root, "a/x")
	require.NoError(t, os.WriteFile(want, nil, 0o600))
	require.NoError(t, os.Symlink("../x", filepath.Join(root, "a/b/file")))
	require.NoError(t, os.Symlink("a/b", filepath.Join(root, "linked")))
	for _, path := range []string{"linked/file", "a/b/file", "linked/../b/file", "linked/../x"} {
		got, err := Resolve(root + "/" + path)
		require.NoError(t, err)
		resolved, err := os.Stat(got)
		require.NoError(t, err, got)
		wanted, err := os.Stat(want)
		require.NoError(t, err)
		assert.True(t, os.SameFile(wanted, resolved), "%s gives %s", path, got)
		require.NoError(t, Replace(got, wanted, 0o600, bytes.NewBufferString(path)))
		text, err := os.ReadFile(want)
		require.NoError(t, err)
		assert.Equal(t, path, string(text))
	}
}

// A lock file that is a second name of another file is not what it seems: that
// file stays whose it is.
func TestLockLeavesAHardLinkAlone(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	require.NoError(t, os.WriteFile(victim, nil, 0o600))
	require.NoError(t, os.Link(victim, filepath.Join(dir, ".file.lock")))
	unlock, err := Lock(t.Context(), path, 0o600)
	require.NoError(t, err)
	unlock()
	info, err := os.Stat(victim)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
