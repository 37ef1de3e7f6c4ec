package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/record"
)

// addOptions are the flags of "user add".
type addOptions struct {
	user      string
	text      Text
	password  newPassword
	update    bool
	printOnly bool
	output    formatFlag
	dryRun    dryRunFlag
}

func newUserAdd(p *Program) *cobra.Command {
	o := addOptions{output: formatFlag{value: "text", allowed: []string{"text", "json"}}}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user. The password is asked for on the terminal, unless a flag names
another source: --password-stdin, --password-file, --password-env, --generate
or --hash. No flag takes the password itself, because everyone on the machine
can read the arguments of a process.

If the password comes from standard input, a file or a variable, a byte order
mark and one line ending are removed, and UTF-16 is decoded. The password must
be UTF-8. It must not be empty or longer than 72 bytes, must not contain a NUL
byte or more than one line, and must not begin or end with whitespace, which
docker login removes.

With --update, an existing user gets the new password. If the user has that
password already, nothing is changed, unless its hash is not bcrypt or its cost
is below the default. A cost is never lowered unless --cost says so. Each step
of --cost doubles the time of every request to the registry.

` + p.CreateHelp + "\n\n" + p.LoginHelp,
		Example: p.examples("add elton", "add elton --generate", "add elton --update --password-env PW"),
		Annotations: exits(`0  done, or nothing to do
5  the password is refused
6  the user exists and --update is not given, or the name is refused
` + refusedFile),
		Args:              operands("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.password.register(cmd, p)
	cmd.Flags().BoolVar(&o.update, "update", false, "set the password if the user exists")
	cmd.Flags().BoolVar(&o.printOnly, "print", false, "print the line, and write no file")
	o.dryRun.register(cmd, p)
	o.output.registerEdit(cmd, p)
	p.CreateFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.user = args[0]
		if err := o.check(cmd, p); err != nil {
			return err
		}
		if err := htpasswd.ValidateUser(o.user); err != nil {
			return p.cannot("add", o.user, o.text, err)
		}
		if o.printOnly {
			if err := o.password.check(cmd, p, Text{}); err != nil {
				return err
			}
			return printUser(cmd.Context(), p, o)
		}
		if o.text, err = p.open(OpenOptions{ToCreate, o.dryRun.value, o.password.manifest(p, o.output, o.dryRun), o.password.prompts()}); err != nil {
			return err
		}
		if err := o.password.check(cmd, p, o.text); err != nil {
			return err
		}
		return userAdd(cmd.Context(), p, o)
	}
	return cmd
}

// check refuses flags that exclude each other.
func (o addOptions) check(cmd *cobra.Command, p *Program) error {
	for _, other := range []string{"update", "mode", "create", "dry-run", "docker-config", "pull-secret"} {
		if err := exclusive(cmd, "", "print", other); err != nil {
			return err
		}
	}
	if err := exclusive(cmd, p.userCommand("passwd --generate", o.user)+" sets a new one", "update", "generate"); err != nil {
		return err
	}
	switch {
	case o.printOnly && o.password.generate && o.output.value != "json":
		return Misuse("", "--print with --generate needs -o json")
	case o.printOnly && o.password.manifest(p, o.output, o.dryRun) != "":
		return Misuse("", "--print and -o %s cannot be used together", o.output.value)
	case o.output.value == "json" && !o.password.generate && o.password.manifest(p, o.output, o.dryRun) == "":
		return Misuse("", "-o json needs --generate")
	}
	return nil
}

func userAdd(ctx context.Context, p *Program, o addOptions) error {
	n, err := newUserHash(ctx, p, o)
	if err != nil {
		return err
	}
	defer clear(n.credential.password)
	var entry htpasswd.Entry
	var exists, same bool
	var warnings []string
	_, err = o.text.Update(ctx, func(f *htpasswd.File) error {
		warnings = warningsOfOthers(p, f, o.user)
		if !o.update {
			return f.Add(o.user, n.hash)
		}
		entry, exists = f.Lookup(o.user)
		if same = exists && hashOf(entry).Equal(n.hash); same {
			return f.Apply(nil) // nothing is changed, but a file that the registry refuses is an error
		}
		return f.Set(o.user, n.hash)
	})
	switch {
	case errors.Is(err, htpasswd.ErrUserExists):
		return userExists(p, o)
	case errors.Is(err, ErrUnsure):
		action := "add"
		if o.update {
			action = setPassword
		}
		err = p.cannot(action, o.user, o.text, err)
		if o.password.generate {
			return p.revealUnsure(err, func() error { return reveal(p, o, n.credential) })
		}
		return err
	case !made(err):
		return p.cannot("add", o.user, o.text, err)
	}
	if n.missing && !same { // else another edit has created it meanwhile
		p.done(o.text, "created %s", o.text.Name)
	}
	switch {
	case same:
		p.Say("%s unchanged in %s", shown(o.user), o.text.Name)
	case exists:
		p.done(o.text, "set the password of %s in %s", shown(o.user), o.text.Name)
	default:
		p.done(o.text, "added %s to %s", shown(o.user), o.text.Name)
	}
	p.warnOfDisabled(entry)
	if !same {
		cost, _ := n.credential.hash.Cost()
		p.warnOfCost(cost) // of --hash: encode warns of the others
		for _, warning := range warnings {
			p.Warn("%s", warning)
		}
		if o.text.Warning != "" && o.text.DryRun == DryRunNone {
			p.Warn("%s", o.text.Warning)
		}
	}
	saved, saveErr := o.password.save(ctx, p, o.text, o.user, n.credential)
	if saved {
		return err
	}
	return cmp.Or(saveErr, reveal(p, o, n.credential), err)
}

// A newHash is the hash that a user gets, and the credential that it comes from.
type newHash struct {
	hash       htpasswd.Hash
	credential credential
	missing    bool // the text does not exist yet
}

// newUserHash returns the hash for the user: the one in the file if the password and
// the cost are the same.
func newUserHash(ctx context.Context, p *Program, o addOptions) (n newHash, err error) {
	if o.password.hash != "" {
		if n.credential, err = o.password.read(ctx, p, o.user); err != nil {
			return n, err
		}
		if n.missing, err = o.text.isMissing(ctx); err != nil {
			return n, p.cannot("add", o.user, o.text, err)
		}
		n.hash = n.credential.hash
		return n, nil
	}
	// Read first: who is there already is known before a password is asked for.
	f, missing, err := readOrEmpty(ctx, o.text)
	if err != nil {
		return n, p.cannot("add", o.user, o.text, err)
	}
	n.missing = missing
	entry, exists := f.Lookup(o.user)
	if exists && !o.update {
		return n, userExists(p, o)
	}
	if n.credential, err = o.password.read(ctx, p, o.user); err != nil {
		return n, err
	}
	current := hashOf(entry)
	cost := o.password.cost.of(current)
	same, err := isCurrent(ctx, n.credential, current, cost)
	switch {
	case err != nil:
		err = p.cannot("add", o.user, o.text, err)
	case same:
		n.hash = current
	default:
		n.hash, err = o.password.encode(ctx, p, n.credential, cost)
	}
	return n, err
}

// userExists is the error of a name that is taken.
func userExists(p *Program, o addOptions) error {
	hint := p.userCommand("passwd", o.user)
	if o.password.generate {
		hint = p.userCommand("passwd --generate", o.user)
	}
	return fail(exitName, hint, "cannot add %s: already in %s", shown(o.user), o.text.Name)
}

// warningsOfOthers returns the warnings about other users that matter when one is added.
func warningsOfOthers(p *Program, before *htpasswd.File, user string) (warnings []string) {
	if other, found := twin(before, user); found {
		warnings = append(warnings, fmt.Sprintf("%s differs from %s only in case or Unicode normalisation", shown(user), shown(other)))
	}
	const made = "docker" // by a registry that has found no file
	alone := false
	for e := range before.All() {
		cost, _ := e.Hash.Cost()
		if alone = e.User == made && e.User != user && cost == htpasswd.DefaultCost; !alone {
			break
		}
	}
	if alone {
		warnings = append(warnings, fmt.Sprintf("the registry may have created the user %q, whose password is in its log: %s", made, p.userCommand("remove", made)))
	}
	return warnings
}

// twin returns a user whose name differs from the given one only in case or
// Unicode normalisation.
func twin(f *htpasswd.File, name string) (user string, found bool) {
	folded := lint.FoldName(name)
	for line := range strings.Lines(f.Text()) {
		// Nearly every line begins with a name of another letter.
		if first := line[0]; ' ' < first && max(first, folded[0]) < utf8.RuneSelf && !strings.EqualFold(line[:1], folded[:1]) {
			continue
		}
		r, kind := record.Parse(line)
		if kind == record.Entry && r.User != name && lint.FoldName(r.User) == folded {
			return r.User, true
		}
	}
	return "", false
}

// isCurrent reports whether a hash is of this password and cost.
func isCurrent(ctx context.Context, c credential, h htpasswd.Hash, cost int) (bool, error) {
	if is, ok := h.Cost(); !ok || is != cost {
		return false, nil
	}
	err := interruptible(ctx, func() error { return h.Verify(c.password) })
	if errors.Is(err, htpasswd.ErrMismatch) {
		return false, nil
	}
	return err == nil, err
}

// reveal prints a generated password, after it has been set.
func reveal(p *Program, o addOptions, c credential) error {
	return revealAll(p, passwdOptions{users: []string{o.user}, text: o.text, password: o.password, output: o.output}, []credential{c})
}

// printUser prints the line that add would add.
func printUser(ctx context.Context, p *Program, o addOptions) error {
	c, err := o.password.read(ctx, p, o.user)
	if err != nil {
		return err
	}
	h, err := o.password.encode(ctx, p, c, o.password.cost.of(htpasswd.Hash{}))
	if err != nil {
		return err
	}
	if o.output.value == "json" {
		return p.Print(jsonText(generatedPassword{o.user, string(c.password), h.Encoded()}))
	}
	return p.Print(fmt.Appendf(nil, "%s:%s\n", o.user, h.Encoded()))
}
