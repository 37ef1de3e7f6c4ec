package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/registryctl/registryctl/internal/testserver"
)

// A client logs in by the docker config that "user add" and "user passwd" write, at
// each registry by its own.
func TestDockerConfig(t *testing.T) {
	testserver.Need(t, "crane")
	dir := t.TempDir()
	config := filepath.Join(dir, "config.json")
	files := make(map[string]string) // by address
	for _, program := range testserver.Registries {
		file := create(t, "")
		files[testserver.StartRegistry(t, program, testserver.RegistryConfig{Htpasswd: file}).Addr] = file
	}
	catalog := func(address string) error {
		cmd := exec.Command("crane", "catalog", address)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+dir)
		return cmd.Run()
	}
	for address, file := range files {
		assert.Error(t, catalog(address))
		registryctl(t, "user", "add", "robot", "--generate", "--cost", "4", "--docker-config", config, "--registry", address, "-f", file)
	}
	for address, file := range files {
		assert.NoError(t, catalog(address))
		registryctl(t, "user", "passwd", "robot", "--hash", hash, "-f", file)
		assert.Error(t, catalog(address))
		registryctl(t, "user", "passwd", "robot", "--generate", "--cost", "4", "--docker-config", config, "--registry", address, "-f", file)
	}
	for address := range files {
		assert.NoError(t, catalog(address))
	}
}
