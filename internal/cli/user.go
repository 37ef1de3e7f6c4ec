package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUser() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change, remove, list and verify users",
		Long:  "Add, change, remove, list and verify the users of an htpasswd file.",
		Example: `  registryctl user add elton
  registryctl user list -f auth/registry.htpasswd
  registryctl user list -f C:\auth\registry.htpasswd # PowerShell`,
	}
	cmd.AddCommand(a.userCommands()...)
	asGroup(cmd)
	return cmd
}

func (a *app) userCommands() []*cobra.Command {
	return []*cobra.Command{
		a.newUserAdd(), a.newUserPasswd(), a.newUserRemove(), a.newUserRename(), a.newUserVerify(), a.newUserList(), a.newUserImport(),
	}
}

// cannot says which action failed for which user, in which file. For a bad name the
// name is left out: it may be one with its password behind a colon.
func cannot(action, user string, t target, err error) error {
	switch {
	case errors.Is(err, htpasswd.ErrInvalidUser):
		return fmt.Errorf("cannot %s the user: %w", action, err)
	case errors.Is(err, htpasswd.ErrUserNotFound):
		return fail(exitName, program+" user list shows who is", "cannot %s %s: not in %s", action, shown(user), t.name)
	}
	return fmt.Errorf("cannot %s %s: %w", action, shown(user), err)
}

// shown quotes a name for a message, without what follows a colon: no name has
// one, but a name with its password, or a whole line of the file, does.
func shown(name string) string {
	if name, _, cut := strings.Cut(name, ":"); cut {
		return fmt.Sprintf("%q...", name)
	}
	return strconv.Quote(name)
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// completionTime is how long a person who has pressed Tab waits.
const completionTime = 3 * time.Second

// completeUsers offers the names in the file, of which there must not be too
// many for a person to choose from.
func (a *app) completeUsers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const most = 1000
	t := a.open()
	// A pipe would wait for its other end, while a person waits for the shell.
	if t.isStream || t.path != "" && !isRegular(t.path) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	f, _ := t.Read(ctx)
	if f == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	taken := make(map[string]bool)
	for _, arg := range args {
		taken[arg] = true
	}
	var names []string
	for e := range f.All() {
		if len(names) == most {
			break
		}
		if !taken[e.User] && printable(e.User) == e.User && !strings.HasPrefix(e.User, "-") && !strings.HasPrefix(e.User, "_activeHelp_") {
			taken[e.User] = true
			names = append(names, e.User)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeUser is completeUsers for the first argument only.
func (a *app) completeUser(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeUsers(cmd, args, word)
}
