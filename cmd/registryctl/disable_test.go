//go:build linux

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// No server lets a disabled user in, also with a new password, and every server does
// once the user is enabled.
func TestDisabledUser(t *testing.T) {
	type server interface {
		Login(t testing.TB, user, password string) int
	}
	for program, start := range map[string]func(t *testing.T, file string) server{
		"docker-registry": func(t *testing.T, file string) server {
			return testserver.StartRegistry(t, "docker-registry", testserver.RegistryConfig{Htpasswd: file})
		},
		"registry": func(t *testing.T, file string) server {
			return testserver.StartRegistry(t, "registry", testserver.RegistryConfig{Htpasswd: file})
		},
		"nginx":    func(t *testing.T, file string) server { return testserver.StartNginx(t, file) },
		"lighttpd": func(t *testing.T, file string) server { return testserver.StartLighttpd(t, file) },
		"apache2":  func(t *testing.T, file string) server { return testserver.StartApache(t, file) },
	} {
		t.Run(program, func(t *testing.T) {
			file := filepath.Join(testserver.WorkerDir(t), "htpasswd")
			require.NoError(t, os.WriteFile(file, []byte(line("elton")+line("francis")), 0o644))
			s := start(t, file)
			expect := func(elton int, password string) {
				t.Helper()
				assert.Equal(t, elton, s.Login(t, "elton", password))
				assert.Equal(t, http.StatusOK, s.Login(t, "francis", "secret"))
			}
			const in, out = http.StatusOK, http.StatusUnauthorized
			expect(in, "secret")
			registryctl(t, "user", "disable", "elton", "-f", file)
			expect(out, "secret")
			expect(out, "!")
			expect(out, "")
			registryctl(t, "user", "passwd", "elton", "--hash", bcrypted(t, "another"), "-f", file)
			expect(out, "another")
			registryctl(t, "user", "enable", "elton", "-f", file)
			expect(out, "secret")
			expect(in, "another")
		})
	}
}
