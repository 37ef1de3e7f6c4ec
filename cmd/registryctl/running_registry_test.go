package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// Every edit counts from the very next request to a running registry, however
// fast one follows on another: who was added is let in, who was removed is not,
// and of two passwords only the later one is right.
func TestRunningRegistry(t *testing.T) {
	const rounds, editsEach = 60, 5
	for _, program := range testserver.Registries {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			file := create(t, line("bystander"))
			reg := testserver.StartRegistry(t, program, testserver.RegistryConfig{Htpasswd: file})
			stale := 0
			expect := func(status int, user, password string) {
				t.Helper()
				if !assert.Equal(t, status, reg.Login(t, user, password), "%s with %s", user, password) {
					stale++
				}
			}
			const in, out = http.StatusOK, http.StatusUnauthorized
			for round := range rounds {
				user, other := fmt.Sprint("user", round), fmt.Sprint("other", round)
				first, second := fmt.Sprint("first", round), fmt.Sprint("second", round)

				registryctl(t, "user", "add", user, "--hash", bcrypted(t, first), "-f", file)
				expect(in, user, first)
				registryctl(t, "user", "passwd", user, "--hash", bcrypted(t, second), "-f", file)
				expect(out, user, first)
				expect(in, user, second)
				// As long as before, to the byte, from here on.
				registryctl(t, "user", "rename", user, other, "-f", file)
				expect(out, user, second)
				expect(in, other, second)
				registryctl(t, "user", "passwd", other, "--hash", bcrypted(t, first), "-f", file)
				expect(out, other, second)
				expect(in, other, first)
				registryctl(t, "user", "remove", other, "-f", file)
				expect(out, other, first)
				expect(in, "bystander", "secret")
			}
			t.Logf("%d edits, %d stale logins", rounds*editsEach, stale)
		})
	}
}

// bcrypted is a hash of the password at the lowest cost.
func bcrypted(t *testing.T, password string) string {
	t.Helper()
	h, err := htpasswd.HashPassword([]byte(password), htpasswd.MinCost)
	require.NoError(t, err)
	return h.Encoded()
}
