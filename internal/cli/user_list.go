package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/userlist"
)

// listOptions are the flags of "user list".
type listOptions struct {
	users  []string // all, if there are none
	text   Text
	format formatFlag
}

func newUserList(p *Program) *cobra.Command {
	o := listOptions{format: formatFlag{value: "table", allowed: []string{"table", "name", "json", "csv"}}}
	cmd := &cobra.Command{
		Use:     "list [NAME...]",
		Aliases: []string{"ls"},
		Short:   "List the users",
		Long: `List the users in the order of the file, or only those named, with the scheme
and cost of their hash and the reason why the registry does not let a user in.
No hash is ever shown, and a name that holds one is shown as [hidden].

"-o name", or -q, prints each name once; "-o json" is an array of {user, scheme,
cost, line, problem}; "-o csv" has the same columns. If the output of name or
csv is not a terminal, names are printed byte for byte; in CSV a cell that a
spreadsheet would take for a formula begins with '.`,
		Example: p.examples("list", "list -o name", "list elton", "list -o json | ConvertFrom-Json # PowerShell"),
		Annotations: exits(`6  one of the users does not exist
7  the registry refuses the file; its users are listed all the same`),
		ValidArgsFunction: p.completeUsers,
	}
	o.format.registerOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if p.quiet && !cmd.Flags().Changed("output") {
			o.format.value = "name"
		}
		o.users = unique(args)
		if o.text, err = p.open(OpenOptions{}); err != nil {
			return err
		}
		return userList(cmd.Context(), p, o)
	}
	return cmd
}

func userList(ctx context.Context, p *Program, o listOptions) error {
	f, refused := o.text.Read(ctx)
	if f == nil {
		return fmt.Errorf("cannot list the users: %w", refused)
	}
	isWanted := func(string) bool { return true }
	if len(o.users) > 0 {
		wanted := lastEntries(f, o.users)
		for _, user := range o.users {
			if _, ok := wanted[user]; !ok {
				return p.cannotList(user, o.text)
			}
		}
		isWanted = func(user string) bool { _, ok := wanted[user]; return ok }
	}
	show := printable
	if !isTerminal(p.Stdout) {
		show = crypt.Redact
	}
	var err error
	if o.format.value == "name" {
		out := bufio.NewWriter(output{p.Stdout})
		for user := range f.Users() {
			if isWanted(user) {
				_, _ = out.WriteString(show(user)) // Flush returns the error
				_ = out.WriteByte('\n')
			}
		}
		err = out.Flush()
	} else {
		list := slices.DeleteFunc(rows(f), func(r row) bool { return !isWanted(r.User) })
		err = p.Print(rowsText(o.format.value, list, show))
	}
	if err != nil {
		return err
	}
	if !hasUsers(f) && refused == nil {
		p.Say("%s has no users", o.text.Name)
	}
	if refused != nil { // the users were listed all the same
		return fmt.Errorf("the registry refuses every user: %w", refused)
	}
	return nil
}

// lastEntries returns the last entry of each of the users, which the registry goes by; of
// all users if none is named.
func lastEntries(f *htpasswd.File, users []string) map[string]htpasswd.Entry {
	wanted := make(map[string]bool, len(users))
	for _, user := range users {
		wanted[user] = true
	}
	entries := make(map[string]htpasswd.Entry)
	for e := range f.All() {
		if len(users) == 0 || wanted[e.User] {
			entries[e.User] = e
		}
	}
	return entries
}

func hasUsers(f *htpasswd.File) bool {
	for range f.All() {
		return true
	}
	return false
}

// cannotList returns the error for an unknown user. If the word is an existing file, the
// hint names it with -f.
func (p *Program) cannotList(user string, t Text) error {
	if _, err := os.Stat(user); err == nil && t.File != "" {
		return fail(exitName, p.UserCommand+" list -f "+quote(user), "cannot list %s: not in %s", shown(user), t.Name)
	}
	return p.cannot("list", user, t, htpasswd.ErrUserNotFound)
}

// A row describes an entry. It is the JSON output: no field may change its name or
// meaning.
type row struct {
	User    string `json:"user"`
	Scheme  string `json:"scheme"` // "unknown" for none that is known
	Cost    *int   `json:"cost"`   // null where the scheme has none
	Line    int    `json:"line"`
	Problem string `json:"problem"` // empty if the user can log in with this line
}

func rows(f *htpasswd.File) []row {
	last := lastEntries(f, nil)
	list := []row{} // not nil: an array in JSON also when it is empty
	for e := range f.All() {
		r := row{User: e.User, Scheme: string(hashOf(e).Scheme()), Line: e.Line, Problem: problem(e, last[e.User].Line)}
		if cost, ok := hashOf(e).Cost(); ok {
			r.Cost = &cost
		}
		if r.Scheme == "" {
			r.Scheme = "unknown"
		}
		list = append(list, r)
	}
	return list
}

// problem returns why the registry does not let the user in with this entry, if so.
func problem(e htpasswd.Entry, last int) string {
	if e.Line != last {
		return fmt.Sprintf("line %d counts instead", last)
	}
	return lint.Problem(e, lint.Registry)
}

// fields are the columns of the row.
func (r row) fields(show func(string) string) []string {
	cost := ""
	if r.Cost != nil {
		cost = strconv.Itoa(*r.Cost)
	}
	return []string{show(r.User), r.Scheme, cost, strconv.Itoa(r.Line), r.Problem}
}

var rowHeader = []string{"user", "scheme", "cost", "line", "problem"}

// rowsText returns the rows in a format. Show prepares the names in CSV.
func rowsText(format string, list []row, show func(string) string) []byte {
	switch format {
	case "json":
		for i := range list {
			list[i].User = crypt.Redact(list[i].User)
		}
		return jsonText(list)
	case "csv":
		var text bytes.Buffer
		table := csv.NewWriter(&text)
		_ = table.Write(rowHeader) // to a buffer: no error
		for _, r := range list {
			_ = table.Write(r.fields(func(name string) string { return userlist.QuoteCell(show(name)) }))
		}
		table.Flush()
		return text.Bytes()
	}
	table := [][]string{strings.Fields(strings.ToUpper(strings.Join(rowHeader, " ")))}
	for _, r := range list {
		table = append(table, r.fields(printable))
	}
	return tableText(table)
}
