package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/registry"
)

// registryFlags are --registry and those that go with it.
type registryFlags struct {
	address string
	caCert  string
	client  registry.Client

	cmd *cobra.Command
}

func (r *registryFlags) register(cmd *cobra.Command) {
	r.cmd = cmd
	flags := cmd.Flags()
	flags.StringVar(&r.address, "registry", "", "ask the registry at `HOST[:PORT]` or a URL")
	for _, name := range []string{"ca-file", "ca-cert"} {
		flags.StringVar(&r.caCert, name, "", "with --registry: trust the certificates in `FILE` too")
	}
	r.client.Timeout = 10 * time.Second
	flags.Var((*Duration)(&r.client.Timeout), "timeout", "with --registry: `TIME` for each answer")
	for _, name := range []string{"plain-http", "insecure-http"} {
		flags.BoolVar(&r.client.InsecureHTTP, name, false, "with --registry: send the password over plain http")
	}
	for _, old := range []string{"ca-cert", "insecure-http"} {
		flags.Lookup(old).Hidden = true
	}
	for _, name := range []string{"registry", "timeout"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

func (r *registryFlags) given() bool { return r.cmd.Flags().Changed("registry") }

// check makes the client, before a password is asked for.
func (r *registryFlags) check() error {
	if !r.given() {
		for _, name := range []string{"ca-file", "ca-cert", "timeout", "plain-http", "insecure-http"} {
			if r.cmd.Flags().Changed(name) {
				return fail(exitUsage, "", "--%s goes with --registry", name)
			}
		}
		return nil
	}
	var err error
	switch r.client.Address, err = registry.ParseAddress(r.address); {
	case errors.Is(err, registry.ErrCredentials): // nor is any other address repeated
		return fail(exitUsage, noPasswordArgument, "--registry takes no user and no password in the address")
	case err != nil:
		return fail(exitUsage, "such as localhost:5000, or https://registry.example, and nothing behind it", "--registry takes HOST, HOST:PORT or a URL of them")
	case r.client.Timeout <= 0:
		return fail(exitUsage, "", "--timeout takes a time above 0, such as 10s")
	case r.caCert == "":
		return nil
	}
	r.client.Roots, err = registry.ReadCertificates(r.caCert)
	if errors.Is(err, registry.ErrNoCertificate) {
		return fail(exitIO, "the file begins with -----BEGIN CERTIFICATE-----; openssl x509 -inform der makes it of a binary one", "cannot use the certificate: %w", err)
	} else if err != nil {
		return fail(exitIO, "", "cannot read the certificate: %w", err)
	}
	return nil
}

// askRegistry asks the registry, and then the file, if there is one, whether it
// says the same.
func (v userVerify) askRegistry(ctx context.Context, client registry.Client, report *verifyReport) error {
	if err := htpasswd.ValidateUser(v.user); err != nil {
		return v.program.cannot("verify", v.user, v.target, err)
	}
	log.SetOutput(io.Discard) // where net/http repeats what a server sends unasked
	entry, found := v.lookup(ctx)
	var password []byte
	result, err := client.Ask(ctx, v.user, func() (_ []byte, err error) {
		password, err = v.readPassword(ctx)
		return password, err
	})
	if err != nil {
		return err
	}
	if found.err == nil && password != nil {
		if found = v.compare(ctx, entry, password); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	report.Reason, report.FileReason, report.Registry = string(result.Outcome), found.reason, result.URL
	switch result.Outcome {
	case registry.Accepted:
		report.Accepted = true
		v.program.say("%s lets %q in%s", result.URL, v.user, v.beside(found))
		return nil
	case registry.Refused:
		return fail(exitMismatch, v.refusedHint(found), "%s refuses %q%s", result.URL, v.user, v.beside(found))
	}
	return v.noAnswer(client, result)
}

// besides is what the file says beside the registry, by its reason.
var besides = map[string]string{
	accepted:       "lets them in",
	wrongPassword:  "has another password",
	unknownUser:    "has no such user",
	notBcrypt:      "has the password, but not as bcrypt",
	unknownHash:    "has no hash that can be compared",
	malformedFile:  "is malformed",
	noFile:         "does not exist here",
	unreadableFile: "cannot be read here",
}

func (v userVerify) beside(found verdict) string {
	if found.reason == noFile && v.target.IsDefault {
		return ""
	}
	return "; " + v.target.Name + " " + besides[found.reason]
}

// refusedHint is what to do about a registry that refuses a user.
func (v userVerify) refusedHint(found verdict) string {
	switch found.reason {
	case accepted:
		return v.program.StaleHint
	case malformedFile:
		return v.program.command("check") + " says why; until that is fixed it goes on with the users that it had before"
	case noFile, unreadableFile:
		return "name the file that it reads, to compare"
	case unknownUser:
		return v.program.userCommand("list")
	}
	return v.program.userCommand("passwd", v.user)
}

// noAnswer is the error where the registry says neither yes nor no.
func (v userVerify) noAnswer(client registry.Client, r registry.Result) error {
	switch r.Outcome {
	case registry.Unreadable:
		return fail(exitFormat, v.program.command("check"), "%s cannot read its htpasswd file: it is missing or malformed", r.URL)
	case registry.Open:
		return fail(exitFormat, "it needs REGISTRY_AUTH=htpasswd, REGISTRY_AUTH_HTPASSWD_REALM and "+fileVariable, "%s asks for no password: everybody is let in", r.URL)
	case registry.Token:
		return fail(exitFormat, "its users are where its token server has them", "%s asks for a token, so that no htpasswd file counts there", r.URL)
	case registry.Redirected:
		if r.Location == "" {
			return fail(exitIO, "name the registry itself", "%s redirects, and no password is sent there", r.URL)
		}
		return fail(exitIO, "--registry "+r.Location+" asks that one", "%s redirects to %s, and no password is sent there", r.URL, r.Location)
	case registry.Untrusted:
		return fail(exitIO, untrustedHint(r.Err), "the certificate of %s is not trusted: %w", r.URL, r.Err)
	case registry.NotTLS:
		return fail(exitIO, "http:// in the place of https:// asks it without TLS", "%s does not speak TLS", r.URL)
	case registry.PlainHTTP:
		return fail(exitIO, "--plain-http sends it, readable to everybody on the way", "no password is sent to %s: it is not this machine, and others can listen", r.URL)
	case registry.Unreachable:
		return fail(exitIO, "see that it runs, and which port it is published on", "cannot reach %s: %w", r.URL, r.Err)
	case registry.TimedOut:
		return fail(exitIO, "--timeout waits longer", "%s did not answer within %s", r.URL, client.Timeout)
	}
	hint := "is it a registry, and not what stands before one?"
	if r.Status == http.StatusBadRequest && strings.HasPrefix(r.URL, "http:") { // as TLS servers answer
		hint = "if it speaks TLS, name it with https://"
	}
	if r.Status != 0 {
		return fail(exitIO, hint, "%s answers with status %d, unlike a registry", r.URL, r.Status)
	}
	return fail(exitIO, hint, "%s answers unlike a registry", r.URL)
}

// untrustedHint is what to do about a certificate.
func untrustedHint(err error) string {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return "name the registry as its certificate does"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew it, or set this machine's clock"
	}
	return "--ca-file names the file with its certificate, or with that of who signed it"
}
