package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUntrusted(t *testing.T) {
	s := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, s.URL)
	r, wanted := ask(t, c)
	assert.Equal(t, Untrusted, r.Outcome)
	assert.ErrorContains(t, r.Err, "unknown authority")
	assert.False(t, wanted)
	assert.Zero(t, s.asked(), "reached the registry")

	c.Roots = trust(t, s)
	r, _ = ask(t, c)
	assert.Equal(t, Accepted, r.Outcome)
}

func TestWrongName(t *testing.T) {
	s := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	c.Roots = trust(t, s)
	r, wanted := ask(t, c)
	assert.Equal(t, WrongName, r.Outcome)
	assert.ErrorContains(t, r.Err, "not localhost")
	assert.False(t, wanted)
	assert.Zero(t, s.asked())
}

// A certificate that is no longer valid, or not yet.
func TestExpired(t *testing.T) {
	for _, start := range []time.Duration{-2 * time.Hour, time.Hour} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			NotBefore:    time.Now().Add(start),
			NotAfter:     time.Now().Add(start + time.Hour),
			IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		s := newServer(basic, status(http.StatusOK))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		s.StartTLS()
		t.Cleanup(s.Close)
		c := clientOf(t, s.URL)
		c.Roots = trust(t, s)
		r, wanted := ask(t, c)
		assert.Equal(t, Expired, r.Outcome)
		assert.Error(t, r.Err)
		assert.False(t, wanted)
	}
}

// A registry that wants a certificate of its client is none that is unreachable.
func TestClientCertificate(t *testing.T) {
	s := newServer(basic, status(http.StatusOK))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	c := clientOf(t, s.URL)
	c.Roots = trust(t, s)
	r, wanted := ask(t, c)
	assert.Equal(t, Unexpected, r.Outcome)
	assert.ErrorContains(t, r.Err, "certificate required")
	assert.False(t, wanted)
}

func TestNotTLS(t *testing.T) {
	s := start(t, false, basic, status(http.StatusOK))
	r, wanted := ask(t, clientOf(t, "https://"+s.Listener.Addr().String()))
	assert.Equal(t, NotTLS, r.Outcome)
	assert.False(t, wanted)
	assert.Zero(t, s.logins())
}

// The error names what was typed, where no scheme was.
func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	for _, a := range []string{address, "http://" + address, "https://" + address} {
		r, wanted := ask(t, clientOf(t, a))
		assert.Equal(t, ConnectionRefused, r.Outcome, a)
		assert.Equal(t, a, r.Server)
		assert.False(t, r.OfTokenServer())
		assert.False(t, wanted)
	}
}

// A proxy that is not there is no registry that is not there.
func TestNoProxy(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	outcome, err := classify(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: refused})
	assert.Equal(t, Unreachable, outcome)
	assert.ErrorContains(t, err, "proxyconnect")
}

func TestNoSuchHost(t *testing.T) {
	host := strings.Repeat("a", 64) + ".invalid" // no resolver has to be asked for a label of 64 bytes
	for _, a := range []string{host, host + ":5000", "https://" + host} {
		r, wanted := ask(t, clientOf(t, a))
		assert.Equal(t, NoSuchHost, r.Outcome, a)
		assert.Error(t, r.Err)
		assert.Equal(t, a, r.Server)
		assert.False(t, r.OfTokenServer())
		assert.False(t, wanted)
	}
}

// A registry that never answers: before it greets, before and after the password.
func TestTimeout(t *testing.T) {
	never := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	silent := listen(t, "127.0.0.1:0", nil)
	for _, address := range []string{silent, "https://" + silent, start(t, false, never, never).URL} {
		c := clientOf(t, address)
		c.Timeout = 50 * time.Millisecond
		begun := time.Now()
		r, wanted := ask(t, c)
		assert.Less(t, time.Since(begun), 10*time.Second, address)
		assert.Equal(t, TimedOut, r.Outcome, address)
		assert.False(t, wanted)
	}

	// The challenge comes in time, sooner or later, and the answer never.
	c := clientOf(t, start(t, false, basic, never).URL)
	c.Timeout = 50 * time.Millisecond
	for wanted := false; !wanted; c.Timeout *= 2 {
		var r Result
		r, wanted = ask(t, c)
		assert.Equal(t, TimedOut, r.Outcome)
	}
}
