package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// The whole way: a user is added to the Secret, the kubelet projects it into the
// volume of a registry that runs, and the user logs in with docker.
func TestDockerLogin(t *testing.T) {
	testserver.Need(t, "docker", "registry")
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.kubectl(t, "create", "secret", "generic", "registry-auth", "-n", namespace, "--from-literal=haSharedSecret=other", "--from-literal=htpasswd=")
	config := c.kubeconfig(t, c.url, adminToken, namespace)
	volume := t.TempDir()
	c.project(t, namespace, volume)
	registry := testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Htpasswd: filepath.Join(volume, "htpasswd")})

	login := func(user, password string) (said string, err error) {
		cmd := exec.CommandContext(t.Context(), "docker", "--config", t.TempDir(), "login", registry.Addr, "-u", user, "--password-stdin")
		cmd.Stdin = strings.NewReader(password)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Setenv("PW", "d0cker")
	edit := func(args ...string) {
		t.Helper()
		status, stderr := plugin(t, config, args...)
		require.Zero(t, status, stderr)
		c.project(t, namespace, volume)
	}

	// Before the kubelet has been there.
	status, stderr := plugin(t, config, "add", "elton", "--password-env", "PW")
	require.Zero(t, status, stderr)
	status, stderr = plugin(t, config, "verify", "elton", "--password-env", "PW", "--registry", registry.URL)
	assert.Equal(t, 3, status)
	assert.Regexp(t, `refuses "elton"; secret `+namespace+`/registry-auth lets them in\n  hint: the Pod of a registry sees an edit within a minute`, stderr)

	// With --wait the answer comes when the kubelet has been there.
	status, stderr = plugin(t, config, "add", "gordon", "--password-env", "PW")
	require.Zero(t, status, stderr)
	projected := make(chan struct{})
	go func() {
		defer close(projected)
		time.Sleep(2 * time.Second) // what is asked before is refused
		c.project(t, namespace, volume)
	}()
	status, stderr = plugin(t, config, "verify", "gordon", "--password-env", "PW", "--registry", registry.URL, "--wait", "2m")
	assert.Zero(t, status, stderr)
	assert.Contains(t, stderr, "waiting up to 2m0s for "+registry.URL+" to let \"gordon\" in\n")
	<-projected

	edit("add", "elton", "--update", "--password-env", "PW")
	status, stderr = plugin(t, config, "verify", "elton", "--password-env", "PW", "--registry", registry.URL)
	assert.Zero(t, status, stderr)
	said, err := login("elton", "d0cker")
	require.NoError(t, err, said)
	assert.Contains(t, said, "Login Succeeded")

	edit("rename", "elton", "francis")
	said, err = login("elton", "d0cker")
	require.Error(t, err, said)
	said, err = login("francis", "d0cker")
	require.NoError(t, err, said)
}

// project writes the Secret into the volume as the kubelet does: the files into a
// folder of that time, which a link is swapped to that the files are seen through.
func (c *cluster) project(t *testing.T, namespace, volume string) {
	t.Helper()
	var object struct{ Data map[string]string }
	require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, "get", "secret", "registry-auth", "-n", namespace, "-o", "json")), &object))
	folder := time.Now().Format("..2006_01_02_15_04_05.000000000")
	require.NoError(t, os.Mkdir(filepath.Join(volume, folder), 0o755))
	for key, value := range object.Data {
		text, err := base64.StdEncoding.DecodeString(value)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(volume, folder, key), text, 0o644))
	}
	old, err := os.Readlink(filepath.Join(volume, "..data"))
	first := err != nil
	require.NoError(t, os.Symlink(folder, filepath.Join(volume, "..data_tmp")))
	require.NoError(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
	if !first {
		require.NoError(t, os.RemoveAll(filepath.Join(volume, old)))
		return
	}
	for key := range object.Data {
		require.NoError(t, os.Symlink(filepath.Join("..data", key), filepath.Join(volume, key)))
	}
}
