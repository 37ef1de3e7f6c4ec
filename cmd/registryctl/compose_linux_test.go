package main_test

import (
	"context"
	"fmt"
	"net"
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

// TestCompose runs the Compose example as it is, but for the images, which are built
// here, and the ports.
func TestCompose(t *testing.T) {
	testserver.Need(t, "docker", "docker-compose", "registry", "go")
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine: %s", out)
	}
	e := engine{t, t.TempDir(), t.TempDir()}
	registryPort, tokenPort := freePort(t), freePort(t)
	name := fmt.Sprintf("registryctl-test-%d", os.Getpid())
	example, err := os.ReadFile("../../testdata/compose/compose.yaml")
	require.NoError(t, err)
	text := strings.NewReplacer("5000:5000", registryPort+":5000", "5001:5001", tokenPort+":5001", "localhost:5001", "localhost:"+tokenPort,
		"ghcr.io/registryctl/registryctl", name+"/registryctl", "registry:3", name+"/registry").Replace(string(example))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "compose.yaml"), []byte(text), 0o600))

	// The images.
	content := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(content, "registryctl"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	registry, err := exec.LookPath("registry")
	require.NoError(t, err)
	copyFile(t, registry, filepath.Join(content, "registry"))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(content, name), []byte(text), 0o600))
	}
	write("config.yml", "version: 0.1\nstorage: {filesystem: {rootdirectory: /data}}\nhttp: {addr: \":5000\"}\n")
	image := func(tag, dockerfile string) {
		write("Dockerfile", "FROM scratch\n"+dockerfile)
		e.ok("docker", "build", "-q", "-t", tag, content)
		t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", tag).Run() })
	}
	image(name+"/registryctl", "COPY registryctl /usr/bin/\nENTRYPOINT [\"/usr/bin/registryctl\"]\nWORKDIR /\n")
	image(name+"/registry", "COPY registry config.yml /\nENV OTEL_TRACES_EXPORTER=none\nENTRYPOINT [\"/registry\", \"serve\", \"/config.yml\"]\n")
	hello := "localhost:" + registryPort + "/labs/hello"
	image(hello, "COPY config.yml /\n")

	// What a person types.
	compose := []string{"docker-compose", "-p", name, "-f", "compose.yaml"}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(e.run(append(compose, "logs")...))
		}
		_, _ = e.run(append(compose, "down", "--timeout", "2", "--volumes")...)
	})
	ctl := func(stdin string, args ...string) {
		e.okWith(stdin, append([]string{"docker", "run", "--rm", "-i", "-v", filepath.Join(e.dir, "auth") + ":/auth", name + "/registryctl"}, args...)...)
	}
	ctl("d0cker123", "user", "add", "elton", "--password-stdin", "--cost", "4")
	ctl("r3gL4b123", "user", "add", "francis", "--password-stdin", "--cost", "4")
	ctl("", "access", "grant", "elton", "all", "**")
	ctl("", "access", "grant", "francis", "pull", "labs/**")
	e.ok(append(compose, "up", "-d", "tokens")...)
	require.Eventually(t, func() bool {
		info, err := os.Stat(filepath.Join(e.dir, "auth", "token.crt"))
		return err == nil && info.Size() > 0
	}, 20*time.Second, 20*time.Millisecond)
	e.ok(append(compose, "up", "-d")...)
	require.Eventually(t, func() bool {
		_, err := e.runWith("d0cker123", "docker", "login", "-u", "elton", "--password-stdin", "localhost:"+registryPort)
		return err == nil
	}, 20*time.Second, 100*time.Millisecond)
	e.ok("docker", "push", hello)

	e.ok("docker", "logout", "localhost:"+registryPort)
	said, err := e.run("docker", "pull", hello)
	assert.Error(t, err, "without a login")
	assert.Regexp(t, "denied|unauthorized", said)
	e.okWith("r3gL4b123", "docker", "login", "-u", "francis", "--password-stdin", "localhost:"+registryPort)
	e.ok("docker", "rmi", hello)
	e.ok("docker", "pull", hello)
	e.ok("docker", "tag", hello, hello+":other")
	defer func() { _, _ = e.run("docker", "rmi", "-f", hello+":other") }()
	said, err = e.run("docker", "push", hello+":other")
	assert.Error(t, err, "francis may only pull")
	assert.Regexp(t, "denied|unauthorized", said)
}

// An engine is docker, with a directory to work in and one for its credentials.
type engine struct {
	t           *testing.T
	dir, config string
}

func (e engine) run(args ...string) (string, error) { return e.runWith("", args...) }

func (e engine) runWith(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+e.config, "DOCKER_BUILDKIT=0")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (e engine) ok(args ...string) { e.t.Helper(); e.okWith("", args...) }

func (e engine) okWith(stdin string, args ...string) {
	e.t.Helper()
	out, err := e.runWith(stdin, args...)
	require.NoError(e.t, err, "%q: %s", args, out)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o755))
}
