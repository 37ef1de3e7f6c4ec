package registry

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bearer is the challenge of a registry with a token server.
func bearer(realm string) http.HandlerFunc {
	return status(http.StatusUnauthorized, fmt.Sprintf(`Bearer realm="%s",service="registry.example",scope="x"`, realm))
}

// tokens is a token server's answer to the right password.
func tokens(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
	}
}

// startTokenRegistry starts a registry that answers a token, by its path, and
// sends whoever has none to the realm.
func startTokenRegistry(t *testing.T, tls bool, realm string, answer http.HandlerFunc) *server {
	t.Helper()
	return start(t, tls, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			answer(w, r)
			return
		}
		bearer(realm)(w, r)
	}, nil)
}

// unsigned returns a token with these claims.
func unsigned(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + "."
}

func can(t *testing.T, c Client, permission string) Result {
	t.Helper()
	p, err := ParsePermission(permission)
	require.NoError(t, err)
	r, err := c.Ask(t.Context(), user, p, func() ([]byte, error) { return []byte(secret), nil })
	require.NoError(t, err)
	return r
}

// The password goes to the token server, and to the registry only the token.
func TestToken(t *testing.T) {
	for _, tt := range []struct{ registry, realm bool }{{false, false}, {true, true}, {false, true}} {
		realm := start(t, tt.realm, status(http.StatusUnauthorized), tokens("t0ken"))
		s := startTokenRegistry(t, tt.registry, realm.URL+"/token?x=1", status(http.StatusOK))
		c := clientOf(t, s.URL)
		c.Roots = x509.NewCertPool()
		for _, trusted := range []*server{s, realm} {
			if cert := trusted.Certificate(); cert != nil {
				c.Roots.AddCert(cert)
			}
		}
		r, wanted := ask(t, c)
		assert.Equal(t, Result{Outcome: Accepted, URL: s.URL, Server: s.URL, Status: http.StatusOK}, r)
		assert.True(t, wanted)
		require.Len(t, realm.requests, 1)
		asked := realm.requests[0].URL
		assert.Equal(t, "/token", asked.Path)
		assert.Equal(t, url.Values{"x": {"1"}, "account": {user}, "client_id": {"registryctl"}, "service": {"registry.example"}}, asked.Query())
		require.Len(t, s.requests, 2)
		assert.Empty(t, s.requests[0].Header.Get("Authorization"))
		assert.Equal(t, "Bearer t0ken", s.requests[1].Header.Get("Authorization"))
	}
}

func TestTokenServerAnswers(t *testing.T) {
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	for _, tt := range []struct {
		name          string
		answer        http.HandlerFunc
		atRegistry    int
		want          Outcome
		status        int
		fromRegistry  bool
		requestsThere int
	}{
		{"a token", body(`{"token":"x"}`), 200, Accepted, 200, true, 2},
		{"a token of OAuth 2", body(`{"access_token":"x"}`), 200, Accepted, 200, true, 2},
		{"wrong password", status(401), 200, Refused, 401, false, 1},
		{"wrong password, as GitLab says it", status(403), 200, Refused, 403, false, 1},
		{"the registry refuses the token", body(`{"token":"x"}`), 401, TokenRefused, 401, true, 2},
		{"the registry fails", body(`{"token":"x"}`), 503, Unexpected, 503, true, 2},
		{"no JSON", body("token"), 200, Unexpected, 200, false, 1},
		{"no token", body("{}"), 200, Unexpected, 200, false, 1},
		{"a token for no header", body(`{"token":"x\ny"}`), 200, Unexpected, 0, true, 1},
		{"an error", status(500), 200, Unexpected, 500, false, 1},
		{"too long", body(`{"x":"` + strings.Repeat("x", maxTokenBytes) + `","token":"x"}`), 200, Unexpected, 200, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			realm := start(t, false, status(http.StatusUnauthorized), tt.answer)
			s := startTokenRegistry(t, false, realm.URL, status(tt.atRegistry))
			r, _ := ask(t, clientOf(t, s.URL))
			server := realm.URL
			if tt.fromRegistry {
				server = s.URL
			}
			assert.Equal(t, Result{Outcome: tt.want, URL: s.URL, Server: server, Status: tt.status}, r)
			assert.Equal(t, tt.requestsThere, s.asked())
			assert.Equal(t, 1, realm.logins())
		})
	}
}

