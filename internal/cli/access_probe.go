package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/crypt"
)

func newAccessTest(p *Program) *cobra.Command {
	var o grantOptions
	cmd := &cobra.Command{
		Use:        "test USER ACTION REPOSITORY",
		Short:      "Test whether a user may perform an action",
		SuggestFor: []string{"check", "can"},
		Long: `Test whether a user may perform an action in a repository, and print the line
that allows it. The user * stands for anyone who has not logged in. The action
all on "**" stands for the catalog.`,
		Example: `  registryctl access test francis push labs/app
  registryctl access test "*" pull public/hello`,
		Annotations: exits("3  the user may not perform the action\n6  there is no such user\n7  the access file is malformed"),
	}
	o.register(cmd, p, accessTest)
	return cmd
}

func accessTest(ctx context.Context, p *Program, o grantOptions) error {
	user, isUser := o.subject.UserName()
	repository := o.repositories[0]
	switch {
	case !isUser && o.subject != access.Everyone:
		return Misuse("name one of its users", "access test takes a user or *, not a group")
	case len(o.repositories) > 1:
		return Misuse("", "access test needs exactly one repository")
	}
	if isUser && o.rights.users.Store != nil {
		f, err := o.rights.users.Read(ctx)
		if f == nil {
			return err
		}
		e, ok := f.Lookup(user)
		if !ok {
			return p.cannot("test", user, o.rights.users, htpasswd.ErrUserNotFound)
		}
		if isDisabled(e) {
			p.Warn("%s is disabled and gets no token: %s", shown(user), p.userCommand("enable", user))
		}
	}
	f, err := o.rights.readIfAny()
	if err != nil {
		return err
	}
	rights := access.Unrestricted()
	if f != nil {
		rights = f.Rights()
	}
	var grants []access.Grant
	if repository == "**" && o.action == access.All {
		grants = rights.FindCatalog(user)
	} else if !access.ValidName(repository) {
		return Misuse("name one repository, such as labs/app; a pattern cannot be tested", "not the name of a repository")
	} else {
		grants = rights.Find(user, o.action, repository)
	}
	if grants == nil {
		return fail(exitMismatch, o.rights.grantCommand(o.subject, o.action, repository), "%s may not %s %s", shownSubject(o.subject), verbOf(o.action), repository)
	}
	if f == nil {
		return p.Print(fmt.Appendf(nil, "there is no %s: everyone who has logged in may do everything\n", oneLine(o.rights.Path)))
	}
	var lines strings.Builder
	for _, g := range grants {
		fmt.Fprintf(&lines, "%s: %s %s %s\n", location(o.rights.Path, g.Line), crypt.Redact(string(g.Subject)), g.Action, strings.Join(g.Patterns, " "))
	}
	return p.Print([]byte(lines.String()))
}
