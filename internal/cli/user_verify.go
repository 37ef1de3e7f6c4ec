package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserVerify() *cobra.Command {
	var (
		source passwordSource
		asked  registryFlags
	)
	format := formatFlag{value: "text", allowed: []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Check the password of a user",
		Long: `Check whether the registry lets a user in with a password, going by the file.
With --registry the running registry is asked, as docker login does.`,
		Annotations: more(`With --registry there need not be a file here; where there is one, it says
whether that agrees. The password is sent only to a registry that asks for one,
never to where it redirects, and over plain http only within this machine,
unless --insecure-http allows it. An address without https:// or http:// is
asked over https; if nothing speaks TLS there, over http. --ca-cert names a PEM
file.

"-o json" is {user, accepted, reason, file, file_reason, registry}. The reason
is the registry's if it was asked, else the file's.

  of the file      accepted, wrong-password, unknown-user, not-bcrypt (the
                   password is right), unknown-hash, malformed-file, no-file,
                   unreadable-file; empty if it did not come to a password
  of the registry  accepted, refused, file-refused, no-password, token,
                   redirect, untrusted, not-tls, plain-http, unreachable,
                   timeout, unexpected

Exit status:

  0  the password lets the user in
  1  no answer from the registry
  3  wrong password, or the registry refuses it
  5  a password that no login can tell from others
  6  no such user
  7  the registry refuses the file, or the hash of a password that is right;
     it asks for no password, or for a token`),
		Example: `  registryctl user verify elton
  registryctl user verify elton --password-env PW
  registryctl user verify elton --registry localhost:5000 --ca-cert ca.crt
  if ($LASTEXITCODE -eq 3) { "wrong password" } # PowerShell`,
		Args:              operands("NAME"),
		ValidArgsFunction: a.completeUser,
	}
	source.registerRead(cmd, a)
	asked.register(cmd)
	format.registerOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cmp.Or(source.check(), asked.check()); err != nil {
			return err
		}
		v := userVerify{app: a, source: &source, user: args[0], target: a.open()}
		report := verifyReport{User: v.user, File: v.target.name}
		var err error
		if asked.given() {
			err = v.askRegistry(cmd.Context(), asked.client, &report)
		} else {
			err = v.askFile(cmd.Context(), &report)
		}
		// The error of a name with a colon says enough, without the password that
		// may be behind it: as with --registry there is no report.
		if format.value == "json" && report.Reason != "" && !strings.Contains(v.user, ":") {
			var out bytes.Buffer
			if err := cmp.Or(writeJSON(&out, report), a.print(out.Bytes())); err != nil {
				return err
			}
		}
		return err
	}
	return cmd
}

// A userVerify is one run of the command.
type userVerify struct {
	app    *app
	source *passwordSource
	user   string
	target target
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
	notBcrypt      = "not-bcrypt"
	unknownHash    = "unknown-hash"
	malformedFile  = "malformed-file"
	noFile         = "no-file"
	unreadableFile = "unreadable-file"
)

// A verdict is what a file says of a user: a reason, empty if that depends on
// the password, and an error unless it lets them in.
type verdict struct {
	reason string
	err    error
}

func (v userVerify) askFile(ctx context.Context, report *verifyReport) error {
	entry, found := v.lookup(ctx)
	if found.err == nil {
		password, err := v.readPassword(ctx)
		if err != nil {
			return err
		}
		found = v.compare(ctx, entry, password)
	}
	report.Reason, report.FileReason, report.Accepted = found.reason, found.reason, found.err == nil
	if found.err == nil {
		v.app.say("the password of %q is right", v.user)
	}
	return found.err
}

// lookup returns the user's entry, and a verdict where it takes no password.
func (v userVerify) lookup(ctx context.Context) (htpasswd.Entry, verdict) {
	f, err := v.target.Read(ctx)
	if err != nil {
		reason := unreadableFile
		var malformed *htpasswd.ParseError
		switch {
		case errors.As(err, &malformed):
			reason = malformedFile
		case errors.Is(err, fs.ErrNotExist), v.target.name == "": // nor was one named
			reason = noFile
		case ctx.Err() != nil:
			reason = ""
		}
		return htpasswd.Entry{}, verdict{reason, cannot("verify", v.user, v.target, err)}
	}
	entry, ok := f.Lookup(v.user)
	switch {
	case !ok:
		return entry, verdict{unknownUser, cannot("verify", v.user, v.target, htpasswd.ErrUserNotFound)}
	case entry.Hash.Scheme() == "":
		return entry, verdict{unknownHash, fail(exitFormat, program+" user passwd sets a new one",
			"cannot verify %q: the hash in %s, line %d, is none that is known", v.user, v.target.name, entry.Line)}
	}
	return entry, verdict{}
}

func (v userVerify) readPassword(ctx context.Context) ([]byte, error) {
	password, err := v.source.readPassword(ctx, v.user, promptExisting)
	if err != nil {
		return nil, err
	}
	return password, htpasswd.ValidatePassword(password)
}

func (v userVerify) compare(ctx context.Context, entry htpasswd.Entry, password []byte) verdict {
	scheme := entry.Hash.Scheme()
	err := interruptible(ctx, func() error { return entry.Hash.Verify(password) })
	switch {
	case errors.Is(err, htpasswd.ErrMismatch):
		return verdict{wrongPassword, fail(exitMismatch, "", "wrong password for %q", v.user)}
	case ctx.Err() != nil:
		return verdict{err: ctx.Err()}
	case err != nil:
		return verdict{unknownHash, fail(exitFormat, program+" user passwd sets a new one", "cannot verify %q, whose hash is %s: %w", v.user, scheme, err)}
	case scheme != htpasswd.Bcrypt:
		return verdict{notBcrypt, fail(exitFormat, program+" user passwd sets it anew, as bcrypt",
			"the password of %q is right, but its hash is %s and the registry accepts only bcrypt", v.user, scheme)}
	}
	return verdict{reason: accepted}
}
