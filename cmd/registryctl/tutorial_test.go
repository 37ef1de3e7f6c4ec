package main_test

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// TestLab walks through the tutorial that registryctl replaces an Apache
// container in: two users in auth/registry.htpasswd, a registry with TLS that
// reads it, docker login, push and pull, and what those without a password
// get to see.
func TestLab(t *testing.T) {
	for _, program := range testserver.Registries {
		t.Run(program, func(t *testing.T) {
			testserver.Need(t, program, "docker", "crane")
			l := lab{dir: t.TempDir(), program: testserver.Build(t), cert: testserver.NewCertificate(t)}

			l.registryctl(t, "d0cker", "user", "add", "elton", "--password-stdin")
			l.registryctl(t, "r3gL4b", "user", "add", "francis", "--password-stdin")
			l.reg = testserver.StartRegistry(t, program, testserver.RegistryConfig{
				Htpasswd: filepath.Join(l.dir, "auth", "registry.htpasswd"),
				Realm:    "Registry Realm",
				TLS:      l.cert,
			})

			t.Run("docker login", l.testDockerLogin)
			t.Run("push and pull", l.testPushAndPull)
			t.Run("no credentials", l.testNoCredentials)
			t.Run("running registry", l.testRunningRegistry)
		})
	}
}

type lab struct {
	dir     string // the folder that the tutorial is followed in
	program string // registryctl
	cert    *testserver.Certificate
	reg     *testserver.Registry
}

// image is what the lab pushes.
const image = "labs/hello-world"

func (l lab) testDockerLogin(t *testing.T) {
	for _, user := range []struct{ name, password string }{{"elton", "d0cker"}, {"francis", "r3gL4b"}} {
		out, err := l.dockerLogin(t, t.TempDir(), user.name, user.password)
		require.NoError(t, err, out)
		assert.Contains(t, out, "Login Succeeded")
	}
	for _, user := range []struct{ name, password string }{
		{"elton", "docker"},   // wrong password
		{"elton", "r3gL4b"},   // somebody else's
		{"gordon", "d0cker"},  // unknown user
		{"Francis", "r3gL4b"}, // names are told apart by case
	} {
		out, err := l.dockerLogin(t, t.TempDir(), user.name, user.password)
		require.Error(t, err, out)
		assert.Contains(t, out, "401 Unauthorized")
	}
}

func (l lab) testPushAndPull(t *testing.T) {
	config := t.TempDir()
	out, err := l.dockerLogin(t, config, "elton", "d0cker")
	require.NoError(t, err, out)

	layer := filepath.Join(t.TempDir(), "layer.tar")
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: 5}))
	_, err = io.WriteString(w, "world")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(layer, text.Bytes(), 0o600))

	ref := l.reg.Addr + "/" + image
	out, err = l.crane(t, config, "append", "-f", layer, "-t", ref)
	require.NoError(t, err, out)
	pulled := filepath.Join(t.TempDir(), "pulled.tar")
	out, err = l.crane(t, config, "export", ref, pulled)
	require.NoError(t, err, out)

	f, err := os.Open(pulled)
	require.NoError(t, err)
	defer f.Close()
	r := tar.NewReader(f)
	header, err := r.Next()
	require.NoError(t, err)
	assert.Equal(t, "hello", header.Name)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "world", string(content))
}

// Who has no password does not even learn which repositories there are.
func (l lab) testNoCredentials(t *testing.T) {
	const absent = "labs/never-pushed"
	pull := func(repository string) string {
		out, err := l.crane(t, t.TempDir(), "export", l.reg.Addr+"/"+repository, filepath.Join(t.TempDir(), "pulled.tar"))
		require.Error(t, err, out)
		assert.Contains(t, out, "UNAUTHORIZED")
		return strings.ReplaceAll(out, repository, "REPOSITORY")
	}
	assert.Equal(t, pull(image), pull(absent))

	get := func(repository string) (int, http.Header, string) {
		resp, err := l.reg.Client.Get(l.reg.URL + "/v2/" + repository + "/manifests/latest")
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, differs := range []string{"Date", "Content-Length"} { // the length that of the name
			resp.Header.Del(differs)
		}
		return resp.StatusCode, resp.Header, strings.ReplaceAll(string(body), repository, "REPOSITORY")
	}
	status, header, body := get(image)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, `Basic realm="Registry Realm"`, header.Get("WWW-Authenticate"))
	absentStatus, absentHeader, absentBody := get(absent)
	assert.Equal(t, status, absentStatus)
	assert.Equal(t, header, absentHeader)
	assert.Equal(t, body, absentBody)
}

// An edit counts from the next request on: the registry is not restarted.
func (l lab) testRunningRegistry(t *testing.T) {
	const in, out = http.StatusOK, http.StatusUnauthorized

	assert.Equal(t, out, l.reg.Login(t, "gordon", "wh4le"))
	l.registryctl(t, "wh4le", "user", "add", "gordon", "--password-stdin")
	assert.Equal(t, in, l.reg.Login(t, "gordon", "wh4le"))

	assert.Equal(t, in, l.reg.Login(t, "francis", "r3gL4b"))
	l.registryctl(t, "n3wL4b", "user", "passwd", "francis", "--password-stdin")
	assert.Equal(t, out, l.reg.Login(t, "francis", "r3gL4b"))
	assert.Equal(t, in, l.reg.Login(t, "francis", "n3wL4b"))

	l.registryctl(t, "", "user", "remove", "gordon")
	assert.Equal(t, out, l.reg.Login(t, "gordon", "wh4le"))

	assert.Equal(t, in, l.reg.Login(t, "elton", "d0cker"), "whom no edit named")
}

// registryctl runs it in the lab's folder, on the file that it takes by
// default there. It has to succeed.
func (l lab) registryctl(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), l.program, args...)
	cmd.Dir = l.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REGISTRY_") })
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "registryctl %q:\n%s", args, out)
}

// dockerLogin keeps the credentials in the folder config. It uses no daemon,
// even if there is one: that would not know the certificate.
func (l lab) dockerLogin(t *testing.T, config, user, password string) (string, error) {
	cmd := l.client(t, config, "docker", "login", "--username", user, "--password-stdin", l.reg.Addr)
	cmd.Env = append(cmd.Env, "DOCKER_HOST=unix://"+filepath.Join(l.dir, "no-daemon.sock"))
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l lab) crane(t *testing.T, config string, args ...string) (string, error) {
	out, err := l.client(t, config, "crane", args...).CombinedOutput()
	return string(out), err
}

// client is a client of the registry with nothing but what is given: its
// certificate, and the credentials in config.
func (l lab) client(t *testing.T, config, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+l.cert.CertFile, "DOCKER_CONFIG="+config)
	return cmd
}
