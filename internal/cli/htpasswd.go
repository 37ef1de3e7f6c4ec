package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
)

// apacheName is what Apache's program is called, and what messages begin with
// in its place: also those of "registryctl htpasswd", as scripts look for them.
const apacheName = "htpasswd"

// An apacheError is an error of the command, whose messages begin with the name of
// Apache's program: scripts look for them.
type apacheError struct{ error }

func (e apacheError) Unwrap() error { return e.error }

func apacheFailure(err error) error {
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return apacheError{err}
}

// isApacheName reports whether the program was called as htpasswd or
// htpasswd.exe: through a link, or as a copy of that name.
func isApacheName(arg0 string) bool {
	name := strings.ToLower(filepath.Base(arg0)) // Windows finds HTPASSWD.EXE as well
	return strings.TrimSuffix(name, ".exe") == apacheName
}

const apacheUsage = `Usage:
	htpasswd [-ciBDv] [-C cost] passwordfile username
	htpasswd -b[cBDv] [-C cost] passwordfile username password
	htpasswd -n[iB] [-C cost] username
	htpasswd -nb[B] [-C cost] username password
`

func newHtpasswd(p *Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   apacheName + " [-bcinvBD] [-C cost] [passwordfile] username [password]",
		Short: "Take the command line of Apache's htpasswd",
		Long: `Take the command line of Apache's htpasswd, for the scripts and tutorials that
have it. Called as htpasswd, by a link or a copy, the program does the same.

` + strings.ReplaceAll(apacheUsage, "\t", "  ") + `
  -c  create the file, or replace all that is in it
  -n  write the line to standard output and touch no file
  -v  verify the password of the user
  -D  delete the user
  -b  take the password from the command line, where everyone can see it
  -i  read the password from standard input, without asking twice
  -B  hash with bcrypt, as without it; -C N is its cost, 4 to 17

One letter each, alone or together as in -nbBC10, before the operands. Of -b -i
the last one counts, and so of -C and -r, which is the same. -m -d -s -p -2 -5
mean another way to hash and are refused, unless nothing is hashed; of them and
-B the last one counts. Without -b and -i the password is asked for on the
terminal, or where there is none on standard input.

What differs from Apache's program:

  - -n ends its line with one newline, not with two.
  - Without a flag it is bcrypt, at cost 10; there it is MD5, and bcrypt at 5.
    So -C counts also without -B.
  - Another algorithm is not written: exit 10. The registry accepts only
    bcrypt. -v knows the others, but not DES crypt and yescrypt: exit 10.
  - A name that could not be logged in with is refused, exit 6: an empty one,
    one that begins with # or has a blank at either end or a control character
    in it.
  - A password that is empty, has more than 72 bytes or a NUL or, with -i, more
    than one line is refused, exit 5. So is the end of input at the prompt.
    With -i a byte order mark goes and UTF-16 is decoded: PowerShell may send
    either.
  - No edit is lost where several run at once, and no reader sees half a file.
    For that the directory of the file has to be writable as well. Only regular
    files are written: for /dev/stdout there is -n.
  - Lines may be as long as the registry reads them, 65,535 bytes, and a last
    line without a newline gets one before a line is added.
  - Lines are read as the registry reads them: blanks around a line and what
    follows a bcrypt hash do not count, and a file that it would refuse is
    known before a password is asked for: exit 7. Of several lines of a user
    whose password is set the last one stays.
  - A new file can be read by its owner only.
  - A flag of several letters is refused, except for --help.`,
		Annotations: exits(`0   done, also -D of a user who is not there
1   file
2   usage
3   wrong password, two different ones, or a cost out of range
4   interrupted
5   too long, or a password that is refused
6   user name refused or, with -v, unknown
7   the file is not one that the registry accepts
10  another algorithm`),
		Example: `  registryctl htpasswd -Bbn elton "$PASSWORD"
  registryctl htpasswd -Bc auth/registry.htpasswd elton
  registryctl htpasswd -Bb auth\registry.htpasswd elton $env:PW # PowerShell`,
		DisableFlagParsing: true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := apacheCommand{program: p}
		if err := c.parse(args); err != nil {
			return apacheFailure(err)
		}
		return apacheFailure(c.run(cmd.Context()))
	}
	return cmd
}

