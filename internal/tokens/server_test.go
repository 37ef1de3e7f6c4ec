package tokens

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/atomicfile"
)

const password = "d0cker123"

var users = []string{"elton", "francis", "ci", "stranger", "cleaner", "el ton"}

var hash = sync.OnceValue(func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
})

// A testServer keeps its files in dir and logs to log.
type testServer struct {
	*Server
	dir   string
	log   *syncBuffer
	clock atomic.Int64 // by how much it is off
}

// newTestServer makes a server on the files in dir, after it has written the users
// and, unless they are empty, the rights.
func newTestServer(t testing.TB, dir, rights string) *testServer {
	t.Helper()
	s := &testServer{dir: dir, log: &syncBuffer{}}
	var text strings.Builder
	for _, user := range users {
		fmt.Fprintf(&text, "%s:%s\n", user, hash())
	}
	file := filepath.Join(dir, "registry.htpasswd")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	if rights != "" {
		s.setRights(t, rights)
	}
	r, err := OpenRights(filepath.Join(dir, "registry.access"), nil)
	require.NoError(t, err)
	ca, err := OpenCA(t.Context(), filepath.Join(dir, "token.key"))
	require.NoError(t, err)
	authenticator := &basicauth.Authenticator{Path: file, CacheTTL: time.Minute}
	s.Server = &Server{
		Verify:  authenticator.Verify,
		Rights:  r,
		CA:      ca,
		Service: "registry",
		Issuer:  "registryctl",
		TTL:     5 * time.Minute,
		Log:     slog.New(slog.NewTextHandler(s.log, nil)),
		Metrics: true,
		now:     func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) },
	}
	return s
}

func (s *testServer) setClock(off time.Duration) { s.clock.Store(int64(off)) }

// setRights replaces the access file, as an edit does.
func (s *testServer) setRights(t testing.TB, text string) {
	t.Helper()
	_, err := atomicfile.Update(t.Context(), filepath.Join(s.dir, "registry.access"), atomicfile.Options{Create: true},
		func(string) (io.WriterTo, error) { return strings.NewReader(text), nil })
	require.NoError(t, err)
}

func (s *testServer) get(user, password, query string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "/token"+query, nil)
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, req)
	return w
}

