package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

// userImportOptions are those of user import.
type userImportOptions struct {
	app    *app
	list   string
	format formatFlag
	output formatFlag
	cost   costFlag
	mode   modeFlag

	prune, allowEmpty, dryRun, exitCode, generate, skipUnsupported bool

	maxSize sizeFlag
}

func (a *app) newUserImport() *cobra.Command {
	o := &userImportOptions{
		app:     a,
		format:  formatFlag{allowed: []string{string(userlist.Lines), string(userlist.CSV), string(userlist.JSON)}},
		output:  formatFlag{value: "text", allowed: []string{"text", "json"}},
		maxSize: defaultMaxSize,
	}
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Add and update many users from a list",
		Long: `Make the file match a list of users, in one write. A new user is added. The hash
of a user with another password is replaced. All others are left as they are, so
that a second run writes nothing. FILE is "-" or missing for standard input.`,
		Annotations: more(`The list is one of these; without --format the name of FILE says which, else the
way in which it begins:

  lines  name:password, or an htpasswd file
  csv    with a header, separated by comma, semicolon or tab. The columns are
         name (or user, username, login), password and hash; others are ignored.
  json   an array of objects with these keys, one such object after the other,
         or one object whose keys are the names: {"elton": "d0cker"}

A bcrypt hash in the place of a password is taken as it is; "hash" takes nothing
else. A user with a hash of another scheme is refused: the registry would not let
the user in. With --skip-unsupported such users are left as they are.

A password that matches is hashed again if the cost of its hash is below the
default, or not the one of --cost; without --cost no cost is lowered.

If any entry is bad, nothing is written. An empty password is bad, and so is a name
without a password, unless --generate makes one. The passwords that it makes for
new users are printed as CSV.

With --dry-run the changes are printed: "+" for a user to add, "~" to update, "-" to
remove, "=" to leave alone, "!" to skip. "-o json" prints
{"file", "users": [{"user", "action"}]} with the actions add, update, remove, keep
and skip, and "password" where one was generated.

Exit status:

  5  a password is refused
  6  a name is refused, or listed twice
  7  an entry cannot be read, or its hash is not bcrypt
  8  with --dry-run --exit-code: there are changes

The first of several bad entries decides.`),
		Example: `  registryctl user import users.csv
  registryctl user import users.json --prune --dry-run --exit-code
  registryctl user import C:\lists\users.csv -f C:\auth\htpasswd # PowerShell`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "-f names the htpasswd file", "%s reads one list", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.list = "-"
			if len(args) > 0 {
				o.list = args[0]
			}
			if err := cmp.Or(o.mode.check(cmd, a), o.check()); err != nil {
				return err
			}
			return runUserImport(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	o.format.register(cmd, "format", "", "FORMAT of the list, else guessed: ")
	flags.BoolVar(&o.prune, "prune", false, "remove the users that are not listed")
	flags.BoolVar(&o.allowEmpty, "allow-empty", false, "with --prune: accept a list without users")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the changes instead of making them")
	flags.BoolVar(&o.exitCode, "exit-code", false, "with --dry-run: exit 8 if there are changes")
	flags.BoolVar(&o.generate, "generate", false, "generate a password for each new user without one")
	flags.BoolVar(&o.skipUnsupported, "skip-unsupported", false, "skip users whose hash is not bcrypt")
	flags.Var(&o.maxSize, "max-size", "read a list of up to SIZE")
	o.cost.register(cmd)
	o.mode.register(cmd, a)
	o.output.registerOutput(cmd)
	return cmd
}

// check refuses flags that do not go together.
func (o *userImportOptions) check() error {
	toStdout := o.app.file == "-" && !o.dryRun
	switch {
	case o.list == "-" && o.app.file == "-":
		return fail(exitUsage, "name the list, or the file with -f", "standard input cannot be both the file and the list")
	case o.exitCode && !o.dryRun:
		return fail(exitUsage, "", "--exit-code needs --dry-run")
	case o.allowEmpty && !o.prune:
		return fail(exitUsage, "", "--allow-empty needs --prune")
	case o.generate && toStdout:
		return fail(exitUsage, "name a file with -f", "standard output cannot be both the file and the passwords")
	case o.output.value == "json" && toStdout:
		return fail(exitUsage, "name a file with -f", "standard output cannot be both the file and the report")
	}
	return nil
}

// runUserImport reads the list, compares it with the file, hashes the passwords
// that are not there yet, edits the file and reports.
func runUserImport(ctx context.Context, o *userImportOptions) error {
	list, err := o.readList(ctx)
	if err != nil {
		return err
	}
	text := o.app.openOrCreate(o.mode.perm())
	if o.dryRun {
		text = o.app.openToPlan()
	}
	f, missing, err := text.readOrEmpty(ctx)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	generated, err := o.readyHashes(ctx, list, f)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	if o.dryRun {
		return o.reportPlan(text.name, importSteps(list, generated, f, o.prune))
	}
	var steps []importStep
	changed, err := text.Update(ctx, func(f *htpasswd.File) error {
		steps = importSteps(list, generated, f, o.prune)
		changes, err := importChanges(list, steps)
		if err != nil {
			return err
		}
		return f.Apply(changes)
	})
	if !made(err) {
		return fmt.Errorf("cannot import: %w", err)
	}
	if missing && changed {
		o.app.did("created %s", text.name)
	}
	return cmp.Or(o.report(text.name, list, generated, steps), err)
}

// readyHashes gives each user of the list with a password a hash: the one in the file
// if it matches, else, unless this is a dry run, a new one. It returns the names of
// the new users for whom a password was generated.
func (o *userImportOptions) readyHashes(ctx context.Context, list userlist.List, f *htpasswd.File) (generated map[string]bool, err error) {
	if !slices.ContainsFunc(list.Users, func(u userlist.User) bool { return !u.HasHash() }) {
		return nil, nil
	}
	steps := importSteps(list, nil, f, false)
	if o.generate {
		generated = generatePasswords(list, steps)
	}
	if err := o.comparePasswords(ctx, list, steps); err != nil || o.dryRun {
		return generated, err
	}
	return generated, o.hashPasswords(ctx, list, steps)
}

// generatePasswords gives a password to each new user who has none, and returns the
// names of these users.
func generatePasswords(list userlist.List, steps []importStep) map[string]bool {
	generated := make(map[string]bool)
	for i := range list.Users {
		if u := &list.Users[i]; steps[i].action == importAdd && u.Password == nil && !u.HasHash() {
			u.Password = []byte(rand.Text())
			generated[u.Name] = true
		}
	}
	return generated
}

// comparePasswords gives each user whose password is the one in the file the hash
// that is there, unless a new hash would have another cost.
func (o *userImportOptions) comparePasswords(ctx context.Context, list userlist.List, steps []importStep) error {
	var todo []int
	for i, step := range steps {
		if step.action != importUpdate || list.Users[i].HasHash() {
			continue
		}
		cost, isBcrypt := step.current.Cost()
		switch wanted := o.cost.of(step.current); {
		case wanted > htpasswd.MaxCost:
			return fmt.Errorf("user %q: %w", step.user, htpasswd.ErrInvalidCost)
		case isBcrypt && cost == wanted:
			todo = append(todo, i)
		}
	}
	return o.app.parallel(ctx, "comparing", len(todo), func(n int) error {
		u, current := &list.Users[todo[n]], steps[todo[n]].current
		switch err := current.Verify(u.Password); {
		case err == nil:
			u.Hash = current
		case !errors.Is(err, htpasswd.ErrMismatch):
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		return nil
	})
}

// hashPasswords gives each user with a password a hash who has none.
func (o *userImportOptions) hashPasswords(ctx context.Context, list userlist.List, steps []importStep) error {
	var todo []int
	for i, u := range list.Users {
		if u.Password != nil && !u.HasHash() {
			todo = append(todo, i)
		}
	}
	return o.app.parallel(ctx, "hashing", len(todo), func(n int) (err error) {
		u := &list.Users[todo[n]]
		u.Hash, err = htpasswd.HashPassword(u.Password, o.cost.of(steps[todo[n]].current))
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		return nil
	})
}

// report says what was done.
func (o *userImportOptions) report(file string, list userlist.List, generated map[string]bool, steps []importStep) error {
	o.app.did("%s: %v", file, countImport(steps))
	o.warnOfSkipped(steps)
	passwords := make(map[string]string)
	highest := 0
	for i, u := range list.Users {
		if a := steps[i].action; a != importAdd && a != importUpdate {
			continue
		}
		cost, _ := u.Hash.Cost()
		highest = max(highest, cost)
		if generated[u.Name] {
			passwords[u.Name] = string(u.Password)
		}
	}
	o.app.warnOfCost(highest)
	var err error
	switch {
	case o.output.value == "json":
		err = o.printJSON(file, steps, passwords)
	case o.generate:
		err = o.printPasswords(steps, passwords)
	}
	if err != nil && len(passwords) > 0 {
		return fail(exitIO, program+" user passwd NAME --generate sets a new one",
			"the new passwords of %s are set but were not printed: %w", quotedNames(slices.Sorted(maps.Keys(passwords))), err)
	}
	return err
}

// reportPlan says what would be done.
func (o *userImportOptions) reportPlan(file string, steps []importStep) error {
	o.warnOfSkipped(steps)
	var err error
	if o.output.value == "json" {
		err = o.printJSON(file, steps, nil)
	} else {
		var out bytes.Buffer
		for _, step := range steps {
			fmt.Fprintf(&out, "%s %s\n", step.action.mark(), printable(step.user))
		}
		err = o.app.print(out.Bytes())
	}
	if n := countImport(steps); err == nil && o.exitCode && n.changes() > 0 {
		return fail(exitPending, "", "%s does not match the list: would be %v", file, n)
	}
	return err
}

func (o *userImportOptions) warnOfSkipped(steps []importStep) {
	var names []string
	for _, step := range steps {
		if step.action == importSkip {
			names = append(names, step.user)
		}
	}
	if len(names) > 0 {
		o.app.say("warning: skipped, since the registry does not accept the listed hash: %s", quotedNames(names))
	}
}

// quotedNames joins names for a message, the first ten of them.
func quotedNames(names []string) string {
	const shown = 10
	var quoted []string
	for _, name := range names[:min(len(names), shown)] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// An importReport is the JSON output: no field may change its name or meaning.
type importReport struct {
	File  string             `json:"file"`
	Users []importReportUser `json:"users"`
}

type importReportUser struct {
	User     string `json:"user"`
	Action   string `json:"action"` // add, update, remove, keep or skip
	Password string `json:"password,omitempty"`
}

func (o *userImportOptions) printJSON(file string, steps []importStep, passwords map[string]string) error {
	report := importReport{File: file, Users: []importReportUser{}}
	for _, step := range steps {
		report.Users = append(report.Users, importReportUser{step.user, step.action.String(), passwords[step.user]})
	}
	var out bytes.Buffer
	if err := writeJSON(&out, report); err != nil {
		return err
	}
	return o.app.print(out.Bytes())
}

// printPasswords prints the generated passwords as CSV.
func (o *userImportOptions) printPasswords(steps []importStep, passwords map[string]string) error {
	var out bytes.Buffer
	table := csv.NewWriter(&out)
	_ = table.Write([]string{"name", "password"}) // to a buffer, without errors
	for _, step := range steps {
		if password, ok := passwords[step.user]; ok {
			_ = table.Write([]string{step.user, password})
		}
	}
	table.Flush()
	return o.app.print(out.Bytes())
}
