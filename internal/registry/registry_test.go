package registry

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const user, secret = "elton", "d0cker"

// A server answers as a registry might, and keeps what it was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

// start starts a server that gives answer to those who send the password, and
// challenge to others.
func start(t *testing.T, tls bool, challenge, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		if u, p, ok := r.BasicAuth(); ok && u == user && p == secret {
			answer(w, r)
			return
		}
		challenge(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// logins counts the requests that hold credentials of any kind.
func (s *server) logins() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.Header.Get("Authorization") != "" {
			n++
		}
	}
	return n
}

func (s *server) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// status answers with a status, and perhaps challenges.
func status(code int, challenges ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = challenges
		w.WriteHeader(code)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

var basic = status(http.StatusUnauthorized, `Basic realm="Registry Realm"`)

// certOf writes the server's certificate as PEM.
func certOf(t *testing.T, s *server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registry.crt")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return file
}

// long is a time-out that no test runs into.
const long = time.Minute

func clientOf(t *testing.T, address string) Client {
	t.Helper()
	a, err := ParseAddress(address)
	require.NoError(t, err)
	return Client{Address: a, Timeout: long}
}

// ask asks, and says whether the client wanted the password. Nothing that it
// returns holds it.
func ask(t *testing.T, c Client) (r Result, wanted bool) {
	t.Helper()
	r, err := c.Ask(t.Context(), user, func() ([]byte, error) {
		wanted = true
		return []byte(secret), nil
	})
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%+v %v", r, r.Err), secret)
	return r, wanted
}

func TestAnswers(t *testing.T) {
	ok := status(http.StatusOK)
	for _, tt := range []struct {
		name      string
		challenge http.HandlerFunc
		answer    http.HandlerFunc
		want      Outcome
		status    int
		logins    int
	}{
		{"accepted", basic, ok, Accepted, 200, 1},
		{"refused", basic, basic, Refused, 401, 1},
		{"cannot read its file", basic, status(http.StatusBadRequest), Unreadable, 400, 1},
		{"asks for no password", ok, ok, Open, 200, 0},
		{"token", status(http.StatusUnauthorized, `Bearer realm="https://auth.example/token",service="Basic, or so"`), ok, Token, 401, 0},
		{"token or basic", status(http.StatusUnauthorized, `Bearer realm="https://auth.example/token",service="x", Basic realm="y"`), ok, Accepted, 200, 1},
		{"token or basic, a header each", status(http.StatusUnauthorized, `Bearer realm="x"`, `BASIC realm="y"`), ok, Accepted, 200, 1},
		{"neither token nor basic", status(http.StatusUnauthorized, "Negotiate"), ok, Unexpected, 401, 0},
		{"401 without a challenge", status(http.StatusUnauthorized), ok, Unexpected, 401, 0},
		{"400 without credentials", status(http.StatusBadRequest), ok, Unexpected, 400, 0},
		{"no registry", status(http.StatusNotFound), ok, Unexpected, 404, 0},
		{"an error with a challenge", status(http.StatusForbidden, `Basic realm="x"`), ok, Unexpected, 403, 0},
		{"an error", status(http.StatusServiceUnavailable), ok, Unexpected, 503, 0},
		{"an error after the login", basic, status(http.StatusBadGateway), Unexpected, 502, 1},
		{"forbidden after the login", basic, status(http.StatusForbidden), Unexpected, 403, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, tls := range []bool{false, true} {
				s := start(t, tls, tt.challenge, tt.answer)
				c := clientOf(t, s.URL)
				if tls {
					roots, err := ReadCertificates(certOf(t, s))
					require.NoError(t, err)
					c.Roots = roots
				}
				r, wanted := ask(t, c)
				assert.Equal(t, Result{Outcome: tt.want, URL: s.URL, Status: tt.status}, r)
				assert.Equal(t, tt.logins, s.logins())
				assert.Equal(t, tt.logins > 0, wanted, "asked for the password")
				assert.Equal(t, 1+tt.logins, s.asked())
				for _, request := range s.requests {
					assert.Equal(t, "GET /v2/", request.Method+" "+request.RequestURI)
				}
			}
		})
	}
}

// Whoever a registry redirects to gets neither a password nor a request.
func TestRedirect(t *testing.T) {
	elsewhere := start(t, false, basic, status(http.StatusOK))
	for name, location := range map[string]string{
		elsewhere.URL:         elsewhere.URL + "/v2/",
		"http://host.EXAMPLE": "http://host.EXAMPLE/" + secret,
		"":                    "http://host\u202e.example/v2/",
	} {
		r, wanted := ask(t, clientOf(t, start(t, false, redirect(location), nil).URL))
		assert.Equal(t, Redirected, r.Outcome)
		assert.Equal(t, name, r.Location)
		assert.False(t, wanted)
	}
	for _, location := range []string{elsewhere.URL, "/v2/other", "http://" + secret + ".example/", "http://" + user + ":" + secret + "@" + elsewhere.Listener.Addr().String()} {
		s := start(t, false, basic, redirect(location))
		r, _ := ask(t, clientOf(t, s.URL))
		assert.Equal(t, Result{Outcome: Redirected, URL: s.URL, Status: http.StatusTemporaryRedirect}, r)
		assert.Equal(t, 2, s.asked(), "nor does it ask the same registry again")
	}
	assert.Zero(t, elsewhere.asked())
}