// An apacheCommand is one run of the command. A flag is known by its letter, and
// 0 is none of them.
type apacheCommand struct {
	program   *Program
	mode      byte // -c -n -v -D
	source    byte // of the password: -b -i, else the prompt
	algorithm byte // -B -m -d -s -p -2 -5
	cost      int

	file, user, password string
}

func (c *apacheCommand) run(ctx context.Context) error {
	writes := c.mode != 'v' && c.mode != 'D'
	if writes {
		if err := htpasswd.ValidateUser(c.user); err != nil {
			return err
		}
	}
	if c.mode != 'n' {
		if err := c.checkFile(); err != nil {
			return err
		}
	}
	switch {
	case writes:
		return c.set(ctx)
	case c.mode == 'v':
		return c.verify(ctx)
	default:
		return c.remove(ctx)
	}
}

// checkFile refuses what cannot be read or written, before a password is asked
// for. To a file that is read-only the right to replace it does not matter:
// whoever made it so has meant it.
func (c *apacheCommand) checkFile() error {
	info, err := os.Stat(c.file)
	regular := err == nil && info.Mode().IsRegular()
	switch {
	case c.mode != 'c' && !regular:
		return fail(exitIO, "", "cannot modify file %s; use '-c' to create it", c.file)
	case c.mode != 'c' || regular:
		return c.checkAccess()
	case err == nil:
		return fail(exitIO, "-n writes to standard output", "cannot create file %s: it is there and not a regular file", c.file)
	}
	if directory, err := os.Stat(filepath.Dir(c.file)); err != nil || !directory.IsDir() || c.file == "" {
		return fail(exitIO, "", "cannot create file %s", c.file)
	}
	return nil
}

func (c *apacheCommand) checkAccess() error {
	flag, access := os.O_RDWR, "read/write"
	if c.mode == 'v' {
		flag, access = os.O_RDONLY, "read"
	}
	f, err := os.OpenFile(c.file, flag, 0)
	if errors.Is(err, fs.ErrPermission) {
		return fail(exitIO, "", "cannot open file %s for %s access", c.file, access)
	}
	if err == nil {
		_ = f.Close()
	}
	return nil // any other error may be a passing one, and comes again if not
}

func (c *apacheCommand) store() htpasswd.FileStore {
	return htpasswd.FileStore{Path: c.file, Create: c.mode == 'c'}
}

// set gives the user a password: with -c in a file of its own, with -n on
// standard output.
func (c *apacheCommand) set(ctx context.Context) error {
	hash, err := c.newHash(ctx)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%s:%s\n", c.user, hash.Encoded())
	verb, cannot := "Adding", "unable to update"
	switch c.mode {
	case 'n':
		return c.program.print(line)
	case 'c':
		cannot = "cannot create"
		_, err = c.store().Update(ctx, func(f *htpasswd.File) error { return f.Reset(line) })
	default:
		_, err = c.store().Update(ctx, func(f *htpasswd.File) error {
			verb = "Adding"
			err := f.Add(c.user, hash)
			if errors.Is(err, htpasswd.ErrUserExists) {
				verb = "Updating"
				err = f.Set(c.user, hash)
			}
			return err
		})
	}
	if !made(err) {
		return c.cannot(cannot, err)
	}
	c.tell("%s password for user %s", verb, c.user)
	return err
}

