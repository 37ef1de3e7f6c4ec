// Package cli is the command line of registryctl: each command a file, each a
// few calls of the htpasswd library.
//
// What is said, and where:
//
//   - What was asked for goes to standard output, everything else to standard
//     error. "-q" silences all but errors.
//   - A line begins with "registryctl: ", is lower case, quotes names and ends
//     without a full stop. An error is one line; a second one, "hint: ", follows
//     where a next step is known.
//   - No line ever holds a password, a hash or the text of a line of the file.
//     That is also why no argument is repeated that could be a password which
//     was put in the wrong place.
//   - A command that fails has changed nothing, unless it says so.
package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
)

const program = "registryctl"

// An app is one run of the program: its streams, and the flags that all
// commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	name     string   // that messages begin with
	helpErr  error    // of a help function, which cannot return one
	other    *Program // nil for registryctl itself

	file        pathFlag
	quiet       bool
	lockTimeout durationFlag
	inPlace     bool
}

// Main runs the command line args, program name first, and returns the exit
// status. It leaves it to its caller to exit, so that whatever was deferred,
// such as giving a terminal its echo back, is done by then.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut, name: program}
	if isApacheName(args[0]) {
		return a.main(a.newRoot(), append([]string{apacheName}, args[1:]...))
	}
	return a.main(a.newRoot(), args[1:])
}

func (a *app) main(root *cobra.Command, args []string) int {
	// A write to a pipe that nobody reads any more is an error like others: one
	// after the file was changed has to be reported.
	ignoreBrokenPipe()
	ctx, stop := signal.NotifyContext(context.Background(), endingSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends even what does not listen

	root.SetArgs(args)
	return int(a.report(cmp.Or(root.ExecuteContext(ctx), a.helpErr)))
}

func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Manage the htpasswd users of a private Docker registry",
		Long:  "Manage the htpasswd users of a private Docker registry, without Apache.",
		Annotations: more(`The file is the one named by -f, else by $` + fileVariable + `,
else ` + defaultFile + `. With "-f -" it is read from standard input,
and an edit writes the new one to standard output. Windows PowerShell 5.1 turns
what is redirected with > into UTF-16, which the registry cannot read: use -f
with a path there.

An edit replaces the file by a new one, so that a crash leaves the old or the
new one and no reader sees half of it. A single file that is mounted into a
container cannot be replaced: mount its folder. If that cannot be, --in-place
writes through the file itself; a crash can then leave half an edit, and a
reader can see it.

Exit status:

  0   done
  1   file or network
  2   usage
  3   wrong password
  4   interrupted
  5   password refused: empty, over 72 bytes, a NUL byte, more than one line
  6   user name bad, unknown or already there
  7   the file, or an entry, is not one that the server accepts
  8   user import --dry-run --exit-code: something would be changed
  10  htpasswd: an algorithm that is not written`),
		Example: `  registryctl user add elton
  registryctl user list`,
	}
	flags := root.PersistentFlags()
	flags.VarP(&a.file, "file", "f", "htpasswd FILE, or - (default "+defaultFile+")")
	a.lockTimeout = durationFlag(10 * time.Second)
	flags.Var(&a.lockTimeout, "lock-timeout", "TIME to wait for another edit")

	flags.BoolVar(&a.inPlace, "in-place", false, "edit a mounted single file: not safe against a crash")

	root.AddCommand(a.newUser(), a.newCheck(), a.newCost(), a.newHtpasswd(), a.newCompletion())
	a.setUp(root)
	return root
}

// setUp gives the root command what those of all programs have.
func (a *app) setUp(root *cobra.Command) {
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions = cobra.CompletionOptions{DisableDefaultCmd: true}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but errors")
	root.Flags().BoolP("version", "v", false, "say which version this is")
	a.setHelp(root)
	asGroup(root)
}

// asGroup makes a command that only holds others refuse a word that none of
// them has. Cobra would print the help and exit 0, so that a script with a
// mistyped command goes on.
func asGroup(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
}

func unknownCommand(group *cobra.Command, typed string) error {
	hint := fmt.Sprintf("%s --help lists the commands", group.CommandPath())
	if suggestions := group.SuggestionsFor(typed); len(suggestions) > 0 {
		hint = fmt.Sprintf("did you mean %s %s", group.CommandPath(), suggestions[0])
	}
	return fail(exitUsage, hint, "unknown command %s for %q", shown(typed), group.CommandPath())
}

// did tells a person what was done, or only tried.
func (a *app) did(format string, args ...any) { a.say(format+a.dryRunNote(), args...) }

// dryRunNote is what is said of an edit that is only tried, if it is.
func (a *app) dryRunNote() string {
	if a.other == nil || a.other.DryRun() == "" {
		return ""
	}
	return " " + a.other.DryRun()
}

// say tells a person something besides.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: %s\n", a.name, oneLine(fmt.Sprintf(format, args...)))
	}
}
