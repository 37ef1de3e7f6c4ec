package cli

import (
	"context"
	"errors"
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
	flags.StringVar(&r.address, "registry", "", "ask the registry at HOST, HOST:PORT or a URL")
	flags.StringVar(&r.caCert, "ca-cert", "", "with --registry: trust the certificates in FILE too")
	r.client.Timeout = 10 * time.Second
	flags.Var((*durationFlag)(&r.client.Timeout), "timeout", "with --registry: TIME for each answer")
	flags.BoolVar(&r.client.PlainHTTP, "insecure-http", false, "with --registry: send the password over plain http")
	for _, name := range []string{"registry", "timeout"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

func (r *registryFlags) given() bool { return r.cmd.Flags().Changed("registry") }

// check makes the client, before a password is asked for.
func (r *registryFlags) check() error {
	if !r.given() {
		for _, name := range []string{"ca-cert", "timeout", "insecure-http"} {
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
	}
	r.client.Roots, err = registry.Roots(r.client.Address, r.caCert)
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
		return cannot("verify", v.user, v.target, err)
	}
	entry, found := v.lookup(ctx)
	var password []byte
	result, err := client.Ask(ctx, v.user, registry.Permission{}, func() (_ []byte, err error) {
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
		v.app.say("%s lets %q in%s", result.URL, v.user, v.beside(found))
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
	if found.reason == noFile && v.target.unnamed {
		return ""
	}
	return "; " + v.target.name + " " + besides[found.reason]
}

// refusedHint is what to do about a registry that refuses a user.
func (v userVerify) refusedHint(found verdict) string {
	switch found.reason {
	case accepted:
		if v.app.other != nil {
			return v.app.other.Stale
		}
		return "it has read another file: see which path it is given, mount the folder and not the single file, and restart it if a line was malformed since"
	case malformedFile:
		return program + " check says why; until that is mended it goes on with the users that it had before"
	case noFile, unreadableFile:
		return "-f names the file that it reads, to compare"
	case unknownUser:
		return program + " user list shows who is"
	}
	return program + " user passwd sets a new one"
}

// noAnswer is the error where the registry says neither yes nor no.
func (v userVerify) noAnswer(client registry.Client, r registry.Result) error {
	switch r.Outcome {
	case registry.Unreadable:
		return fail(exitFormat, program+" check says what is wrong with a file; -f names the one that the registry reads", "%s cannot read its htpasswd file: it is missing or malformed", r.URL)
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
		return fail(exitIO, "--ca-cert names the file with its certificate, or with that of who signed it", "the certificate of %s is not trusted: %w", r.URL, r.Err)
	case registry.WrongName:
		return fail(exitIO, "name the registry as its certificate does", "the certificate of %s is not trusted: %w", r.URL, r.Err)
	case registry.Expired:
		return fail(exitIO, "renew it, or set this machine's clock", "the certificate of %s is not trusted: %w", r.URL, r.Err)
	case registry.NotTLS:
		return fail(exitIO, "http:// in the place of https:// asks it without TLS", "%s does not speak TLS", r.URL)
	case registry.PlainHTTP:
		return fail(exitIO, "--insecure-http sends it, readable to everybody on the way", "no password is sent to %s: it is not this machine, and others can listen", r.URL)
	case registry.NoSuchHost, registry.Unreachable:
		return fail(exitIO, "see that it runs, and which port it is published on", "cannot reach %s: %w", r.Server, r.Err)
	case registry.ConnectionRefused:
		return fail(exitIO, "see that it runs, and which port it is published on", "cannot reach %s: connection refused", r.Server)
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
