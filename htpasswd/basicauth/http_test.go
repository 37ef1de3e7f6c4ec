package basicauth

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// greeter answers with the user of the request's context.
var greeter = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	user, ok := User(r.Context())
	if !ok {
		user = "nobody"
	}
	_, _ = io.WriteString(w, "hello "+user)
})

func basic(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}

func request(h http.Handler, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMiddleware(t *testing.T) {
	a := load(t, &Authenticator{}, strings.Join([]string{
		"elton:" + hashed(t, "d0cker"),
		"jürgen:" + hashed(t, "паро:ль:"), // the first colon only ends the name
		":" + hashed(t, "nameless"),       // whom the registry would let in
	}, "\n"))
	h := a.Middleware("registry")(greeter)
	for authorization, want := range map[string]string{
		basic("elton:d0cker"):                          "elton",
		"bAsIc" + basic("elton:d0cker")[len("Basic"):]: "elton",
		basic("jürgen:паро:ль:"):                       "jürgen",
		basic(":nameless"):                             "refused",
		"":                                             "refused",
		"Basic":                                        "refused",
		"Basic ":                                       "refused",
		"Basic !":                                      "refused",
		basic(""):                                      "refused",
		basic("elton"):                                 "refused",
		basic("elton:"):                                "refused",
		basic("elton:docker"):                          "refused",
		basic("nobody:d0cker"):                         "refused",
		basic("j\xfcrgen:паро:ль:"):                    "refused", // ISO 8859-1
		basic("elton:d0cker") + "=":                    "refused",
		strings.TrimPrefix(basic("elton:d0cker"), "Basic "):     "refused",
		"Bearer " + basic("elton:d0cker")[len("Basic "):]:       "refused",
		"Basic elton:d0cker":                                    "refused",
		"Basic  " + basic("elton:d0cker")[len("Basic "):]:       "refused",
		basic("elton:d0cker") + ", " + basic("elton:d0cker"):    "refused",
		"Basic " + base64.StdEncoding.EncodeToString([]byte{0}): "refused",
	} {
		resp := request(h, authorization)
		if want != "refused" {
			assert.Equal(t, http.StatusOK, resp.Code, authorization)
			assert.Equal(t, "hello "+want, resp.Body.String())
			assert.Empty(t, resp.Header()["Www-Authenticate"])
			continue
		}
		assert.Equal(t, http.StatusUnauthorized, resp.Code, authorization)
		assert.Equal(t, []string{`Basic realm="registry", charset="UTF-8"`}, resp.Header()["Www-Authenticate"], authorization)
		assert.Equal(t, "Unauthorized\n", resp.Body.String(), authorization)
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	a := load(t, &Authenticator{}, text(t, "elton"))
	r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
	r.SetBasicAuth("elton", "of elton")
	user, err := a.VerifyRequest(r)
	require.NoError(t, err)
	require.Equal(t, "elton", user)
	for _, second := range []string{r.Header.Get("Authorization"), "Bearer x", ""} {
		r := r.Clone(t.Context())
		r.Header.Add("Authorization", second)
		user, err = a.VerifyRequest(r)
		require.Equal(t, ErrUnauthorized, err)
		require.Empty(t, user)
	}
}

func TestChallenge(t *testing.T) {
	for realm, want := range map[string]string{
		"":                       ``,
		`Docker's "lab" \o/`:     `Docker's \"lab\" \\o/`,
		"a\r\nSet-Cookie: b\x7f": `a  Set-Cookie: b `,
		"Büro":                   `Büro`,
	} {
		assert.Equal(t, `Basic realm="`+want+`", charset="UTF-8"`, Challenge(realm))
	}
}

// Limit is asked before a password is compared, and OnLogin hears each outcome.
func TestHooks(t *testing.T) {
	type login struct {
		path, user string
		err        error
	}
	var logins []login
	compared := 0
	a := &Authenticator{
		OnLogin: func(r *http.Request, user string, err error) {
			logins = append(logins, login{r.URL.Path, user, err})
		},
		Limit: func(_ *http.Request, user string) time.Duration {
			if user == "francis" {
				return 1500 * time.Millisecond
			}
			return 0
		},
	}
	s := a.ready()
	compare := s.compare
	s.compare = func(hash string, password []byte) error {
		compared++
		return compare(hash, password)
	}
	h := a.Middleware("registry")(greeter)
	require.Equal(t, http.StatusServiceUnavailable, request(h, basic("elton:of elton")).Code)
	load(t, a, text(t, "elton", "francis"))

	require.Equal(t, http.StatusUnauthorized, request(h, "").Code)
	require.Equal(t, http.StatusUnauthorized, request(h, "Bearer x").Code)
	require.Equal(t, http.StatusOK, request(h, basic("elton:of elton")).Code)
	require.Equal(t, http.StatusUnauthorized, request(h, basic("elton:wrong")).Code)
	require.Equal(t, 2, compared)
	resp := request(h, basic("francis:of francis"))
	require.Equal(t, http.StatusTooManyRequests, resp.Code)
	require.Equal(t, "2", resp.Header().Get("Retry-After"))
	require.Equal(t, 2, compared)
	require.Equal(t, []login{
		{"/v2/", "elton", errNothingLoaded},
		{"/v2/", "", ErrUnauthorized}, // malformed; a request without credentials is no login
		{"/v2/", "elton", nil},
		{"/v2/", "elton", ErrUnauthorized},
		{"/v2/", "francis", &LimitError{1500 * time.Millisecond}},
	}, logins)
}

func TestMiddlewareCannotTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	h := (&Authenticator{Path: path, CheckInterval: -1}).Middleware("registry")(greeter)
	resp := request(h, basic("elton:of elton"))
	assert.Equal(t, http.StatusServiceUnavailable, resp.Code)
	assert.Empty(t, resp.Header()["Www-Authenticate"], "another password is of no help")
	assert.Equal(t, "5", resp.Header().Get("Retry-After"))
	assert.Equal(t, http.StatusUnauthorized, request(h, "").Code)
	write(t, path, text(t, "elton"))
	assert.Equal(t, http.StatusOK, request(h, basic("elton:of elton")).Code)
}

// Who waits too long for a turn is told to come again; what is in the cache is
// answered meanwhile.
func TestMiddlewareIsBusy(t *testing.T) {
	for _, tt := range []struct{ set, wait time.Duration }{{0, 10 * time.Second}, {time.Minute, time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			a := &Authenticator{MaxConcurrent: 1, MaxWait: tt.set, CacheTTL: time.Hour}
			slowly(t, a, "elton", "francis")
			h := a.Middleware("registry")(greeter)
			require.Equal(t, http.StatusOK, request(h, basic("elton:right")).Code)

			require.NoError(t, a.ready().turns.Acquire(t.Context(), 1)) // a comparison that does not end
			start := time.Now()
			require.Equal(t, http.StatusServiceUnavailable, request(h, basic("francis:right")).Code)
			require.Equal(t, tt.wait, time.Since(start))
			require.Equal(t, http.StatusOK, request(h, basic("elton:right")).Code)
			require.Equal(t, tt.wait, time.Since(start))
			a.ready().turns.Release(1)
			require.Equal(t, http.StatusOK, request(h, basic("francis:right")).Code)
		})
	}
}

