package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

// Why there is no answer is said, and what cannot pass is not waited for.
func TestNoAnswer(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<html>log in</html>"))
	}))
	defer page.Close()
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	malformed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		_, _ = w.Write([]byte("{"))
	}))
	defer malformed.Close()

	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		_, _ = w.Write([]byte(`{"data":{"htpasswd":"czNjcjN0"}}`))
	}))
	defer half.Close()
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()

	for want, config := range map[string]*rest.Config{
		missing.URL + " is not a Kubernetes API server: it answers with text/plain": {Host: missing.URL},
		"secret ns/name: malformed answer from the cluster":                         {Host: half.URL},
		page.URL + " is not a Kubernetes API server: it answers with text/html":     {Host: page.URL},
		"the certificate of " + secure.URL + " is not trusted: x509":                {Host: secure.URL},
		"ns/name: malformed answer from the cluster":                                {Host: malformed.URL},
		"cannot log in to the cluster: exec: executable no-such-program not found": {Host: "https://127.0.0.1:1", ExecProvider: &clientcmdapi.ExecConfig{
			APIVersion: "client.authentication.k8s.io/v1", Command: "no-such-program", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			InstallHint: "It is to be had somewhere.",
		}},
	} {
		s := newSecret(t, config.Host)
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return apiOnly{next} })
		var err error
		s.client, err = newClient(config)
		require.NoError(t, err)
		_, err = s.Update(t.Context(), func(*htpasswd.File) error { return nil })
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, err.Error(), "somewhere")
		assert.NotContains(t, err.Error(), "czNjcjN0")
		if config.Host == secure.URL {
			var known *cli.Error
			require.ErrorAs(t, err, &known)
			assert.Contains(t, known.Hint, "--certificate-authority")
		}
	}
}

// What an admission webhook says is repeated without what it may know of the Secret.
func TestWebhookRepeatsNoSecret(t *testing.T) {
	const hash = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
	data := base64.StdEncoding.EncodeToString([]byte("elton:" + hash))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusForbidden,
			Message: `admission webhook "policy" denied the request: no user elton:` + hash + ` in {"htpasswd":"` + data + `"}` + strings.Repeat(" and so on", 100),
		})
	}))
	defer server.Close()
	_, err := newSecret(t, server.URL).Update(t.Context(), func(*htpasswd.File) error { return nil })
	const want = `the cluster refused the request: admission webhook "policy" denied the request: no user [hidden] in [hidden] and so on`
	require.ErrorContains(t, err, want)
	assert.Less(t, len(err.Error()), 400)
}

// Nothing is printed of what a server sends after its answer to a write, which may
// repeat the Secret.
func TestNothingAfterTheAnswer(t *testing.T) {
	var printed strings.Builder
	defer func(w io.Writer) { log.SetOutput(w) }(log.Writer())
	log.SetOutput(&printed)
	closed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", jsonType)
			_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"name","namespace":"ns","resourceVersion":"1"},"data":{"htpasswd":""}}`))
			return
		}
		defer close(closed)
		body, _ := io.ReadAll(r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 400 %s\r\n\r\n", body)
		_, _ = io.Copy(io.Discard, conn) // until the client closes it
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return apiOnly{next} })
	s := newSecret(t, server.URL)
	var err error
	s.client, err = newClient(config)
	require.NoError(t, err)
	hash, err := htpasswd.HashPassword([]byte("d0cker"), htpasswd.MinCost)
	require.NoError(t, err)
	_, err = s.Update(t.Context(), func(f *htpasswd.File) error { return f.Set("elton", hash) })
	require.NoError(t, err)
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection of a write stays open")
	}
	assert.Empty(t, printed.String())
}
