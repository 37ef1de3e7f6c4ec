package testserver

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Registries are the programs that StartRegistry can start: Distribution 2.8,
// by the name that Debian gives it, and Distribution 3.
var Registries = []string{"docker-registry", "registry"}

// RegistryConfig says what a registry is to be like. The zero value is one
// that serves plain http and asks for no password.
type RegistryConfig struct {
	Htpasswd string       // path of the file that lets users in; the registry creates it if it is missing
	Realm    string       // of the challenge; a default if empty
	TLS      *Certificate // nil: plain http
	Env      []string     // further variables of the image, such as REGISTRY_AUTH=token
}

// Registry is a Distribution registry that runs until the test ends.
type Registry struct {
	Addr   string       // host:port, on the loopback interface, by the name that certificates are made for
	URL    string       // http(s)://Addr
	Client *http.Client // trusts its certificate, follows no redirect, sends no credentials of its own
}

// StartRegistry starts program, one of Registries, and returns when it
// answers. A test that has no such program is skipped, see Need. What the
// registry logs is shown if the test fails.
func StartRegistry(t testing.TB, program string, c RegistryConfig) *Registry {
	t.Helper()
	Need(t, program)

	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `version: 0.1
log:
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %q
http:
  addr: 127.0.0.1:0
`, filepath.Join(dir, "data")), 0o600))

	cmd := exec.Command(program, "serve", config)
	cmd.Dir = dir
	cmd.Env = append(registryEnv(c), "OTEL_TRACES_EXPORTER=none") // or 3.x logs that it finds no collector
	log := &registryLog{listening: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("%s logged:\n%s", program, log)
		}
	})

	r := &Registry{}
	select {
	case port := <-log.listening:
		r.Addr = "localhost:" + port
	case <-exited:
		require.FailNow(t, program+" ended before it listened")
	case <-time.After(30 * time.Second):
		require.FailNow(t, program+" does not listen")
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.URL = "http://" + r.Addr
	if c.TLS != nil {
		r.URL = "https://" + r.Addr
		transport.TLSClientConfig = &tls.Config{RootCAs: c.TLS.Pool}
	}
	r.Client = &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := r.Client.Get(r.URL + "/v2/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return r
}

// registryEnv configures authentication and TLS as a container's user does,
// by the variables of the image, over an environment that has none of them.
func registryEnv(c RegistryConfig) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "REGISTRY_") {
			env = append(env, v)
		}
	}
	if c.Htpasswd != "" {
		realm := c.Realm
		if realm == "" {
			realm = "Registry Realm"
		}
		env = append(env,
			"REGISTRY_AUTH=htpasswd",
			"REGISTRY_AUTH_HTPASSWD_REALM="+realm,
			"REGISTRY_AUTH_HTPASSWD_PATH="+c.Htpasswd)
	}
	if c.TLS != nil {
		env = append(env,
			"REGISTRY_HTTP_TLS_CERTIFICATE="+c.TLS.CertFile,
			"REGISTRY_HTTP_TLS_KEY="+c.TLS.KeyFile)
	}
	return append(env, c.Env...)
}

// Login asks as docker login does, GET /v2/ with the user and the password,
// and returns the status: 200 if they are let in, 401 if not, 400 if the
// registry cannot read its file.
func (r *Registry) Login(t testing.TB, user, password string) int {
	t.Helper()
	return login(t, r.Client, r.URL, user, password)
}

func login(t testing.TB, client *http.Client, url, user, password string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v2/", nil)
	require.NoError(t, err)
	req.SetBasicAuth(user, password)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// registryLog keeps what the registry logs, and finds in it the port that the
// system chose: asking for a free one beforehand would be a race.
type registryLog struct {
	mu        sync.Mutex
	text      bytes.Buffer
	listening chan string // gets the port, once
	found     bool
}

var listening = regexp.MustCompile(`msg="listening on 127\.0\.0\.1:(\d+)[,"]`)

func (l *registryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if !l.found {
		if m := listening.FindSubmatch(l.text.Bytes()); m != nil {
			l.found = true
			l.listening <- string(m[1])
		}
	}
	return len(p), nil
}

func (l *registryLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
