package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

	for want, config := range map[string]*rest.Config{
		page.URL + " is not a Kubernetes API server: it answers with text/html": {Host: page.URL},
		"the certificate of " + secure.URL + " is not trusted: x509":            {Host: secure.URL},
		"secret ns/name: malformed answer from the cluster":                     {Host: malformed.URL},
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
		if config.Host == secure.URL {
			var known *cli.Error
			require.ErrorAs(t, err, &known)
			assert.Contains(t, known.Hint, "--certificate-authority")
		}
	}
}
