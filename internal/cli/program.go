package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A Program is another one with the commands of "registryctl user", and check,
// for texts that are kept elsewhere than in files.
type Program struct {
	Name  string // as a person types it, such as "kubectl htpasswd"
	Flag  string // that names a text, as a hint has it, such as "--secret"
	Stale string // hint where a registry refuses who the text lets in

	// Open returns the text that the flags name, and its name in messages, which is
	// empty if they name none. What is wrong with them says the first use of the
	// store.
	Open func(Access) (Store, string)

	// Adapt gives the tree of commands the flags and the help of the program.
	Adapt func(root *cobra.Command)
}

// Access is what a text is opened for.
type Access int

// For an edit, Read fails where the edit would be refused, so that no password is
// asked for in vain. ToCreate is for an edit that can make the text: one that is
// not there is fs.ErrNotExist then.
const (
	ToRead Access = iota
	ToEdit
	ToCreate
)

// Main is for the program what the function is for registryctl.
func (p Program) Main(args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut, name: p.Name, other: &p}
	return a.main(p.newRoot(a), args[1:])
}

// Commands returns the tree of commands, to be documented.
func (p Program) Commands() *cobra.Command {
	return p.newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, name: p.Name, other: &p})
}

func (p Program) newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:         strings.ReplaceAll(p.Name, " ", "-"),
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: p.Name},
	}
	root.AddCommand(a.userCommands()...)
	root.AddCommand(a.newCheck())
	a.setUp(root)
	p.Adapt(root)
	return root
}

// adapt gives a hint the program's own names for commands and the flag, which a
// hint has as registryctl has them.
func (p Program) adapt(hint string) string {
	return strings.NewReplacer(
		program+" user ", p.Name+" ",
		program+" ", p.Name+" ",
		"-f names ", p.Flag+" names ",
	).Replace(hint)
}

// adapt does so for whichever program runs.
func (a *app) adapt(hint string) string {
	if a.other == nil {
		return hint
	}
	return a.other.adapt(hint)
}

// Fail returns an error of a store, for exit status 1, with a hint of what to do
// next, which may be empty.
func Fail(hint, format string, args ...any) error { return fail(exitIO, hint, format, args...) }

// Misuse returns an error of flags, for exit status 2, with such a hint.
func Misuse(hint, format string, args ...any) error { return fail(exitUsage, hint, format, args...) }

// A FlagProblem is what a flag of the program says of a bad value, without
// repeating it, such as "takes none or server".
type FlagProblem = flagProblem
