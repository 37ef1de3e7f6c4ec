package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

func (a *app) newUserImport() *cobra.Command {
	var (
		c      = userImport{app: a}
		mode   modeFlag
		format string
		output = formatFlag{value: "text", allowed: []string{"text", "json"}}
	)
	cmd := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Add and update many users from a list",
		Long: `Make the file match a list, in one write: users are added or, where the password
is another one, updated; those that match are left alone, so that a second run
writes nothing. FILE is read from standard input if it is "-" or not given.

The list is lines of name:password, CSV with a header "name,password", or JSON,
an array or one {"name", "password"} a line. A password that is a bcrypt hash is
taken as it is. If any entry is wrong, each is named and nothing is written.

With --dry-run the plan is printed: "+" to add, "~" to update, "-" to remove, "="
to leave alone. "-o json" is {file, users: [{user, action}]}, with the actions
add, update, remove and keep. --generate prints "name,password" CSV.

Exit status: 8 with --exit-code, where the plan changes anything; 5 a password, 6
a name, 7 an entry that is wrong, by the first one in the list.`,
		Example: `  registryctl user import users.csv
  registryctl user import users.json --prune --dry-run --exit-code
  Get-Content users.txt | registryctl user import      (PowerShell)`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "-f names the htpasswd file", "user import reads one list")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "", "lines, csv or json (default: by the name of FILE, else by how it begins)")
	flags.BoolVar(&c.prune, "prune", false, "remove users that are not listed")
	flags.BoolVar(&c.allowEmpty, "allow-empty", false, "with --prune: accept a list without any entry")
	flags.BoolVar(&c.dryRun, "dry-run", false, "print what would be done, and do nothing")
	flags.BoolVar(&c.exitCode, "exit-code", false, "with --dry-run: exit 8 if anything would be changed")
	flags.BoolVar(&c.generate, "generate", false, "make a password for new users that come without one, and print them")
	c.cost.register(cmd)
	mode.register(cmd)
	output.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{userlist.Lines, userlist.CSV, userlist.JSON}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.json = output.value == "json"
		c.list = "-"
		if len(args) > 0 {
			c.list = args[0]
		}
		if err := cmp.Or(mode.check(cmd, a), c.check(format)); err != nil {
			return err
		}
		c.target = a.openOrCreate(mode.perm())
		return c.run(cmd.Context(), format)
	}
	return cmd
}

// A userImport is one run of the command.
type userImport struct {
	app    *app
	target target
	list   string
	cost   costFlag

	prune, allowEmpty, dryRun, exitCode, generate, json bool
}

// check refuses flags that do not go together.
func (c *userImport) check(format string) error {
	switch {
	case format != "" && !slices.Contains([]string{userlist.Lines, userlist.CSV, userlist.JSON}, format):
		return fail(exitUsage, "it takes lines, csv and json", "not a valid value for --format")
	case c.list == "-" && c.app.file == "-":
		return fail(exitUsage, "name the list, or the file with -f", "standard input cannot be both the file and the list")
	case c.exitCode && !c.dryRun:
		return fail(exitUsage, "", "--exit-code goes with --dry-run")
	case c.allowEmpty && !c.prune:
		return fail(exitUsage, "", "--allow-empty goes with --prune")
	case c.generate && (c.app.file == "-" || c.json) && !c.dryRun:
		return fail(exitUsage, "name a file with -f, and leave out -o json", "standard output is for the generated passwords")
	case c.app.file == "-" && c.json && !c.dryRun:
		return fail(exitUsage, "name a file with -f", "standard output cannot be both the file and the report")
	}
	return nil
}

// The actions of a plan, as in the JSON output, and their marks.
const (
	actionAdd    = "add"
	actionUpdate = "update"
	actionRemove = "remove"
	actionKeep   = "keep"
)

var marks = map[string]string{actionAdd: "+", actionUpdate: "~", actionRemove: "-", actionKeep: "="}

// A step is what is done for one user.
type step struct {
	action    string
	user      userlist.User
	generated bool          // the password, and it has to be printed
	old       htpasswd.Hash // of the user's line, if there is one
	cost      int           // of the hash to make
	hash      htpasswd.Hash // to be set
}

func (s step) sets() bool { return s.action == actionAdd || s.action == actionUpdate }

func (c *userImport) run(ctx context.Context, format string) error {
	users, err := c.read(ctx, format)
	if err != nil {
		return err
	}
	f, missing, err := c.target.readOrEmpty(ctx)
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	plan, err := c.plan(ctx, users, f)
	if err != nil {
		return err
	}
	if c.dryRun {
		return c.printPlan(plan)
	}
	if err := c.hash(ctx, plan); err != nil {
		return err
	}
	return c.write(ctx, plan, missing)
}

func (c *userImport) write(ctx context.Context, plan []step, missing bool) error {
	if !slices.ContainsFunc(plan, func(s step) bool { return s.action != actionKeep }) {
		if err := c.target.keep(ctx); err != nil {
			return fmt.Errorf("cannot import: %w", err)
		}
	} else {
		changed, err := c.target.Update(ctx, func(f *htpasswd.File) error { return c.apply(f, plan) })
		switch {
		case errors.Is(err, htpasswd.ErrNotDurable):
			return cmp.Or(c.reveal(plan), err)
		case err != nil:
			return fmt.Errorf("cannot import: %w", err)
		case missing && changed:
			c.app.say("created %s", c.target.name)
		}
	}
	c.app.say("%s: %s", c.target.name, summary(plan))
	if c.json {
		return c.printPlan(plan)
	}
	return c.reveal(plan)
}

