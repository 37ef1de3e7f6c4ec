package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// TestTokensExample applies testdata/kubernetes/tokens.yaml, and starts the programs of
// its Pods as the kubelet would, but for the image, the ports and TLS.
func TestTokensExample(t *testing.T) {
	testserver.Need(t, "registry", "crane")
	c := startCluster(t)
	namespace := c.newNamespace(t)
	program := testserver.Build(t)
	dir := t.TempDir()
	registryctl := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	registryctl("d0cker12", "user", "add", "elton", "--password-stdin", "--cost", "4")
	registryctl("r3gL4b12", "user", "add", "francis", "--password-stdin", "--cost", "4")
	registryctl("", "access", "grant", "elton", "all", "**")
	registryctl("", "access", "grant", "francis", "pull", "labs/**")
	stop := startServe(t, exec.Command(program, "serve", "--listen", "127.0.0.1:0"), dir)
	stop() // it has created the key

	create := []string{"create", "secret", "generic", "registry-auth", "-n", namespace}
	for _, name := range []string{"registry.htpasswd", "registry.access", "token.key", "token.crt"} {
		create = append(create, "--from-file="+filepath.Join(dir, "auth", name))
	}
	c.kubectl(t, create...)
	c.kubectl(t, "apply", "-n", namespace, "-f", filepath.Join("..", "..", "testdata", "kubernetes", "tokens.yaml"))
	port := testserver.FreePort(t)
	settings := strings.NewReplacer("https://registry.example.com", "http://localhost:"+port, ":5001", "127.0.0.1:"+port)

	tokens, volume := c.container(t, namespace, "registry-tokens")
	for i := range tokens.Args {
		tokens.Args[i] = strings.Replace(settings.Replace(tokens.Args[i]), "/auth/", volume+"/", 1)
	}
	startServe(t, exec.Command(program, tokens.Args...), dir)
	registry, volume := c.container(t, namespace, "registry")
	var env []string
	for _, v := range registry.Env {
		env = append(env, v.Name+"="+strings.Replace(settings.Replace(v.Value), "/auth/", volume+"/", 1))
	}
	server := testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Env: env})

	config, image := t.TempDir(), server.Addr+"/labs/hello"
	crane := func(args ...string) error {
		cmd := exec.CommandContext(t.Context(), "crane", args...)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config)
		out, err := cmd.CombinedOutput()
		t.Logf("crane %s: %s", args[0], out)
		return err
	}
	layer := filepath.Join(dir, "layer.tar")
	require.NoError(t, os.WriteFile(layer, make([]byte, 1024), 0o600)) // an empty archive
	require.NoError(t, crane("auth", "login", server.Addr, "-u", "elton", "-p", "d0cker12"))
	require.NoError(t, crane("append", "-f", layer, "-t", image))
	require.NoError(t, crane("auth", "login", server.Addr, "-u", "francis", "-p", "r3gL4b12"))
	assert.NoError(t, crane("pull", image, filepath.Join(dir, "image.tar")))
	assert.Error(t, crane("append", "-f", layer, "-t", image+":denied"))
}

// A container is what the test takes from a manifest.
type container struct {
	Args []string
	Env  []struct{ Name, Value string }
}

// container returns the only container of a Deployment, and a directory with the
// files of its only volume, which is a Secret.
func (c *cluster) container(t *testing.T, namespace, name string) (only container, volume string) {
	t.Helper()
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []container
					Volumes    []struct {
						Secret struct {
							SecretName string
							Items      []struct{ Key string }
						}
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, "get", "deployment", name, "-n", namespace, "-o", "json")), &deployment))
	pod := deployment.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	require.Len(t, pod.Volumes, 1)
	source := pod.Volumes[0].Secret
	var secret struct{ Data map[string]string }
	require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, "get", "secret", source.SecretName, "-n", namespace, "-o", "json")), &secret))
	volume = t.TempDir()
	for key, value := range secret.Data {
		wanted := len(source.Items) == 0
		for _, item := range source.Items {
			wanted = wanted || item.Key == key
		}
		if wanted {
			text, err := base64.StdEncoding.DecodeString(value)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(volume, key), text, 0o440))
		}
	}
	return pod.Containers[0], volume
}

// startServe starts the token server, and returns when it answers. It is stopped by
// the returned function, or when the test ends.
func startServe(t *testing.T, cmd *exec.Cmd, dir string) (stop func()) {
	t.Helper()
	cmd.Dir = dir
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	settings := make([]byte, 4096)
	n, err := stdout.Read(settings)
	require.NoError(t, err)
	_, realm, _ := strings.Cut(string(settings[:n]), "REALM=")
	realm, _, _ = strings.Cut(realm, "\n")
	testserver.AwaitOK(t, strings.TrimSuffix(realm, "token")+"healthz")
	return stop
}