func TestCertificate(t *testing.T) {
	s := start(t, true, basic, status(http.StatusOK))
	file := certOf(t, s)

	c := clientOf(t, s.URL)
	r, wanted := ask(t, c)
	assert.Equal(t, Untrusted, r.Outcome)
	assert.ErrorContains(t, r.Err, "unknown authority")
	assert.False(t, wanted)
	assert.Zero(t, s.asked(), "reached the registry")

	var err error
	c.Roots, err = ReadCertificates(file)
	require.NoError(t, err)
	r, _ = ask(t, c)
	assert.Equal(t, Accepted, r.Outcome)

	// Not for another name, which the certificate is not for.
	c.Address.host = strings.Replace(c.Address.host, "127.0.0.1", "localhost", 1)
	r, wanted = ask(t, c)
	assert.Equal(t, Untrusted, r.Outcome)
	assert.ErrorContains(t, r.Err, "not localhost")
	assert.False(t, wanted)
}

func TestReadCertificates(t *testing.T) {
	_, err := ReadCertificates(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	_, err = ReadCertificates(file)
	require.ErrorIs(t, err, ErrNoCertificate)
}

// Without a scheme it is https; plain http only where nothing speaks TLS.
func TestNoScheme(t *testing.T) {
	plain := start(t, false, basic, status(http.StatusOK))
	r, _ := ask(t, clientOf(t, plain.Listener.Addr().String()))
	assert.Equal(t, Result{Outcome: Accepted, URL: plain.URL, Status: http.StatusOK}, r)

	tls := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, tls.Listener.Addr().String())
	r, wanted := ask(t, c)
	assert.Equal(t, Untrusted, r.Outcome, "a bad certificate is no reason to go without")
	assert.False(t, wanted)
	var err error
	c.Roots, err = ReadCertificates(certOf(t, tls))
	require.NoError(t, err)
	r, _ = ask(t, c)
	assert.Equal(t, Result{Outcome: Accepted, URL: tls.URL, Status: http.StatusOK}, r)

	// Something that speaks neither.
	banner := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, "220 mail.example ESMTP ready\r\n") })
	r, wanted = ask(t, clientOf(t, banner))
	assert.Equal(t, Unexpected, r.Outcome)
	assert.Equal(t, "http://"+banner, r.URL)
	assert.False(t, wanted)
}

func TestNotTLS(t *testing.T) {
	s := start(t, false, basic, status(http.StatusOK))
	r, wanted := ask(t, clientOf(t, "https://"+s.Listener.Addr().String()))
	assert.Equal(t, NotTLS, r.Outcome)
	assert.False(t, wanted)
	assert.Zero(t, s.logins())
}

// listen gives each connection to serve, after the first bytes of the client
// have come, and closes it when the client has.
func listen(t *testing.T, address string, serve func(conn net.Conn, request string)) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				if first := make([]byte, 4096); serve != nil {
					n, _ := conn.Read(first)
					serve(conn, string(first[:n]))
					_ = conn.(*net.TCPConn).CloseWrite()
				}
				_, _ = io.Copy(io.Discard, conn) // or what it has sent would reset it
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	for _, a := range []string{address, "http://" + address, "https://" + address} {
		r, wanted := ask(t, clientOf(t, a))
		assert.Equal(t, Unreachable, r.Outcome, a)
		assert.Error(t, r.Err)
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

// Ctrl-C is no outcome.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}, nil)
	_, err := clientOf(t, s.URL).Ask(ctx, user, func() ([]byte, error) { return nil, errors.New("asked for the password") })
	require.ErrorIs(t, err, context.Canceled)
}

// A password that is not to be had ends it.
func TestNoPassword(t *testing.T) {
	s := start(t, false, basic, nil)
	failed := errors.New("no terminal")
	_, err := clientOf(t, s.URL).Ask(t.Context(), user, func() ([]byte, error) { return nil, failed })
	require.ErrorIs(t, err, failed)
	assert.Equal(t, 1, s.asked())
}

