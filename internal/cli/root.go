// Package cli is the command line of registryctl and of kubectl registryctl: one
// command in each file, of one shape. A constructor such as newUserAdd declares
// the flags in a struct of options; a function such as userAdd runs with them.
//
// What is printed:
//
//   - Data goes to standard output, everything else to standard error. "-q"
//     silences all but errors.
//   - An error is one line, "NAME: message", and a line "  hint: ..." where a next
//     step is known. A warning begins with "NAME: warning: ".
//   - Messages are lower case, quote names and end without a full stop. No message
//     holds a password, a hash or the text of a line of the file, nor an argument
//     that could be a password in the wrong place.
//   - A command that fails has changed nothing, unless it says so.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/crypt"
)

// Main runs the program with the arguments, its own name first, and returns the
// exit status. SIGINT and SIGTERM end the context of the command.
func (p *Program) Main(args []string) int {
	disableCoreDumps()
	// A write to a closed pipe is an ordinary error, because the file may have been
	// changed by then, and that must be reported.
	ignoreBrokenPipe()
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once

	root := p.newRoot()
	var helpErr error // a help function returns none
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { helpErr = p.help(cmd, cmd.Flags().Args()) })
	args = args[1:]
	if i := slices.Index(args, "/?"); i >= 0 && runtime.GOOS == "windows" && !slices.Contains(args[:i], "--") {
		args[i] = "--help"
	}
	root.SetArgs(args)
	status := p.report(cmp.Or(root.ExecuteContext(ctx), helpErr))
	if len(args) == 0 {
		keepWindow()
	}
	return int(status)
}

// Commands returns the tree of commands, for documentation.
func (p *Program) Commands() *cobra.Command {
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), io.Discard, io.Discard
	return p.newRoot()
}

func (p *Program) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:               strings.ReplaceAll(p.Name, " ", "-"),
		Short:             p.Short,
		Long:              p.Long,
		Example:           p.Example,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: p.Name, exitAnnotation: p.Exit},
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(p.Stdin)
	root.SetOut(output{p.Stdout})
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(p.flagError)
	p.flags = root.PersistentFlags()
	p.flags.SortFlags = false
	p.Flags(root)
	p.flags.BoolVarP(&p.quiet, "quiet", "q", false, "print errors only")
	root.Flags().Bool("version", false, "print the version")
	root.AddCommand(p.Subcommands(p)...)
	p.asGroup(root)
	root.SetHelpTemplate(helpTemplate)
	root.SetHelpCommand(newHelp(p))
	return root
}

// report prints the error, if there is one, and returns the exit status. It is
// the only place that does either.
func (p *Program) report(err error) Status {
	if err == nil {
		return exitDone
	}
	e := p.explain(err)
	if errors.Is(err, errOutput) && isBrokenPipe(err) {
		return e.Status // the reader has closed the pipe, and needs no message
	}
	name := p.Name
	if errors.As(err, new(apacheError)) {
		name = apacheName
	}
	lines := []string{e.Error()}
	if bad, ok := errors.AsType[badEntries](err); ok {
		lines = bad.lines()
	}
	var b strings.Builder // so that error and hint are written by one call
	for _, line := range lines {
		fmt.Fprintf(&b, "%s: %s\n", name, oneLine(line))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", oneLine(e.Hint))
	}
	fmt.Fprint(p.Stderr, b.String())
	return e.Status
}

// asGroup makes a command that only holds others refuse an unknown word. Cobra would
// print the help and exit 0.
func (p *Program) asGroup(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 1
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return p.unknownCommand(cmd, args)
	}
}

// verbs maps the words that people type to the commands for users.
var verbs = map[string]string{
	"create": "add", "new": "add",
	"set": "passwd", "update": "passwd", "edit": "passwd",
	"login":  "verify",
	"delete": "remove", "del": "remove", "rm": "remove",
	"show": "list", "get": "list", "ls": "list",
	"add": "add", "passwd": "passwd", "verify": "verify", "remove": "remove", "list": "list", "import": "import", "export": "export", "rename": "rename",
	"lock": "disable", "suspend": "disable", "unlock": "enable", "disable": "disable", "enable": "enable",
}

// unknownCommand returns the error for words that are not a command of the group. Its
// hint is the whole correct line, with the user name that was typed.
func (p *Program) unknownCommand(group *cobra.Command, words []string) error {
	typed, operands := words[0], words[1:]
	message := "unknown command"
	if isPlainWord(typed) {
		message = fmt.Sprintf("unknown command %q", typed)
	}
	if typed == "users" && len(operands) > 0 {
		typed, operands = operands[0], operands[1:]
	}
	return fail(exitUsage, p.suggestion(group, typed, operands), "%s for %q", message, group.CommandPath())
}

func (p *Program) suggestion(group *cobra.Command, typed string, operands []string) string {
	if typed == "users" {
		return "did you mean " + p.UserCommand
	}
	for _, cmd := range group.Commands() {
		if slices.Contains(cmd.SuggestFor, typed) {
			return "did you mean " + cmd.CommandPath()
		}
	}
	if verb, ok := verbs[typed]; ok && (!group.HasParent() || group.CommandPath() == p.UserCommand) {
		users := map[string]int{"list": 0, "import": 0, "rename": 2, "remove": len(operands), "export": len(operands), "disable": len(operands), "enable": len(operands)}
		most, ok := users[verb]
		if !ok {
			most = 1
		}
		operands = operands[:min(most, len(operands))]
		if slices.ContainsFunc(operands, func(name string) bool { return shown(name) != crypt.Quote(name) }) {
			operands = nil // one of them may hold a password or a hash
		}
		return "did you mean " + p.userCommand(verb, operands...)
	}
	for _, cmd := range group.Root().Commands() {
		if cmd.Name() == typed {
			return "did you mean " + p.command(typed)
		}
	}
	const shortest = 4 // letters of a word that is compared with others
	if suggestions := group.SuggestionsFor(typed); len(typed) >= shortest && len(suggestions) > 0 {
		return "did you mean " + group.CommandPath() + " " + suggestions[0]
	}
	return group.CommandPath() + " --help lists the commands"
}

// isPlainWord reports whether an unknown word may be repeated in a message. A longer
// word, or one with other characters, could be a secret.
func isPlainWord(word string) bool {
	const longest = 20
	return len(word) <= longest && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// Say prints a message to standard error, unless the user asked for silence.
func (p *Program) Say(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintln(p.Stderr, oneLine(fmt.Sprintf(format, args...)))
	}
}

// Warn prints a warning.
func (p *Program) Warn(format string, args ...any) {
	p.Say(p.Name+": warning: "+format, args...)
}

// done says what was done to the text, and whether it was a dry run.
func (p *Program) done(t Text, format string, args ...any) {
	p.Say(format+t.DryRun.note(), args...)
}
