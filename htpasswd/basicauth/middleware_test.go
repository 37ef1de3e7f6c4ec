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
		":" + hashed(t, "nameless"),       // as the registry reads it
	}, "\n"))
	h := a.Middleware("registry")(greeter)
	for authorization, want := range map[string]string{
		basic("elton:d0cker"):                          "elton",
		"bAsIc" + basic("elton:d0cker")[len("Basic"):]: "elton",
		basic("jürgen:паро:ль:"):                       "jürgen",
		basic(":nameless"):                             "",
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

func TestRealmIsQuoted(t *testing.T) {
	a := load(t, &Authenticator{}, "")
	for realm, want := range map[string]string{
		"":                       ``,
		`Docker's "lab" \o/`:     `Docker's \"lab\" \\o/`,
		"a\r\nSet-Cookie: b\x7f": `a  Set-Cookie: b `,
		"Büro":                   `Büro`,
	} {
		resp := request(a.Middleware(realm)(greeter), "")
		assert.Equal(t, `Basic realm="`+want+`", charset="UTF-8"`, resp.Header().Get("WWW-Authenticate"))
	}
}

func TestMiddlewareCannotTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	h := (&Authenticator{Path: path, CheckInterval: -1}).Middleware("registry")(greeter)
	resp := request(h, basic("elton:of elton"))
	assert.Equal(t, http.StatusServiceUnavailable, resp.Code)
	assert.Empty(t, resp.Header()["Www-Authenticate"], "another password is of no help")
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

			a.bound <- struct{}{} // a comparison that does not end
			start := time.Now()
			require.Equal(t, http.StatusServiceUnavailable, request(h, basic("francis:right")).Code)
			require.Equal(t, tt.wait, time.Since(start))
			require.Equal(t, http.StatusOK, request(h, basic("elton:right")).Code)
			require.Equal(t, tt.wait, time.Since(start))
			<-a.bound
			require.Equal(t, http.StatusOK, request(h, basic("francis:right")).Code)
		})
	}
}

// A request whose client has gone gives up its turn.
func TestMiddlewareClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{MaxConcurrent: 1}
		compared := slowly(t, a, "elton")
		a.bound <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v2/", nil)
		r.SetBasicAuth("elton", "right")
		start := time.Now()
		a.Middleware("registry")(greeter).ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, time.Second, time.Since(start))
		<-a.bound
		synctest.Wait()
		require.Empty(t, compared())
		require.Empty(t, a.bound)
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

func TestNoUserInAnotherContext(t *testing.T) {
	_, ok := User(t.Context())
	assert.False(t, ok)
}
