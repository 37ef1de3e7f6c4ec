package basicauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A LimitError is returned by [Authenticator.VerifyRequest] for a request that
// Limit has refused.
type LimitError struct {
	RetryAfter time.Duration // as Limit returned it
}

// Error returns what is wrong, and when to try again.
func (e *LimitError) Error() string {
	return fmt.Sprintf("too many logins, try again in %v", e.RetryAfter)
}

// busyRetry is the Retry-After of an answer that another try may change.
const busyRetry = 5 * time.Second

// Middleware returns a handler that lets through the requests that
// [Authenticator.VerifyRequest] accepts, with the name for [User] in their
// context. To the others it answers in plain text:
//
//   - 401 Unauthorized with the [Challenge], if there are no credentials or wrong
//     ones.
//   - 429 Too Many Requests, if Limit has refused.
//   - 503 Service Unavailable, if it could not be decided: there are too many
//     logins, or no text was read so far. OnLogin learns the reason.
//
// The last two have a Retry-After header. Nothing is logged. Basic credentials are
// sent in clear, so serve TLS.
func (a *Authenticator) Middleware(realm string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, err := a.VerifyRequest(r)
			var limit *LimitError
			switch {
			case err == nil:
				next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), user)))
			case errors.Is(err, ErrUnauthorized):
				w.Header().Set("WWW-Authenticate", Challenge(realm))
				http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			case errors.As(err, &limit):
				refuse(w, http.StatusTooManyRequests, limit.RetryAfter)
			default:
				refuse(w, http.StatusServiceUnavailable, busyRetry)
			}
		})
	}
}

func refuse(w http.ResponseWriter, status int, retryAfter time.Duration) {
	seconds := (retryAfter + time.Second - 1) / time.Second
	w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	http.Error(w, http.StatusText(status), status)
}

// VerifyRequest verifies the Basic credentials of a request and returns the name
// of the user. The error is [ErrUnauthorized] if there are none, if they are
// malformed, if there are two Authorization headers, or if they are wrong; a
// [*LimitError] if Limit has refused; and otherwise one of [Authenticator.Verify].
// Limit and OnLogin are called unless the request has no Authorization header.
func (a *Authenticator) VerifyRequest(r *http.Request) (user string, err error) {
	headers := len(r.Header["Authorization"])
	if headers == 0 {
		return "", ErrUnauthorized
	}
	user, password, ok := r.BasicAuth()
	if headers > 1 {
		user, ok = "", false
	}
	var retryAfter time.Duration
	if a.Limit != nil {
		retryAfter = a.Limit(r, user)
	}
	err = ErrUnauthorized
	switch {
	case retryAfter > 0:
		err = &LimitError{retryAfter}
	case ok:
		err = a.Verify(r.Context(), user, password)
	}
	if a.OnLogin != nil {
		a.OnLogin(r, user, err)
	}
	if err != nil {
		return "", err
	}
	return user, nil
}

// Challenge returns the value of a WWW-Authenticate header that asks for Basic
// credentials in UTF-8. Control characters in the realm become spaces, as the
// header cannot hold them.
func Challenge(realm string) string {
	realm = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, realm)
	return `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `", charset="UTF-8"`
}

type userKey struct{}

// NewContext returns a context from which [User] returns the name.
func NewContext(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, userKey{}, name)
}

// User returns the name of the user whom [Authenticator.Middleware] let through,
// or that [NewContext] was given; ok is false if there is none.
func User(ctx context.Context) (name string, ok bool) {
	name, ok = ctx.Value(userKey{}).(string)
	return name, ok
}
