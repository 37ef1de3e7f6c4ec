package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// A client logs in by what a pull secret holds, as the kubelet gives it to one.
func TestPullSecret(t *testing.T) {
	testserver.Need(t, "crane", "registry")
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.kubectl(t, "create", "secret", "generic", "registry-auth", "-n", namespace, "--from-literal=htpasswd=")
	config := c.kubeconfig(t, c.url, adminToken, namespace)
	volume, client := t.TempDir(), t.TempDir()
	c.project(t, namespace, volume)
	registry := testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Htpasswd: filepath.Join(volume, "htpasswd")})

	status, stderr := plugin(t, config, "add", "robot", "--generate", "--cost", "4", "--pull-secret", "pull", "--registry", registry.Addr)
	require.Zero(t, status, stderr)
	c.project(t, namespace, volume)
	login := c.kubectl(t, "get", "secret", "pull", "-n", namespace, "-o", `go-template={{index .data ".dockerconfigjson" | base64decode}}`)
	require.NoError(t, os.WriteFile(filepath.Join(client, "config.json"), []byte(login), 0o600))
	cmd := exec.CommandContext(t.Context(), "crane", "catalog", registry.Addr)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+client)
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}
