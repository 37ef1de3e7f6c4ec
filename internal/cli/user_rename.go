package cli

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/access"
)

// renameOptions are the flags of "user rename".
type renameOptions struct {
	from, to string
	text     Text
	dryRun   dryRunFlag
	grants   grantsFlags
	rights   *rightsFile
	output   formatFlag
}

func newUserRename(p *Program) *cobra.Command {
	var o renameOptions
	cmd := &cobra.Command{
		Use:               "rename OLD NEW",
		Short:             "Give a user another name",
		Long:              "Give a user another name. The password and the place of the line do not change.",
		Annotations:       exits("6  OLD does not exist, NEW exists, or NEW is refused\n" + refusedFile),
		Example:           p.examples("rename elton elton.stoneman"),
		Args:              operands("OLD", "NEW"),
		ValidArgsFunction: p.completeUser,
	}
	o.dryRun.register(cmd, p)
	o.grants.register(cmd, p, "rename the user in the access file, too")
	o.output.registerEdit(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.from, o.to = args[0], args[1]
		if o.text, err = p.open(OpenOptions{Access: ToEdit, DryRun: o.dryRun.value, Manifest: o.output.manifest(p)}); err != nil {
			return err
		}
		if o.rights, err = o.grants.open(p, o.text); err != nil {
			return err
		}
		return userRename(cmd.Context(), p, o)
	}
	return cmd
}

func userRename(ctx context.Context, p *Program, o renameOptions) error {
	_, err := o.text.Update(ctx, func(f *htpasswd.File) error { return f.Rename(o.from, o.to) })
	switch {
	case errors.Is(err, htpasswd.ErrUserExists):
		return fail(exitName, "", "cannot rename %s: %s is already in %s", shown(o.from), shown(o.to), o.text.Name)
	case !made(err):
		return p.cannot("rename", o.from, o.text, err)
	}
	p.done(o.text, "renamed %s to %s in %s", shown(o.from), shown(o.to), o.text.Name)
	return cmp.Or(o.grants.follow(ctx, o.rights, []string{o.from}, "renamed the user", func(f *access.File) { f.RenameUser(o.from, o.to) }), err)
}