func (s *testServer) token(t testing.TB, user, query string) string {
	t.Helper()
	w := s.get(user, password, query)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var answer struct{ Token string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Token
}

// claims checks a token as a registry does.
func (s *testServer) claims(t testing.TB, token string) claims {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	pem, err := os.ReadFile(filepath.Join(s.dir, "token.crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	chains, err := parsed.Headers[0].Certificates(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	require.NoError(t, err)
	var c claims
	require.NoError(t, parsed.Claims(chains[0][0].PublicKey, &c))
	return c
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestToken(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	w := s.get("francis", password, "?service=registry&account=francis&client_id=docker&offline_token=true&scope=repository:labs/app:pull,push,delete&scope=repository:other:pull")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var answer struct {
		Token       string
		AccessToken string    `json:"access_token"`
		ExpiresIn   int       `json:"expires_in"`
		IssuedAt    time.Time `json:"issued_at"`
	}
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&answer))
	assert.Equal(t, answer.Token, answer.AccessToken)
	assert.Equal(t, 300, answer.ExpiresIn)
	assert.WithinDuration(t, time.Now(), answer.IssuedAt, 5*time.Second)

	c := s.claims(t, answer.Token)
	assert.Equal(t, "registryctl", c.Issuer)
	assert.Equal(t, "francis", c.Subject)
	assert.Equal(t, jwt.Audience{"registry"}, c.Audience)
	assert.Equal(t, 5*time.Minute, c.Expiry.Time().Sub(c.IssuedAt.Time()))
	assert.Equal(t, c.IssuedAt, c.NotBefore)
	assert.NotEmpty(t, c.ID)
	assert.Equal(t, []resource{{Type: "repository", Name: "labs/app", Actions: []string{"pull", "push"}}}, c.Access)
	assert.NotEqual(t, c.ID, s.claims(t, s.token(t, "francis", "")).ID)
}

// The key is replaced while it runs; the tokens of both are good for their time.
func TestRotation(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	first, same := s.token(t, "francis", ""), s.token(t, "francis", "")
	s.setClock(rotation + time.Minute)
	second := s.token(t, "francis", "")
	header := func(token string) string { return strings.Split(token, ".")[0] }
	assert.Equal(t, header(first), header(same))
	assert.NotEqual(t, header(first), header(second))
	for _, token := range []string{first, second} {
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
		require.NoError(t, err)
		roots := x509.NewCertPool()
		roots.AddCert(s.CA.cert)
		for _, at := range []time.Duration{0, s.TTL} {
			_, err = parsed.Headers[0].Certificates(x509.VerifyOptions{
				Roots:       roots,
				KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
				CurrentTime: s.claims(t, first).IssuedAt.Time().Add(rotation + at),
			})
			assert.NoError(t, err)
		}
	}
}

func TestScopes(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText+"* pull localhost:5000/x\n")
	repository := func(name string, actions ...string) resource {
		return resource{Type: "repository", Name: name, Actions: actions}
	}
	for _, tt := range []struct {
		user, query string
		want        []resource
	}{
		{"elton", "", []resource{}},
		{"elton", "?scope=repository:a:pull+repository:b:push", []resource{repository("a", "pull"), repository("b", "push")}},
		{"elton", "?scope=repository:a:*", []resource{repository("a", "pull", "push", "delete")}},
		{"francis", "?scope=repository:labs/app:*", []resource{repository("labs/app", "pull", "push")}},
		{"francis", "?scope=repository:labs/app:delete,push,push,pull,all,x", []resource{repository("labs/app", "pull", "push")}},
		{"", "?scope=repository:localhost:5000/x:pull", []resource{repository("localhost:5000/x", "pull")}},
		{"elton", "?scope=repository(plugin):a:pull", []resource{{"repository", "plugin", "a", []string{"pull"}}}},
		{"elton", "?scope=registry:catalog:*", []resource{{"registry", "", "catalog", []string{"*"}}}},
		{"francis", "?scope=registry:catalog:*", []resource{}},
		{"elton", "?scope=registry:catalog:pull&scope=registry:other:*&scope=other:a:pull", []resource{}},
		{"elton", "?scope=&scope=:&scope=::&scope=repository&scope=repository:a&scope=repository:a:&scope=repository::pull&scope=repository(x:a:pull&scope=(:a:pull", []resource{}},
		{"elton", "?scope=repository:A:pull&scope=repository:a//b:pull&scope=repository:" + strings.Repeat("a", 256) + ":pull&scope=repository:%00%ff:pull", []resource{}},
		{"elton", "?scope=%zz&scope=repository:a:pull", []resource{repository("a", "pull")}},
	} {
		assert.Equal(t, tt.want, s.claims(t, s.token(t, tt.user, tt.query)).Access, "%s %s", tt.user, tt.query)
	}
}

func TestRefused(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	for _, tt := range []struct {
		name, user, password, query string
		status                      int
	}{
		{"wrong password", "francis", "s3cret", "", http.StatusUnauthorized},
		{"no password", "francis", "", "", http.StatusUnauthorized},
		{"no such user", "nobody", password, "", http.StatusUnauthorized},
		{"a hash for a name", hash(), password, "", http.StatusUnauthorized},
		{"another service", "francis", password, "?service=x", http.StatusBadRequest},
		{"many scopes", "francis", password, "?" + strings.Repeat("scope=repository:a:pull&", 1000), http.StatusBadRequest},
		{"many scopes in one", "francis", password, "?scope=" + strings.Repeat("repository:a:pull+", 1000), http.StatusBadRequest},
	} {
		w := s.get(tt.user, tt.password, tt.query)
		assert.Equal(t, tt.status, w.Code, tt.name)
		var answer struct {
			Errors []struct{ Code, Message string }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		assert.NotEmpty(t, answer.Errors[0].Code)
		assert.NotEmpty(t, answer.Errors[0].Message)
		challenge := ""
		if tt.status == http.StatusUnauthorized {
			challenge = `Basic realm="registry", charset="UTF-8"`
		}
		assert.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
	}
	for _, header := range []string{"Bearer x", "Basic", "Basic !", "Basic Og==", "Basic " + strings.Repeat("A", 4000)} {
		req := httptest.NewRequest(http.MethodGet, "/token", nil)
		req.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		assert.Equal(t, http.StatusUnauthorized, w.Code, header)
	}

	verify := s.Verify
	s.Verify = func(context.Context, string, string) error { return errors.New("no file") }
	w := s.get("francis", password, "")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	assert.NotContains(t, w.Body.String(), "no file", "what is wrong here is nothing for clients")
	s.Verify = verify
	assert.Equal(t, http.StatusOK, s.get("", "", "").Code)

	log := s.log.String()
	assert.Contains(t, log, "user=francis")
	assert.Contains(t, log, "user=[hidden]")
	assert.Contains(t, log, `error="no file"`)
	assert.NotContains(t, log, "s3cret")
	assert.NotContains(t, log, password)
	assert.NotContains(t, log, "$2a$")
}

func TestOtherPaths(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	s.get("francis", "wrong", "")
	s.get("francis", password, "")
	s.get("", "", "")
	s.get("", "", "?service=x")
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodPost, "/token", http.StatusNotFound, "404 page not found\n"},
		{http.MethodGet, "/", http.StatusNotFound, "404 page not found\n"},
		{http.MethodPut, "/token", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{http.MethodGet, "/healthz", http.StatusOK, "ok\n"},
		{http.MethodGet, "/metrics", http.StatusOK, `# HELP registryctl_token_requests_total Requests for a token, by result.
# TYPE registryctl_token_requests_total counter
registryctl_token_requests_total{result="issued"} 1
registryctl_token_requests_total{result="anonymous"} 1
registryctl_token_requests_total{result="refused"} 1
registryctl_token_requests_total{result="malformed"} 1
registryctl_token_requests_total{result="unavailable"} 0
# HELP registryctl_access_file_good Whether the rights are those of the access file as it is now.
# TYPE registryctl_access_file_good gauge
registryctl_access_file_good 1
`},
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		assert.Equal(t, tt.status, w.Code, tt.path)
		assert.Equal(t, tt.body, w.Body.String())
	}
	s.Metrics = false
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	assert.Equal(t, http.StatusNotFound, w.Code)
}

func TestServe(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	asked, answer := make(chan struct{}), make(chan struct{})
	s.Verify = func(context.Context, string, string) error {
		close(asked)
		<-answer
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()

	// A header that is too large, and one that does not end, harm nobody else.
	slow, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer slow.Close()
	_, err = io.WriteString(slow, "GET /token HTTP/1.1\r\nHost: x\r\n")
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/token", nil)
	require.NoError(t, err)
	req.Header.Set("X", strings.Repeat("x", 64<<10))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)

	// Who is being answered when the server stops gets the answer.
	status := make(chan int, 1)
	go func() {
		req := req.Clone(t.Context())
		req.Header.Del("X")
		req.SetBasicAuth("francis", password)
		if resp, err := http.DefaultClient.Do(req); assert.NoError(t, err) {
			resp.Body.Close()
			status <- resp.StatusCode
		}
	}()
	<-asked
	stop()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	slow.Close()
	select {
	case err := <-ended:
		require.FailNow(t, "it did not wait", err)
	default:
	}
	close(answer)
	assert.Equal(t, http.StatusOK, <-status)
	assert.NoError(t, <-ended)
}

// A thousand clients at once are all served, with one comparison of their password.
func TestCrowd(t *testing.T) {
	s := newTestServer(t, t.TempDir(), rightsText)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	realm := serve(t, s, l)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, realm+pullScope, nil)
			if !assert.NoError(t, err) {
				return
			}
			req.SetBasicAuth("francis", password)
			resp, err := client.Do(req)
			if assert.NoError(t, err) {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				assert.Equal(t, http.StatusOK, resp.StatusCode)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1000, s.issued.Load())
}

