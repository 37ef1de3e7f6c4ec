package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// proxy stands before the API server. Handle gets each request, and passes it on
// by next.
func (c *cluster) proxy(t *testing.T, handle func(next http.Handler, w http.ResponseWriter, r *http.Request)) (address string) {
	t.Helper()
	target, err := url.Parse(c.url)
	require.NoError(t, err)
	next := &httputil.ReverseProxy{
		Transport:    insecure,
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(next, w, r) }))
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// A generated password whose write may have been done is printed, and marked so. It
// is the right one here: the write was done, and every answer since was lost.
func TestGeneratedPasswordIsKept(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	var gone atomic.Bool
	address := c.proxy(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if gone.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPut {
			gone.Store(true)
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
	direct, broken := c.kubeconfig(t, c.url, adminToken, namespace), c.kubeconfig(t, address, adminToken, namespace)
	for _, tt := range []struct {
		args []string
		user string
		hint string
	}{
		{[]string{"add", "francis"}, "francis", "kubectl registryctl list"},
		{[]string{"passwd", "elton"}, "elton", "kubectl registryctl verify elton"},
		{[]string{"import", "-"}, "gordon", "kubectl registryctl list"},
	} {
		gone.Store(false)
		args := append(tt.args, "--generate", "--cost", "4", "--retry-timeout", "1s")
		if tt.args[0] == "import" {
			list := filepath.Join(t.TempDir(), "list.csv")
			require.NoError(t, os.WriteFile(list, []byte("name,password\ngordon,\n"), 0o600))
			args[1] = list
		}
		status, stdout, stderr := pluginOut(t, broken, args...)
		assert.Equal(t, 1, status, args)
		assert.Contains(t, stderr, "which may or may not have succeeded")
		assert.Contains(t, stderr, "what is printed is in force only if the edit was made\n")
		assert.Contains(t, stderr, "  hint: "+tt.hint)
		password := stdout[strings.LastIndexAny(strings.TrimSpace(stdout), ",\n")+1:]
		t.Setenv("PW", strings.TrimSpace(password))
		status, stderr = plugin(t, direct, "verify", tt.user, "--password-env", "PW")
		assert.Zero(t, status, stderr)
	}
}

// A server that refuses each write, while reads work, has written nothing, and that
// is said.
func TestEachWriteIsRefused(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	address := c.proxy(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	status, stdout, stderr := pluginOut(t, c.kubeconfig(t, address, adminToken, namespace), "passwd", "elton", "--generate", "--cost", "4", "--retry-timeout", "2s")
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "waiting up to 2s for the cluster, which is busy or starting\n")
	assert.Contains(t, stderr, `cannot set the password of "elton": nothing was written: `)
}
