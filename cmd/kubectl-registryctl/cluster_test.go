package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

const (
	adminToken = "admin-token"
	issuer     = "https://kubernetes.default.svc"
)

// A cluster is an API server with the etcd behind it: all that a Secret needs, as
// there is no node.
type cluster struct {
	dir  string
	url  string            // of the API server
	key  *ecdsa.PrivateKey // that signs the tokens of service accounts
	etcd *server
	api  *server

	namespaces atomic.Int64
}

var shared *cluster // by all tests, as it takes seconds to start

// startCluster returns the cluster, and starts it for the first test. One that
// lacks a program is skipped, see testserver.Need.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	testserver.Need(t, "etcd", "kube-apiserver", "kubectl")
	if shared != nil {
		return shared
	}
	dir, err := os.MkdirTemp("", "cluster-")
	require.NoError(t, err)
	c := &cluster{dir: dir}
	shared = c // to be stopped, whatever comes
	c.writeKeys(t)

	store := "http://127.0.0.1:" + testserver.FreePort(t)
	c.etcd = &server{ready: store + "/health", log: filepath.Join(dir, "etcd.log"), args: []string{
		"etcd", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", store, "--advertise-client-urls", store, "--listen-peer-urls", "http://127.0.0.1:0",
	}}
	c.etcd.start(t)

	port := testserver.FreePort(t)
	c.url = "https://127.0.0.1:" + port
	c.api = &server{ready: c.url + "/readyz", log: filepath.Join(dir, "kube-apiserver.log"), args: []string{
		"kube-apiserver", "--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", port,
		"--cert-dir", filepath.Join(dir, "certificates"), "--authorization-mode", "RBAC",
		"--token-auth-file", filepath.Join(dir, "tokens.csv"), "--service-account-issuer", issuer,
		"--service-account-key-file", filepath.Join(dir, "accounts.pub"), "--service-account-signing-key-file", filepath.Join(dir, "accounts.key"),
		"--service-cluster-ip-range", "10.0.0.0/24",
	}}
	c.api.start(t)
	return c
}

func stopCluster() {
	if shared == nil {
		return
	}
	for _, s := range []*server{shared.api, shared.etcd} {
		if s != nil {
			s.kill()
		}
	}
	_ = os.RemoveAll(shared.dir)
}

func (c *cluster) writeKeys(t *testing.T) {
	t.Helper()
	var err error
	c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(c.key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&c.key.PublicKey)
	require.NoError(t, err)
	for name, text := range map[string][]byte{
		"accounts.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"accounts.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"tokens.csv":   []byte(adminToken + ",admin,admin,system:masters\n"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), text, 0o600))
	}
}

// A server is a program that runs until it is killed, or until the tests end,
// however they do.
type server struct {
	args  []string
	ready string // URL that answers 200 when it is
	log   string // path

	alive  *os.File // the server is killed when it is closed
	exited chan struct{}
}

// insecure takes any certificate: the API server makes its own.
var insecure = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}

// start starts the server, for the first time or again, and returns when it is
// ready.
func (s *server) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer log.Close()
	end, alive, err := os.Pipe()
	require.NoError(t, err)
	defer end.Close()
	cmd := exec.Command("sh", append([]string{"-c", `{ read -r _; kill -9 $$; } <&3 & exec "$@" 3<&-`, "sh"}, s.args...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{end}
	require.NoError(t, cmd.Start())
	s.alive, s.exited = alive, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(s.exited)
	}()
	client := &http.Client{Transport: insecure, Timeout: 10 * time.Second}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-s.exited:
			require.FailNow(t, s.args[0]+" ended", "%s", tail(s.log))
		default:
		}
		if resp, err := client.Get(s.ready); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	require.FailNow(t, s.args[0]+" does not get ready", "%s", tail(s.log))
}

// kill ends the server, as a crash would.
func (s *server) kill() {
	if s.alive == nil {
		return
	}
	_ = s.alive.Close()
	<-s.exited
}

func tail(log string) string {
	text, _ := os.ReadFile(log)
	return string(text[max(0, len(text)-2000):])
}

// kubeconfig writes a file that says how to reach a server, the API server or a
// proxy before it.
func (c *cluster) kubeconfig(t testing.TB, url, token, namespace string) (path string) {
	t.Helper()
	type named map[string]any
	server := named{"server": url, "certificate-authority": filepath.Join(c.dir, "certificates", "apiserver.crt")}
	if url != c.url {
		server = named{"server": url, "insecure-skip-tls-verify": true}
	}
	text, err := json.Marshal(named{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []named{{"name": "test", "cluster": server}},
		"users":    []named{{"name": "test", "user": named{"token": token}}},
		"contexts": []named{{"name": "test", "context": named{"cluster": "test", "user": "test", "namespace": namespace}}},
	})
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// newNamespace makes a namespace for one test.
func (c *cluster) newNamespace(t testing.TB) string {
	t.Helper()
	name := fmt.Sprint("test-", c.namespaces.Add(1))
	c.kubectl(t, "create", "namespace", name)
	return name
}

// kubectl runs the real one as the administrator and returns what it says.
func (c *cluster) kubectl(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", append([]string{"--kubeconfig", c.kubeconfig(t, c.url, adminToken, "default"), "--cache-dir", c.dir}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "kubectl %q: %s", args, &stderr)
	return string(out)
}
