package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/access"
)

func newAccessRevoke(p *Program) *cobra.Command {
	var o grantOptions
	cmd := &cobra.Command{
		Use:        "revoke USER ACTION REPOSITORY...",
		Short:      "Revoke a grant",
		SuggestFor: []string{"remove", "rm", "delete", "deny"},
		Long: `Revoke a grant: remove the repositories from the lines for the same user and
action. If one of them is in none of these lines, nothing is removed. What other
lines allow stays allowed, and a warning says so. A token that a client already
has stays valid until it expires, by default within 5 minutes.`,
		Example:     `  registryctl access revoke francis pull "labs/**"`,
		Annotations: exits("6  there is no such grant\n7  the access file is malformed"),
	}
	o.register(cmd, p, accessRevoke)
	return cmd
}

func accessRevoke(ctx context.Context, p *Program, o grantOptions) error {
	var rights *access.Rights
	_, err := o.rights.update(ctx, false, func(f *access.File) error {
		err := f.Revoke(o.subject, o.action, o.repositories...)
		rights = f.Rights()
		return err
	})
	switch {
	case errors.Is(err, access.ErrNoGrant) || isMissing(err):
		return fail(exitName, o.rights.command("access list"), "cannot revoke %s from %s: no such grant in %s", o.grantLine, shownSubject(o.subject), o.rights.Path)
	case !made(err):
		return err
	}
	p.Say("revoked %s from %s in %s", o.grantLine, shownSubject(o.subject), o.rights.Path)
	name, isUser := o.subject.UserName()
	for _, repository := range o.repositories {
		if grants := rights.Find(name, o.action, repository); grants != nil && (isUser || o.subject == access.Everyone) {
			p.Warn("%s may still %s %s, because of line %d", shownSubject(o.subject), verbOf(o.action), repository, grants[0].Line)
		}
	}
	return err
}

// verbOf returns an action as the verb of a sentence.
func verbOf(a access.Action) string {
	return map[access.Action]string{access.Pull: "pull", access.Push: "push to", access.Delete: "delete from", access.All: "do everything in"}[a]
}