// newHash asks for the password, after all that could be wrong without it, and
// hashes it. With -b nothing is asked for, and the edit itself says what is wrong
// with the file.
func (c *apacheCommand) newHash(ctx context.Context) (h htpasswd.Hash, err error) {
	other := otherAlgorithms[c.algorithm]
	cost := c.cost
	if cost == 0 {
		cost = htpasswd.DefaultCost
	}
	if other == "" && (cost < htpasswd.MinCost || cost > htpasswd.MaxCost) {
		return h, fail(exitMismatch, "", "Unable to encode with bcrypt: %w", htpasswd.ErrInvalidCost)
	}
	if c.mode == 0 && (c.source != 'b' || other != "") {
		if _, err := c.store().Read(ctx); err != nil {
			return h, c.cannot("unable to read", err)
		}
	}
	if other != "" {
		return h, fail(exitAlgorithm, fmt.Sprintf("without -%c it is bcrypt", c.algorithm),
			"%s algorithm not supported: the registry accepts only bcrypt", other)
	}
	password, err := c.readPassword(ctx)
	if err != nil {
		return h, err
	}
	return await(ctx, func() (htpasswd.Hash, error) { return htpasswd.HashPassword(password, cost) })
}

func (c *apacheCommand) remove(ctx context.Context) error {
	found := false
	_, err := c.store().Update(ctx, func(f *htpasswd.File) error {
		err := f.Remove(c.user)
		found = !errors.Is(err, htpasswd.ErrUserNotFound)
		if !found {
			return nil
		}
		return err
	})
	switch {
	case !made(err):
		return c.cannot("unable to update", err)
	case found:
		c.tell("Deleting password for user %s", c.user)
	default:
		c.tell("User %s not found", c.user) // which scripts take for done
	}
	return err
}

// verify wants every line of the user to have the password, as one server goes
// by the first of them and another by the last.
func (c *apacheCommand) verify(ctx context.Context) error {
	f, err := c.store().Read(ctx)
	if err != nil {
		return c.cannot("unable to read", err)
	}
	var password []byte
	for entry := range f.All() {
		if entry.User != c.user {
			continue
		}
		if entry.Hash.Encoded() == "" {
			return fail(exitFormat, "", "Empty hash for user %s", c.user)
		}
		if password == nil {
			if password, err = c.readPassword(ctx); err != nil {
				return err
			}
		}
		if err := c.verifyHash(ctx, entry.Hash, password); err != nil {
			return err
		}
	}
	if password == nil {
		return fail(exitName, "", "User %s not found", c.user)
	}
	c.tell("Password for user %s correct.", c.user)
	return nil
}

func (c *apacheCommand) verifyHash(ctx context.Context, h htpasswd.Hash, password []byte) error {
	err := interruptible(ctx, func() error { return h.Verify(password) })
	_, noHash := htpasswd.ParseHash(h.Encoded())
	switch {
	case errors.Is(err, htpasswd.ErrMismatch), errors.Is(err, htpasswd.ErrUnsupportedHash) && noHash != nil:
		return fail(exitMismatch, "", "password verification failed")
	case errors.Is(err, htpasswd.ErrUnsupportedHash):
		return fail(exitAlgorithm, "", "cannot verify the password of user %s, whose hash is %s: %w", c.user, h.Scheme(), err)
	}
	return err
}

// cannot is the error of the file, without the hints that name flags which this
// command does not have.
func (c *apacheCommand) cannot(what string, err error) error {
	var refused *htpasswd.ParseError
	switch f := c.program.explain(err); {
	case errors.As(err, &refused):
		return fail(f.Status, f.Hint, "The file %s does not appear to be a valid htpasswd file: %w", c.file, refused)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.EBUSY):
		return fail(f.Status, "if the file itself is mounted into a container, mount its directory instead, or see registryctl user add --in-place",
			"%s file %s: %w", what, c.file, err)
	default:
		return fail(f.Status, "", "%s file %s: %w", what, c.file, err)
	}
}

// tell says what was done in Apache's words, which begin with no name.
func (c *apacheCommand) tell(format string, args ...any) {
	fmt.Fprintf(c.program.Stderr, "%s\n", oneLine(fmt.Sprintf(format, args...)))
}
