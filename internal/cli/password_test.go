package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// No password is set that nobody could see.
func TestGenerateWithoutOutput(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, out := range []*os.File{null, closed} {
		file := create(t, "elton:"+exampleHash+"\n")
		var said strings.Builder
		status := Main([]string{program, "user", "passwd", "elton", "--generate", "--cost", "4", "-f", file}, nil, out, &said)
		assert.Equal(t, int(exitIO), status, said.String())
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "elton:"+exampleHash+"\n", string(text))
	}
}

// The variable of --password-env is gone as soon as the flag is read.
func TestPasswordEnvIsRemoved(t *testing.T) {
	t.Setenv("PW", "d0cker")
	var e envFlag
	require.NoError(t, e.Set("PW"))
	assert.Equal(t, envFlag{"PW", "d0cker", true}, e)
	_, found := os.LookupEnv("PW")
	assert.False(t, found)
}
