package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/crypt"
)

// A grantRow is a line of the JSON output: no field may change its name or meaning.
// One that defines a group has members, one that grants something an action.
type grantRow struct {
	Who          string   `json:"who"`
	Action       string   `json:"action,omitempty"`
	Repositories []string `json:"repositories,omitempty"`
	Members      []string `json:"members,omitempty"`
	Line         int      `json:"line"`
}

func newAccessList(p *Program) *cobra.Command {
	var path pathFlag
	format := formatFlag{value: "table", allowed: []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the grants and the groups",
		Long: `List the grants and the groups, in the order of their lines. "-o json" is an
array of {who, action, repositories, line} and, for a group, {who, members,
line}.`,
		Example:           "  registryctl access list\n  registryctl access list -o json",
		Annotations:       exits("7  the access file is malformed"),
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	format.registerOutput(cmd)
	registerAccess(cmd, &path)
	cmd.RunE = func(*cobra.Command, []string) error {
		r, err := openUsersAndRights(p, path)
		if err != nil {
			return err
		}
		return accessList(p, r, format.value)
	}
	return cmd
}

func accessList(p *Program, r rightsFile, format string) error {
	f, err := r.readIfAny()
	if err != nil {
		return err
	}
	if f == nil {
		p.Say("there is no %s: everyone who has logged in may do everything", r.Path)
		f = new(access.File)
	}
	rows := []grantRow{}
	for g := range f.All() {
		row := grantRow{Who: crypt.Redact(string(g.Subject)), Action: string(g.Action), Repositories: g.Patterns, Line: g.Line}
		for _, member := range g.Members {
			row.Members = append(row.Members, crypt.Redact(member))
		}
		rows = append(rows, row)
	}
	if format == "json" {
		return p.Print(jsonText(rows))
	}
	table := [][]string{{"USER", "ACTION", "REPOSITORIES", "LINE"}}
	for _, row := range rows {
		what := strings.Join(row.Repositories, " ")
		if row.Action == "" {
			row.Action = "="
			for i, member := range row.Members {
				row.Members[i] = printable(member)
			}
			what = strings.Join(row.Members, " ")
		}
		table = append(table, []string{row.Who, row.Action, what, strconv.Itoa(row.Line)})
	}
	return p.Print(tableText(table))
}
