package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// passwdOptions are the flags of "user passwd".
type passwdOptions struct {
	users    []string
	all      bool
	text     Text
	password newPassword
	output   formatFlag
	dryRun   dryRunFlag
}

func newUserPasswd(p *Program) *cobra.Command {
	o := passwdOptions{output: formatFlag{allowed: []string{"text", "csv", "json"}}}
	cmd := &cobra.Command{
		Use:   "passwd NAME...",
		Short: "Set the password of a user",
		Long: `Set the password of a user who is in the file. The line keeps its place, and its
cost if that is above the default and --cost is not given. The registry refuses
the old password from the next request on. "` + p.UserCommand + ` add --help"
describes where the password can come from, and which ones are refused.

With --generate, several users can get new passwords in one write, and with
--all every user does. Names and passwords are printed as CSV, or as JSON with
-o json.`,
		Example: p.examples("passwd elton", "passwd elton --generate", "passwd elton --password-file elton.txt", "passwd --all --generate"),
		Annotations: exits(`5  the password is refused
6  no such user
` + refusedFile),
		Args: func(cmd *cobra.Command, args []string) error {
			if all, _ := cmd.Flags().GetBool("all"); all && len(args) == 0 {
				return nil
			}
			return operands("NAME...")(cmd, args)
		},
		ValidArgsFunction: p.completeUsers,
	}
	o.password.register(cmd, p)
	cmd.Flags().BoolVar(&o.all, "all", false, "with --generate: every user")
	o.dryRun.register(cmd, p)
	o.output.registerEdit(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.users = unique(args)
		switch {
		case o.all && len(args) > 0:
			return Misuse("", "--all takes no names")
		case (o.all || len(o.users) > 1) && !o.password.generate:
			return Misuse("--generate gives each of them a new one", "one password cannot be set for several users")
		case o.output.value != "" && !o.password.generate && o.password.manifest(p, o.output, o.dryRun) == "":
			return Misuse("", "-o needs --generate")
		case o.output.value == "text" && (o.all || len(o.users) > 1):
			return Misuse("", "-o text is for one user; several are printed as csv or json")
		}
		if o.text, err = p.open(OpenOptions{ToEdit, o.dryRun.value, o.password.manifest(p, o.output, o.dryRun), o.password.prompts()}); err != nil {
			return err
		}
		if err := o.password.check(cmd, p, o.text); err != nil {
			return err
		}
		if o.password.login != nil && (o.all || len(o.users) > 1) {
			return Misuse("", "a login is saved for one user only")
		}
		return userPasswd(cmd.Context(), p, o)
	}
	return cmd
}

func userPasswd(ctx context.Context, p *Program, o passwdOptions) error {
	const action = setPassword
	f, err := o.text.Read(ctx)
	if err != nil {
		if o.all {
			return fmt.Errorf("cannot set the passwords: %w", err)
		}
		return p.cannot(action, o.users[0], o.text, err)
	}
	if o.all {
		o.users = slices.Collect(f.Users())
	}
	entries := make([]htpasswd.Entry, len(o.users))
	last := lastEntries(f, o.users)
	for i, user := range o.users {
		entry, ok := last[user]
		if !ok {
			return p.cannot(action, user, o.text, htpasswd.ErrUserNotFound)
		}
		if err := htpasswd.ValidateUser(user); err != nil {
			return p.cannot(action, user, o.text, err)
		}
		entries[i] = entry
	}
	credentials := make([]credential, len(o.users))
	for i, user := range o.users {
		if credentials[i], err = o.password.read(ctx, p, user); err != nil {
			return err
		}
	}
	changes, err := hashPasswordsOf(ctx, p, o, entries, credentials)
	if err != nil {
		return err
	}
	failed := cmp.Or(o.users...) // the first
	_, err = o.text.Update(ctx, func(f *htpasswd.File) error {
		now := lastEntries(f, o.users)
		for _, failed = range o.users {
			if _, ok := now[failed]; !ok {
				return htpasswd.ErrUserNotFound // removed meanwhile
			}
		}
		return f.Apply(changes)
	})
	if !made(err) {
		err := p.cannot(action, failed, o.text, err)
		if errors.Is(err, ErrUnsure) && o.password.generate {
			return p.revealUnsure(err, func() error { return revealAll(p, o, credentials) })
		}
		return err
	}
	var saved bool
	var saveErr error
	for i, user := range o.users {
		p.done(o.text, "set the password of %s in %s", shown(user), o.text.Name)
		p.warnOfDisabled(entries[i])
		saved, saveErr = o.password.save(ctx, p, o.text, user, credentials[i])
	}
	if saved {
		return err
	}
	return cmp.Or(saveErr, revealAll(p, o, credentials), err)
}

// hashPasswordsOf returns the changes that give the users their new passwords.
func hashPasswordsOf(ctx context.Context, p *Program, o passwdOptions, entries []htpasswd.Entry, credentials []credential) ([]htpasswd.Change, error) {
	if !o.password.generate {
		hash, err := o.password.encode(ctx, p, credentials[0], o.password.cost.of(hashOf(entries[0])))
		return []htpasswd.Change{{User: o.users[0], Hash: hash}}, err
	}
	changes := make([]htpasswd.Change, len(o.users))
	err := p.parallel(ctx, "hashing", len(changes), func(i int) (err error) {
		changes[i].User = o.users[i]
		changes[i].Hash, err = htpasswd.HashPassword(credentials[i].password, o.password.cost.of(hashOf(entries[i])))
		return err
	})
	highest := 0
	for _, c := range changes {
		cost, _ := c.Hash.Cost()
		highest = max(highest, cost)
	}
	p.warnOfCost(highest)
	return changes, err
}

// revealAll prints generated passwords, after they have been set.
func revealAll(p *Program, o passwdOptions, credentials []credential) error {
	if !o.password.generate || o.text.DryRun != DryRunNone {
		return nil
	}
	list := make([]generatedPassword, len(o.users))
	for i, user := range o.users {
		list[i] = generatedPassword{User: user, Password: string(credentials[i].password)}
	}
	var text []byte
	switch format := o.output.value; {
	case format == "json" && len(list) == 1 && !o.all:
		text = jsonText(list[0])
	case format == "json":
		text = jsonText(list)
	case format == "csv" || o.all || len(list) > 1:
		text = passwordCSV(list)
	default:
		text = []byte(list[0].Password + "\n")
	}
	what := fmt.Sprintf("the new passwords of %d users were", len(list))
	if len(list) == 1 {
		what = fmt.Sprintf("the new password of %s was", shown(list[0].User))
	}
	return p.lostPasswords(what, o.users, p.Print(text))
}

// unique returns the names in their order, each once.
func unique(names []string) (users []string) {
	for _, name := range names {
		if !slices.Contains(users, name) {
			users = append(users, name)
		}
	}
	return users
}
