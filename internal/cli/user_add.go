package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserAdd() *cobra.Command {
	var (
		source    passwordSource
		mode      modeFlag
		update    bool
		printOnly bool
	)
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user. The password is asked for on the terminal, unless a flag says where
it is. With --update the same command may run again and again.`,
		Annotations: more(`The file is made where it is missing; its folder only for the default path.
With --update a user who is there gets the password, and if they have it
already nothing is changed.

A password comes from one place: the terminal, or one of --password-stdin,
--password-file, --password-env, --generate and --hash. No flag takes it as its
value, as everyone on the machine can read the arguments of a process. From
standard input, a file or a variable a byte order mark and one line end go, and
UTF-16 is decoded, as PowerShell may send either. Refused is one that is empty,
has more than 72 bytes, a NUL byte or more than one line.

Each step of --cost doubles the time of every request to the registry. An
update never lowers the cost of a hash unless --cost says so, and makes one
below the default anew. A file for a server that reads it as another user of
its group wants --mode 0640; it does not work on Windows.

Exit status:

  0  done, or nothing to do
  5  the password is refused
  6  the user is there, without --update, or the name is bad`),
		Example: `  registryctl user add elton
  registryctl user add elton --generate
  $env:PW = (Get-Credential elton).GetNetworkCredential().Password # PowerShell
  registryctl user add elton --update --password-env PW`,
		Args:              operands("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	source.registerNew(cmd, a)
	mode.register(cmd, a)
	cmd.Flags().BoolVar(&update, "update", false, "set the password if the user is there")
	cmd.Flags().BoolVar(&printOnly, "print", false, "write the line to standard output, no file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cmp.Or(source.check(), mode.check(cmd, a)); err != nil {
			return err
		}
		switch {
		case update && source.generate:
			return fail(exitUsage, program+" user passwd --generate sets a new one", "--update and --generate exclude each other: a new password each time is never up to date")
		case printOnly:
			for _, other := range []string{"update", "generate", "mode"} {
				if cmd.Flags().Changed(other) {
					return fail(exitUsage, "", "--print and --%s exclude each other", other)
				}
			}
			return a.printUser(cmd, &source, args[0])
		}
		add := userAdd{app: a, cmd: cmd, source: &source, user: args[0], target: a.openOrCreate(mode.perm()), update: update}
		return add.run()
	}
	return cmd
}

// printUser writes the line that add would add.
func (a *app) printUser(cmd *cobra.Command, source *passwordSource, user string) error {
	if err := htpasswd.ValidateUser(user); err != nil {
		return cannot("add", user, target{}, err)
	}
	s, err := source.read(cmd.Context(), user)
	if err != nil {
		return err
	}
	h, err := a.encode(cmd.Context(), s, source.cost.value)
	if err != nil {
		return err
	}
	return a.print(fmt.Appendf(nil, "%s:%s\n", user, h.Encoded()))
}

// A userAdd is one run of the command.
type userAdd struct {
	app    *app
	cmd    *cobra.Command
	source *passwordSource
	user   string
	target target
	update bool
}

func (c userAdd) run() error {
	ctx := c.cmd.Context()
	if err := htpasswd.ValidateUser(c.user); err != nil {
		return cannot("add", c.user, c.target, err)
	}
	f, missing, err := c.read(ctx)
	if err != nil {
		return cannot("add", c.user, c.target, err)
	}
	entry, exists := f.Lookup(c.user)
	if exists && !c.update {
		return c.exists()
	}
	s, err := c.source.read(ctx, c.user)
	if err != nil {
		return err
	}
	cost := c.source.cost.of(entry.Hash)
	if exists {
		current, err := c.current(s, entry.Hash, cost)
		if err == nil && current {
			err = c.target.keep(ctx)
		}
		if err != nil {
			return cannot("add", c.user, c.target, err)
		}
		if current {
			c.app.say("%q unchanged in %s", c.user, c.target.name)
			return nil
		}
	}
	h, err := c.app.encode(ctx, s, cost)
	if err != nil {
		return err
	}
	return c.write(s, h, missing)
}

// read reads the file before the password is asked for, which would be typed in
// vain. With a hash nothing is, and the edit itself says whether the user is there.
func (c userAdd) read(ctx context.Context) (f *htpasswd.File, missing bool, err error) {
	if c.source.hash != "" && !c.update {
		missing, err = c.target.isMissing(ctx)
		return new(htpasswd.File), missing, err
	}
	return c.target.readOrEmpty(ctx)
}

func (c userAdd) write(s secret, h htpasswd.Hash, missing bool) error {
	var exists, first bool
	_, err := c.target.Update(c.cmd.Context(), func(f *htpasswd.File) error {
		_, exists = f.Lookup(c.user)
		first = true
		for range f.All() {
			first = false
			break
		}
		if c.update {
			return f.Set(c.user, h)
		}
		return f.Add(c.user, h)
	})
	switch {
	case errors.Is(err, htpasswd.ErrUserExists):
		return c.exists()
	case !made(err):
		return cannot("add", c.user, c.target, err)
	}
	if missing && first {
		c.app.did("created %s", c.target.name)
	}
	if exists {
		c.app.did("set the password of %q in %s", c.user, c.target.name)
	} else {
		c.app.did("added %q to %s", c.user, c.target.name)
	}
	return cmp.Or(c.source.reveal(c.user, s), err)
}

func (c userAdd) exists() error {
	hint := "use --update to set a new password"
	if c.source.generate {
		hint = program + " user passwd --generate sets a new password"
	}
	return fail(exitName, hint, "cannot add %q: already in %s", c.user, c.target.name)
}

// current reports whether the hash in the file already says what is to be set:
// the same hash, or one of the same password that need not be made anew.
func (c userAdd) current(s secret, h htpasswd.Hash, cost int) (bool, error) {
	if s.ready {
		return s.hash.Encoded() == h.Encoded(), nil
	}
	if is, ok := h.Cost(); !ok || is != cost {
		return false, nil
	}
	err := interruptible(c.cmd.Context(), func() error { return h.Verify(s.password) })
	if errors.Is(err, htpasswd.ErrMismatch) {
		return false, nil
	}
	return err == nil, err
}

// reveal prints a generated password, after it has been set.
func (p *passwordSource) reveal(user string, s secret) error {
	if !p.generate {
		return nil
	}
	if _, err := fmt.Fprintf(p.app.out, "%s\n", s.password); err != nil {
		return fail(exitIO, program+" user passwd --generate sets a new one",
			"the new password of %q is set but could not be written: %w", user, err)
	}
	return nil
}
