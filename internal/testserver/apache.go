package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var apacheReady = regexp.MustCompile(`resuming normal operations`)

// StartApache starts an Apache httpd whose AuthUserFile is htpasswd, and
// returns when it answers. A test that has no apache2 is skipped, see Need.
// What httpd logs is shown if the test fails.
//
// If the test runs as root, the worker, which opens the file for each request,
// runs as www-data: see WorkerDir.
func StartApache(t testing.TB, htpasswd string) *WebServer {
	t.Helper()
	Need(t, "apache2")
	dir, root := t.TempDir(), documentRoot(t)
	user := ""
	if asRoot() {
		user = "User " + workerUser + "\nGroup " + workerUser
	}
	config := filepath.Join(dir, "apache2.conf")
	configure := func(addr string) {
		// The modules are where Debian has them.
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `ServerRoot %q
DefaultRuntimeDir %[1]q
PidFile apache2.pid
Listen %s
ServerName localhost
%s
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
StartServers 1
MinSpareThreads 1
DocumentRoot %q
DirectoryIndex index.html
<Location />
	AuthType Basic
	AuthName "Web Realm"
	AuthBasicProvider file
	AuthUserFile %q
	Require valid-user
</Location>
`, dir, addr, user, root, htpasswd), 0o600))
	}
	return startWebServer(t, "apache2", apacheReady, configure, "-D", "FOREGROUND", "-f", config)
}
