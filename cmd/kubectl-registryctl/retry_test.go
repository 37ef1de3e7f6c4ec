package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

// What an edit waits for is said once, however often it waits.
func TestNoticeIsGivenOnce(t *testing.T) {
	f, _ := newFakeServer(t, "elton:x\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(noticeAfter + noticeAfter/4)
		f.ServeHTTP(w, r)
	}))
	defer server.Close()
	s := newSecret(t, server.URL)
	_, err := s.Read(t.Context())
	require.NoError(t, err)
	_, err = s.Update(t.Context(), func(f *htpasswd.File) error { return f.Remove("elton") })
	require.NoError(t, err)
	assert.Equal(t, "secret ns/name: waiting up to 5s for the answer of the cluster\n", s.program.Stderr.(*said).String())
}

// The first request of an edit is tried again, too: the server may be starting.
// A command that only reads fails at once.
func TestFirstRequest(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	s := newSecret(t, "http://"+address)
	s.options.Access = cli.ToRead
	_, err = s.Read(t.Context())
	require.ErrorContains(t, err, "cannot reach the cluster: ")

	f, _ := newFakeServer(t, "elton:x\n")
	server := &http.Server{Handler: f}
	defer server.Close()
	go func() {
		time.Sleep(noticeAfter + noticeAfter/2) // so that there is a notice
		if l, err := net.Listen("tcp", address); err == nil {
			_ = server.Serve(l)
		}
	}()
	s = newSecret(t, "http://"+address)
	s.patience = time.Minute
	_, err = s.Update(t.Context(), func(f *htpasswd.File) error { return f.Remove("elton") })
	require.NoError(t, err)
	assert.Equal(t, "secret ns/name: waiting up to 1m0s for the cluster, which does not answer\n", s.program.Stderr.(*said).String())
}
