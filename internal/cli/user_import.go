package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

// importOptions are the flags of "user import".
type importOptions struct {
	list   string
	text   Text
	format formatFlag
	cost   costFlag
	dryRun dryRunFlag
	output formatFlag

	prune, allowEmpty, exitCode, generate, skipUnsupported bool

	maxSize sizeFlag
}

func newUserImport(p *Program) *cobra.Command {
	o := importOptions{
		format:  formatFlag{allowed: []string{string(userlist.Lines), string(userlist.CSV), string(userlist.JSON)}},
		output:  formatFlag{value: "text", allowed: []string{"text", "json"}},
		maxSize: defaultMaxSize,
	}
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Add and update many users from a list",
		Long: `Make the file match a list of users, in one write. New users are added, and
users whose password differs get a new hash. All others are left as they are, so
that a second run writes nothing. If FILE is "-" or not given, the list is read
from standard input.

The list has one of these formats. Without --format, the format is guessed from
the extension of FILE, or else from the beginning of the list:

  lines  name:password, or an htpasswd file
  csv    with a header, separated by comma, semicolon or tab. The columns are
         name (or user, username, login), password and hash; others are ignored.
         A ' before a name that a spreadsheet would take for a formula is
         removed.
  json   an array of objects with these keys, or a sequence of such objects,
         or one object of names and passwords: {"elton": "d0cker"}

A bcrypt hash in place of a password is stored as it is; the column "hash"
accepts nothing else. A hash of another scheme is refused, because the registry
would not let that user in. With --skip-unsupported such users are left as they
are.

A password that matches is hashed again if the cost of its hash is below the
default, or is not that of --cost. Without --cost no cost is lowered.

If any entry is bad, nothing is written. An empty password is bad, and so is a
name without a password, unless --generate creates one for each new user. The
generated passwords are printed as CSV, or as JSON with -o json.

With --dry-run the changes are printed: "+" for a user to add, "~" to update,
"-" to remove, "=" to leave alone, "!" to skip. "-o json" prints {file,
users: [{user, action}]} with the actions add, update, remove, keep and
skip, and with "password" if one was generated.

` + p.CreateHelp,
		Example: p.examples("import users.csv", "import users.json --prune --dry-run --exit-code", `import C:\lists\users.csv # PowerShell`),
		Annotations: exits(`0  done, or nothing to do
2  the list is empty, too large, or not a list
5  a password is refused
6  a name is refused, or listed twice
7  an entry cannot be read, or its hash is not bcrypt
8  with --dry-run --exit-code: there are changes
If several entries are bad, the first one decides the status.`),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return Misuse("use -f to name the htpasswd file", "too many arguments: %s reads one list", cmd.CommandPath())
			}
			return nil
		},
	}
	flags := cmd.Flags()
	o.format.register(cmd, "format", "", "`FORMAT` of the list, guessed if not given: ")
	flags.BoolVar(&o.prune, "prune", false, "remove the users that are not listed")
	flags.BoolVar(&o.allowEmpty, "allow-empty", false, "with --prune: accept a list without users")
	o.dryRun.register(cmd, p)
	flags.BoolVar(&o.exitCode, "exit-code", false, "with --dry-run: exit 8 if there are changes")
	flags.BoolVar(&o.generate, "generate", false, "generate a password for each new user without one")
	flags.BoolVar(&o.skipUnsupported, "skip-unsupported", false, "skip users whose hash is not bcrypt")
	flags.Var(&o.maxSize, "max-size", "largest `SIZE` of the list")
	o.cost.register(cmd)
	p.CreateFlags(cmd)
	o.output.registerEdit(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.list = "-"
		if len(args) > 0 {
			if o.list, err = systemPath(args[0]); err != nil {
				return Misuse("use -f to name the htpasswd file", "the path of the list %w", err)
			}
		}
		if o.text, err = p.open(OpenOptions{Access: ToCreate, DryRun: o.dryRun.value, Manifest: o.output.manifest(p)}); err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		return userImport(cmd.Context(), p, o)
	}
	return cmd
}