// A registry with TLS that names a token server without gets no password.
func TestTokenServerWithoutTLS(t *testing.T) {
	realm := start(t, false, status(http.StatusUnauthorized), tokens("x"))
	s := startTokenRegistry(t, true, realm.URL, status(http.StatusOK))
	c := clientOf(t, s.URL)
	c.Roots, c.PlainHTTP = trust(t, s), true
	r, wanted := ask(t, c)
	assert.Equal(t, Result{Outcome: PlainHTTP, URL: s.URL, Server: realm.URL, Status: http.StatusUnauthorized}, r)
	assert.False(t, wanted)
	assert.Zero(t, realm.asked())
}

// A token server is asked under the same rules as a registry.
func TestTokenServerNotAsked(t *testing.T) {
	closed := start(t, false, nil, nil)
	closed.Close()
	untrusted := start(t, true, nil, nil)
	for realm, want := range map[string]Outcome{
		closed.URL:                   ConnectionRefused,
		untrusted.URL:                Untrusted,
		"http://192.0.2.1:5001":      PlainHTTP,
		"https://elton@auth.example": Token,
		"ftp://auth.example":         Token,
		"auth.example/token":         Token,
		"/token":                     Token,
		"":                           Token,
		"https://auth\u202e.example": Token,
	} {
		s := startTokenRegistry(t, false, realm, nil)
		r, wanted := ask(t, clientOf(t, s.URL))
		assert.Equal(t, want, r.Outcome, realm)
		assert.Equal(t, want != Token, wanted)
		if want == Token {
			realm = s.URL
		}
		assert.Equal(t, realm, r.Server)
		assert.Equal(t, want != Token, r.OfTokenServer())
	}
	assert.Zero(t, untrusted.asked())
}

func TestTokenServerRedirects(t *testing.T) {
	elsewhere := start(t, false, nil, nil)
	realm := start(t, false, nil, redirect(elsewhere.URL))
	s := startTokenRegistry(t, false, realm.URL, nil)
	r, _ := ask(t, clientOf(t, s.URL))
	assert.Equal(t, Result{Outcome: Redirected, URL: s.URL, Server: realm.URL, Status: http.StatusTemporaryRedirect}, r)
	assert.Zero(t, elsewhere.asked())
	assert.Equal(t, 1, realm.asked())
}

