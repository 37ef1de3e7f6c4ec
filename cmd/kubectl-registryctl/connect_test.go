package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// What the server warns of is shown once.
func TestServerWarnings(t *testing.T) {
	f, _ := newFakeServer(t, "elton:x\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Warning", `299 - "quota is nearly used up"`)
		f.ServeHTTP(w, r)
	}))
	defer server.Close()
	s := newSecret(t, server.URL)
	var err error
	s.client, err = newClient(&rest.Config{Host: server.URL, WarningHandler: &serverWarnings{program: s.program}})
	require.NoError(t, err)
	for range 2 {
		_, err = s.Read(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, "kubectl registryctl: warning: quota is nearly used up\n", s.program.Stderr.(*said).String())
}

// A second connection asks for the same user as the first.
func TestImpersonationOfEachConnection(t *testing.T) {
	f := flags{asExtra: []string{"scopes=view", "scopes=edit"}}
	for range 2 {
		f.loader()
		assert.Equal(t, map[string][]string{"scopes": {"view", "edit"}}, f.overrides.AuthInfo.ImpersonateUserExtra)
	}
}