// check refuses flags that do not go together.
func (o importOptions) check() error {
	isPlan := o.dryRun.value == DryRunClient
	switch {
	case o.generate && o.text.Manifest != "":
		return manifestAndPassword()
	case o.list == "-" && o.text.ToStdout:
		return Misuse("name the list, or the file with -f", "standard input cannot be both the file and the list")
	case o.exitCode && o.dryRun.value == DryRunNone:
		return Misuse("", "--exit-code needs --dry-run")
	case o.allowEmpty && !o.prune:
		return Misuse("", "--allow-empty needs --prune")
	case o.generate && o.text.ToStdout && !isPlan:
		return Misuse("name a file with -f", "standard output cannot be both the file and the passwords")
	case o.output.value == "json" && o.text.ToStdout && !isPlan:
		return Misuse("name a file with -f", "standard output cannot be both the file and the report")
	}
	return nil
}

// userImport reads the list, compares it with the file, hashes the passwords that are
// new, edits the file and reports.
func userImport(ctx context.Context, p *Program, o importOptions) error {
	list, err := readList(ctx, p, o)
	if err != nil {
		return err
	}
	f, missing, err := readOrEmpty(ctx, o.text)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	generated, err := readyHashes(ctx, p, o, list, f)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	if o.dryRun.value == DryRunClient && o.text.Manifest == "" {
		return reportPlan(p, o, importSteps(list, generated, f, o.prune))
	}
	var steps []importStep
	changed, err := o.text.Update(ctx, func(f *htpasswd.File) error {
		steps = importSteps(list, generated, f, o.prune)
		changes, err := importChanges(list, steps)
		if err != nil {
			return err
		}
		return f.Apply(changes)
	})
	switch {
	case errors.Is(err, ErrUnsure):
		err = fail(exitIO, p.userCommand("list")+" shows whether it succeeded", "cannot import: %w", err)
		if o.generate {
			return p.revealUnsure(err, func() error { return reportPasswords(p, o, list, generated, steps) })
		}
		return err
	case !made(err):
		return fmt.Errorf("cannot import: %w", err)
	}
	if missing && changed {
		p.done(o.text, "created %s", o.text.Name)
	}
	if changed && o.text.Warning != "" && o.dryRun.value == DryRunNone {
		p.Warn("%s", o.text.Warning)
	}
	return cmp.Or(reportImport(p, o, list, generated, steps), err)
}

// readyHashes sets the hash of each user in the list who has a password: the hash in the
// file if it matches, or else, unless this is a dry run, a new one. It returns the names
// of the new users for whom a password was generated.
func readyHashes(ctx context.Context, p *Program, o importOptions, list []userlist.User, f *htpasswd.File) (generated map[string]bool, err error) {
	if !slices.ContainsFunc(list, func(u userlist.User) bool { return !u.HasHash() }) {
		return nil, nil
	}
	steps := importSteps(list, nil, f, false)
	if o.generate {
		generated = generatePasswords(list, steps)
	}
	if err := comparePasswords(ctx, p, o, list, steps); err != nil || o.dryRun.value == DryRunClient && o.text.Manifest == "" {
		return generated, err
	}
	return generated, hashPasswords(ctx, p, o, list, steps)
}

// generatePasswords generates a password for each new user without one, and returns the
// names of these users.
func generatePasswords(list []userlist.User, steps []importStep) map[string]bool {
	generated := make(map[string]bool)
	for i := range list {
		if u := &list[i]; steps[i].action == importAdd && u.Password == nil && !u.HasHash() {
			u.Password = []byte(rand.Text())
			generated[u.Name] = true
		}
	}
	return generated
}

// comparePasswords compares the passwords with the hashes in the file. A user whose
// password matches keeps that hash, unless a new hash would have another cost.
func comparePasswords(ctx context.Context, p *Program, o importOptions, list []userlist.User, steps []importStep) error {
	var todo []int
	for i, step := range steps {
		if step.action != importUpdate || list[i].HasHash() {
			continue
		}
		cost, isBcrypt := step.current.Cost()
		switch wanted := o.cost.of(step.current); {
		case wanted > htpasswd.MaxCost:
			return fmt.Errorf("user %s: %w", shown(step.user), htpasswd.ErrInvalidCost)
		case isBcrypt && cost == wanted:
			todo = append(todo, i)
		}
	}
	return p.parallel(ctx, "comparing", len(todo), func(n int) error {
		u, current := &list[todo[n]], steps[todo[n]].current
		switch err := current.Verify(u.Password); {
		case err == nil:
			u.Hash = current
		case !errors.Is(err, htpasswd.ErrMismatch):
			return fmt.Errorf("user %s: %w", shown(u.Name), err)
		}
		return nil
	})
}

