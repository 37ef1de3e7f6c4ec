// Package registry asks a running registry whether it lets a user in, as docker
// login does, and minds where the password goes: to a registry that asks for
// one, at the address that was named, and where nobody can read it on the way.
package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An Outcome is what came of asking. The words are part of a JSON output: none
// changes its meaning.
type Outcome string

// What can come of asking.
const (
	Accepted    Outcome = "accepted"
	Refused     Outcome = "refused"      // 401 to the password
	Unreadable  Outcome = "file-refused" // 400: it cannot read its file
	Open        Outcome = "no-password"  // it asks for none
	Token       Outcome = "token"        // it asks for one, from a token server
	Redirected  Outcome = "redirect"     // it sends elsewhere, where nobody went
	Unexpected  Outcome = "unexpected"   // no registry answers like that
	Untrusted   Outcome = "untrusted"    // its certificate
	NotTLS      Outcome = "not-tls"      // it answers https with something else
	PlainHTTP   Outcome = "plain-http"   // it would be asked where others can listen
	Unreachable Outcome = "unreachable"
	TimedOut    Outcome = "timeout"

	challenged Outcome = "challenged" // it asks for a password
)

// A Result is the answer of a registry, or why there is none.
type Result struct {
	Outcome  Outcome
	URL      string // what was asked: scheme, host and port
	Status   int    // of the answer; 0 if there was none
	Location string // of Redirected: the URL to ask instead, if it can be told
	Err      error  // of Untrusted and Unreachable, why
}

// Errors of ParseAddress. They do not repeat the address, which may hold a
// password.
var (
	ErrCredentials = errors.New("the address holds a user or a password")
	ErrAddress     = errors.New("the address is not HOST, HOST:PORT or a URL of them")
)

// An Address is where a registry is.
type Address struct {
	scheme string // empty: https, or else plain http
	host   string // with the port, if one was given
}

// ParseAddress takes HOST, HOST:PORT, and either behind http:// or https://.
func ParseAddress(s string) (Address, error) {
	if strings.Contains(s, "@") {
		return Address{}, ErrCredentials
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	scheme = strings.ToLower(scheme)
	if ok && scheme != "http" && scheme != "https" {
		return Address{}, ErrAddress
	}
	u, err := url.Parse("https://" + rest)
	if err != nil || u.Hostname() == "" || strings.HasSuffix(u.Host, ":") || strings.ContainsAny(rest, "?#") ||
		!slices.Contains([]string{"", "/", "/v2", "/v2/"}, u.Path) {
		return Address{}, ErrAddress
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return Address{}, ErrAddress
	}
	return Address{scheme, u.Host}, nil
}

func (a Address) hasPort() bool {
	_, _, err := net.SplitHostPort(a.host)
	return err == nil
}

// ReadCertificates returns the certificate authorities of the system and those
// in a PEM file.
func ReadCertificates(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %w", file, ErrNoCertificate)
	}
	return pool, nil
}

// ErrNoCertificate is in the error of ReadCertificates for a file without one.
var ErrNoCertificate = errors.New("no certificate in PEM")

// A Client asks one registry.
type Client struct {
	Address      Address
	Roots        *x509.CertPool // who is trusted to sign its certificate; nil for the system's
	Timeout      time.Duration  // for each of the answers
	InsecureHTTP bool           // plain http may go further than this machine
}

// Ask asks the registry whether it lets a user in. It calls password, and sends
// what that returns, only when the registry has asked for a password, and not
// over plain http to another machine. The error is that of password or of ctx.
//
// An address without a scheme is asked over https. If what is there does not
// speak TLS, or nothing is where https has its port, it is asked over plain
// http, as docker login does for a registry on the same machine.
func (c Client) Ask(ctx context.Context, user string, password func() ([]byte, error)) (Result, error) {
	r, err := c.challenge(ctx)
	if err != nil || r.Outcome != challenged {
		return r, err
	}
	secret, err := password()
	if err != nil {
		return Result{}, err
	}
	return c.login(ctx, r.URL, user, secret)
}

// challenge finds out what the registry asks for.
func (c Client) challenge(ctx context.Context) (Result, error) {
	if c.Address.scheme != "" {
		return c.probe(ctx, c.Address.scheme)
	}
	r, err := c.probe(ctx, "https")
	if err != nil || r.Outcome != NotTLS && (r.Outcome != Unreachable || c.Address.hasPort()) {
		return r, err
	}
	plain, err := c.probe(ctx, "http")
	if r.Outcome == Unreachable && (plain.Outcome == Unreachable || plain.Outcome == PlainHTTP) {
		return r, err
	}
	return plain, err
}

