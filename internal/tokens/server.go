// Package tokens serves the tokens that a Docker registry asks its clients for, to
// the users of an htpasswd file and with the rights that an access file gives them.
//
// Source: the token authentication specification of
// github.com/distribution/distribution, docs/content/spec/auth.
package tokens

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
	"github.com/registryctl/registryctl/internal/crypt"
)

const (
	// MinTTL is the shortest lifetime of a token: clients assume it for a shorter one.
	MinTTL = time.Minute

	maxScopes      = 100
	maxHeaderBytes = 28 << 10 // net/http adds 4 KB
	stopWait       = 10 * time.Second
)

// A Server issues tokens. All fields but Metrics are required, and must not be changed
// after the first use. Servers with the same CA and files are interchangeable.
type Server struct {
	// Verify returns nil for the right password of a user, and
	// [basicauth.ErrUnauthorized] for a wrong one. Any other error means that it could
	// not be decided.
	Verify  func(ctx context.Context, user, password string) error
	Rights  *Rights
	CA      *CA
	Service string // the name of the registry
	Issuer  string
	TTL     time.Duration // how long a token is valid
	Log     *slog.Logger  // each request is logged, but no password and no token
	Metrics bool          // serve /metrics too

	now    func() time.Time // time.Now if nil
	signer signer

	issued, anonymous, refused, unavailable, malformed atomic.Int64
}

// Handler returns the handler of GET /token, /healthz and /metrics. POST /token is
// answered with 404, after which clients that try OAuth 2 first use GET.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", s.token)
	mux.Handle("POST /token", http.NotFoundHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	if s.Metrics {
		mux.HandleFunc("GET /metrics", s.metrics)
	}
	return mux
}

// Serve answers requests on l until the context ends. Then it accepts no more, and waits
// up to 10 seconds for those that are being answered.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute, // basicauth waits for at most 10 seconds, then compares
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer cancel()
		stopped <- server.Shutdown(end)
	})
	defer stop()
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = <-stopped
	}
	return err
}

func (s *Server) time() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// token answers a request for a token. It is no error to grant fewer rights than were
// asked for, or none: the registry tells the client.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var scopes []string
	for _, scope := range query["scope"] {
		scopes = append(scopes, strings.Fields(scope)...)
	}
	if service := query.Get("service"); service != "" && service != s.Service {
		s.fail(w, r, http.StatusBadRequest, "another service: this one is "+s.Service)
		return
	}
	if len(scopes) > maxScopes {
		s.fail(w, r, http.StatusBadRequest, "more than "+strconv.Itoa(maxScopes)+" scopes")
		return
	}
	user, err := s.login(r)
	switch {
	case errors.Is(err, basicauth.ErrUnauthorized):
		s.fail(w, r, http.StatusUnauthorized, "wrong user name or password")
		return
	case err != nil:
		s.Log.Error("cannot verify a password", "error", err)
		s.fail(w, r, http.StatusServiceUnavailable, "the password cannot be verified now; try again")
		return
	}

	access := grant(s.Rights.Now(), user, scopes)
	now := s.time()
	token, err := s.signer.sign(s.CA, now, s.TTL, claims{
		Claims: jwt.Claims{
			Issuer:    s.Issuer,
			Subject:   user,
			Audience:  jwt.Audience{s.Service},
			Expiry:    jwt.NewNumericDate(now.Add(s.TTL)),
			NotBefore: jwt.NewNumericDate(now),
			IssuedAt:  jwt.NewNumericDate(now),
			ID:        rand.Text(),
		},
		Access: access,
	})
	if err != nil {
		s.Log.Error("cannot sign a token", "error", err)
		s.fail(w, r, http.StatusInternalServerError, "the token cannot be signed")
		return
	}
	s.issued.Add(1)
	if user == "" {
		s.anonymous.Add(1)
	}
	s.Log.Info("token", "user", user, "client", r.RemoteAddr, "asked", scopes, "granted", access)
	respond(w, http.StatusOK, map[string]any{
		"token":        token,
		"access_token": token,
		"expires_in":   int(s.TTL.Seconds()),
		"issued_at":    now.UTC().Format(time.RFC3339),
	})
}

// login returns the user of a request, or "" for a request without credentials.
func (s *Server) login(r *http.Request) (string, error) {
	if r.Header.Get("Authorization") == "" {
		return "", nil
	}
	user, password, ok := r.BasicAuth()
	if !ok || user == "" {
		return "", basicauth.ErrUnauthorized
	}
	return user, s.Verify(r.Context(), user, password)
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	user, _, _ := r.BasicAuth()
	s.Log.Warn("no token", "user", crypt.Redact(user), "client", r.RemoteAddr, "status", status, "reason", message)
	code := "UNAVAILABLE" // clients show it beside the message
	switch status {
	case http.StatusBadRequest:
		code = "UNSUPPORTED"
		s.malformed.Add(1)
	case http.StatusUnauthorized:
		code = "UNAUTHORIZED"
		s.refused.Add(1)
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, s.Service))
	default:
		s.unavailable.Add(1)
		w.Header().Set("Retry-After", "1")
	}
	respond(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

// metrics writes the text format of Prometheus.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintln(w, "# HELP registryctl_token_requests_total Requests for a token, by result.")
	fmt.Fprintln(w, "# TYPE registryctl_token_requests_total counter")
	for _, c := range []struct {
		result string
		n      int64
	}{
		{"issued", s.issued.Load() - s.anonymous.Load()}, {"anonymous", s.anonymous.Load()},
		{"refused", s.refused.Load()}, {"malformed", s.malformed.Load()}, {"unavailable", s.unavailable.Load()},
	} {
		fmt.Fprintf(w, "registryctl_token_requests_total{result=%q} %d\n", c.result, c.n)
	}
	good := 0
	if s.Rights.Err() == nil {
		good = 1
	}
	fmt.Fprintln(w, "# HELP registryctl_access_file_good Whether the rights are those of the access file as it is now.")
	fmt.Fprintln(w, "# TYPE registryctl_access_file_good gauge")
	fmt.Fprintln(w, "registryctl_access_file_good", good)
}
