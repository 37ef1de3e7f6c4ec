package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// An engine is Docker's, with a directory to work in, which is HOME too. All that a
// test makes in it has a name that begins with name, and is removed with the test.
type engine struct {
	t    *testing.T
	name string
	dir  string
}

// startEngine skips the test where there is no engine. With REQUIRE_PEERS=1 an engine
// that does not answer is a failure, but a machine need not have one. That of another
// machine is of no use, as it mounts other files: a container may have its socket.
func startEngine(t *testing.T) *engine {
	t.Helper()
	testserver.Need(t, "docker", "registry", "go")
	out, err := exec.Command("docker", "info", "-f", "{{.DockerRootDir}}").CombinedOutput()
	if err != nil {
		if _, err := os.Stat("/run/docker.pid"); err == nil {
			lack(t, "a Docker engine that answers")
		}
		t.Skipf("no Docker engine: %s", out)
	}
	if _, err := os.Stat(strings.TrimSpace(string(out))); err != nil {
		t.Skipf("no Docker engine on this machine: %v", err)
	}
	name := strings.ToLower(fmt.Sprintf("registryctl-%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid()))
	return &engine{t, name, t.TempDir()}
}

func (e *engine) run(args ...string) (string, error) { return e.runWith("", args...) }

func (e *engine) runWith(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "HOME="+e.dir, "DOCKER_CONFIG="+filepath.Join(e.dir, ".docker"), "DOCKER_BUILDKIT=0",
		"REGISTRY_AUTH_HTPASSWD_PATH=")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (e *engine) ok(args ...string) string { e.t.Helper(); return e.okWith("", args...) }

func (e *engine) okWith(stdin string, args ...string) string {
	e.t.Helper()
	out, err := e.runWith(stdin, args...)
	require.NoError(e.t, err, "%q: %s", args, out)
	return out
}

// compose is the command that stands for "docker compose", for this test's project in
// compose.yaml. The project is taken down when the test ends.
func (e *engine) compose() []string {
	e.t.Helper()
	command := []string{"docker", "compose"}
	if _, err := e.run("docker", "compose", "version"); err != nil {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			e.t.Skip("no Compose: neither docker compose nor docker-compose")
		}
		command = []string{"docker-compose"}
	}
	command = append(command, "-p", e.name, "-f", "compose.yaml")
	e.t.Cleanup(func() {
		if e.t.Failed() {
			log, _ := e.run(append(command, "logs", "--no-color")...)
			e.t.Log(log)
		}
		_, _ = e.run(append(command, "down", "--timeout", "2", "--volumes", "--remove-orphans")...)
	})
	return slices.Clip(command)
}

// removed removes a container and its volumes when the test ends.
func (e *engine) removed(container string) {
	e.t.Cleanup(func() {
		if e.t.Failed() {
			log, _ := e.run("docker", "logs", container)
			e.t.Logf("%s logged:\n%s", container, log)
		}
		_, _ = e.run("docker", "rm", "-f", "-v", container)
	})
}

// image builds an image that holds the programs and files in content alone.
func (e *engine) image(tag, content, dockerfile string) {
	e.t.Helper()
	require.NoError(e.t, os.WriteFile(filepath.Join(content, "Dockerfile"), []byte("FROM scratch\n"+dockerfile), 0o600))
	e.ok("docker", "build", "-q", "-t", tag, content)
	e.t.Cleanup(func() { _, _ = e.run("docker", "rmi", "-f", tag) })
}

// registryImage stands for registry:3.
func (e *engine) registryImage() string {
	e.t.Helper()
	content := e.t.TempDir()
	program, err := exec.LookPath("registry")
	require.NoError(e.t, err)
	copyFile(e.t, program, filepath.Join(content, "registry"))
	config := "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: \":5000\"}\n"
	require.NoError(e.t, os.WriteFile(filepath.Join(content, "config.yml"), []byte(config), 0o644))
	tag := e.name + "/registry"
	e.image(tag, content, "COPY registry config.yml /\nVOLUME /var/lib/registry\nENV OTEL_TRACES_EXPORTER=none\nENTRYPOINT [\"/registry\", \"serve\", \"/config.yml\"]\n")
	return tag
}

// registryctlImage is made by .ci/image, as that of a release is, and pulled by the
// engine. Both of its architectures hold the program of this machine.
func (e *engine) registryctlImage() string {
	e.t.Helper()
	testserver.Need(e.t, "bash", "crane", "git", "jq")
	root := e.t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		require.NoError(e.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(e.t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	write("LICENSE", "")
	write(".licenses/registryctl/THIRD_PARTY_LICENSES", "")
	write("dist/metadata.json", `{"version": "0.0.0", "commit": "0"}`)
	script, err := os.ReadFile("../../.ci/image")
	require.NoError(e.t, err)
	write(".ci/image", string(script))
	for _, platform := range []string{"amd64_v1", "arm64_v8.0"} {
		copyFile(e.t, testserver.Build(e.t), write("dist/registryctl_linux_"+platform+"/registryctl", ""))
	}
	e.ok("git", "-C", root, "init", "-q")
	e.ok("git", "-C", root, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "--allow-empty", "-m", "test")
	server := testserver.StartRegistry(e.t, "registry", testserver.RegistryConfig{})
	tag := server.Addr + "/" + e.name + "/registryctl:test"
	e.ok("bash", filepath.Join(root, ".ci/image"), filepath.Join(root, "dist"), tag)
	e.ok("docker", "pull", "-q", tag)
	e.t.Cleanup(func() { _, _ = e.run("docker", "rmi", "-f", tag) })
	return tag
}

// hello is an image to push to the registry at an address.
func (e *engine) hello(address string) string {
	e.t.Helper()
	content := e.t.TempDir()
	require.NoError(e.t, os.WriteFile(filepath.Join(content, "hello"), []byte(e.name), 0o600))
	tag := address + "/labs/hello"
	e.image(tag, content, "COPY hello /\n")
	return tag
}

// login logs docker in.
func (e *engine) login(address, user, password string) error {
	out, err := e.runWith(password, "docker", "login", "--username", user, "--password-stdin", address)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// awaitRegistry waits until the registry on a port of this machine asks for a password.
func (e *engine) awaitRegistry(port string) {
	e.t.Helper()
	require.Eventually(e.t, func() bool {
		resp, err := http.Get("http://localhost:" + port + "/v2/")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusUnauthorized
	}, time.Minute, 100*time.Millisecond)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o755))
}
