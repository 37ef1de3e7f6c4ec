package cli

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/access"
)

// removeOptions are the flags of "user remove".
type removeOptions struct {
	users    []string
	text     Text
	ifExists bool
	dryRun   dryRunFlag
	grants   grantsFlags
	rights   *rightsFile
	output   formatFlag
}

func newUserRemove(p *Program) *cobra.Command {
	var o removeOptions
	cmd := &cobra.Command{
		Use:     "remove NAME...",
		Aliases: []string{"rm"},
		Short:   "Remove users",
		Long: `Remove every line of each user, or nothing at all if one of them does not exist.
With --if-exists, users who do not exist are skipped, and a missing file is no
error. The registry refuses them from the next request on.

Any name is accepted, even one that could not be added.`,
		Example:           p.examples("remove elton francis", "remove --if-exists francis"),
		Annotations:       exits("6  one of the users does not exist\n" + refusedFile),
		Args:              operands("NAME..."),
		ValidArgsFunction: p.completeUsers,
	}
	cmd.Flags().BoolVar(&o.ifExists, "if-exists", false, "skip users who do not exist")
	o.dryRun.register(cmd, p)
	o.grants.register(cmd, p, "remove the users from the access file, too")
	o.output.registerEdit(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.users = unique(args)
		if o.text, err = p.open(OpenOptions{Access: ToEdit, DryRun: o.dryRun.value, Manifest: o.output.manifest(p)}); err != nil {
			return err
		}
		if o.rights, err = o.grants.open(p, o.text); err != nil {
			return err
		}
		return userRemove(cmd.Context(), p, o)
	}
	return cmd
}

func userRemove(ctx context.Context, p *Program, o removeOptions) error {
	failed := o.users[0]
	var absent map[string]bool
	_, err := o.text.Update(ctx, func(f *htpasswd.File) error {
		absent = make(map[string]bool)
		for _, failed = range o.users {
			err := f.Remove(failed)
			if o.ifExists && errors.Is(err, htpasswd.ErrUserNotFound) {
				absent[failed] = true
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	changed := o.users
	if o.ifExists && isMissing(err) {
		p.Say("%v", err)
		changed, err = nil, nil
	}
	if !made(err) {
		return p.cannot("remove", failed, o.text, err)
	}
	for _, user := range changed {
		if absent[user] {
			p.Say("%s is not in %s", shown(user), o.text.Name)
		} else {
			p.done(o.text, "removed %s from %s", shown(user), o.text.Name)
		}
	}
	return cmp.Or(o.grants.follow(ctx, o.rights, o.users, "removed the grants", func(f *access.File) { f.RemoveUsers(o.users) }), err)
}
