package cli

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// verifyOptions are the flags of "user verify".
type verifyOptions struct {
	password passwordSource
	registry registryFlags
	format   formatFlag
}

func newUserVerify(p *Program) *cobra.Command {
	o := verifyOptions{format: formatFlag{value: "text", allowed: []string{"text", "json"}}}
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Check the password of a user",
		Long: `Check whether the file lets a user in with a password. With --registry the
running registry is asked, in the same way as docker login does, and with --can
also whether the user may pull, push or delete in a repository, as in
--can push:labs/app. The file need not exist then; if it does, it is compared
with the registry's answer.

An address without https:// or http:// is tried over https, and over http if the
server does not speak TLS. The password is sent only to a registry that asks for
one, or to the token server that it names. It is never sent to the target of a
redirect, and over plain http only within this machine, unless --plain-http
allows it. Certificates that docker trusts for this registry (*.crt in certs.d)
are trusted; --ca-file names a PEM file with more. If docker login would send a
different name or password, because it removes whitespace at the ends, that is
tried as well.

"-o json" is {user, accepted, reason, file, file_reason, registry}. The reason
is the registry's if it was asked, else the file's.

  of the file      accepted, wrong-password, unknown-user, disabled or
                   not-bcrypt (the password is right), unknown-hash,
                   malformed-file, no-file, unreadable-file; empty if the
                   password was not compared
  of the registry  accepted, refused, denied (--can), undecided (its token
                   does not say), file-refused, no-password, token (without a
                   server to ask), token-refused, redirect, unexpected,
                   host-not-found, connection-refused, unreachable, timeout,
                   not-tls, plain-http, untrusted, wrong-name, expired`,
		Annotations: exits(`0  the password lets the user in
1  the registry does not answer
3  wrong password, or the registry refuses it or what --can asks
5  no user can have this password
6  no such user
7  the registry refuses the file, or the hash of a password that is right;
   the user is disabled; the registry asks for no password, or for a token
   but names no token server`),
		Example:           p.examples("verify elton", "verify elton --password-env PW", "verify elton --registry localhost:5000 --ca-file ca.crt"),
		Args:              operands("NAME"),
		ValidArgsFunction: p.completeUser,
	}
	o.password.register(cmd)
	o.registry.register(cmd)
	o.format.registerOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		question, err := o.registry.question(cmd)
		if err != nil {
			return err
		}
		t, err := p.open(OpenOptions{})
		if err != nil && question == nil {
			return err
		}
		if t.Store == nil {
			t.Store = &filter{read: true, err: err} // which fails with the same error
		}
		if err := o.password.check(cmd, t); err != nil {
			return err
		}
		v := userVerify{program: p, source: &o.password, user: args[0], target: t}
		var report verifyReport
		if question != nil {
			report, err = v.askRegistry(cmd.Context(), question)
		} else {
			report, err = v.askFile(cmd.Context())
		}
		if o.format.value == "json" && report.Reason != "" {
			report.User, report.File = nameInReport(v.user), t.Name
			if err := p.Print(jsonText(report)); err != nil {
				return err
			}
		}
		return err
	}
	return cmd
}

// nameInReport omits what follows a colon, which may be a password.
func nameInReport(user string) string {
	before, _, cut := strings.Cut(crypt.Redact(user), ":")
	if cut {
		before += "..."
	}
	return before
}

// A userVerify is one run of the command.
type userVerify struct {
	program *Program
	source  *passwordSource
	user    string
	target  Text
}

// A verifyReport is the JSON output: no field may change its name or meaning,
// nor may a reason.
type verifyReport struct {
	User       string `json:"user"`
	Accepted   bool   `json:"accepted"`
	Reason     string `json:"reason"`      // the registry's if it was asked, else the file's
	File       string `json:"file"`        // which there need not be
	FileReason string `json:"file_reason"` // empty if the password was not compared
	Registry   string `json:"registry"`    // the URL that was asked; empty if only the file was
}

