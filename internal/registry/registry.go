// Package registry asks a running registry whether it lets a user in, as docker
// login does. It sends the password only to the registry at the given address, if
// that asks for one, or to the token server that this registry names. It never sends
// it to the target of a redirect, nor in plain text over a network.
package registry

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// A Client asks one registry.
type Client struct {
	Address   Address
	Roots     *x509.CertPool // the certificate authorities to trust, see Roots; nil for those of the system
	Timeout   time.Duration  // for each answer
	PlainHTTP bool           // lets the password leave this machine over plain http
}

// Ask asks the registry whether it lets a user in and, unless p is zero, whether the
// user has the permission p. It calls password only if the registry asks for one. The
// error is that of password or of ctx.
//
// An address without a scheme is asked over https. If what is there does not
// speak TLS, or nothing is at the port of https, it is asked over http.
//
// If docker login would send another name or password than the given one, Ask tries
// that as well, and returns the answer in Result.Docker.
func (c Client) Ask(ctx context.Context, user string, p Permission, password func() ([]byte, error)) (Result, error) {
	r, offered := c.challenge(ctx)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if r.Outcome != challenged {
		return r, nil
	}
	secret, err := password()
	if err != nil {
		return Result{}, err
	}
	as := credentials{user, string(secret)}
	r = c.login(ctx, r.URL, offered, as, p)
	if r.Outcome.isVerdict() {
		r.Docker = c.dockerLogin(ctx, r.URL, offered, as, p)
	}
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	return r, nil
}

// challenge asks without credentials, and returns the way to log in that the registry
// offers.
func (c Client) challenge(ctx context.Context) (Result, challenge) {
	if c.Address.scheme != "" {
		return c.probe(ctx, c.Address.scheme)
	}
	secure, offered := c.probe(ctx, "https")
	switch {
	case secure.Outcome == NotTLS:
		return c.probe(ctx, "http")
	case !secure.Outcome.isNoConnection():
		return secure, offered
	case !c.Address.hasPort() && secure.Outcome != NoSuchHost: // as the ports differ
		if plain, offered := c.probe(ctx, "http"); plain.Status != 0 {
			return plain, offered
		}
	}
	secure.Server = c.Address.host // it may speak http
	return secure, challenge{}
}

func (c Client) probe(ctx context.Context, scheme string) (Result, challenge) {
	r, challenges := c.ask(ctx, scheme+"://"+c.Address.host, "/v2/", "", map[int]Outcome{
		http.StatusOK:           Open,
		http.StatusUnauthorized: challenged,
	})
	if r.Outcome != challenged {
		return r, challenge{}
	}
	for _, scheme := range []string{"basic", "bearer"} { // Basic involves no other server
		for _, offered := range challenges {
			if offered.scheme == scheme {
				return offered.check(r), offered
			}
		}
	}
	r.Outcome = Unexpected
	return r, challenge{}
}

// ask asks a registry for a path below the base URL. Meaning maps the status of the
// answer to the outcome; any other status is Unexpected.
func (c Client) ask(ctx context.Context, base, path, authorization string, meaning map[int]Outcome) (Result, []challenge) {
	r := Result{URL: base, Server: base}
	a, err := c.get(ctx, base+path, authorization, 0)
	return r.judge(a, err, meaning), a.challenges
}

// login asks with credentials, in the way that the registry offered.
func (c Client) login(ctx context.Context, base string, offered challenge, as credentials, p Permission) Result {
	if offered.scheme == "bearer" {
		return c.loginByToken(ctx, base, offered, as, p)
	}
	r, _ := c.ask(ctx, base, "/v2/", as.basic(), map[int]Outcome{
		http.StatusOK:           Accepted,
		http.StatusUnauthorized: Refused,
		http.StatusBadRequest:   Unreadable,
	})
	// With Basic authentication a registry lets every user do everything, but a proxy in
	// front of it may not.
	if r.Outcome == Accepted && p.needsPull() {
		return c.pull(ctx, base, as.basic(), p.Repository)
	}
	return r
}

// pull asks for the tags of a repository, which needs the right to pull.
func (c Client) pull(ctx context.Context, base, authorization, repository string) Result {
	r, _ := c.ask(ctx, base, "/v2/"+repository+"/tags/list?n=1", authorization, map[int]Outcome{
		http.StatusOK:           Accepted,
		http.StatusNotFound:     Accepted, // nothing was pushed there yet
		http.StatusUnauthorized: Denied,
		http.StatusForbidden:    Denied,
	})
	return r
}

type credentials struct{ user, password string }

// basic returns the header of Basic authentication.
func (c credentials) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password))
}

// dockerLogin asks with the credentials that docker login would send, if these differ.
func (c Client) dockerLogin(ctx context.Context, base string, offered challenge, as credentials, p Permission) DockerLogin {
	sent := credentials{asDocker(as.user), asDocker(as.password)}
	if sent == as {
		return DockerLogin{}
	}
	d := DockerLogin{
		Outcome:  Refused,
		Trimmed:  strings.TrimSpace(as.user) != as.user || strings.TrimSpace(as.password) != as.password,
		Replaced: !utf8.ValidString(as.user) || !utf8.ValidString(as.password),
	}
	if sent.user != "" && sent.password != "" { // docker itself refuses an empty one
		d.Outcome = c.login(ctx, base, offered, sent, p).Outcome
	}
	return d
}

// asDocker returns what docker login sends for a name or a password: without
// whitespace at its ends, and through JSON, which knows only UTF-8.
func asDocker(s string) string {
	return string([]rune(strings.TrimSpace(s))) // U+FFFD for each invalid byte
}