func FuzzToken(f *testing.F) {
	f.Add("service=registry&scope=repository:labs/app:pull,push", "Basic ZnJhbmNpczpkMGNrZXIxMjM=")
	f.Add("scope=repository(plugin):localhost:5000/a:*+registry:catalog:*", "")
	f.Add("scope=:::&scope=%00%ff(,):(:,&service=%0a", "Basic Og==")
	s := newTestServer(f, f.TempDir(), rightsText)
	s.Verify = func(_ context.Context, user, p string) error {
		if slices.Contains(users, user) && p == password {
			return nil
		}
		return basicauth.ErrUnauthorized
	}
	rights := s.Rights.Now()
	f.Fuzz(func(t *testing.T, query, authorization string) {
		req := httptest.NewRequest(http.MethodGet, "/token", nil)
		req.URL.RawQuery = query
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized}, w.Code)
		assert.True(t, json.Valid(w.Body.Bytes()))
		if w.Code != http.StatusOK {
			return
		}
		var answer struct{ Token string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		c := s.claims(t, answer.Token)
		for _, r := range c.Access {
			for _, action := range r.Actions {
				if r.Type == "registry" {
					assert.NotNil(t, rights.FindCatalog(c.Subject))
					continue
				}
				assert.Equal(t, "repository", r.Type)
				assert.NotNil(t, rights.Find(c.Subject, access.Action(action), r.Name))
			}
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s := newTestServer(b, b.TempDir(), rightsText)
	s.Log = slog.New(slog.DiscardHandler)
	s.token(b, "francis", pullScope)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.get("francis", password, pullScope)
		}
	})
}
