package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/assert/yaml"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/testserver"
)

func exported(t *testing.T, file, format string) string {
	t.Helper()
	o := run(t, testserver.Build(t), "user", "export", "--as", format, "-f", file)
	require.Zero(t, o.status, o.stderr)
	return o.stdout
}

// A hash is not shown to whoever looks at the screen.
func TestExportOnTerminal(t *testing.T) {
	program := testserver.Build(t)
	file := create(t, line("elton"))
	status, seen := atTerminal(t, program, t.TempDir(), program, "user", "export", "--as", "compose", "-f", file)
	assert.Equal(t, 2, status)
	assert.Equal(t, "registryctl: the hashes of users are not printed on a terminal\r\n  hint: redirect the output to a file, or use --force\r\n", seen)
	status, seen = atTerminal(t, program, t.TempDir(), program, "user", "export", "--as", "compose", "--force", "-f", file)
	assert.Zero(t, status)
	assert.Contains(t, seen, "elton:$$2y$$")
}

// What Compose gives to a container is what the file says: as its environment, and as
// the label by which Traefik knows its users.
func TestExportForCompose(t *testing.T) {
	e := startEngine(t)
	lines := line("elton") + "francis:!" + hash + "\n" + line(`O'Hara $HOME ${X} "#1"`)
	file := create(t, lines)
	text := fmt.Sprintf("version: '3'\nservices:\n  users:\n    image: %s\n    environment:\n      USERS: |\n%s    labels:\n    %s",
		e.registryImage(), indented(exported(t, file, "compose")), exported(t, file, "traefik"))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "compose.yaml"), []byte(text), 0o600))
	compose := e.compose()
	e.ok(append(compose, "config", "-q")...)
	e.ok(append(compose, "up", "--no-start")...)
	var config struct {
		Env    []string
		Labels map[string]string
	}
	container := strings.TrimSpace(e.ok(append(compose, "ps", "-aq")...))
	require.NoError(t, json.Unmarshal([]byte(e.ok("docker", "inspect", "-f", "{{json .Config}}", container)), &config))
	assert.Contains(t, config.Env, "USERS="+lines)

	// As parser/element_fill.go of traefik/paerser 0.2.2 splits a list, and
	// pkg/middlewares/auth/basic_auth.go of Traefik 3.7 each user.
	users := ""
	for user := range strings.SplitSeq(config.Labels["traefik.http.middlewares.registry-htpasswd.basicauth.users"], ",") {
		require.Len(t, strings.Split(strings.TrimSpace(user), ":"), 2)
		users += strings.TrimSpace(user) + "\n"
	}
	assert.Equal(t, lines, users)
}

func indented(lines string) string {
	return "        " + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n        ") + "\n"
}

// As auth_server/authn/static_auth.go of docker_auth reads its users: by the exact
// name, and with bcrypt.
func TestExportForDockerAuth(t *testing.T) {
	names := []string{"elton", `"quoted"`, "<a> & b", "王小明", "no", "1"}
	lines := ""
	for _, name := range names {
		lines += line(name)
	}
	var config struct {
		Users map[string]struct{ Password string }
	}
	require.NoError(t, yaml.Unmarshal([]byte(exported(t, create(t, lines), "docker-auth")), &config))
	assert.Len(t, config.Users, len(names))
	for _, name := range names {
		assert.NoError(t, bcrypt.CompareHashAndPassword([]byte(config.Users[name].Password), []byte("secret")), name)
	}
}
