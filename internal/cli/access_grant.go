package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/crypt"
)

// grantOptions are the flags of "access grant" and "access revoke".
type grantOptions struct {
	grantLine
	user   string
	access pathFlag
	rights rightsFile
}

func newAccessGrant(p *Program) *cobra.Command {
	var o grantOptions
	cmd := &cobra.Command{
		Use:        "grant USER ACTION REPOSITORY...",
		Short:      "Grant an action on repositories",
		SuggestFor: []string{"add", "allow", "give"},
		Long: `Grant an action on repositories: add a line to the access file. A running token
server applies it from the next token on.

The first grant creates the file. From then on a user may do only what was
granted; a warning names each user who now has no rights.

Quote * and **, because a shell would expand them. Use --user for a user whose
name is * or begins with @.`,
		Example: `  registryctl access grant francis pull "labs/**"
  registryctl access grant "*" pull public/hello # also without a login
  registryctl access grant elton all "**"        # delete and the catalog too`,
		Annotations: exits("2  the action or a repository is refused\n6  the group is not defined\n7  the access file is malformed"),
	}
	o.register(cmd, p, accessGrant)
	return cmd
}

func (o *grantOptions) register(cmd *cobra.Command, p *Program, run func(context.Context, *Program, grantOptions) error) {
	cmd.Flags().StringVar(&o.user, "user", "", "`NAME` of the user, instead of USER")
	registerAccess(cmd, &o.access)
	cmd.ValidArgsFunction = completeGrant(p, &o.access)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.grantLine, err = parseGrant(cmd, o.user, args); err != nil {
			return err
		}
		if o.rights, err = openUsersAndRights(p, o.access); err != nil {
			return err
		}
		return run(cmd.Context(), p, *o)
	}
}

func accessGrant(ctx context.Context, p *Program, o grantOptions) error {
	if name, ok := o.subject.UserName(); ok {
		if err := htpasswd.ValidateUser(name); err != nil {
			return p.cannot("grant anything to", name, o.rights.users, err)
		}
	}
	for _, repository := range o.repositories {
		if err := access.CheckPattern(repository); err != nil {
			return Misuse("", "%w", err)
		}
	}
	_, err := o.rights.read()
	created := isMissing(err)
	var rights *access.Rights
	changed, err := o.rights.update(ctx, true, func(f *access.File) error {
		err := f.Grant(o.subject, o.action, o.repositories...)
		rights = f.Rights()
		return err
	})
	switch {
	case errors.Is(err, access.ErrUnknownGroup):
		return fail(exitName, "first define it, in a line such as "+shownSubject(o.subject)+" = elton francis", "cannot grant to %s: %w in %s", shownSubject(o.subject), access.ErrUnknownGroup, o.rights.Path)
	case !made(err):
		return err
	case !changed && err == nil:
		p.Say("unchanged: %s already has %s in %s", shownSubject(o.subject), o.grantLine, o.rights.Path)
		return nil
	}
	if created {
		p.Say("created %s", o.rights.Path)
	}
	p.Say("granted %s to %s in %s", o.grantLine, shownSubject(o.subject), o.rights.Path)
	warnOfGrant(ctx, p, o, created, rights)
	return err
}

// warnOfGrant warns if the user does not exist and, if the access file is new, names the
// users who have no rights now.
func warnOfGrant(ctx context.Context, p *Program, o grantOptions, created bool, rights *access.Rights) {
	const most = 10
	users, _ := o.rights.users.Read(ctx)
	if users == nil {
		return
	}
	if name, ok := o.subject.UserName(); ok {
		if _, exists := users.Lookup(name); !exists {
			p.Warn("there is no user %s in %s", shown(name), o.rights.users.Name)
		}
	}
	if !created {
		return
	}
	without := usersWithoutRights(users, lastEntries(users, nil), rights)
	for _, name := range without[:min(len(without), most)] {
		command := ""
		if !crypt.HoldsHash(name) {
			command = "; to restore them: " + o.rights.grantCommand(access.User(name), access.All, "**")
		}
		p.Warn("user %s now has no rights%s", shown(name), command)
	}
	if more := len(without) - most; more > 0 {
		p.Warn("%d more users now have no rights", more)
	}
}
