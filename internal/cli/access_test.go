package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the flags say of the users' file, they say of the access file beside it.
func TestGrantInPlace(t *testing.T) {
	dir := t.TempDir()
	users, rights := filepath.Join(dir, "users.htpasswd"), filepath.Join(dir, "users.access")
	require.NoError(t, os.WriteFile(users, nil, 0o600))
	require.NoError(t, os.WriteFile(rights, nil, 0o600))
	before, err := os.Stat(rights)
	require.NoError(t, err)
	var out, errOut bytes.Buffer
	require.Zero(t, Main([]string{program, "access", "grant", "elton", "pull", "**", "--in-place", "-f", users}, nil, &out, &errOut), errOut.String())
	after, err := os.Stat(rights)
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after))
	assert.Positive(t, after.Size())
}
