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
	"github.com/registryctl/registryctl/internal/userlist"
)

// A status is an exit status. Scripts branch on them: none changes its meaning.
type status int

const (
	exitDone        status = 0
	exitIO          status = 1 // file or network
	exitUsage       status = 2
	exitMismatch    status = 3 // wrong password
	exitInterrupted status = 4
	exitPassword    status = 5  // a password that is refused
	exitName        status = 6  // a name that is bad, unknown or already there
	exitFormat      status = 7  // a file or an entry that the server does not accept
	exitPending     status = 8  // user import --dry-run --exit-code: something would be changed
	exitAlgorithm   status = 10 // htpasswd: not an algorithm that is supported
)

// A failure is an error that says how the program exits, and what to do next.
type failure struct {
	status status
	err    error
	hint   string
	own    bool // the hint has the names of the program that runs
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail makes a failure; the hint may be empty.
func fail(s status, hint, format string, args ...any) error {
	return &failure{status: s, err: fmt.Errorf(format, args...), hint: hint}
}

// report prints the error, if there is one, and returns the exit status. It is
// the only place that does either.
func (a *app) report(err error) status {
	if err == nil {
		return exitDone
	}
	f := classify(err)
	if errors.Is(err, errOutput) && isBrokenPipe(err) {
		return f.status // whoever read our output has seen enough of it
	}
	lines := []string{f.Error()}
	var bad badEntries
	if errors.As(err, &bad) {
		lines = bad.lines()
	}
	for _, line := range lines {
		fmt.Fprintf(a.err, "%s: %s\n", a.name, oneLine(line))
	}
	if errors.Is(err, errOutput) {
		f.hint = "" // those of files do not fit
	}
	if !f.own {
		f.hint = a.translate(f.hint)
	}
	if f.hint != "" {
		fmt.Fprintf(a.err, "%s: hint: %s\n", a.name, oneLine(f.hint))
	}
	return f.status
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

// classify gives an error that has no exit status yet the one that its kind
// has, and its hint.
func classify(err error) *failure {
	if errors.Is(err, context.Canceled) {
		return &failure{status: exitInterrupted, err: errors.New("interrupted")}
	}
	var f *failure
	if errors.As(err, &f) {
		return &failure{f.status, err, f.hint, f.own}
	}
	// The file is fine: it is the edit that would make a line too long.
	if errors.Is(err, htpasswd.ErrLineTooLong) && !errors.As(err, new(*htpasswd.ParseError)) {
		return &failure{status: exitFormat, err: err, hint: "nothing was changed; shorten what stands behind the hash in the user's line"}
	}
	for _, c := range classes {
		if errors.Is(err, c.is) {
			return &failure{status: c.status, err: err, hint: c.hint}
		}
	}
	return &failure{status: exitIO, err: err}
}

var classes = []struct {
	is     error
	status status
	hint   string
}{
	{htpasswd.ErrInvalidPassword, exitPassword, ""},
	{htpasswd.ErrInvalidUser, exitName, ""},
	{htpasswd.ErrUserExists, exitName, ""},
	{htpasswd.ErrUserNotFound, exitName, ""},
	{htpasswd.ErrMismatch, exitMismatch, ""},
	{htpasswd.ErrUTF16, exitFormat, program + " check --fix writes it as UTF-8; Windows PowerShell 5.1 makes UTF-16 of what goes through > or Out-File"},
	{htpasswd.ErrNoColon, exitFormat, "the registry refuses every user for this line; " + program + " check --fix makes it a comment"},
	{htpasswd.ErrLineTooLong, exitFormat, "the registry refuses every user for this line; " + program + " check --fix makes comments of it"},
	{htpasswd.ErrUnsupportedHash, exitFormat, ""},
	{userlist.ErrInvalidEntry, exitFormat, ""},
	{htpasswd.ErrInvalidCost, exitUsage, "the user has a higher one; --cost sets another"},
	{syscall.EBUSY, exitIO, "if the file itself is mounted into a container, mount its folder instead, or use --in-place"},
	{syscall.EROFS, exitIO, "the file system is mounted read-only"},
	{syscall.ENOSPC, exitIO, "the disk is full"},
	{htpasswd.ErrAttributes, exitIO, "edit it as its owner, or as root"},
	{fs.ErrNotExist, exitIO, "is it the right file? -f names another"},
}

// flagError rewrites what pflag says of a bad flag: its messages repeat the
// value, which may be a password (as in --password-stdin=secret).
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("%s --help lists the flags", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		if strings.HasPrefix(name, "--pass") {
			name = "--password" // what follows may be the password itself
		}
		if name == "-p" || name == "-b" || name == "--password" {
			hint = noPasswordArgument
		}
		return fail(exitUsage, hint, "unknown flag %s", name)
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		flag := invalid.GetFlag()
		var problem flagProblem
		if errors.As(err, &problem) {
			return fail(exitUsage, hint, "--%s %w", flag.Name, problem)
		}
		if flag.NoOptDefVal != "" {
			return fail(exitUsage, hint, "--%s takes no value", flag.Name)
		}
		return fail(exitUsage, hint, "not a valid value for --%s", flag.Name)
	}
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) {
		return fail(exitUsage, hint, "--%s needs a value", missing.GetFlag().Name)
	}
	return fail(exitUsage, hint, "not a flag")
}

const noPasswordArgument = "a password is never an argument: it is asked for, or see --password-stdin, --password-file, --password-env"

// noOperands is for a command that takes flags only.
func noOperands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fail(exitUsage, fmt.Sprintf("%s --help lists the flags", cmd.CommandPath()), "%s takes no arguments", cmd.CommandPath())
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
			return fail(exitUsage, fmt.Sprintf("%s --help shows an example", cmd.CommandPath()),
				"%s is missing", strings.TrimSuffix(names[len(args)], "..."))
		case len(args) > len(names) && !strings.HasSuffix(last, "..."):
			return fail(exitUsage, noPasswordArgument,
				"too many arguments: %s takes %s only", cmd.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}
