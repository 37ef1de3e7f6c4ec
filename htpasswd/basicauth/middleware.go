package basicauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Middleware returns a handler that lets through only the requests whose
// credentials [Authenticator.Verify] accepts, with the name for [User] in the
// context.
//
// Any other gets 401 Unauthorized with the challenge of RFC 7617, which names the
// realm and asks for UTF-8: one without credentials, with malformed ones, with
// wrong ones. It gets 503 Service Unavailable where that cannot be told: its
// password was not compared within MaxWait, as too many others are, or there was
// no good text so far. Nothing is logged.
//
// Credentials are sent in clear: serve TLS.
func (a *Authenticator) Middleware(realm string) func(http.Handler) http.Handler {
	challenge := `Basic realm="` + quote(realm) + `", charset="UTF-8"`
	wait := orDefault(a.MaxWait, 10*time.Second)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, err := a.verifyRequest(r, wait)
			switch {
			case err == nil:
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
			case errors.Is(err, ErrUnauthorized):
				w.Header().Set("WWW-Authenticate", challenge)
				http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			default:
				http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			}
		})
	}
}

func (a *Authenticator) verifyRequest(r *http.Request, wait time.Duration) (user string, err error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return "", ErrUnauthorized
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	return user, a.Verify(ctx, user, password)
}

// quote makes s the inside of a quoted-string of RFC 9110, which has no way to
// write a control character.
func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

type userKey struct{}

// User returns the name that a request was let through with by
// [Authenticator.Middleware], whose context this is; ok is false for any other.
func User(ctx context.Context) (name string, ok bool) {
	name, ok = ctx.Value(userKey{}).(string)
	return name, ok
}
