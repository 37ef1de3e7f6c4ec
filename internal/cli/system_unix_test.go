//go:build unix

package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestNoCoreDumps(t *testing.T) {
	var before, after unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &before))
	if before.Max == 0 {
		t.Skip("core dumps are disabled here")
	}
	before.Cur = before.Max
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_CORE, &before))
	runMain(t, "version")
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &after))
	assert.Zero(t, after.Cur)
}
