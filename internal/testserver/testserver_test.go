package testserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder notes how a test would have ended.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Skipf(f string, args ...any)  { r.end = "skip: " + fmt.Sprintf(f, args...) }
func (r *recorder) Fatalf(f string, args ...any) { r.end = "fail: " + fmt.Sprintf(f, args...) }

func TestNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("-short is about other programs")
	}
	self, err := os.Executable()
	require.NoError(t, err)

	for _, tt := range []struct{ required, end string }{
		{"", "skip: missing on PATH: no-such-program, nor-this"},
		{"0", "skip: missing on PATH: no-such-program, nor-this"},
		{"1", "fail: missing on PATH: no-such-program, nor-this"},
	} {
		t.Setenv("REQUIRE_PEERS", tt.required)
		r := &recorder{TB: t}
		Need(r, "no-such-program", self, "nor-this")
		assert.Equal(t, tt.end, r.end, "REQUIRE_PEERS=%s", tt.required)

		r = &recorder{TB: t}
		Need(r, self)
		assert.Empty(t, r.end)
	}
}

func TestRegistry(t *testing.T) {
	for _, program := range Registries {
		t.Run(program, func(t *testing.T) {
			t.Run("open", func(t *testing.T) {
				r := StartRegistry(t, program, RegistryConfig{})
				assert.Regexp(t, `^http://localhost:\d+$`, r.URL)
				assert.Equal(t, http.StatusOK, r.Login(t, "anybody", "anything"))
			})
			t.Run("closed", func(t *testing.T) {
				// docker / secret
				file := filepath.Join(t.TempDir(), "htpasswd")
				require.NoError(t, os.WriteFile(file, []byte("docker:$2y$04$S.3MoMrmoS0e9Qu9EPuZGe9DWg3ImZkflqdb5sWGt8lDtVW7q0UkS\n"), 0o600))
				r := StartRegistry(t, program, RegistryConfig{Htpasswd: file, Realm: "the lab", TLS: NewCertificate(t)})
				assert.Regexp(t, `^https://localhost:\d+$`, r.URL)
				assert.Equal(t, http.StatusOK, r.Login(t, "docker", "secret"))
				assert.Equal(t, http.StatusUnauthorized, r.Login(t, "docker", "wrong"))

				resp, err := r.Client.Get(r.URL + "/v2/")
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
				assert.Equal(t, `Basic realm="the lab"`, resp.Header.Get("WWW-Authenticate"))
			})
		})
	}
}