// MaxWait, as it is at the first login, bounds the wait for a turn; a comparison
// that has begun in time is not cut short.
func TestMaxWaitCutsNoComparison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{MaxConcurrent: 1}
		h := a.Middleware("registry")(greeter)
		a.MaxWait = 500 * time.Millisecond
		slowly(t, a, "elton")
		type answer struct {
			status int
			after  time.Duration
		}
		start := time.Now()
		answers := make(chan answer, 3)
		ask := func(password string) {
			go func() {
				status := request(h, basic("elton:"+password)).Code
				answers <- answer{status, time.Since(start)}
			}()
			synctest.Wait()
		}
		ask("right") // begins, and takes a second
		time.Sleep(100 * time.Millisecond)
		ask("right") // shares it
		ask("wrong") // waits for its turn
		require.Equal(t, answer{http.StatusServiceUnavailable, 600 * time.Millisecond}, <-answers)
		require.Equal(t, answer{http.StatusOK, time.Second}, <-answers)
		require.Equal(t, answer{http.StatusOK, time.Second}, <-answers)
	})
}

// A request whose client has gone gives up its turn.
func TestMiddlewareClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{MaxConcurrent: 1}
		compared := slowly(t, a, "elton")
		require.NoError(t, a.ready().turns.Acquire(t.Context(), 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v2/", nil)
		r.SetBasicAuth("elton", "right")
		start := time.Now()
		a.Middleware("registry")(greeter).ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, time.Second, time.Since(start))
		a.ready().turns.Release(1)
		synctest.Wait()
		require.Empty(t, compared())
	})
}

// The wait for a turn does not shorten the time that the handler has.
func TestHandlerHasTheContextOfItsRequest(t *testing.T) {
	a := load(t, &Authenticator{}, text(t, "elton"))
	h := a.Middleware("registry")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.Context().Err())
		_, limited := r.Context().Deadline()
		assert.False(t, limited)
	}))
	require.Equal(t, http.StatusOK, request(h, basic("elton:of elton")).Code)
}

func TestUser(t *testing.T) {
	_, ok := User(t.Context())
	assert.False(t, ok)
	name, ok := User(NewContext(t.Context(), "elton"))
	assert.True(t, ok)
	assert.Equal(t, "elton", name)
}
