package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/gen/man"
	"github.com/registryctl/registryctl/internal/testserver"
)

// Every command has a manual page, which the program that shows it takes as it is.
func TestManPages(t *testing.T) {
	testserver.Need(t, "man")
	dir := t.TempDir()
	root := newProgram().Commands()
	require.NoError(t, man.Write(root, dir))
	pages, err := filepath.Glob(filepath.Join(dir, "kubectl-registryctl*.1"))
	require.NoError(t, err)
	assert.Len(t, pages, len(root.Commands())) // one of the program itself, and none of help
	for _, page := range pages {
		cmd := exec.Command("man", "--warnings=w", "--local-file", page)
		cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80")
		shown, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", shown)
		assert.NotContains(t, string(shown), "warning:", page)
		assert.Contains(t, string(shown), "--kubeconfig", page)
	}
}
