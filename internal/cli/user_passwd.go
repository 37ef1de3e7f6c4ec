package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserPasswd() *cobra.Command {
	var source passwordSource
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set the password of a user",
		Long: `Set the password of a user who is in the file. The user's line keeps its place,
and its cost if that is above the default and no --cost is given.`,
		Annotations: more(`Where the password comes from, and which are refused, says "registryctl help
user add". The registry refuses the old one from the next request on.

Exit status:

  5  the password is refused
  6  no such user`),
		Example: `  registryctl user passwd elton
  registryctl user passwd elton --generate
  registryctl user passwd elton --password-file elton.txt`,
		Args:              operands("NAME"),
		ValidArgsFunction: a.completeUser,
	}
	source.registerNew(cmd, a)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := source.check(); err != nil {
			return err
		}
		return a.userPasswd(cmd, &source, args[0])
	}
	return cmd
}

func (a *app) userPasswd(cmd *cobra.Command, source *passwordSource, user string) error {
	ctx, t := cmd.Context(), a.openForEdit()
	if err := htpasswd.ValidateUser(user); err != nil {
		return cannot("set the password of", user, t, err)
	}
	f, err := t.Read(ctx)
	if err != nil {
		return cannot("set the password of", user, t, err)
	}
	entry, ok := f.Lookup(user)
	if !ok {
		return cannot("set the password of", user, t, htpasswd.ErrUserNotFound)
	}
	s, err := source.read(ctx, user)
	if err != nil {
		return err
	}
	h, err := a.encode(ctx, s, source.cost.of(entry.Hash))
	if err != nil {
		return err
	}
	_, err = t.Update(ctx, func(f *htpasswd.File) error {
		if _, ok := f.Lookup(user); !ok {
			return htpasswd.ErrUserNotFound
		}
		return f.Set(user, h)
	})
	if !made(err) {
		return cannot("set the password of", user, t, err)
	}
	a.did("set the password of %q in %s", user, t.name)
	return cmp.Or(source.reveal(user, s), err)
}