// probe asks without credentials.
func (c Client) probe(ctx context.Context, scheme string) (Result, error) {
	r := Result{URL: scheme + "://" + c.Address.host}
	resp, err := c.get(ctx, r.URL, nil)
	if err != nil {
		r.Outcome, r.Err = classify(err)
		return r, ctx.Err()
	}
	r.Status = resp.status
	switch {
	case r.Status == http.StatusOK:
		r.Outcome = Open
	case r.Status == http.StatusUnauthorized && slices.Contains(resp.challenges, "basic"):
		r.Outcome = challenged
	case r.Status == http.StatusUnauthorized && slices.Contains(resp.challenges, "bearer"):
		r.Outcome = Token
	case r.Status/100 == 3:
		r.Outcome, r.Location = Redirected, resp.location
	default:
		r.Outcome = Unexpected
	}
	return r, nil
}

// login asks with credentials. Its Result holds no text of the registry's, which
// knows the password now.
func (c Client) login(ctx context.Context, base, user string, password []byte) (Result, error) {
	r := Result{URL: base}
	resp, err := c.get(ctx, base, url.UserPassword(user, string(password)))
	if err != nil {
		r.Outcome, r.Err = classify(err)
		return r, ctx.Err()
	}
	r.Status = resp.status
	switch {
	case r.Status == http.StatusOK:
		r.Outcome = Accepted
	case r.Status == http.StatusUnauthorized:
		r.Outcome = Refused
	case r.Status == http.StatusBadRequest:
		r.Outcome = Unreadable
	case r.Status/100 == 3:
		r.Outcome = Redirected
	default:
		r.Outcome = Unexpected
	}
	return r, nil
}

// An answer is what is known of a response.
type answer struct {
	status     int
	challenges []string // the schemes to log in by
	location   string   // of a redirect, as an address to ask
}

// get asks for /v2/ of the base URL. The body of the answer is not read, as
// nothing is asked of it.
func (c Client) get(ctx context.Context, base string, credentials *url.Userinfo) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v2/", nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "registryctl")
	if credentials != nil {
		password, _ := credentials.Password()
		req.SetBasicAuth(credentials.Username(), password)
	}
	client := http.Client{
		Transport:     c.transport(req.URL.Scheme),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	_ = resp.Body.Close()
	return answer{resp.StatusCode, challenges(resp.Header), origin(resp)}, nil
}

const maxHeaderBytes = 64 << 10

func (c Client) transport(scheme string) *http.Transport {
	dialer := c.dialer(scheme)
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: c.Roots},
		TLSHandshakeTimeout:    c.Timeout,
		DisableKeepAlives:      true, // a person types in between
		MaxResponseHeaderBytes: maxHeaderBytes,
		Proxy:                  http.ProxyFromEnvironment,
	}
	if dialer.Control != nil {
		t.Proxy = nil // one on this machine would send it on, in plain text
	}
	return t
}

func (c Client) dialer(scheme string) *net.Dialer {
	dialer := &net.Dialer{Timeout: c.Timeout} // a dial outlives the context of a request
	if scheme == "http" && !c.InsecureHTTP {
		dialer.Control = loopbackOnly
	}
	return dialer
}

var errPlainHTTP = errors.New("plain http to another machine")

// loopbackOnly refuses a connection that leaves the machine. It is called with
// the address that is about to be dialled, whatever a name has resolved to.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().Unmap().IsLoopback() {
		return errPlainHTTP
	}
	return nil
}

// classify says why there is no answer. The error it returns is of the network
// or of the certificate, and never repeats what was sent.
func classify(err error) (Outcome, error) {
	var (
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		network net.Error
		dial    *net.OpError
	)
	switch {
	case errors.Is(err, errPlainHTTP):
		return PlainHTTP, nil
	case errors.As(err, &cert):
		return Untrusted, cert.Err
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record):
		return NotTLS, nil
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout():
		return TimedOut, nil
	case errors.As(err, &dial):
		return Unreachable, dial
	}
	return Unexpected, nil
}

// challenges returns the schemes, in lower case, that the registry can be logged
// in to by (RFC 9110, section 11.6.1): one header may hold several, each with
// parameters that are separated by commas too.
func challenges(h http.Header) []string {
	var schemes []string
	for _, header := range h.Values("WWW-Authenticate") {
		for _, part := range splitUnquoted(header) {
			part = strings.TrimSpace(part)
			word := part
			if i := strings.IndexAny(part, " \t"); i >= 0 && !strings.HasPrefix(strings.TrimSpace(part[i:]), "=") {
				word = part[:i]
			}
			if word != "" && !strings.Contains(word, "=") { // not a further parameter
				schemes = append(schemes, strings.ToLower(word))
			}
		}
	}
	return schemes
}

// splitUnquoted splits at commas outside of quoted strings.
func splitUnquoted(s string) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// origin is where a redirect leads, as an address to ask; empty if that is no
// plain host.
func origin(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	for _, r := range u.Host {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".:-_[]", r) {
			return ""
		}
	}
	return u.Scheme + "://" + u.Host
}
