package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

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

// The time of --retry-timeout ends a request that is not answered.
func TestPatience(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	s := newSecret(t, server.URL)
	s.patience = 300 * time.Millisecond
	begun := time.Now()
	_, err := s.Update(t.Context(), func(*htpasswd.File) error { return nil })
	require.ErrorContains(t, err, "the cluster did not answer in time")
	assert.Less(t, time.Since(begun), 5*time.Second)
}

// The first interrupt while the answer to a write is awaited says so, the second
// one ends.
func TestInterruptTwice(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself")
	}
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	interrupt := func() { assert.NoError(t, self.Signal(os.Interrupt)) }
	f, _ := newFakeServer(t, "elton:x\n")
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			interrupt()
			<-done
			return
		}
		f.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer close(done)
	s := newSecret(t, server.URL)
	s.patience = time.Minute
	go func() {
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if strings.Contains(s.program.Stderr.(*said).String(), "interrupt again to stop without it\n") {
				interrupt()
				return
			}
		}
	}()
	_, err = s.Update(t.Context(), func(f *htpasswd.File) error { return f.Remove("elton") })
	require.ErrorIs(t, err, cli.ErrUnsure)
	require.ErrorContains(t, err, "there was no clear answer to the write of secret ns/name, which may or may not have succeeded: interrupted")
}
