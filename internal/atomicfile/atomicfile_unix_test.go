//go:build linux || darwin || freebsd

package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// to is an edit that makes the text of a file another one.
func to(text string) func(string) (io.WriterTo, error) {
	return func(string) (io.WriterTo, error) { return strings.NewReader(text), nil }
}

// A relative link starts from the directory it is really in, not from the one that
// its path names.
func TestUpdateThroughALinkedDirectory(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o700))
	want := filepath.Join(root, "a/x")
	require.NoError(t, os.WriteFile(want, nil, 0o600))
	require.NoError(t, os.Symlink("../x", filepath.Join(root, "a/b/file")))
	require.NoError(t, os.Symlink("a/b", filepath.Join(root, "linked")))
	t.Chdir(root)
	for _, dir := range []string{root + "/", ""} {
		for _, path := range []string{"linked/file", "a/b/file", "linked/../b/file", "linked/../x", "./a//b/./../x"} {
			changed, err := Update(t.Context(), dir+path, Options{}, to(path))
			require.NoError(t, err, path)
			assert.True(t, changed)
			text, err := os.ReadFile(want)
			require.NoError(t, err)
			assert.Equal(t, path, string(text))
		}
	}
}

// A lock file that is a second name of another file is not what it seems: that
// file stays as it is.
func TestLockLeavesAHardLinkAlone(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	require.NoError(t, os.Chmod(path, 0o666))
	require.NoError(t, os.WriteFile(victim, nil, 0o600))
	require.NoError(t, os.Link(victim, filepath.Join(dir, ".file.lock")))
	_, err := Update(t.Context(), path, Options{}, to("text"))
	require.NoError(t, err)
	info, err := os.Stat(victim)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
