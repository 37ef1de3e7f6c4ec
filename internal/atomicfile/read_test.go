package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	_, err := Read(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, size := range []int{0, 1, 32 << 10, 5_000_001} {
		want := strings.Repeat("1234567", size/7+1)[:size]
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		text, err := Read(path)
		require.NoError(t, err)
		assert.True(t, want == text, "%d bytes", size)
	}
}
