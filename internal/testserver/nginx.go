package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var nginxReady = regexp.MustCompile(`start worker process \d`)

// StartNginx starts an nginx whose auth_basic_user_file is htpasswd, and
// returns when it answers. A test that has no nginx is skipped, see Need. What
// nginx logs is shown if the test fails.
//
// If the test runs as root, the worker, which opens the file for each request,
// runs as www-data: see WorkerDir.
func StartNginx(t testing.TB, htpasswd string) *WebServer {
	t.Helper()
	Need(t, "nginx")
	dir, root := t.TempDir(), documentRoot(t)
	user := ""
	if asRoot() {
		user = "user " + workerUser + ";"
	}
	config := filepath.Join(dir, "nginx.conf")
	configure := func(addr string) {
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `daemon off;
%s
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen %s;
		root %q;
		auth_basic "Web Realm";
		auth_basic_user_file %q;
	}
}
`, user, addr, root, htpasswd), 0o600))
	}
	return startWebServer(t, "nginx", nginxReady, configure, "-p", dir, "-e", "stderr", "-c", config)
}
