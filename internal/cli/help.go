package cli

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// exitAnnotation is the annotation of a command with its exit statuses.
const exitAnnotation = "exit"

// exits returns the annotation for the exit statuses of a command, a line each.
func exits(text string) map[string]string { return map[string]string{exitAnnotation: text} }

// refusedFile is the exit status of an edit of a malformed file.
const refusedFile = "7  the registry does not accept the file"

// helpTemplate is cobra's template with the exit statuses added.
const helpTemplate = `{{.Long}}

Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{if .DisableFlagParsing}}{{.CommandPath}} FLAGS OPERANDS{{else}}{{.UseLine}}{{end}}{{end}}
{{- if .Aliases}}

Alias:
  {{.Aliases | join}}{{end}}

Examples:
{{.Example}}
{{- if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
{{- if and .HasAvailableLocalFlags (not .DisableFlagParsing)}}

Flags:
{{inOrder .LocalFlags | trimTrailingWhitespaces}}{{end}}
{{- if and .HasAvailableInheritedFlags (not .DisableFlagParsing)}}

Common flags:
{{inOrder .InheritedFlags | trimTrailingWhitespaces}}{{end}}
{{- with index .Annotations "exit"}}

Exit statuses:
{{indent .}}{{end}}
`

func init() {
	cobra.MousetrapHelpText = ""       // a start from Explorer, Win+R or a shortcut is nothing special
	cobra.EnableCommandSorting = false // "user" comes first
	cobra.AddTemplateFunc("join", func(words []string) string { return strings.Join(words, ", ") })
	cobra.AddTemplateFunc("indent", func(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") })
	cobra.AddTemplateFunc("inOrder", func(flags *pflag.FlagSet) string {
		flags.SortFlags = false // "-f" comes first
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				f.Value = switchValue{f.Value}
			}
		})
		return flags.FlagUsages()
	})
}

// A switchValue is a boolean flag in a help text, without "[=true|false]" after its name.
type switchValue struct{ pflag.Value }

// Type is for package pflag.
func (switchValue) Type() string { return "boolfunc" }

// help prints the help of a command, for "COMMAND --help" and "help COMMAND".
func (p *Program) help(cmd *cobra.Command, words []string) error {
	if cmd.HasSubCommands() && len(words) > 0 {
		return p.unknownCommand(cmd, words)
	}
	var text bytes.Buffer
	cmd.SetOut(&text)
	new(cobra.Command).HelpFunc()(cmd, nil) // cobra's own
	return p.Print(text.Bytes())
}

func newHelp(p *Program) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Print the help of a command",
		Long:    "Print the help of a command, as COMMAND --help does.",
		Example: "  " + p.Name + " help check",
		RunE: func(cmd *cobra.Command, words []string) error {
			found, rest, err := cmd.Root().Find(words)
			if err != nil || len(rest) > 0 {
				return p.unknownCommand(found, rest)
			}
			found.InitDefaultHelpFlag()
			return p.help(found, nil)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}