// Of what a token grants, only known words are shown.
func TestGranted(t *testing.T) {
	for token, want := range map[string][]string{
		`{"access":[{"type":"repository","name":"labs/app","actions":["delete","pull","d0cker"]}]}`: {"pull", "delete"},
		`{"access":[]}`: {},
	} {
		realm := start(t, false, status(http.StatusUnauthorized), tokens(unsigned(token)))
		s := startTokenRegistry(t, false, realm.URL, status(http.StatusOK))
		r := can(t, clientOf(t, s.URL), "push:labs/app")
		assert.Equal(t, Denied, r.Outcome)
		assert.Equal(t, want, r.Granted)
	}
	realm := start(t, false, status(http.StatusUnauthorized), tokens("opaque"))
	s := startTokenRegistry(t, false, realm.URL, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := can(t, clientOf(t, s.URL), "push:labs/app")
	assert.Equal(t, Denied, r.Outcome)
	assert.Nil(t, r.Granted)
}

// What docker login would send goes to the token server as well.
func TestTokenAndDockerLogin(t *testing.T) {
	realm := start(t, false, status(http.StatusUnauthorized), tokens("x"))
	s := startTokenRegistry(t, false, realm.URL, status(http.StatusOK))
	r, err := clientOf(t, s.URL).Ask(t.Context(), user, Permission{}, func() ([]byte, error) { return []byte(secret + " "), nil })
	require.NoError(t, err)
	assert.Equal(t, Refused, r.Outcome)
	assert.Equal(t, DockerLogin{Outcome: Accepted, Trimmed: true}, r.Docker)
}

// A permission is what the token says, and what the registry makes of it.
func TestPermission(t *testing.T) {
	access := func(actions ...string) string {
		text, err := json.Marshal(map[string]any{"access": []any{
			map[string]any{"type": "repository", "name": "labs/other", "actions": []string{"pull", "push", "delete"}},
			map[string]any{"type": "registry", "name": "labs/app", "actions": []string{"*"}},
			map[string]any{"type": "repository", "name": "labs/app", "actions": actions},
		}})
		require.NoError(t, err)
		return unsigned(string(text))
	}
	for _, tt := range []struct {
		name       string
		token      string
		permission string
		tags       int // what the registry answers
		want       Outcome
	}{
		{"pull", access("pull"), "pull:labs/app", 200, Accepted},
		{"pull, nothing there yet", access("pull"), "pull:labs/app", 404, Accepted},
		{"push", access("push", "pull"), "push:labs/app", 200, Accepted},
		{"everything", access("*"), "push:labs/app", 200, Accepted},
		{"delete", access("delete"), "delete:labs/app", 401, Accepted},
		{"pull only", access("pull"), "push:labs/app", 200, Denied},
		{"push without pull", access("push"), "push:labs/app", 200, Denied},
		{"no delete", access("pull", "push"), "delete:labs/app", 200, Denied},
		{"nothing", access(), "pull:labs/app", 200, Denied},
		{"no grants", unsigned(`{"access":[]}`), "pull:labs/app", 200, Denied},
		{"null", unsigned(`{"access":null}`), "push:labs/app", 200, Denied},
		{"the registry says no", access("pull", "push"), "push:labs/app", 401, Denied},
		{"the registry forbids", access("pull"), "pull:labs/app", 403, Denied},
		{"the registry fails", access("pull"), "pull:labs/app", 503, Unexpected},
		{"opaque, pull", "0paque", "pull:labs/app", 200, Accepted},
		{"opaque, no pull", "0paque", "pull:labs/app", 403, Denied},
		{"opaque, push", "0paque", "push:labs/app", 200, Undecided},
		{"opaque, push without pull", "0paque", "push:labs/app", 401, Denied},
		{"opaque, delete", "0paque", "delete:labs/app", 200, Undecided},
		{"no claim", unsigned(`{"sub":"elton"}`), "push:labs/app", 200, Undecided},
		{"another claim", unsigned(`{"access":"all"}`), "push:labs/app", 200, Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			realm := start(t, false, status(http.StatusUnauthorized), tokens(tt.token))
			s := startTokenRegistry(t, false, realm.URL, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/labs/app/tags/list" {
					w.WriteHeader(tt.tags)
				}
			})
			r := can(t, clientOf(t, s.URL), tt.permission)
			assert.Equal(t, tt.want, r.Outcome)
			assert.Contains(t, []string{s.URL, realm.URL}, r.Server)
			for _, r := range s.requests {
				assert.Equal(t, http.MethodGet, r.Method, "changes something")
			}
		})
	}
}

func TestPermissionScope(t *testing.T) {
	var scopes []string
	realm := start(t, false, status(http.StatusUnauthorized), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("scope") {
			scopes = append(scopes, r.URL.Query().Get("scope"))
			w.WriteHeader(http.StatusForbidden) // as GitLab answers
			return
		}
		tokens("x")(w, r)
	})
	s := startTokenRegistry(t, false, realm.URL, status(http.StatusOK))
	for _, p := range []string{"pull:labs/app", "push:labs/app", "delete:a"} {
		r := can(t, clientOf(t, s.URL), p)
		assert.Equal(t, Denied, r.Outcome)
		assert.Equal(t, realm.URL, r.Server)
	}
	assert.Equal(t, []string{"repository:labs/app:pull", "repository:labs/app:pull,push", "repository:a:delete"}, scopes)
}

func FuzzGrantedActions(f *testing.F) {
	f.Add(unsigned(`{"access":[{"type":"repository","name":"a","actions":["pull"]}]}`))
	f.Add("a.b.c")
	f.Fuzz(func(_ *testing.T, token string) { grantedActions(token, "a") })
}
