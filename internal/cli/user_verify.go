package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserVerify() *cobra.Command {
	var source passwordSource
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Check the password of a user",
		Long: `Check whether the registry lets a user in with a password, going by the file.

Exit status: 0 yes, 3 wrong password, 5 a password that no login can tell from
others, 6 no such user, 7 the registry refuses the file, or the user's hash
although the password is right.`,
		Example: `  registryctl user verify elton
  registryctl user verify elton --password-env ELTON_PASSWORD`,
		Args:              operands("NAME"),
		ValidArgsFunction: a.completeUser,
	}
	source.registerRead(cmd, a)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := source.check(); err != nil {
			return err
		}
		return a.userVerify(cmd, &source, args[0])
	}
	return cmd
}

func (a *app) userVerify(cmd *cobra.Command, source *passwordSource, user string) error {
	ctx, t := cmd.Context(), a.open()
	f, err := t.Read(ctx)
	if err != nil {
		return cannot("verify", user, t, err)
	}
	entry, ok := f.Lookup(user)
	if !ok {
		return cannot("verify", user, t, htpasswd.ErrUserNotFound)
	}
	if entry.Hash.Scheme() == "" {
		return fail(exitFormat, "user passwd sets a new one", "cannot verify %q: the hash in %s, line %d, is none that is known", user, t.name, entry.Line)
	}
	password, err := source.readPassword(ctx, user, promptExisting)
	if err != nil {
		return err
	}
	if err := htpasswd.ValidatePassword(password); err != nil {
		return err
	}
	err = interruptible(ctx, func() error { return entry.Hash.Verify(password) })
	switch {
	case errors.Is(err, htpasswd.ErrMismatch):
		return fail(exitMismatch, "", "wrong password for %q", user)
	case err != nil:
		return fail(exitFormat, "user passwd sets a new one", "cannot verify %q, whose hash is %s: %w", user, entry.Hash.Scheme(), err)
	case entry.Hash.Scheme() != htpasswd.Bcrypt:
		return fail(exitFormat, "user passwd sets it anew, as bcrypt",
			"the password of %q is right, but its hash is %s and the registry accepts only bcrypt", user, entry.Hash.Scheme())
	}
	a.say("the password of %q is right", user)
	return nil
}
