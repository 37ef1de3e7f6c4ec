package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/userlist"
)

// A Status is an exit status. Scripts branch on them: none changes its meaning.
type Status int

const (
	exitDone        Status = 0
	exitIO          Status = 1 // file or network
	exitUsage       Status = 2
	exitMismatch    Status = 3 // wrong password
	exitInterrupted Status = 4
	exitPassword    Status = 5  // a password that is refused
	exitName        Status = 6  // a name that is refused, unknown or already there
	exitFormat      Status = 7  // a file or an entry that the server does not accept
	exitPending     Status = 8  // user import --dry-run --exit-code: changes are pending
	exitAlgorithm   Status = 10 // htpasswd: unsupported algorithm
)

// An Error is an error with the exit status, and a hint of what to do next, which
// may be empty.
type Error struct {
	Status Status
	Err    error
	Hint   string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

func fail(s Status, hint, format string, args ...any) error {
	return &Error{s, fmt.Errorf(format, args...), hint}
}

// Fail returns an error of a store, for exit status 1, with a hint of what to do
// next, which may be empty.
func Fail(hint, format string, args ...any) error { return fail(exitIO, hint, format, args...) }

// Misuse returns an error of flags, for exit status 2, with such a hint.
func Misuse(hint, format string, args ...any) error { return fail(exitUsage, hint, format, args...) }

// Malformed returns an error of a text that is not what the command is for, for
// exit status 7, with such a hint.
func Malformed(hint, format string, args ...any) error {
	return fail(exitFormat, hint, format, args...)
}

// ErrUnsure is in the error of a store that cannot tell whether an edit was made.
// A generated password is printed then, as it may be in force.
var ErrUnsure = errors.New("which may or may not have succeeded")

// errOutput is wrapped by the errors of an output: the data could not be written.
var errOutput = errors.New("cannot write to standard output")

// explain gives an error that has no exit status the one of its kind, and a hint.
func (p *Program) explain(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{exitInterrupted, errors.New("interrupted"), ""}
	}
	if errors.Is(err, errOutput) {
		return &Error{exitIO, err, ""} // the hints for files do not fit
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{e.Status, err, e.Hint}
	}
	if errors.As(err, new(*htpasswd.ParseError)) {
		return &Error{exitFormat, err, "the registry refuses every user until this is fixed: " + p.command("check --fix")}
	}
	for _, k := range errorKinds {
		if errors.Is(err, k.err) {
			return &Error{k.status, err, k.hint}
		}
	}
	return &Error{exitIO, err, ""}
}

var errorKinds = []struct {
	err    error
	status Status
	hint   string
}{
	{htpasswd.ErrInvalidPassword, exitPassword, ""},
	{htpasswd.ErrInvalidUser, exitName, ""},
	{htpasswd.ErrUserExists, exitName, ""},
	{htpasswd.ErrUserNotFound, exitName, ""},
	{htpasswd.ErrMismatch, exitMismatch, ""},
	{htpasswd.ErrLineTooLong, exitFormat, "nothing was changed; shorten the text after the hash on the user's line"},
	{htpasswd.ErrUnsupportedHash, exitFormat, ""},
	{userlist.ErrInvalidEntry, exitFormat, ""},
	{lint.ErrUnfixable, exitFormat, ""},
	{htpasswd.ErrInvalidCost, exitUsage, "the user's hash has a higher cost; use --cost to choose another"},
	{syscall.ENOSPC, exitIO, "the disk is full"},
}

// cannot says what could not be done for which user.
func (p *Program) cannot(action, user string, t Text, err error) error {
	if errors.Is(err, htpasswd.ErrUserNotFound) {
		return fail(exitName, p.userCommand("list"), "cannot %s %s: not in %s", action, shown(user), t.Name)
	}
	if errors.Is(err, htpasswd.ErrInvalidUser) && strings.Contains(user, ":") {
		return fail(exitName, "leave out the colon and what follows it; "+noPasswordArgument, "cannot %s %s: %w", action, shown(user), err)
	}
	if errors.Is(err, ErrUnsure) {
		hint := p.userCommand("list") + " shows whether it succeeded"
		if action == setPassword {
			hint = p.userCommand("verify", user) + " shows whether it succeeded"
		}
		return fail(exitIO, hint, "cannot %s %s: %w", action, shown(user), err)
	}
	return fmt.Errorf("cannot %s %s: %w", action, shown(user), err)
}

// setPassword is an action, for cannot.
const setPassword = "set the password of"