// read reads the list; the error names every entry that is wrong.
func (c *userImport) read(ctx context.Context, format string) ([]userlist.User, error) {
	name, in := "standard input", c.app.in
	if c.list != "-" {
		file, err := os.Open(c.list)
		if err != nil {
			return nil, fail(exitIO, "", "cannot read the list: %w", err)
		}
		defer file.Close()
		name, in = c.list, file
	} else if isTerminal(in) {
		return nil, fail(exitUsage, "name a file, or pipe the list into the command", "no list to import")
	}
	text, err := readAll(ctx, in)
	if err != nil {
		return nil, fail(exitIO, "", "cannot read the list: %w", err)
	}
	if format == "" {
		format = userlist.Guess(c.list, text)
	}
	users, problems := userlist.Parse(text, format)
	for _, u := range users {
		if u.Password == nil && !u.HasHash() && !c.generate {
			err := fmt.Errorf("%w: no password; --generate makes one for who is new", userlist.ErrNoEntry)
			problems = append(problems, userlist.Problem{Line: u.Line, Err: err})
		}
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b userlist.Problem) int { return cmp.Compare(a.Line, b.Line) })
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

// plan says what is to be done for each user of the list, and then of the file.
// Whether a password is the one that the file has costs a bcrypt each.
func (c *userImport) plan(ctx context.Context, users []userlist.User, f *htpasswd.File) ([]step, error) {
	plan := make([]step, len(users), len(users)+1)
	listed := make(map[string]bool, len(users))
	var compare []int
	for i, u := range users {
		listed[u.Name] = true
		entry, exists := f.Lookup(u.Name)
		s := step{action: actionAdd, user: u, old: entry.Hash, cost: c.cost.of(entry.Hash), hash: u.Hash}
		switch {
		case !exists:
			if u.Password == nil && !u.HasHash() {
				s.user.Password, s.generated = []byte(rand.Text()), true
			}
		case u.HasHash():
			s.action = actionUpdate
			if u.Hash.Encoded() == entry.Hash.Encoded() {
				s.action = actionKeep
			}
		case u.Password == nil:
			s.action = actionKeep
		default:
			s.action = actionUpdate
			if cost, ok := entry.Hash.Cost(); ok && cost == s.cost {
				compare = append(compare, i)
			}
		}
		plan[i] = s
	}
	err := c.app.parallel(ctx, "comparing", len(compare), func(n int) error {
		s := &plan[compare[n]]
		err := s.old.Verify(s.user.Password)
		if err == nil {
			s.action = actionKeep
		}
		if errors.Is(err, htpasswd.ErrMismatch) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.prune {
		for e := range f.All() {
			if !listed[e.User] {
				listed[e.User] = true // once, however many lines
				plan = append(plan, step{action: actionRemove, user: userlist.User{Name: e.User}})
			}
		}
	}
	return plan, nil
}

// hash makes the hashes that are not there yet, before any lock is taken.
func (c *userImport) hash(ctx context.Context, plan []step) error {
	var todo []int
	for i, s := range plan {
		if s.sets() && !s.user.HasHash() {
			todo = append(todo, i)
		}
	}
	return c.app.parallel(ctx, "hashing", len(todo), func(n int) (err error) {
		s := &plan[todo[n]]
		s.hash, err = htpasswd.HashPassword(s.user.Password, s.cost)
		return err
	})
}

// apply is the edit. Who was pruned by another run meanwhile is no error.
func (c *userImport) apply(f *htpasswd.File, plan []step) error {
	for _, s := range plan {
		var err error
		switch {
		case s.sets():
			err = f.Set(s.user.Name, s.hash)
		case s.action == actionRemove:
			if err = f.Remove(s.user.Name); errors.Is(err, htpasswd.ErrUserNotFound) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("user %q: %w", s.user.Name, err)
		}
	}
	return nil
}

func summary(plan []step) string {
	count := make(map[string]int)
	for _, s := range plan {
		count[s.action]++
	}
	return fmt.Sprintf("%d added, %d updated, %d removed, %d unchanged",
		count[actionAdd], count[actionUpdate], count[actionRemove], count[actionKeep])
}

// An importReport is the JSON output: no field may change its name or meaning.
type importReport struct {
	File  string       `json:"file"`
	Users []importStep `json:"users"`
}

type importStep struct {
	User   string `json:"user"`
	Action string `json:"action"` // add, update, remove or keep
}

func (c *userImport) printPlan(plan []step) error {
	var out bytes.Buffer
	report := importReport{File: c.target.name, Users: []importStep{}}
	pending := false
	for _, s := range plan {
		pending = pending || s.action != actionKeep
		report.Users = append(report.Users, importStep{s.user.Name, s.action})
		if !c.json {
			fmt.Fprintf(&out, "%s %s\n", marks[s.action], printable(s.user.Name))
		}
	}
	if c.json {
		if err := writeJSON(&out, report); err != nil {
			return err
		}
	}
	if err := c.app.print(out.Bytes()); err != nil {
		return err
	}
	if c.exitCode && pending {
		return fail(exitPending, "", "%s is not as listed: would be %s", c.target.name, summary(plan))
	}
	return nil
}

// reveal prints the passwords that were made, after they were set.
func (c *userImport) reveal(plan []step) error {
	if !c.generate {
		return nil
	}
	var out bytes.Buffer
	var names []string
	table := csv.NewWriter(&out)
	_ = table.Write([]string{"name", "password"}) // to a buffer: no error
	for _, s := range plan {
		if s.generated {
			names = append(names, fmt.Sprintf("%q", s.user.Name))
			_ = table.Write([]string{s.user.Name, string(s.user.Password)})
		}
	}
	table.Flush()
	if _, err := c.app.out.Write(out.Bytes()); err != nil {
		return fail(exitIO, program+" user passwd NAME --generate sets a new one",
			"the new passwords of %s are set but could not be written: %w", strings.Join(names, ", "), err)
	}
	return nil
}
