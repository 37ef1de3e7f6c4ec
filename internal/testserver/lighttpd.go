package testserver

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var lighttpdReady = regexp.MustCompile(`server started`)

// StartLighttpd starts a lighttpd whose auth.backend.htpasswd.userfile is htpasswd, and
// returns when it answers. A test that has no lighttpd is skipped, see Need. What it
// logs is shown if the test fails.
//
// If the test runs as root, the server, which opens the file for each request, runs as
// www-data: see WorkerDir.
func StartLighttpd(t testing.TB, htpasswd string) *WebServer {
	t.Helper()
	Need(t, "lighttpd")
	dir, root := t.TempDir(), documentRoot(t)
	user := ""
	if asRoot() {
		user = fmt.Sprintf("server.username = %q\nserver.groupname = %q", workerUser, workerUser)
	}
	config := filepath.Join(dir, "lighttpd.conf")
	configure := func(addr string) {
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `server.modules = ("mod_auth", "mod_authn_file")
server.bind = %q
server.port = %s
%s
server.document-root = %q
server.feature-flags = ("auth.delay-invalid-creds" => "disable") # for a second
index-file.names = ("index.html")
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = %q
auth.require = ("" => ("method" => "basic", "realm" => "Web Realm", "require" => "valid-user"))
`, host, port, user, root, htpasswd), 0o600))
	}
	return startWebServer(t, "lighttpd", lighttpdReady, configure, "-D", "-f", config)
}
