package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/registry"
)

// registryFlags are --registry and those that go with it.
type registryFlags struct {
	address   string
	caFile    pathFlag
	plainHTTP bool
	timeout   Duration
	wait      Duration
	can       string
}

func (r *registryFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&r.address, "registry", "", "ask the registry at `HOST[:PORT]` or a URL")
	r.timeout = Duration(10 * time.Second)
	flags.Var(&r.caFile, "ca-file", "with --registry: trust the certificates in `FILE` too")
	flags.BoolVar(&r.plainHTTP, "plain-http", false, "with --registry: send the password over plain http")
	flags.Var(&r.timeout, "timeout", "with --registry: `TIME` to wait for each answer")
	flags.Var(&r.wait, "wait", "with --registry: `TIME` to ask again while it refuses")
	flags.StringVar(&r.can, "can", "", "with --registry: check that `ACTION:REPO` is allowed, too")
	for _, name := range []string{"registry", "timeout", "wait", "can"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// A registryQuestion is a registry and what it is asked.
type registryQuestion struct {
	client     registry.Client
	permission registry.Permission
	wait       time.Duration
	flags      *pflag.FlagSet // for hints
}

// question checks the flags and returns what they ask, or nil without --registry.
func (r *registryFlags) question(cmd *cobra.Command) (*registryQuestion, error) {
	flags := cmd.Flags()
	if !flags.Changed("registry") {
		for _, name := range []string{"ca-file", "plain-http", "timeout", "wait", "can"} {
			if flags.Changed(name) {
				return nil, Misuse("", "--%s needs --registry", name)
			}
		}
		return nil, nil
	}
	q := &registryQuestion{flags: flags}
	var err error
	switch q.client.Address, err = registry.ParseAddress(r.address); {
	case errors.Is(err, registry.ErrCredentials): // nor is any other address repeated
		return nil, Misuse(noPasswordArgument, "the address of --registry must not hold a user or a password")
	case err != nil:
		return nil, Misuse("for example localhost:5000 or https://registry.example", "--registry must be HOST, HOST:PORT or a URL without a path")
	case r.timeout <= 0:
		return nil, Misuse("", "--timeout must be a duration above 0, such as 10s")
	}
	if flags.Changed("can") {
		if q.permission, err = registry.ParsePermission(r.can); err != nil {
			return nil, Misuse("for example --can push:labs/app", "--can must be pull, push or delete, a colon, and the name of a repository")
		}
	}
	q.client.Timeout, q.client.PlainHTTP, q.wait = time.Duration(r.timeout), r.plainHTTP, time.Duration(r.wait)
	q.client.Roots, err = await(cmd.Context(), func() (*x509.CertPool, error) { // the file may be a pipe
		return registry.Roots(q.client.Address, string(r.caFile))
	})
	switch {
	case errors.Is(err, registry.ErrNoCertificate):
		return nil, Fail("openssl x509 -inform der -in "+quote(string(r.caFile))+" -out ca.crt", "cannot use the certificate: %w", err)
	case err != nil:
		return nil, Fail("", "cannot read the certificate: %w", err)
	}
	return q, nil
}

// askRegistry asks the registry, and compares its answer with the file if there is one.
func (v userVerify) askRegistry(ctx context.Context, q *registryQuestion) (report verifyReport, err error) {
	if strings.Contains(v.user, ":") { // the registry would read the rest as part of the password
		return report, v.program.cannot("verify", v.user, v.target, htpasswd.ValidateUser(v.user))
	}
	entry, found := v.lookup(ctx)
	var password []byte
	r, err := q.client.Ask(ctx, v.user, q.permission, func() (_ []byte, err error) {
		password, err = v.readPassword(ctx)
		return password, err
	})
	if err == nil && r.Outcome == registry.Refused && q.wait > 0 {
		r, err = v.askAgain(ctx, q, password)
	}
	if err != nil {
		return report, err
	}
	if found.err != nil {
		clear(password)
	} else if password != nil {
		if found = v.compare(ctx, entry, password); ctx.Err() != nil {
			return report, ctx.Err()
		}
	}
	report = verifyReport{
		Accepted: r.Outcome == registry.Accepted, Reason: string(r.Outcome), FileReason: found.reason, Registry: r.URL,
	}
	if r.Docker.Outcome != "" {
		v.warnOfDocker(r)
	}
	switch r.Outcome {
	case registry.Accepted:
		v.program.Say("%s lets %s %s%s", r.URL, shown(v.user), q.what(), v.beside(found))
		return report, nil
	case registry.Refused:
		return report, fail(exitMismatch, v.refusedHint(found), "%s refuses %s%s", server(r), shown(v.user), v.beside(found))
	}
	return report, v.noAnswer(q, r)
}

// what returns what is asked, as it follows "lets USER".
func (q *registryQuestion) what() string {
	if q.permission == (registry.Permission{}) {
		return "in"
	}
	return verbOf(q.permission.Action) + " " + q.permission.Repository
}

// again returns the command with another value of one flag, for a hint.
func (q *registryQuestion) again(v userVerify, flag, value string) string {
	words := "verify"
	for _, name := range []string{"registry", "ca-file", "plain-http", "timeout", "can", "password-stdin", "password-file", "password-env", "output"} {
		f := q.flags.Lookup(name)
		given := f.Value.String()
		if name == flag {
			given = value
		}
		switch {
		case given == f.DefValue:
		case f.NoOptDefVal != "":
			words += " --" + name
		default:
			words += " --" + name + " " + quote(given)
		}
	}
	return v.program.userCommand(words, v.user)
}

// askAgain asks the registry until it lets the user in or the time of --wait is over.
// It may take some time until the registry sees an edit.
func (v userVerify) askAgain(ctx context.Context, q *registryQuestion, password []byte) (result registry.Result, err error) {
	const pause = time.Second
	v.program.Say("waiting up to %s for %s to let %s in", q.wait, q.client.Address, shown(v.user))
	for end := time.Now().Add(q.wait); ; {
		select {
		case <-time.After(min(pause, time.Until(end))):
		case <-ctx.Done():
			return result, ctx.Err()
		}
		result, err = q.client.Ask(ctx, v.user, q.permission, func() ([]byte, error) { return password, nil })
		if err != nil || result.Outcome != registry.Refused || !time.Now().Before(end) {
			return result, err
		}
	}
}

// besides maps the reason of the file to what is said of it beside the registry.
var besides = map[string]string{
	accepted:       "lets them in",
	wrongPassword:  "has a different password",
	unknownUser:    "has no such user",
	disabledUser:   "has disabled them",
	notBcrypt:      "has the password, but not as bcrypt",
	unknownHash:    "has no hash that can be compared",
	malformedFile:  "is malformed",
	noFile:         "does not exist here",
	unreadableFile: "cannot be read here",
}

func (v userVerify) beside(found verdict) string {
	if found.reason == noFile && (v.target.IsDefault || v.target.Name == "") { // nobody has named it
		return ""
	}
	return "; " + v.target.Name + " " + besides[found.reason]
}

// refusedHint returns the hint for a registry that refuses the user.
func (v userVerify) refusedHint(found verdict) string {
	switch found.reason {
	case accepted:
		return v.program.StaleHint
	case malformedFile:
		return v.program.command("check") + " # until this is fixed, the registry lets in the users that it had before"
	case noFile, unreadableFile:
		return "name the file that the registry reads, to compare"
	case unknownUser:
		hint := v.program.userCommand("list")
		if v.target.File != "" {
			hint += " # if the registry reads another file, name it with -f"
		}
		return hint
	case disabledUser:
		return v.program.userCommand("enable", v.user)
	}
	return v.program.userCommand("passwd", v.user)
}

// warnOfDocker warns that docker login sends something else, and says with which result.
func (v userVerify) warnOfDocker(r registry.Result) {
	var does []string
	if r.Docker.Trimmed {
		does = append(does, "removes whitespace at the ends of the name and the password")
	}
	if r.Docker.Replaced {
		does = append(does, "sends U+FFFD for each byte that is not UTF-8")
	}
	meets, next := "gets no answer", ""
	switch r.Docker.Outcome {
	case registry.Accepted, registry.Undecided:
		meets = "is let in"
	case registry.Denied:
		meets = "is denied the same"
	case registry.Refused:
		meets = "is refused"
		if r.Outcome != registry.Refused {
			next = ": " + v.program.userCommand("passwd", v.user)
		}
	}
	v.program.Warn("docker login %s, and %s%s", strings.Join(does, ", "), meets, next)
}

// server names the server that a message is about.
func server(r registry.Result) string {
	if r.OfTokenServer() {
		return r.Server + ", the token server of " + r.URL + ","
	}
	return r.Server
}

// noAnswer returns the error for a registry that neither accepts nor refuses the user.
func (v userVerify) noAnswer(q *registryQuestion, r registry.Result) error {
	from := server(r)
	at := strings.TrimSuffix(from, ",") // where no verb follows
	_, host, _ := strings.Cut(r.URL, "://")
	const realm = "set REGISTRY_AUTH_TOKEN_REALM of the registry to "
	switch r.Outcome {
	case registry.Denied:
		return fail(exitMismatch, "", "%s does not let %s %s%s", from, shown(v.user), q.what(), granted(r))
	case registry.Undecided:
		return Fail("try a push to find out", "%s lets %s in, but its token does not say whether to %s", r.URL, shown(v.user), q.what())
	case registry.Unreadable:
		return fail(exitFormat, v.program.command("check"), "%s cannot read its htpasswd file: it is missing, malformed or not readable by the registry's user", from)
	case registry.Open:
		return fail(exitFormat, "it needs REGISTRY_AUTH=htpasswd, REGISTRY_AUTH_HTPASSWD_REALM and "+fileVariable, "%s asks for no password: everyone is let in", from)
	case registry.Token:
		return fail(exitFormat, realm+"the URL of its token server", "%s asks for a token, but names no token server that can be asked", from)
	case registry.TokenRefused:
		return fail(exitFormat, "compare REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE, _ISSUER and _SERVICE of the registry with the token server, and the clocks of both",
			"%s refuses the token of its token server", from)
	case registry.Redirected:
		switch {
		case r.OfTokenServer():
			return Fail(realm+"where it redirects", "%s redirects, and no password is sent there", from)
		case r.Location == "":
			return Fail("name the registry itself", "%s redirects, and no password is sent there", from)
		}
		return Fail("if you trust that address: "+q.again(v, "registry", r.Location), "%s redirects to %s, and no password is sent there", from, r.Location)
	case registry.Untrusted:
		return Fail(q.again(v, "ca-file", "ca.crt")+" # docker looks for it in "+registry.DockerDirectory(q.client.Address), "the certificate of %s is not trusted: %w", from, r.Err)
	case registry.WrongName:
		return Fail(v.nameHint(q, r, host), "the certificate of %s is for another name: %w", from, r.Err)
	case registry.Expired:
		return Fail("renew the certificate, or set the clock of this machine", "the certificate of %s is not valid now: %w", from, r.Err)
	case registry.NotTLS:
		if r.OfTokenServer() {
			return Fail(realm+"a URL that speaks TLS", "%s does not speak TLS", from)
		}
		return Fail(q.again(v, "registry", "http://"+host), "%s does not speak TLS", from)
	case registry.PlainHTTP:
		if r.OfTokenServer() && strings.HasPrefix(r.URL, "https:") {
			return Fail(realm+"an https URL", "no password is sent to %s which has no TLS", from)
		}
		return Fail(q.again(v, "plain-http", "true")+" # anyone on the network path can read the password", "no password is sent to %s: it is not this machine, and others can listen", at)
	case registry.NoSuchHost:
		return Fail("check the spelling; the name of a container is known only to other containers", "cannot find the host of %s: %w", at, r.Err)
	case registry.ConnectionRefused:
		return Fail("docker ps # lists the running containers and their ports", "nothing is listening at %s", at)
	case registry.Unreachable:
		return Fail("check the network, firewalls and $HTTPS_PROXY", "cannot reach %s: %w", at, r.Err)
	case registry.TimedOut:
		return Fail(q.again(v, "timeout", (4*q.client.Timeout).String()), "%s did not answer within %s", from, q.client.Timeout)
	}
	hint := "check that this is the registry, and not something in front of it"
	switch {
	case r.Status == http.StatusBadRequest && strings.HasPrefix(r.URL, "http:"): // as TLS servers answer
		hint = q.again(v, "registry", "https://"+host)
	case r.Status == http.StatusInternalServerError && v.target.File != "":
		hint = v.program.command("check --for nginx") + " # if nginx asks for the password: it answers so if it cannot read the file"
	}
	switch {
	case r.Err != nil:
		return Fail(hint, "%s does not answer like a registry: %w", from, r.Err)
	case r.Status != 0:
		return Fail(hint, "%s answers with status %d, unlike a registry", from, r.Status)
	}
	return Fail(hint, "%s does not answer like a registry", from)
}

// granted says what a token grants instead of what was asked.
func granted(r registry.Result) string {
	switch {
	case r.Granted == nil:
		return ""
	case len(r.Granted) == 0:
		return " (granted: nothing)"
	}
	return " (granted: " + strings.Join(r.Granted, ", ") + ")"
}

// nameHint returns the hint for a certificate that is for other names.
func (v userVerify) nameHint(q *registryQuestion, r registry.Result, host string) string {
	if r.OfTokenServer() {
		return "set REGISTRY_AUTH_TOKEN_REALM of the registry to a URL with a name of its certificate"
	}
	name, port := host, ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, ":"+p
	}
	var wrong x509.HostnameError
	errors.As(r.Err, &wrong)
	names := wrong.Certificate.DNSNames
	for _, ip := range wrong.Certificate.IPAddresses {
		names = append(names, ip.String())
	}
	for _, other := range names {
		address := other + port
		if strings.Contains(other, ":") {
			address = "[" + other + "]" + port
		}
		if _, err := registry.ParseAddress(address); err == nil { // no wildcard, say
			return q.again(v, "registry", address)
		}
	}
	return "openssl req -x509 -newkey rsa:2048 -nodes -keyout registry.key -out registry.crt -subj /CN=" + name + " -addext subjectAltName=DNS:" + name
}
