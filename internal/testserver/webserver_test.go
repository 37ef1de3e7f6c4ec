package testserver

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWebServers(t *testing.T) {
	for program, start := range map[string]func(testing.TB, string) *WebServer{"nginx": StartNginx, "apache2": StartApache, "lighttpd": StartLighttpd} {
		t.Run(program, func(t *testing.T) {
			Need(t, program)
			// docker / secret
			file := filepath.Join(WorkerDir(t), "htpasswd")
			require.NoError(t, os.WriteFile(file, []byte("docker:$2y$04$S.3MoMrmoS0e9Qu9EPuZGe9DWg3ImZkflqdb5sWGt8lDtVW7q0UkS\n"), 0o644))
			s := start(t, file)
			assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, s.URL)
			assert.Equal(t, http.StatusOK, s.Login(t, "docker", "secret"))
			assert.Equal(t, http.StatusUnauthorized, s.Login(t, "docker", "wrong"))

			resp, err := s.Client.Get(s.URL + "/v2/")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			assert.Regexp(t, `^Basic realm="Web Realm"`, resp.Header.Get("WWW-Authenticate"))
		})
	}
}
