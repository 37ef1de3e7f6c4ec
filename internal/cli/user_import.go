package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/atomicfile"
	"github.com/registryctl/registryctl/internal/userlist"
)

func newUserImport(p *Program) *cobra.Command {
	var (
		c      = userImport{program: p}
		format = formatFlag{allowed: []string{userlist.Lines, userlist.CSV, userlist.JSON}}
		dryRun dryRunFlag
		output = formatFlag{value: "text", allowed: []string{"text", "json"}}
	)
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Add and update many users from a list",
		Long: `Make the file match a list, in one write: users are added or, where the
password is another one, updated; those that match are left alone. FILE, else
standard input, is lines of name:password, CSV with that header, or JSON.

A second run writes nothing. FILE is standard input if it is "-" or not given.
CSV has a header "name,password"; JSON is an array or one {"name", "password"}
a line. A password that is a bcrypt hash is taken as it is; "hash" in the place
of "password" takes nothing else, and "user" or "username" does for "name". If
any entry is wrong, each is named and nothing is written. Without --format the
name of FILE says what it is, else how it begins.

With --dry-run the plan is printed: "+" to add, "~" to update, "-" to remove,
"=" to leave alone. "-o json" is {file, users: [{user, action}]}, with the
actions add, update, remove and keep. --generate prints "name,password" CSV.
Of several bad entries the first one in the list decides the exit status.`,
		Annotations: exits(`5  a password is refused
6  a name is bad, or listed twice
7  an entry cannot be read, or its hash is not bcrypt
8  with --exit-code: the plan changes something`),
		Example: p.examples("import users.csv", "import users.json --prune --dry-run --exit-code", `import C:\lists\users.csv # PowerShell`),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "-f names the htpasswd file", "%s reads one list", cmd.CommandPath())
			}
			return nil
		},
	}
	flags := cmd.Flags()
	format.register(cmd, "format", "", "`FORMAT` of the list, else guessed: ")
	flags.BoolVar(&c.prune, "prune", false, "remove users that are not listed")
	flags.BoolVar(&c.allowEmpty, "allow-empty", false, "with --prune: take a list without any entry")
	dryRun.register(cmd, p)
	flags.BoolVar(&c.exitCode, "exit-code", false, "with --dry-run: exit 8 if anything would change")
	flags.BoolVar(&c.generate, "generate", false, "make a password for who is new and has none")
	c.cost.register(cmd)
	p.CreateFlags(cmd)
	output.registerOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.json = output.value == "json"
		c.list = "-"
		if len(args) > 0 {
			c.list = args[0]
		}
		c.dryRun = dryRun.value == DryRunClient
		var err error
		if c.target, err = p.open(ToCreate, dryRun.value); err != nil {
			return err
		}
		if err := c.check(); err != nil {
			return err
		}
		return c.run(cmd.Context(), format.value)
	}
	return cmd
}

// A userImport is one run of the command.
type userImport struct {
	program *Program
	target  Text
	list    string
	cost    costFlag

	prune, allowEmpty, dryRun, exitCode, generate, json bool
}

// check refuses flags that do not go together.
func (c *userImport) check() error {
	switch {
	case c.list == "-" && c.target.ToStdout:
		return fail(exitUsage, "name the list, or the file with -f", "standard input cannot be both the file and the list")
	case c.exitCode && !c.dryRun:
		return fail(exitUsage, "", "--exit-code goes with --dry-run, for which nothing is changed")
	case c.allowEmpty && !c.prune:
		return fail(exitUsage, "", "--allow-empty goes with --prune")
	case c.generate && c.target.ToStdout && !c.dryRun:
		return fail(exitUsage, "name a file with -f", "standard output is for the generated passwords")
	case c.generate && c.json && !c.dryRun:
		return fail(exitUsage, "leave out -o json", "standard output is for the generated passwords")
	case c.target.ToStdout && c.json && !c.dryRun:
		return fail(exitUsage, "name a file with -f", "standard output cannot be both the file and the report")
	}
	return nil
}

func (c *userImport) run(ctx context.Context, format string) error {
	// What a long list is made into lives to the end: collecting garbage in it would
	// take longer than all the rest.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	users, err := c.read(ctx, format)
	if err != nil {
		return err
	}
	plan := &importPlan{users: users, prune: c.prune}
	f, missing, err := c.ready(ctx, plan)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	if c.dryRun {
		return c.printPlan(plan, plan.of(f))
	}
	var done importOutcome
	changed, err := c.target.Update(ctx, func(f *htpasswd.File) (err error) {
		done, err = plan.apply(f)
		return err
	})
	switch {
	case errors.Is(err, htpasswd.ErrNotDurable):
		return cmp.Or(c.reveal(plan, done), err)
	case err != nil:
		return fmt.Errorf("cannot import: %w", err)
	}
	if missing && changed {
		c.program.done(c.target, "created %s", c.target.Name)
	}
	c.program.done(c.target, "%s: %s", c.target.Name, done.summary())
	c.program.warnOfCost(plan.highestCost(done))
	if c.json {
		return c.printPlan(plan, done)
	}
	return c.reveal(plan, done)
}

