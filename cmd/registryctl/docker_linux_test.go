package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// readmeLines are the lines of the first block of the README in a language that has
// this text.
func readmeLines(t *testing.T, language, has string) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, b := range readmeBlocks(string(readme)) {
		if b.language == language && strings.Contains(strings.Join(b.lines, "\n"), has) {
			return b.lines
		}
	}
	require.Fail(t, "not in the README", has)
	return nil
}

// TestFirstMinute follows the README from an empty directory to an image that is
// pushed and pulled, and to a user who is removed while the registry runs.
func TestFirstMinute(t *testing.T) {
	e := startEngine(t)
	program := testserver.Build(t)
	port := freePort(t)
	address := "localhost:" + port
	here := strings.NewReplacer("registry:3", e.registryImage(), "--name registry", "--name "+e.name,
		"-p 5000:5000", "-p 127.0.0.1:"+port+":5000", "localhost:5000", address)
	e.removed(e.name)
	typed := func(line string) string {
		status, seen := atTerminal(t, program, e.dir, "bash", "-c", here.Replace(line))
		require.Zero(t, status, "%s\n%s", line, seen)
		return seen
	}
	for _, line := range readmeLines(t, "sh", "docker run") {
		if strings.HasPrefix(line, "go install ") {
			continue // built already
		}
		seen := typed(line)
		switch {
		case strings.HasPrefix(line, "docker run "):
			e.awaitRegistry(port)
		case strings.HasPrefix(line, "docker login "):
			assert.Contains(t, seen, "Login Succeeded")
		}
	}

	hello := e.hello(address)
	e.ok("docker", "push", hello)
	e.ok("docker", "rmi", hello)
	e.ok("docker", "pull", hello)

	for _, line := range readmeLines(t, "sh", "user remove francis") {
		typed(line)
		err := e.login(address, "francis", "secret")
		if strings.Contains(line, " add ") {
			require.NoError(t, err)
			e.ok("docker", "pull", hello)
			continue
		}
		assert.ErrorContains(t, err, "401 Unauthorized")
		said, err := e.run("docker", "pull", hello)
		assert.Error(t, err)
		assert.Contains(t, said, "unauthorized: authentication required")
	}
	require.NoError(t, e.login(address, "elton", "secret"))
}
