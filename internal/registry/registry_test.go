package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
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
	s := newServer(challenge, answer)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func newServer(challenge, answer http.HandlerFunc) *server {
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
	r, err := c.Ask(t.Context(), user, Permission{}, func() ([]byte, error) {
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
		{"a token from nowhere", status(http.StatusUnauthorized, `Bearer realm="auth.example",service="Basic, or so"`), ok, Token, 401, 0},
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
					c.Roots = trust(t, s)
				}
				r, wanted := ask(t, c)
				assert.Equal(t, Result{Outcome: tt.want, URL: s.URL, Server: s.URL, Status: tt.status}, r)
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

// Without a scheme it is https; plain http only where nothing speaks TLS.
func TestNoScheme(t *testing.T) {
	plain := start(t, false, basic, status(http.StatusOK))
	r, _ := ask(t, clientOf(t, plain.Listener.Addr().String()))
	assert.Equal(t, Result{Outcome: Accepted, URL: plain.URL, Server: plain.URL, Status: http.StatusOK}, r)

	tls := start(t, true, basic, status(http.StatusOK))
	c := clientOf(t, tls.Listener.Addr().String())
	r, wanted := ask(t, c)
	assert.Equal(t, Untrusted, r.Outcome, "a bad certificate is no reason to go without")
	assert.False(t, wanted)
	c.Roots = trust(t, tls)
	r, _ = ask(t, c)
	assert.Equal(t, Result{Outcome: Accepted, URL: tls.URL, Server: tls.URL, Status: http.StatusOK}, r)

	// Something that speaks neither.
	banner := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, "220 mail.example ESMTP ready\r\n") })
	r, wanted = ask(t, clientOf(t, banner))
	assert.Equal(t, Unexpected, r.Outcome)
	assert.Equal(t, "http://"+banner, r.URL)
	assert.False(t, wanted)
}

// Ctrl-C is no outcome.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := start(t, false, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}, nil)
	_, err := clientOf(t, s.URL).Ask(ctx, user, Permission{}, func() ([]byte, error) { return nil, errors.New("asked for the password") })
	require.ErrorIs(t, err, context.Canceled)
}

// A password that is not to be had ends it.
func TestNoPassword(t *testing.T) {
	s := start(t, false, basic, nil)
	failed := errors.New("no terminal")
	_, err := clientOf(t, s.URL).Ask(t.Context(), user, Permission{}, func() ([]byte, error) { return nil, failed })
	require.ErrorIs(t, err, failed)
	assert.Equal(t, 1, s.asked())
}

// What docker login would send instead is asked too, and only then.
func TestDockerLogin(t *testing.T) {
	accept := func(accepted ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			u, p, ok := r.BasicAuth()
			if !ok || !slices.Contains(accepted, u+":"+p) {
				basic(w, r)
			}
		}
	}
	for _, tt := range []struct {
		name           string
		user, password string
		accepted       []string
		want           Outcome
		docker         DockerLogin
	}{
		{"the same", "elton", "pass word", []string{"elton:pass word"}, Accepted, DockerLogin{}},
		{"the same, refused", "elton", "w", nil, Refused, DockerLogin{}},
		{"only the exact password", "elton", " trail\t", []string{"elton: trail\t"}, Accepted, DockerLogin{Refused, true, false}},
		{"only docker's password", "elton", "trail ", []string{"elton:trail"}, Refused, DockerLogin{Accepted, true, false}},
		{"both", "elton", "trail ", []string{"elton:trail", "elton:trail "}, Accepted, DockerLogin{Accepted, true, false}},
		{"neither", "elton", "trail\u00a0", nil, Refused, DockerLogin{Refused, true, false}},
		{"not UTF-8", "elton", "p\xff\xfe", []string{"elton:p\xff\xfe"}, Accepted, DockerLogin{Refused, false, true}},
		{"what docker makes of it", "elton", "p\xff\xfe", []string{"elton:p\ufffd\ufffd"}, Refused, DockerLogin{Accepted, false, true}},
		{"whitespace alone", "elton", " \t", []string{"elton: \t", "elton:"}, Accepted, DockerLogin{Refused, true, false}},
		{"a name", "elton ", "s3cret", []string{"elton :s3cret"}, Accepted, DockerLogin{Refused, true, false}},
		{"a name, not UTF-8", "elt\xf6n", "d0cker\n", []string{"elt\ufffdn:d0cker"}, Refused, DockerLogin{Accepted, true, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, false, accept(tt.accepted...), nil)
			r, err := clientOf(t, s.URL).Ask(t.Context(), tt.user, Permission{}, func() ([]byte, error) { return []byte(tt.password), nil })
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.Outcome)
			assert.Equal(t, tt.docker, r.Docker)
		})
	}
}

// Without a verdict on the password, no other one is asked.
func TestNoDockerLogin(t *testing.T) {
	s := start(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			basic(w, r)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
	}, nil)
	r, err := clientOf(t, s.URL).Ask(t.Context(), user, Permission{}, func() ([]byte, error) { return []byte("trail "), nil })
	require.NoError(t, err)
	assert.Equal(t, Unreadable, r.Outcome)
	assert.Zero(t, r.Docker)
	assert.Equal(t, 2, s.asked())
}

// Where something before the registry has rights of its own, its answer counts.
func TestPermissionWithBasic(t *testing.T) {
	s := start(t, false, basic, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/labs/app/tags/list", "/v2/":
		case "/v2/labs/new/tags/list":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	for permission, want := range map[string]Outcome{
		"pull:labs/app": Accepted, "push:labs/app": Accepted, "push:labs/new": Accepted,
		"pull:other": Denied, "push:other": Denied, "delete:other": Accepted,
	} {
		p, err := ParsePermission(permission)
		require.NoError(t, err)
		r, err := clientOf(t, s.URL).Ask(t.Context(), user, p, func() ([]byte, error) { return []byte(secret), nil })
		require.NoError(t, err)
		assert.Equal(t, want, r.Outcome, permission)
	}
}
