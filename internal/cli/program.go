package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A Program is another one with the commands of "registryctl user", and check,
// for texts that are kept elsewhere than in files.
type Program struct {
	Name  string // as a person types it, such as "kubectl registryctl"
	Flag  string // that names a text, as a hint has it, such as "--secret"
	Stale string // hint where a registry refuses who the text lets in

	// Open returns the text that the flags name, and its name in messages, which is
	// empty if they name none. Errors in the flags are reported by the first use of
	// the store.
	Open func(Access) (Store, string)

	// DryRun returns what stands behind the words for what was done, such as "(server
	// dry run)", where it was only tried, and else nothing.
	DryRun func() string

	// Adapt gives the tree of commands the flags and the help of the program.
	Adapt func(root *cobra.Command)
}

// Access is what a text is opened for.
type Access int

// For an edit, Read fails where the edit would be refused, so that no password is
// asked for in vain. ToCreate is for an edit that can make the text: one that is
// not there is fs.ErrNotExist then. ToPlan is for what such an edit would do, by
// somebody who need not be allowed to.
const (
	ToRead Access = iota
	ToEdit
	ToCreate
	ToPlan
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

// translate gives a hint the program's own names for commands and the flag, which
// it has as registryctl has them.
func (p Program) translate(hint string) string {
	return strings.NewReplacer(
		program+" user ", p.Name+" ",
		program+" ", p.Name+" ",
		"-f names ", p.Flag+" names ",
	).Replace(hint)
}

// translate does so for whichever program runs.
func (a *app) translate(hint string) string {
	if a.other == nil {
		return hint
	}
	return a.other.translate(hint)
}

// Fail returns an error of a store, for exit status 1, with a hint of what to do
// next, which may be empty.
func Fail(hint, format string, args ...any) error {
	return &failure{status: exitIO, err: fmt.Errorf(format, args...), hint: hint, own: true}
}

// Misuse returns an error of flags, for exit status 2, with such a hint.
func Misuse(hint, format string, args ...any) error {
	return &failure{status: exitUsage, err: fmt.Errorf(format, args...), hint: hint, own: true}
}

// A FlagProblem is what a flag of the program says of a bad value, without
// repeating it, such as "takes none or server".
type FlagProblem = flagProblem

// A Duration is the value of a flag that takes a time, and none below zero.
type Duration = durationFlag
