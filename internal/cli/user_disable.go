package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// disableOptions are the flags of "user disable" and "user enable".
type disableOptions struct {
	users  []string
	text   Text
	dryRun dryRunFlag
	output formatFlag
}

func newUserDisable(p *Program) *cobra.Command {
	var o disableOptions
	cmd := &cobra.Command{
		Use:   "disable NAME...",
		Short: "Keep users from logging in, without losing their passwords",
		Long: `Keep users from logging in until they are enabled, or do nothing at all if one
of them does not exist. The registry refuses them from the next request on; a
token that a client already has stays valid until it expires.

The password stays in the file, with a "!" before its hash, which no server
accepts. Grants stay too. Setting a password, renaming and importing keep the
"!": only enable removes it.`,
		Example:     p.examples("disable elton", "disable elton francis"),
		Annotations: exits("6  one of the users does not exist\n" + refusedFile),
	}
	o.register(cmd, p, userDisable)
	return cmd
}

func newUserEnable(p *Program) *cobra.Command {
	var o disableOptions
	cmd := &cobra.Command{
		Use:   "enable NAME...",
		Short: "Let disabled users log in again",
		Long: `Let disabled users log in again, with the passwords that they had before, or do
nothing at all if one of them does not exist or has no hash of a known scheme.`,
		Example:     p.examples("enable elton", "enable elton francis"),
		Annotations: exits("6  one of the users does not exist\n" + refusedFile + ", or one of the\n   users has no hash of a known scheme"),
	}
	o.register(cmd, p, userEnable)
	return cmd
}

func (o *disableOptions) register(cmd *cobra.Command, p *Program, run func(context.Context, *Program, disableOptions) error) {
	cmd.Args = operands("NAME...")
	cmd.ValidArgsFunction = p.completeUsers
	o.dryRun.register(cmd, p)
	o.output.registerEdit(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.users = unique(args)
		if o.text, err = p.open(OpenOptions{Access: ToEdit, DryRun: o.dryRun.value, Manifest: o.output.manifest(p)}); err != nil {
			return err
		}
		return run(cmd.Context(), p, *o)
	}
}

func userDisable(ctx context.Context, p *Program, o disableOptions) error {
	return editEach(ctx, p, o, "disable", (*htpasswd.File).Disable)
}

func userEnable(ctx context.Context, p *Program, o disableOptions) error {
	return editEach(ctx, p, o, "enable", func(f *htpasswd.File, user string) error {
		if err := f.Enable(user); err != nil {
			return err
		}
		// Some servers take an empty hash for an empty password.
		if e, _ := f.Lookup(user); e.Hash.Scheme() == "" {
			return fail(exitFormat, p.userCommand("passwd", user), "the hash on line %d of %s is of an unknown scheme", e.Line, o.text.Name)
		}
		return nil
	})
}

// editEach makes the edit for each of the users, or for none, and reports it.
func editEach(ctx context.Context, p *Program, o disableOptions, action string, edit func(f *htpasswd.File, user string) error) error {
	failed := o.users[0]
	var unchanged map[string]bool
	_, err := o.text.Update(ctx, func(f *htpasswd.File) error {
		unchanged = make(map[string]bool)
		for _, failed = range o.users {
			before, _ := f.Lookup(failed)
			if err := edit(f, failed); err != nil {
				return err
			}
			after, _ := f.Lookup(failed)
			unchanged[failed] = isDisabled(before) == isDisabled(after)
		}
		return nil
	})
	if !made(err) {
		return p.cannot(action, failed, o.text, err)
	}
	for _, user := range o.users {
		if unchanged[user] {
			p.Say("%s was already %sd in %s", shown(user), action, o.text.Name)
		} else {
			p.done(o.text, "%sd %s in %s", action, shown(user), o.text.Name)
		}
	}
	return err
}

// hashOf returns the hash of a user's password, even if the user is disabled.
func hashOf(e htpasswd.Entry) htpasswd.Hash {
	if before, disabled := e.Hash.Disabled(); disabled {
		return before
	}
	return e.Hash
}

func isDisabled(e htpasswd.Entry) bool {
	_, disabled := e.Hash.Disabled()
	return disabled
}

// warnOfDisabled warns if the password of a disabled user was set.
func (p *Program) warnOfDisabled(e htpasswd.Entry) {
	if isDisabled(e) {
		p.Warn("%s stays disabled: %s", shown(e.User), p.userCommand("enable", e.User))
	}
}
