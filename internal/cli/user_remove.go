package cli

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserRemove() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use:     "remove NAME...",
		Aliases: []string{"rm"},
		Short:   "Remove users",
		Long: `Remove every line of each user, or nothing at all if one of them is not
there. With --if-exists those who are not there, and a file that is not, are no
error.`,
		Annotations: more(`The registry refuses them from the next request on; it need not be restarted.
Any name is taken, also one that could not be added.

Exit status:

  6  one of them is not there`),
		Example: `  registryctl user remove elton francis
  registryctl user remove --if-exists francis`,
		Args:              operands("NAME..."),
		ValidArgsFunction: a.completeUsers,
	}
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "do not fail for a user or file that is not there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.userRemove(cmd, slices.Compact(slices.Sorted(slices.Values(args))), ifExists)
	}
	return cmd
}

func (a *app) userRemove(cmd *cobra.Command, users []string, ifExists bool) error {
	t := a.openForEdit()
	failed := users[0]
	var absent map[string]bool
	_, err := t.Update(cmd.Context(), func(f *htpasswd.File) error {
		absent = make(map[string]bool)
		for _, user := range users {
			failed = user
			err := f.Remove(user)
			if ifExists && errors.Is(err, htpasswd.ErrUserNotFound) {
				absent[user] = true
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if ifExists && errors.Is(err, fs.ErrNotExist) {
		if a.other != nil { // what is not there is the text, or what holds it
			a.say("%v", err)
		} else {
			a.say("there is no %s", t.name)
		}
		return nil
	}
	if !made(err) {
		return cannot("remove", failed, t, err)
	}
	for _, user := range users {
		if absent[user] {
			a.say("%s is not in %s", shown(user), t.name)
		} else {
			a.did("removed %q from %s", user, t.name)
		}
	}
	return err
}