// hashPasswords hashes the passwords of the users who have no hash yet.
func hashPasswords(ctx context.Context, p *Program, o importOptions, list []userlist.User, steps []importStep) error {
	var todo []int
	for i, u := range list {
		if u.Password != nil && !u.HasHash() {
			todo = append(todo, i)
		}
	}
	return p.parallel(ctx, "hashing", len(todo), func(n int) (err error) {
		u := &list[todo[n]]
		u.Hash, err = htpasswd.HashPassword(u.Password, o.cost.of(steps[todo[n]].current))
		if err != nil {
			return fmt.Errorf("user %s: %w", shown(u.Name), err)
		}
		return nil
	})
}

// reportImport says what was done.
func reportImport(p *Program, o importOptions, list []userlist.User, generated map[string]bool, steps []importStep) error {
	count := countImport(steps)
	p.done(o.text, "%s: %v", o.text.Name, count)
	warnOfSkipped(p, steps)
	highest := 0
	for i, u := range list {
		if a := steps[i].action; a == importAdd || a == importUpdate {
			cost, _ := u.Hash.Cost()
			highest = max(highest, cost)
		}
	}
	p.warnOfCost(highest)
	return cmp.Or(reportPasswords(p, o, list, generated, steps), o.pending(count))
}

// reportPasswords prints the generated passwords of the users that were added, or, with
// -o json, the report that includes them.
func reportPasswords(p *Program, o importOptions, list []userlist.User, generated map[string]bool, steps []importStep) error {
	passwords := make(map[string]string)
	for i, u := range list {
		if steps[i].action == importAdd && generated[u.Name] && o.dryRun.value == DryRunNone {
			passwords[u.Name] = string(u.Password)
		}
	}
	var err error
	switch {
	case o.output.value == "json" && o.text.Manifest == "":
		err = p.Print(importJSON(o.text.Name, steps, passwords))
	case o.generate:
		var list []generatedPassword
		for _, step := range steps {
			if password, ok := passwords[step.user]; ok {
				list = append(list, generatedPassword{User: step.user, Password: password})
			}
		}
		err = p.Print(passwordCSV(list))
	}
	if len(passwords) == 0 {
		return err
	}
	names := slices.Sorted(maps.Keys(passwords))
	return p.lostPasswords("the new passwords of "+quotedNames(names)+" were", names, err)
}

// pending returns the error of --exit-code if anything would change.
func (o importOptions) pending(count importCount) error {
	if !o.exitCode || count.changes() == 0 {
		return nil
	}
	return fail(exitPending, "", "%s does not match the list (dry run: %v)", o.text.Name, count)
}

// reportPlan says what would be done.
func reportPlan(p *Program, o importOptions, steps []importStep) error {
	warnOfSkipped(p, steps)
	var out []byte
	if o.output.value == "json" {
		out = importJSON(o.text.Name, steps, nil)
	} else {
		for _, step := range steps {
			out = fmt.Appendf(out, "%s %s\n", step.action.mark(), printable(step.user))
		}
	}
	return cmp.Or(p.Print(out), o.pending(countImport(steps)))
}

func warnOfSkipped(p *Program, steps []importStep) {
	var names []string
	for _, step := range steps {
		if step.action == importSkip {
			names = append(names, step.user)
		}
	}
	if len(names) > 0 {
		p.Warn("skipped, since the registry does not accept the listed hash: %s", quotedNames(names))
	}
}

// quotedNames joins names for a message, the first ten of them.
func quotedNames(names []string) string {
	const most = 10
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, shown(name))
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

func importJSON(file string, steps []importStep, passwords map[string]string) []byte {
	report := importReport{File: file, Users: []importReportUser{}}
	for _, step := range steps {
		report.Users = append(report.Users, importReportUser{step.user, step.action.String(), passwords[step.user]})
	}
	return jsonText(report)
}
