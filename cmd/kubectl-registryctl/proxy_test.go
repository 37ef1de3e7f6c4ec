package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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

// An edit without a prompt takes two requests, and one that changes nothing one.
func TestRoundTrips(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	var mu sync.Mutex
	var methods []string
	config := c.kubeconfig(t, c.proxy(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		methods = append(methods, r.Method)
		mu.Unlock()
		next.ServeHTTP(w, r)
	}), adminToken, namespace)
	list := filepath.Join(t.TempDir(), "list")
	require.NoError(t, os.WriteFile(list, []byte("name,password\ngordon,d0ckerd0cker\n"), 0o600))
	for _, tt := range []struct{ edit, methods string }{
		{"add francis --hash " + hash, "GET PUT"},
		{"add jane --generate --cost 4", "GET PUT"},
		{"passwd jane --generate --cost 4", "GET PUT"},
		{"rename jane joe", "GET PUT"},
		{"disable joe", "GET PUT"},
		{"enable joe", "GET PUT"},
		{"remove joe", "GET PUT"},
		{"remove joe --if-exists", "GET"},
		{"import " + list + " --cost 4", "GET PUT"},
		{"import " + list + " --cost 4", "GET"},
		{"check --fix", "GET"},
		{"add elton --create --secret new --hash " + hash, "GET POST"},
	} {
		methods = nil
		status, stderr := plugin(t, config, strings.Fields(tt.edit)...)
		assert.Zero(t, status, stderr)
		assert.Equal(t, tt.methods, strings.Join(methods, " "), tt.edit)
	}
}

// The time of --retry-timeout is the whole time, also where client-go would try
// again by itself, and what is waited for is said once.
func TestRetryTimeout(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	hang := func(r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else it is not seen that the client has gone
		<-r.Context().Done()
	}
	for _, tt := range []struct {
		name   string
		handle func(next http.Handler, w http.ResponseWriter, r *http.Request)
		notice string
		err    string
	}{
		{"nothing answers", func(_ http.Handler, _ http.ResponseWriter, r *http.Request) { hang(r) }, "the answer of the cluster", "the cluster did not answer in time"},
		{"no write is answered", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				hang(r)
				return
			}
			next.ServeHTTP(w, r)
		}, "the answer of the cluster", "which may or may not have succeeded"},
		{"the server is busy", func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1") // client-go would wait that long ten times
			w.WriteHeader(http.StatusTooManyRequests)
		}, "the cluster, which is busy or starting", "the cluster refused the request"},
		{"connections break", func(http.Handler, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the cluster, which does not answer", "cannot reach the cluster"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := c.kubeconfig(t, c.proxy(t, tt.handle), adminToken, namespace)
			begun := time.Now()
			status, stderr := plugin(t, config, "add", "francis", "--hash", hash, "--retry-timeout", "5s")
			assert.InDelta(t, 5, time.Since(begun).Seconds(), 2)
			assert.Equal(t, 1, status)
			assert.Equal(t, 1, strings.Count(stderr, "secret "+namespace+"/registry-auth: waiting up to 5s for "+tt.notice+"\n"), stderr)
			assert.Contains(t, stderr, tt.err)
		})
	}
}

// Who interrupts a write is told that its answer is awaited. It ends with that, or
// at once by a second interrupt.
func TestInterruptOfWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there")
	}
	c := startCluster(t)
	namespace := c.newNamespace(t)
	c.registryAuth(t, namespace, "elton:"+hash+"\n")
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		for _, times := range []int{1, 2} {
			t.Run(fmt.Sprint(signal, " ", times), func(t *testing.T) {
				begun, release := make(chan struct{}), make(chan struct{})
				config := c.kubeconfig(t, c.proxy(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPut {
						close(begun)
						<-release
					}
					next.ServeHTTP(w, r)
				}), adminToken, namespace)
				cmd := exec.CommandContext(t.Context(), "kubectl-registryctl", "--kubeconfig", config, "--secret", "registry-auth", "passwd", "elton", "--generate", "--cost", "4")
				var stdout, stderr said
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				require.NoError(t, cmd.Start())
				<-begun
				require.NoError(t, cmd.Process.Signal(signal))
				require.Eventually(t, func() bool {
					return strings.Contains(stderr.String(), "waiting for the answer to the write of secret "+namespace+"/registry-auth; interrupt again to stop without it\n")
				}, runFor, time.Millisecond)
				if times == 2 {
					require.NoError(t, cmd.Process.Signal(signal))
					require.Error(t, cmd.Wait())
				}
				close(release)
				_ = cmd.Wait()
				assert.NotEmpty(t, stdout.String()) // the password
				if times == 1 {
					assert.Zero(t, cmd.ProcessState.ExitCode(), stderr.String())
					assert.Contains(t, stderr.String(), `set the password of "elton"`)
					return
				}
				assert.Equal(t, 1, cmd.ProcessState.ExitCode())
				assert.Contains(t, stderr.String(), "what is printed is in force only if the edit was made\n")
				assert.Contains(t, stderr.String(), "which may or may not have succeeded: interrupted\n")
			})
		}
	}
}
