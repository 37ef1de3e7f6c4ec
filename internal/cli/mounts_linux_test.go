package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is behind a link to a mount is on the mount.
func TestLostWithContainerThroughALink(t *testing.T) {
	marks := containerMarks
	t.Cleanup(func() { containerMarks = marks })
	containerMarks = []string{"absent", "/"}
	link := filepath.Join(t.TempDir(), "mount")
	require.NoError(t, os.Symlink("/proc", link))
	for _, file := range []string{"version", "absent", "absent/htpasswd"} {
		assert.Empty(t, lostWithContainer(filepath.Join(link, file)))
	}
}
