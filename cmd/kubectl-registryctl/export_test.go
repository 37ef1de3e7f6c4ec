package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// A file becomes a Secret by "user export", which the plugin goes on with.
func TestExportedSecret(t *testing.T) {
	c := startCluster(t)
	t.Setenv("KUBECONFIG", c.kubeconfig(t, c.url, adminToken, c.newNamespace(t)))
	file := filepath.Join(t.TempDir(), "htpasswd")
	do := func(stdin string, args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		require.NoError(t, err, "%q", args)
		return string(out)
	}
	registryctl := testserver.Build(t)
	do("", registryctl, "user", "add", "elton", "--hash", hash, "-f", file)
	manifest := do("", registryctl, "user", "export", "--as", "secret", "--name", "users", "-f", file)
	do(manifest, "kubectl", "apply", "--server-side", "--validate=strict", "-f", "-")
	assert.Equal(t, "elton\n", run(t, "list", "-o", "name", "--secret", "users"))
}