// ready does what takes long, before any lock is taken: a bcrypt for each
// password that is not known to be the one in the file, and one for each that is
// new.
func (c *userImport) ready(ctx context.Context, plan *importPlan) (f *htpasswd.File, missing bool, err error) {
	f, missing, err = readOrEmpty(ctx, c.target)
	if err != nil {
		return nil, false, err
	}
	work := plan.work(f, c.cost)
	todo := slices.DeleteFunc(slices.Clone(work), func(w importWork) bool { return !w.comparable() })
	err = c.program.parallel(ctx, "comparing", len(todo), func(n int) error { return todo[n].compare() })
	if err != nil || c.dryRun {
		return f, missing, err
	}
	todo = slices.DeleteFunc(work, func(w importWork) bool { return w.user.HasHash() })
	err = c.program.parallel(ctx, "hashing", len(todo), func(n int) error { return todo[n].hash() })
	return f, missing, err
}

// read reads the list; the error names every entry that is wrong.
func (c *userImport) read(ctx context.Context, format string) ([]userlist.User, error) {
	name := c.list
	var text []byte
	var err error
	switch {
	case c.list != "-":
		text, err = await(ctx, func() ([]byte, error) {
			list, err := atomicfile.Read(c.list)
			return []byte(list), err
		})
	case isTerminal(c.program.Stdin):
		return nil, fail(exitUsage, "name a file, or pipe the list into the command", "no list to import")
	default:
		name = "standard input"
		text, err = readAll(ctx, c.program.Stdin)
	}
	if err != nil {
		return nil, fail(exitIO, "", "cannot read the list: %w", err)
	}
	if format == "" {
		format = userlist.Guess(c.list, text)
	}
	if format == "" {
		return nil, fail(exitUsage, "--format csv says that it is, --format lines that it is a user", "the first line of %s may be a CSV header", name)
	}
	users, problems := userlist.Parse(text, format, c.generate)
	if len(problems) > 0 {
		return nil, badEntries{name, problems}
	}
	if len(users) == 0 && c.prune && !c.allowEmpty {
		return nil, fail(exitUsage, "if that is meant, --allow-empty says so", "%s lists nobody, and --prune would remove every user", name)
	}
	return users, nil
}

// badEntries are the entries for which nothing is imported.
type badEntries struct {
	list     string
	problems []userlist.Problem
}

func (b badEntries) Error() string { return strings.Join(b.lines(), "; ") }

// lines has a message for each entry.
func (b badEntries) lines() []string {
	lines := make([]string, len(b.problems))
	for i, p := range b.problems {
		lines[i] = fmt.Sprintf("%s:%d: %v", b.list, p.Line, p.Err)
	}
	return lines
}

// Unwrap is the first, which decides the exit status.
func (b badEntries) Unwrap() error { return b.problems[0].Err }

// An importReport is the JSON output: no field may change its name or meaning.
type importReport struct {
	File  string       `json:"file"`
	Users []importStep `json:"users"`
}

type importStep struct {
	User   string `json:"user"`
	Action string `json:"action"` // add, update, remove or keep
}

func (c *userImport) printPlan(plan *importPlan, done importOutcome) error {
	var out bytes.Buffer
	if c.json {
		report := importReport{File: c.target.Name, Users: []importStep{}}
		for user, action := range plan.steps(done) {
			report.Users = append(report.Users, importStep{user, action.String()})
		}
		if err := writeJSON(&out, report); err != nil {
			return err
		}
	} else {
		for user, action := range plan.steps(done) {
			fmt.Fprintf(&out, "%s %s\n", action.mark(), printable(user))
		}
	}
	if err := c.program.print(out.Bytes()); err != nil {
		return err
	}
	if c.exitCode && done.changes() {
		return fail(exitPending, "", "%s is not as listed: would be %s", c.target.Name, done.summary())
	}
	return nil
}

// reveal prints the passwords that were made, after they were set. Where none was,
// that is the header alone, which is no loss.
func (c *userImport) reveal(plan *importPlan, done importOutcome) error {
	if !c.generate {
		return nil
	}
	var out bytes.Buffer
	var names []string
	table := csv.NewWriter(&out)
	_ = table.Write([]string{"name", "password"}) // to a buffer: no error
	for i, u := range plan.users {
		if plan.generated[i] && done.actions[i] == actionAdd {
			names = append(names, fmt.Sprintf("%q", u.Name))
			_ = table.Write([]string{u.Name, string(u.Password)})
		}
	}
	table.Flush()
	if _, err := c.program.Stdout.Write(out.Bytes()); err != nil && len(names) > 0 {
		return fail(exitIO, c.program.userCommand("passwd --generate NAME"),
			"the new passwords of %s are set but could not be written: %w", strings.Join(names, ", "), err)
	}
	return nil
}
