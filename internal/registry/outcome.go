package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// An Outcome is the answer of a registry, or the reason why there is none. The words are
// part of the JSON output: none changes its meaning.
type Outcome string

// The outcomes.
const (
	Accepted     Outcome = "accepted"      // the password lets the user in
	Refused      Outcome = "refused"       // it does not
	Denied       Outcome = "denied"        // the user is let in, but does not have the permission
	Undecided    Outcome = "undecided"     // the user is let in, but the token does not tell the permissions
	Unreadable   Outcome = "file-refused"  // 400: the registry cannot read its file
	Open         Outcome = "no-password"   // the registry asks for no password
	Token        Outcome = "token"         // it asks for a token, but names no usable token server
	TokenRefused Outcome = "token-refused" // it refuses the token of its own token server
	Redirected   Outcome = "redirect"      // it redirects; nothing is sent there
	Unexpected   Outcome = "unexpected"    // it does not answer like a registry

	NoSuchHost        Outcome = "host-not-found"
	ConnectionRefused Outcome = "connection-refused" // nothing listens there
	Unreachable       Outcome = "unreachable"        // no connection, for another reason
	TimedOut          Outcome = "timeout"
	NotTLS            Outcome = "not-tls"    // it does not answer https with TLS
	PlainHTTP         Outcome = "plain-http" // the password would cross a network in plain text
	Untrusted         Outcome = "untrusted"  // no trusted authority signed the certificate
	WrongName         Outcome = "wrong-name" // the certificate is for another name
	Expired           Outcome = "expired"    // the certificate has expired, or is not valid yet

	// Intermediate results, which Ask never returns.
	challenged Outcome = "challenged" // the registry asks for a password
	granted    Outcome = "granted"    // the token server has given a token
)

// isVerdict reports whether o is an answer to a name and a password.
func (o Outcome) isVerdict() bool {
	return o == Accepted || o == Refused || o == Denied || o == Undecided
}

// isNoConnection reports whether there was no connection.
func (o Outcome) isNoConnection() bool {
	return o == NoSuchHost || o == ConnectionRefused || o == Unreachable || o == TimedOut
}

// A Result is the answer of a registry, or the reason why there is none. It holds no text
// from a server, which may repeat the password.
type Result struct {
	Outcome  Outcome
	URL      string      // what was asked: scheme, host and port
	Server   string      // whose answer it is: URL, or the origin of the registry's token server; without an answer, the Address
	Status   int         // HTTP status of the answer; 0 if there was none
	Location string      // of Redirected, before credentials were sent: the origin that it leads to, if that can be shown
	Err      error       // of an outcome without an answer: why, where more is known
	Granted  []string    // of Denied by a token: which of pull, push and delete it grants; nil if nothing says so
	Docker   DockerLogin // what docker login would have met
}

// OfTokenServer reports whether Server is the token server of the registry.
func (r Result) OfTokenServer() bool {
	return r.Server != r.URL && strings.Contains(r.Server, "://")
}

// judge adds the outcome of an answer, which meaning has for its status, or of an error.
func (r Result) judge(a answer, err error, meaning map[int]Outcome) Result {
	if err != nil {
		r.Outcome, r.Err = classify(err)
		return r
	}
	r.Status = a.status
	switch outcome, ok := meaning[a.status]; {
	case ok:
		r.Outcome = outcome
	case a.status/100 == 3:
		r.Outcome, r.Location = Redirected, a.location
	default:
		r.Outcome = Unexpected
	}
	return r
}

// A DockerLogin is the result of docker login if it sends other bytes than those that it
// is given. It is zero if it sends the same.
type DockerLogin struct {
	Outcome  Outcome
	Trimmed  bool // docker removes whitespace at the ends of the name or the password
	Replaced bool // docker sends U+FFFD for each byte that is not UTF-8
}

// wsaConnRefused is ECONNREFUSED on Windows. It is no error number elsewhere.
const wsaConnRefused = syscall.Errno(10061)

// classify returns why there is no answer. The error is one of the network or of the
// certificate, and repeats nothing that was sent.
func classify(err error) (Outcome, error) {
	var (
		verification *tls.CertificateVerificationError
		name         x509.HostnameError
		invalid      x509.CertificateInvalidError
		record       tls.RecordHeaderError
		lookup       *net.DNSError
		network      net.Error
		operation    *net.OpError
	)
	errors.As(err, &operation)
	switch {
	case errors.Is(err, errPlainHTTP):
		return PlainHTTP, nil
	case errors.As(err, &verification) && errors.As(verification.Err, &name):
		return WrongName, name
	case errors.As(err, &verification) && errors.As(verification.Err, &invalid) && invalid.Reason == x509.Expired:
		return Expired, invalid
	case errors.As(err, &verification):
		return Untrusted, verification.Err
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return NotTLS, nil
	case operation != nil && operation.Op == "remote error": // a TLS alert
		return Unexpected, operation
	case operation != nil && operation.Op == "proxyconnect": // the proxy cannot be reached
		return Unreachable, operation
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return TimedOut, nil
	case errors.As(err, &lookup):
		return NoSuchHost, lookup
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaConnRefused):
		return ConnectionRefused, nil
	case operation != nil:
		return Unreachable, operation
	}
	return Unexpected, nil
}
