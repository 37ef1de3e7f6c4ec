package cli

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

func (a *app) newUserList() *cobra.Command {
	format := formatFlag{value: "table", allowed: []string{"table", "name", "json", "csv"}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the users",
		Long: `List the users, in the order of the file, with the scheme and cost of their
hash and why one cannot log in, if so. No hash is ever shown.`,
		Annotations: more(`"-o name" has each name once, a line each; "-o json" an array of {user, scheme,
cost, line, problem}; "-o csv" the same with a header.

Exit status:

  7  the registry would refuse the file; what is there is listed`),
		Example: `  registryctl user list
  registryctl user list -o name
  registryctl user list -o json | ConvertFrom-Json # PowerShell`,
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.userList(cmd, format.value)
		},
	}
	format.registerOutput(cmd)
	return cmd
}

func (a *app) userList(cmd *cobra.Command, format string) error {
	t := a.open()
	f, readErr := t.Read(cmd.Context())
	if f == nil {
		return fmt.Errorf("cannot list the users: %w", readErr)
	}
	// Not all in memory first: for a long list that takes longer than to make it.
	out := bufio.NewWriterSize(printer{a}, 64<<10)
	if err := cmp.Or(listFormats[format](out, f), out.Flush()); err != nil {
		return err
	}
	if readErr != nil { // what is there was shown, but the registry refuses it
		return fmt.Errorf("the registry refuses every user: %w", readErr)
	}
	return nil
}

// A row is what is shown of an entry. Its fields are the JSON output: none may
// change its name or meaning.
type row struct {
	User    string `json:"user"`
	Scheme  string `json:"scheme"` // "unknown" for none that is known
	Cost    *int   `json:"cost"`   // null where the scheme has none
	Line    int    `json:"line"`
	Problem string `json:"problem"` // empty if the user can log in with this line
}

func rows(f *htpasswd.File) []row {
	last := make(map[string]int) // the line that counts of each user
	for e := range f.All() {
		last[e.User] = e.Line
	}
	list := []row{} // not nil: an array in JSON also when it is empty
	for e := range f.All() {
		r := row{User: e.User, Scheme: string(e.Hash.Scheme()), Line: e.Line, Problem: problem(e, last[e.User])}
		if cost, ok := e.Hash.Cost(); ok {
			r.Cost = &cost
		}
		if r.Scheme == "" {
			r.Scheme = "unknown"
		}
		list = append(list, r)
	}
	return list
}

// problem says why the user cannot log in with this entry.
func problem(e htpasswd.Entry, last int) string {
	switch {
	case htpasswd.ValidateUser(e.User) != nil:
		return "bad user name"
	case e.Line != last:
		return fmt.Sprintf("line %d counts instead", last)
	case e.Hash.Encoded() == "":
		return "no hash"
	case e.Hash.Scheme() != htpasswd.Bcrypt:
		return "the registry accepts only bcrypt"
	}
	return ""
}

func (r row) fields() []string {
	cost := ""
	if r.Cost != nil {
		cost = strconv.Itoa(*r.Cost)
	}
	return []string{printable(r.User), r.Scheme, cost, strconv.Itoa(r.Line), r.Problem}
}

var rowHeader = []string{"user", "scheme", "cost", "line", "problem"}

var listFormats = map[string]func(io.Writer, *htpasswd.File) error{
	"table": writeTable,
	"name":  writeNames,
	"json":  func(w io.Writer, f *htpasswd.File) error { return writeJSON(w, rows(f)) },
	"csv":   writeCSV,
}

func writeTable(w io.Writer, f *htpasswd.File) error {
	table := [][]string{strings.Split(strings.ToUpper(strings.Join(rowHeader, " ")), " ")}
	for _, r := range rows(f) {
		table = append(table, r.fields())
	}
	return writeColumns(w, table)
}

func writeNames(w io.Writer, f *htpasswd.File) error {
	out := bufio.NewWriter(w)
	for user := range f.Users() {
		_, _ = out.WriteString(printable(user)) // Flush keeps the error
		_ = out.WriteByte('\n')
	}
	return out.Flush()
}

func writeCSV(w io.Writer, f *htpasswd.File) error {
	table := csv.NewWriter(w)
	_ = table.Write(rowHeader) // Flush keeps the error
	for _, r := range rows(f) {
		_ = table.Write(r.fields())
	}
	table.Flush()
	return table.Error()
}
