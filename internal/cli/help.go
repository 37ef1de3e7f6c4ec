package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// More is the annotation of a command with what there is to say of it beyond the
// one screen of --help: "help COMMAND" has it, and the man page.
const More = "more"

func more(text string) map[string]string { return map[string]string{More: text} }

// Commands returns the tree of commands, to be documented.
func Commands() *cobra.Command {
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, name: program}
	return a.newRoot()
}

// FlagNames returns the names of a flag and of its value, as in "-f, --file FILE".
// The value is named by the word in capitals in the flag's usage, else by its type.
func FlagNames(f *pflag.Flag) (names, value string) {
	names = "--" + f.Name
	if f.Shorthand != "" {
		names = "-" + f.Shorthand + ", " + names
	}
	if f.NoOptDefVal != "" {
		return names, ""
	}
	for word := range strings.FieldsFuncSeq(f.Usage, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if word == strings.ToUpper(word) {
			return names, word
		}
	}
	return names, strings.ToUpper(f.Value.Type())
}

// FlagUsage returns what the flag does, and its default.
func FlagUsage(f *pflag.Flag) string {
	switch byDefault := strings.Trim(f.DefValue, "[]"); byDefault {
	case "", "false":
		return f.Usage
	default:
		return f.Usage + " (default " + byDefault + ")"
	}
}

// setHelp makes --help show what fits one screen, and fail behind a word that no
// command has.
func (a *app) setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if rest := cmd.Flags().Args(); cmd.HasSubCommands() && len(rest) > 0 {
			a.helpErr = unknownCommand(cmd, rest[0])
			return
		}
		a.helpErr = a.print([]byte(helpOf(cmd, false)))
	})
	root.SetHelpCommand(&cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Say all that there is to say of a command",
		Long:    "Say all that there is to say of a command; COMMAND --help is one screen of it.",
		Example: "  registryctl help user add",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(found, rest[0])
			}
			return a.print([]byte(helpOf(found, true)))
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	})
}

// helpOf is the help of a command: one screen of it, or all.
func helpOf(cmd *cobra.Command, all bool) string {
	var b strings.Builder
	b.WriteString(cmd.Long + "\n")
	if text := cmd.Annotations[More]; text != "" && all {
		b.WriteString("\n" + text + "\n")
	}
	if !cmd.DisableFlagParsing { // else it is in the text, with the flags
		fmt.Fprintf(&b, "\nUsage: %s\n", Synopsis(cmd))
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "Alias: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	writeFlags(&b, "Flags", cmd.LocalFlags())
	if all && !cmd.DisableFlagParsing {
		writeFlags(&b, "Flags of every command", cmd.InheritedFlags())
	}
	if !all && cmd.Name() != "help" {
		what := "More"
		if shorthand := firstShorthand(cmd.InheritedFlags()); shorthand != "" && !cmd.DisableFlagParsing {
			what = "More, and flags such as -" + shorthand
		}
		program := cmd.Root().CommandPath()
		fmt.Fprintf(&b, "\n%s: %s help%s\n", what, program, strings.TrimPrefix(cmd.CommandPath(), program))
	}
	return b.String()
}

// firstShorthand is that of the first flag by name that has one.
func firstShorthand(flags *pflag.FlagSet) (shorthand string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if shorthand == "" && !f.Hidden {
			shorthand = f.Shorthand
		}
	})
	return shorthand
}

// Synopsis is the command line in short.
func Synopsis(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	own := 0 // flags besides --help, which cobra adds now and then
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			own++
		}
	})
	if own == 0 {
		return strings.TrimSuffix(cmd.UseLine(), " [flags]")
	}
	return cmd.UseLine()
}

func writeFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	var rows [][2]string
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		names, value := FlagNames(f)
		if f.Shorthand == "" {
			names = "    " + names
		}
		if value != "" {
			names += " " + value
		}
		rows = append(rows, [2]string{names, FlagUsage(f)})
		width = max(width, len(names))
	})
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, row := range rows {
		fmt.Fprintf(b, "  %-*s  %s\n", width, row[0], row[1])
	}
}
