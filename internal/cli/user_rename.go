package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserRename() *cobra.Command {
	return &cobra.Command{
		Use:               "rename OLD NEW",
		Short:             "Give a user another name",
		Long:              "Give a user another name. The password and the line's place in the file stay.",
		Annotations:       more("Exit status:\n\n  6  OLD is not there, NEW is, or NEW is no name that can log in"),
		Example:           "  registryctl user rename elton elton.stoneman",
		Args:              operands("OLD", "NEW"),
		ValidArgsFunction: a.completeUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := args[0], args[1]
			t := a.openForEdit()
			_, err := t.Update(cmd.Context(), func(f *htpasswd.File) error { return f.Rename(from, to) })
			switch {
			case errors.Is(err, htpasswd.ErrUserExists):
				return fail(exitName, "", "cannot rename %q: %q is already in %s", from, to, t.name)
			case !made(err):
				return cannot("rename", from, t, err)
			}
			a.did("renamed %q to %q in %s", from, to, t.name)
			return err
		},
	}
}
