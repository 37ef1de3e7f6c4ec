package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A large file is read in parts, and comes out as one.
func TestReadOfALargeFile(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 5_000_001} {
		want := strings.Repeat("1234567", size/7+1)[:size]
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		text, err := Read(path)
		require.NoError(t, err)
		require.True(t, want == string(text), "%d bytes", size)
	}
}

// The file can be cut between the look at its size and the reading.
func TestFillFromAShorterFile(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	for _, size := range []int{0, 1, 1_500_000, 2_000_000, 2_999_999} {
		want := bytes.Repeat([]byte("1234567"), size/7+1)[:size]
		text := make([]byte, 3_200_000)
		n, err := fill(bytes.NewReader(want), text)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, text[:n]), "%d bytes", size)
	}
}

func TestFillFails(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	broken := errors.New("broken disk")
	n, err := fill(brokenReader{broken}, make([]byte, 3_200_000))
	assert.ErrorIs(t, err, broken)
	assert.Zero(t, n)
}

// A brokenReader reads the first part and no other.
type brokenReader struct{ err error }

func (r brokenReader) ReadAt(b []byte, at int64) (int, error) {
	if at > 0 {
		return 0, r.err
	}
	return len(b), nil
}