// Reasons of a file, beside accepted.
const (
	accepted       = "accepted"
	wrongPassword  = "wrong-password"
	unknownUser    = "unknown-user"
	disabledUser   = "disabled"
	notBcrypt      = "not-bcrypt"
	unknownHash    = "unknown-hash"
	malformedFile  = "malformed-file"
	noFile         = "no-file"
	unreadableFile = "unreadable-file"
)

// A verdict is the result for a user of a file. The reason is empty if it depends on the
// password. The error is nil if the file lets the user in.
type verdict struct {
	reason string
	err    error
}

// askFile checks the password against the file.
func (v userVerify) askFile(ctx context.Context) (verifyReport, error) {
	entry, found := v.lookup(ctx)
	if found.err == nil {
		password, err := v.readPassword(ctx)
		if err != nil {
			return verifyReport{}, err
		}
		found = v.compare(ctx, entry, password)
	}
	if found.err == nil {
		v.program.Say("the password of %s is correct", shown(v.user))
	}
	return verifyReport{Accepted: found.err == nil, Reason: found.reason, FileReason: found.reason}, found.err
}

// lookup returns the user's entry, or the verdict if no password is needed for it.
func (v userVerify) lookup(ctx context.Context) (htpasswd.Entry, verdict) {
	f, err := v.target.Read(ctx)
	if err != nil {
		reason := unreadableFile
		switch {
		case errors.As(err, new(*htpasswd.ParseError)):
			reason = malformedFile
		case errors.Is(err, fs.ErrNotExist), v.target.Name == "":
			reason = noFile
		case ctx.Err() != nil:
			reason = ""
		}
		return htpasswd.Entry{}, verdict{reason, v.program.cannot("verify", v.user, v.target, err)}
	}
	entry, ok := f.Lookup(v.user)
	switch {
	case !ok:
		return entry, verdict{unknownUser, v.program.cannot("verify", v.user, v.target, htpasswd.ErrUserNotFound)}
	case hashOf(entry).Scheme() == "":
		return entry, verdict{unknownHash, fail(exitFormat, v.program.userCommand("passwd", v.user),
			"cannot verify %s: the hash in %s on line %d is of an unknown scheme", shown(v.user), v.target.Name, entry.Line)}
	}
	return entry, verdict{}
}

func (v userVerify) readPassword(ctx context.Context) ([]byte, error) {
	password, err := v.source.read(ctx, v.program, v.user, promptExisting)
	if err != nil {
		return nil, err
	}
	if len(password) == 0 || len(password) > htpasswd.MaxPasswordBytes { // a file can hold all others
		return nil, v.source.named(htpasswd.ValidatePassword(password))
	}
	return password, nil
}

// compare compares the password, and overwrites it.
func (v userVerify) compare(ctx context.Context, entry htpasswd.Entry, password []byte) verdict {
	hash := hashOf(entry)
	scheme := hash.Scheme()
	blankHint := v.source.blankHint(password)
	err := interruptible(ctx, func() error {
		defer clear(password)
		return hash.Verify(password)
	})
	switch {
	case errors.Is(err, htpasswd.ErrMismatch):
		return verdict{wrongPassword, fail(exitMismatch, blankHint, "wrong password for %s", shown(v.user))}
	case ctx.Err() != nil:
		return verdict{err: ctx.Err()}
	case err != nil:
		return verdict{unknownHash, fail(exitFormat, v.program.userCommand("passwd", v.user), "cannot verify %s, whose hash is %s: %w", shown(v.user), scheme, err)}
	case isDisabled(entry):
		return verdict{disabledUser, fail(exitFormat, v.program.userCommand("enable", v.user), "the password of %s is correct, but the user is disabled", shown(v.user))}
	case scheme != htpasswd.Bcrypt:
		return verdict{notBcrypt, fail(exitFormat, v.program.userCommand("passwd", v.user),
			"the password of %s is correct, but its hash is %s and the registry accepts only bcrypt", shown(v.user), scheme)}
	}
	return verdict{reason: accepted}
}
