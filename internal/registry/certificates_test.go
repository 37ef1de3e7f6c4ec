package registry

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trust returns the certificate of a server as the authority to trust.
func trust(t *testing.T, s *server) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func certificatePEM(s *server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestRootsOfFile(t *testing.T) {
	s := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, s.URL)
	_, err := Roots(c.Address, filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(t.TempDir(), "registry.crt")
	require.NoError(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	_, err = Roots(c.Address, file)
	require.ErrorIs(t, err, ErrNoCertificate)

	require.NoError(t, os.WriteFile(file, certificatePEM(s), 0o600))
	c.Roots, err = Roots(c.Address, file)
	require.NoError(t, err)
	r, _ := ask(t, c)
	assert.Equal(t, Accepted, r.Outcome)
}

// What docker or podman trusts for a registry is trusted, for this one alone.
func TestRootsOfDocker(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("ProgramData", filepath.Join(home, "ProgramData"))
	s := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, s.URL)
	trusted := func() bool {
		var err error
		c.Roots, err = Roots(c.Address, "")
		require.NoError(t, err)
		r, _ := ask(t, c)
		return r.Outcome == Accepted
	}
	asked := 0
	for _, dir := range certificateDirs(c.Address) {
		if !strings.HasPrefix(dir, home) {
			continue // below /etc
		}
		asked++
		assert.False(t, trusted(), dir)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "directory.crt"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "client.cert"), certificatePEM(s), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a.crt"), []byte("no certificate"), 0o600))
		assert.False(t, trusted(), dir)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), certificatePEM(s), 0o600))
		assert.True(t, trusted(), dir)

		other, err := ParseAddress("localhost")
		require.NoError(t, err)
		pool, err := Roots(other, "")
		require.NoError(t, err)
		assert.False(t, pool.Equal(c.Roots), "trusted for another registry")
		require.NoError(t, os.RemoveAll(dir))
	}
	assert.GreaterOrEqual(t, asked, 2)
}

func TestCertificateDirs(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("ProgramData", `C:\ProgramData`)
	a, err := ParseAddress("https://registry.example:5000")
	require.NoError(t, err)
	var want []string
	switch runtime.GOOS {
	case "windows":
		want = []string{
			`C:\ProgramData\docker\certs.d\registry.example5000`,
			home + `\.docker\certs.d\registry.example5000`,
		}
	default:
		want = []string{
			"/etc/docker/certs.d/registry.example:5000",
			home + "/.docker/certs.d/registry.example:5000",
			home + "/.config/docker/certs.d/registry.example:5000",
			"/etc/containers/certs.d/registry.example:5000",
			home + "/.config/containers/certs.d/registry.example:5000",
		}
		if runtime.GOOS == "darwin" {
			want[0], want[1] = want[1], want[0]
		}
	}
	assert.Equal(t, want, certificateDirs(a))
	assert.Equal(t, want[0], DockerDirectory(a))
}

// Mozilla's authorities take the place of none, unless somebody has said which to trust.
func TestMozillaRoots(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", "")
	none, one := x509.NewCertPool(), trust(t, start(t, true, basic, basic))
	assert.Greater(t, len(orMozilla(none).Subjects()), 100) //nolint:staticcheck // not the system's pool
	assert.True(t, orMozilla(one).Equal(one))
	for _, variable := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "absent")
			assert.True(t, orMozilla(none).Equal(none))
		})
	}
}
