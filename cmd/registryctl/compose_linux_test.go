package main

import (
	"os"
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
	e := startEngine(t)
	registryPort, tokenPort := testserver.FreePort(t), testserver.FreePort(t)
	ours := e.registryctlImage()
	example, err := os.ReadFile("../../testdata/compose/compose.yaml")
	require.NoError(t, err)
	text := strings.NewReplacer("5000:5000", "127.0.0.1:"+registryPort+":5000", "5001:5001", "127.0.0.1:"+tokenPort+":5001", "localhost:5001", "localhost:"+tokenPort,
		"ghcr.io/registryctl/registryctl", ours, "registry:3", e.registryImage()).Replace(string(example))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "compose.yaml"), []byte(text), 0o600))

	hello := e.hello("localhost:" + registryPort)

	compose := e.compose() // after the images, which can be removed only then
	ctl := func(stdin string, args ...string) {
		e.okWith(stdin, append([]string{"docker", "run", "--rm", "-i", "-v", filepath.Join(e.dir, "auth") + ":/auth", ours}, args...)...)
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