// made reports whether an edit is in place, even if it may not survive a power cut. The
// user is told what was done, and then of that risk.
func made(err error) bool { return err == nil || errors.Is(err, htpasswd.ErrNotDurable) }

// isMissing reports whether nothing is there to be read yet.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// shown quotes a name for a message: escaped, without what follows a colon, which
// may be a password, and hidden if it holds a hash.
func shown(name string) string {
	before, _, cut := strings.Cut(name, ":")
	switch {
	case crypt.HoldsHash(before):
		return crypt.Hidden
	case cut:
		return crypt.Quote(before) + "..."
	}
	return crypt.Quote(name)
}

// oneLine keeps a file's name, say, from breaking a message or faking another.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// A FlagProblem is the error of a flag with a bad value, such as "must be none or
// server". It does not repeat the value.
type FlagProblem string

func (e FlagProblem) Error() string { return string(e) }

const noPasswordArgument = "a password is never an argument: see --password-stdin, --password-file, --password-env"

// flagError rewrites what pflag says of a bad flag: its messages repeat the
// value, which may be a password (as in --password-stdin=secret).
func (p *Program) flagError(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return p.unknownCommand(cmd, words) // whose flags are not those of the group
	}
	hint := fmt.Sprintf("%s --help lists the flags", cmd.CommandPath())
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
		problem FlagProblem
	)
	if errors.Is(err, quotedPath) {
		hint = `leave out the last backslash: it makes the " after it part of the path`
	}
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, hint, unknown)
	case errors.As(err, &invalid) && errors.As(err, &problem):
		return Misuse(hint, "--%s %w", invalid.GetFlag().Name, problem)
	case errors.As(err, &invalid) && invalid.GetFlag().NoOptDefVal != "":
		return Misuse(hint, "--%s takes no value", invalid.GetFlag().Name)
	case errors.As(err, &invalid):
		return Misuse(hint, "not a valid value for --%s", invalid.GetFlag().Name)
	case errors.As(err, &missing):
		return Misuse(hint, "--%s needs a value", missing.GetFlag().Name)
	}
	return Misuse(hint, "invalid flag")
}

func unknownFlag(cmd *cobra.Command, hint string, unknown *pflag.NotExistError) error {
	typed := unknown.GetSpecifiedName()
	name := "--" + typed
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		name = "-" + typed
		if len(letters) > 2 && cmd.Args != nil {
			hint = "put an argument that begins with - after --, as in " + cmd.CommandPath() + " -- -NAME"
		}
	}
	if strings.HasPrefix(name, "--pass") {
		name = "--password" // what follows may be the password itself
	}
	if name == "-p" || name == "-b" || name == "--password" {
		return Misuse(noPasswordArgument, "unknown flag %s", name)
	}
	if !isPlainWord(typed) {
		return Misuse(hint, "unknown flag")
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && len(typed) > 1 && isNear(typed, f.Name) {
			hint = "did you mean --" + f.Name
		}
	})
	return Misuse(hint, "unknown flag %s", name)
}

// isNear reports whether one letter more, less or different makes b of a.
func isNear(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return i < len(a) && a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return strings.HasPrefix(b, a) && len(a) >= 3
}

// noOperands is for a command that takes flags only.
func noOperands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Misuse(strayHint(cmd, args, cmd.CommandPath()+" --help lists the flags"), "%s takes no arguments", cmd.CommandPath())
	}
	return nil
}

// operands takes exactly as many arguments as there are names; the last one may
// end in "..." for one or more.
func operands(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		last := names[len(names)-1]
		switch {
		case len(args) < len(names):
			return Misuse(cmd.CommandPath()+" --help shows an example", "%s is missing", strings.TrimSuffix(names[len(args)], "..."))
		case len(args) > len(names) && !strings.HasSuffix(last, "..."):
			return Misuse(strayHint(cmd, args[len(names):], noPasswordArgument), "too many arguments: %s takes %s only", cmd.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}

// strayHint is the hint for arguments too many, which may be the rest of a path.
func strayHint(cmd *cobra.Command, stray []string, hint string) string {
	if cmd.Flags().Changed("file") && strings.ContainsAny(strings.Join(stray, ""), `/\`) {
		return `put a path with spaces in quotes: -f "my files/registry.htpasswd"`
	}
	return hint
}

// exclusive refuses flags that exclude each other.
func exclusive(cmd *cobra.Command, hint string, names ...string) error {
	var given []string
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() != "false" {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return Misuse(hint, "%s cannot be used together", strings.Join(given[:2], " and "))
	}
	return nil
}