// Plain http does not leave the machine, whatever the address is called.
func TestPlainHTTP(t *testing.T) {
	for _, address := range []string{"http://192.0.2.1:5000", "http://192.0.2.1", "http://[2001:db8::1]:5000", "http://[::ffff:192.0.2.1]:5000"} {
		r, wanted := ask(t, clientOf(t, address))
		assert.Equal(t, Result{Outcome: PlainHTTP, URL: address}, r)
		assert.False(t, wanted)
	}

	// An address of this machine that others reach too: nothing is even dialled.
	own := ownAddress(t)
	var dialled sync.Map
	address := listen(t, net.JoinHostPort(own, "0"), func(conn net.Conn, _ string) {
		dialled.Store("conn", true)
		_, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
	})
	r, wanted := ask(t, clientOf(t, "http://"+address))
	assert.Equal(t, PlainHTTP, r.Outcome)
	assert.False(t, wanted)
	_, was := dialled.Load("conn")
	assert.False(t, was, "dialled")

	// There, without a scheme: the one try is that of TLS.
	r, wanted = ask(t, clientOf(t, address))
	assert.Equal(t, Result{Outcome: PlainHTTP, URL: "http://" + address}, r)
	assert.False(t, wanted)

	// What refuses it is left out only where that was asked for.
	c := clientOf(t, address)
	assert.NotNil(t, c.dialer("http").Control)
	assert.Nil(t, c.dialer("https").Control)
	c.InsecureHTTP = true
	assert.Nil(t, c.dialer("http").Control)
}

// ownAddress is one of this machine that is no loopback address.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("no address but the loopback")
	return ""
}

// A proxy on this machine would be dialled at a loopback address and send the
// password on.
func TestNoProxyForPlainHTTP(t *testing.T) {
	assert.Nil(t, Client{}.transport("http").Proxy)
	assert.NotNil(t, Client{}.transport("https").Proxy)
	assert.NotNil(t, Client{InsecureHTTP: true}.transport("http").Proxy)
}

// Neither a body nor a header without an end is read for long.
func TestBounded(t *testing.T) {
	endless := func(status int, challenge string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(status)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}
	}
	s := start(t, false, endless(http.StatusUnauthorized, "Basic realm=x"), endless(http.StatusOK, ""))
	r, _ := ask(t, clientOf(t, s.URL))
	assert.Equal(t, Accepted, r.Outcome)

	header := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
		_, err := io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X-Header: "+strings.Repeat("x", 1000)+"\r\n")
		}
	})
	r, _ = ask(t, clientOf(t, "http://"+header))
	assert.Contains(t, []Outcome{Unexpected, Unreachable}, r.Outcome)
}

// A registry that says the request back says it to nobody.
func TestEcho(t *testing.T) {
	var asked sync.Map
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, request string) {
		if !strings.Contains(request, "Authorization") {
			_, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
			return
		}
		asked.Store("echoed", true)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", user, secret)
	})
	r, _ := ask(t, clientOf(t, "http://"+address))
	_, echoed := asked.Load("echoed")
	require.True(t, echoed)
	assert.Equal(t, Result{Outcome: Unexpected, URL: "http://" + address}, r)
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"localhost":                {"", "localhost"},
		"localhost:5000":           {"", "localhost:5000"},
		"localhost:5000/v2/":       {"", "localhost:5000"},
		"[::1]:5000":               {"", "[::1]:5000"},
		"http://localhost:5000":    {"http", "localhost:5000"},
		"HTTPS://Registry.Example": {"https", "Registry.Example"},
		"https://10.0.0.1:443/":    {"https", "10.0.0.1:443"},
	} {
		got, err := ParseAddress(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "https://", "ftp://localhost", "unix:///run/registry", "localhost:", "localhost:port", "localhost:99999", ":5000",
		"::1", "http://[::1", "localhost:5000/labs/hello-world", "https://localhost?x", "https://localhost?", "localhost#x", "a b", "http://http://localhost",
	} {
		_, err := ParseAddress(in)
		assert.ErrorIs(t, err, ErrAddress, in)
	}
	for _, in := range []string{
		"https://elton:d0cker@localhost:5000", "elton:d0cker@localhost", "https://elton@localhost", "https://:d0cker@localhost", "https://localhost/@", "@",
		"https://elton:d0c%ker@localhost",
	} {
		_, err := ParseAddress(in)
		require.ErrorIs(t, err, ErrCredentials, in)
		assert.NotContains(t, err.Error(), "d0c")
	}
}

func TestChallenges(t *testing.T) {
	for header, want := range map[string][]string{
		``:                                      nil,
		`Basic`:                                 {"basic"},
		`Basic realm="a, Bearer b"`:             {"basic"},
		`Basic realm="a\", Bearer b"`:           {"basic"},
		`Basic realm = "a", charset = "UTF-8"`:  {"basic"},
		"Basic\trealm=a":                        {"basic"},
		`Negotiate, Basic realm="a"`:            {"negotiate", "basic"},
		`Bearer realm="a",scope="b,c" , BASIC `: {"bearer", "basic"},
		`Bearer realm="unclosed, Basic`:         {"bearer"},
		`Negotiate dG9rZW4=, Basic realm=""`:    {"negotiate", "basic"},
	} {
		assert.Equal(t, want, challenges(http.Header{"Www-Authenticate": {header}}), header)
	}
}
