package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/crypt"
)

// A requestError is a request that failed: the server has refused it, or has not
// answered.
type requestError struct{ err error }

func (e requestError) Error() string { return e.err.Error() }
func (e requestError) Unwrap() error { return e.err }

// errMalformedAnswer is in the error of an answer that is no object.
var errMalformedAnswer = errors.New("malformed answer from the cluster")

// codeOf returns the HTTP status that the server has answered with, and 0 if it
// has not.
func codeOf(err error) int32 {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code
	}
	return 0
}

// kindOf returns which kind of object the answer is about.
func kindOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		return status.Status().Details.Kind
	}
	return ""
}

// isRefusal reports whether the server has said no, so that it has written nothing.
func isRefusal(err error) bool {
	code := codeOf(err)
	return code != 0 && code < http.StatusInternalServerError
}

// isUnsent reports whether a request has not left this machine.
func isUnsent(err error) bool {
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "dial" || isUntrusted(err) || loginError.MatchString(err.Error())
}

func isUntrusted(err error) bool { return errors.As(err, new(*tls.CertificateVerificationError)) }

func isUnknownHost(err error) bool {
	name, ok := errors.AsType[*net.DNSError](err)
	return ok && name.IsNotFound
}

func isNotAPIServer(err error) bool { return errors.As(err, new(notAPIServer)) }

// passes reports whether a retry may succeed, and records what the error says about
// the server.
func (s *secret) passes(ctx context.Context, err error) bool {
	if !errors.As(err, new(requestError)) || errors.Is(err, errAbandoned) || isUntrusted(err) || isUnknownHost(err) || isNotAPIServer(err) || loginError.MatchString(err.Error()) {
		return false
	}
	switch code := codeOf(err); {
	case code == 0 || code >= http.StatusInternalServerError:
		s.away = true
		return true
	case code == http.StatusConflict || code == http.StatusTooManyRequests:
		return true
	case code == http.StatusUnauthorized: // a server that has just started knows nobody yet
		return s.known || s.away
	case code == http.StatusForbidden: // nor any Role
		return missingVerb(err) != "" && s.client.isStarting(ctx)
	case code == http.StatusNotFound: // the Secret, at its update; not its namespace
		return kindOf(err) == secrets
	}
	return false
}

// waitsFor returns what an edit that failed with this error waits for.
func waitsFor(err error) string {
	switch codeOf(err) {
	case 0:
		return "the cluster, which does not answer"
	case http.StatusConflict, http.StatusNotFound:
		return "other edits of it"
	}
	return "the cluster, which is busy or starting"
}

// explain says what a person can do about a request that failed. It wraps no error
// that the command line would take for one of a file or of its own.
func (s *secret) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errMalformedAnswer):
		return cli.Fail("", "%s: %v", s, err)
	case !errors.As(err, new(requestError)) || errors.Is(err, errAbandoned):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	switch code := codeOf(err); {
	case code == 0:
		return s.explainNoAnswer(err)
	case code == http.StatusUnauthorized:
		return cli.Fail("log in to the cluster again; kubectl config current-context prints the context", "the cluster does not accept your credentials: they are wrong or have expired")
	case missingVerb(err) != "":
		return s.forbidden(missingVerb(err))
	case code == http.StatusNotFound && kindOf(err) == "namespaces":
		return cli.Fail(s.kubectl("create namespace", s.namespace), "there is no namespace %s", s.namespace)
	case code == http.StatusConflict:
		return cli.Fail("use --retry-timeout to try longer", "others kept changing %s for %s; nothing was written", s, s.patience)
	}
	return cli.Fail("", "the cluster refused the request: %s", answerOf(err))
}

// answerOf returns what the server says, without hashes and base64 and not at any
// length: an admission webhook may repeat the Secret.
func answerOf(err error) string {
	words := strings.Fields(err.Error())
	for i, word := range words {
		if crypt.HoldsHash(word) || base64Text.MatchString(word) {
			words[i] = crypt.Hidden
		}
	}
	const most = 300
	answer := []rune(strings.Join(words, " "))
	if len(answer) > most {
		return string(answer[:most]) + "..."
	}
	return string(answer)
}

// base64Text is of more than a word or a name.
var base64Text = regexp.MustCompile(`[A-Za-z0-9+/]{32}`)

// explainNoAnswer is explain for a request that the API server has not answered.
func (s *secret) explainNoAnswer(err error) error {
	login := loginError.FindStringSubmatch(err.Error())
	answer, isOther := errors.AsType[notAPIServer](err)
	certificate, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case login != nil && missingProgram.MatchString(login[1]):
		return cli.Fail("the kubeconfig uses this program to log in: install it, or add its directory to the PATH", "cannot log in to the cluster: %s", login[1])
	case login != nil:
		return cli.Fail("log in to the cluster again", "cannot log in to the cluster: %s", login[1])
	case isOther:
		return cli.Fail("check the server in the kubeconfig, and whether there is a proxy in front of it", "%s is not a Kubernetes API server: %v", s.client.host, answer)
	case isUntrusted:
		return cli.Fail("use --certificate-authority to name the file of the certificate that signed it", "the certificate of %s is not trusted: %v", s.client.host, certificate.Err)
	case errors.Is(err, context.DeadlineExceeded):
		return cli.Fail("use --retry-timeout and --request-timeout to wait longer", "the cluster did not answer in time")
	}
	return cli.Fail(s.kubectl("cluster-info")+" shows whether it is running", "cannot reach the cluster: %v", err)
}

var (
	// loginError is the error of a program that the kubeconfig names to log in with.
	// The text after it is many lines of advice.
	loginError     = regexp.MustCompile(`getting credentials: ([^\n]*)`)
	missingProgram = regexp.MustCompile(`^exec: .*(not found|no such file)`)
	notAllowed     = regexp.MustCompile(`cannot (get|update|create) resource "secrets"`)
)

// missingVerb returns the verb that no Role grants, and "" if the request failed
// for another reason.
func missingVerb(err error) string {
	if match := notAllowed.FindStringSubmatch(err.Error()); match != nil && codeOf(err) == http.StatusForbidden {
		return match[1]
	}
	return ""
}

// kubectl returns a command line of kubectl, for a hint, in the same cluster.
func (s *secret) kubectl(words ...string) string {
	words = append([]string{"kubectl"}, words...)
	return strings.Join(append(words, s.program.GivenFlags("context", "kubeconfig")...), " ")
}

func (s *secret) forbidden(verb string) error {
	hint := "this Role is enough: " + s.kubectl("create role htpasswd -n", s.namespace, "--verb=get,update --resource=secrets --resource-name="+s.name)
	if verb == "create" {
		hint = "this Role is enough for that: " + s.kubectl("create role htpasswd-create -n", s.namespace, "--verb=create --resource=secrets")
	}
	return cli.Fail(hint, "you are not allowed to %s %s: it needs the verb %s on the resource secrets", verb, s, verb)
}

// unsure is the error of an edit that may have been made.
func (s *secret) unsure(err error) error {
	// Not wrapped: it may be that of a context.
	return fmt.Errorf("there was no clear answer to the write of %s, %w: %s", s, cli.ErrUnsure, answerOf(err))
}

func (s *secret) immutable() error {
	return cli.Fail("it can only be deleted and created again", "%s is immutable", s)
}
