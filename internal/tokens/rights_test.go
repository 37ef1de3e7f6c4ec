package tokens

import (
	"fmt"
	"os"
	"path/filepath"
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
	old := time.Now().Add(-time.Minute)
	require.NoError(t, os.Chtimes(file, old, old))
	assert.True(t, may("elton"))
	r.readAt = old.Add(time.Second)
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
