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
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
)

// apacheName is what Apache's program is called. The messages of "registryctl
// htpasswd" begin with it too, as scripts look for them.
const apacheName = "htpasswd"

// Limits of Apache's program for the cost of bcrypt. Its library takes no more.
const (
	apacheMinCost = htpasswd.MinCost
	apacheMaxCost = 17
)

// An apacheError is an error whose message begins with the name of Apache's
// program.
type apacheError struct{ error }

func (e apacheError) Unwrap() error { return e.error }

// isApacheName reports whether the program was called as htpasswd or
// htpasswd.exe: through a link, or as a copy of that name.
func isApacheName(arg0 string) bool {
	name := strings.ToLower(filepath.Base(arg0)) // Windows finds HTPASSWD.EXE as well
	return strings.TrimSuffix(name, ".exe") == apacheName
}

// htpasswdOptions are the flags and operands of "htpasswd". A flag is known by its
// letter, and 0 stands for none.
type htpasswdOptions struct {
	mode      byte // -c -n -v -D
	source    byte // of the password: -b -i, else the prompt
	algorithm byte // -B -m -d -s -p -2 -5
	cost      int  // 0 if it is not given

	file, user, password string
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
		Short: "Accept the command line of Apache's htpasswd",
		Long: `Accept the command line of Apache's htpasswd, for scripts and tutorials that use
it. The program does the same if it is called htpasswd, through a link or as a
copy.

` + strings.ReplaceAll(apacheUsage, "\t", "  ") + `
  -c  create the file, or replace everything in it
  -n  print the line to standard output and write no file
  -v  verify the password of the user
  -D  delete the user
  -b  take the password from the command line, where everyone can see it
  -i  read the password from standard input, once
  -B  hash with bcrypt, which is the default; -C N sets its cost, 4 to 17

Flags have one letter and come before the operands, alone or together, as in
-nbBC10. If both -b and -i are given, the last one counts; -r is another name
for -C. -m -d -s -p -2 -5 select another algorithm and are refused, unless
nothing is hashed; of these and -B the last one counts. Without -b and -i the
password is asked for on the terminal. Without a terminal it is read from
standard input.

With -v, a user who has several lines needs the same password in each of them,
as with Apache's program. A hash that Apache's servers refuse does not match.

Differences from Apache's program:

  - -n ends its line with one newline, not two.
  - The default is bcrypt at cost 10; Apache's is MD5, and cost 5 with -B. So
    -C also works without -B.
  - Other algorithms are not written: exit 10. The registry accepts only
    bcrypt. -v verifies the others, except DES crypt, yescrypt and plain text:
    exit 10.
  - A new user name must be one that every client can log in with: exit 6. It
    must be UTF-8, must not be empty or begin with #, must not contain control
    characters, and must not begin or end with whitespace or an invisible
    character. A user who is already in the file can get a new password, with
    a warning.
  - A password that is empty, has more than 72 bytes or a NUL byte or, with
    -i, more than one line is refused: exit 5. So is the end of input at the
    prompt. A password that is not UTF-8, or begins or ends with whitespace,
    gets a warning, because docker login sends another one.
  - With -i, a byte order mark is removed and UTF-16 is decoded, because
    PowerShell may send either.
  - If several programs edit the file at once, no edit is lost, and no reader
    sees half a file. For this the directory of the file must be writable too.
    Only regular files are written: use -n for /dev/stdout.
  - A new password does not enable a disabled user: see registryctl user enable.
  - Lines may be as long as the registry reads, 65,535 bytes. A last line
    without a newline gets one before a line is added.
  - Lines are read as the registry reads them: whitespace around a line and
    text after a bcrypt hash do not count. If the registry would refuse the
    whole file, exit 7 comes before the password is asked for. If the user
    whose password is set has several lines, the last one stays.
  - A new file is readable by its owner only.
  - A flag of several letters is refused, except --help.`,
		Annotations: exits(`0   done, or -D of a user who does not exist
1   file error
2   usage error
3   wrong password, two different passwords, or a cost out of range
4   interrupted
5   an operand is too long, or the password is refused
6   the user name is refused or, with -v, unknown
7   the registry does not accept the file
10  unsupported algorithm`),
		Example: `  registryctl htpasswd -Bbn elton "$PASSWORD"
  registryctl htpasswd -Bc auth/registry.htpasswd elton
  registryctl htpasswd -Bb auth\registry.htpasswd elton $env:PW # PowerShell`,
		DisableFlagParsing: true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var o htpasswdOptions
		err := o.parse(args)
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		if errors.As(err, new(apacheMisuse)) {
			fmt.Fprint(p.Stderr, apacheUsage)
		}
		if err == nil {
			err = runHtpasswd(cmd.Context(), p, o)
		}
		if err != nil {
			return apacheError{err}
		}
		return nil
	}
	return cmd
}

func runHtpasswd(ctx context.Context, p *Program, o htpasswdOptions) error {
	if o.mode != 'n' {
		if err := checkApacheFile(o); err != nil {
			return err
		}
		if o.mode != 'v' && isMountPoint(o.file) {
			return apacheFileError(p, o, "replace", syscall.EBUSY)
		}
	}
	switch o.mode {
	case 'v':
		return verifyApache(ctx, p, o)
	case 'D':
		return removeApache(ctx, p, o)
	default:
		return setApache(ctx, p, o)
	}
}

// checkApacheFile refuses a file that cannot be read or written, before a password
// is asked for. A file that is read-only is refused even if its directory would let
// it be replaced: somebody has made it so on purpose.
func checkApacheFile(o htpasswdOptions) error {
	info, err := os.Stat(o.file)
	regular := err == nil && info.Mode().IsRegular()
	switch {
	case o.mode != 'c' && !regular:
		return fail(exitIO, "", "cannot modify file %s; use '-c' to create it", o.file)
	case o.mode != 'c' || regular:
		return checkApacheAccess(o)
	case err == nil:
		return fail(exitIO, "-n writes to standard output", "cannot create file %s: it exists and is not a regular file", o.file)
	}
	if directory, err := os.Stat(filepath.Dir(o.file)); err != nil || !directory.IsDir() || o.file == "" {
		return fail(exitIO, "", "cannot create file %s", o.file)
	}
	return nil
}

func checkApacheAccess(o htpasswdOptions) error {
	flag, access := os.O_RDWR, "read/write"
	if o.mode == 'v' {
		flag, access = os.O_RDONLY, "read"
	}
	f, err := os.OpenFile(o.file, flag, 0)
	if errors.Is(err, fs.ErrPermission) {
		return fail(exitIO, "", "cannot open file %s for %s access", o.file, access)
	}
	if err == nil {
		_ = f.Close()
	}
	return nil // the read or the edit reports any other error
}

func (o htpasswdOptions) store() Store {
	return lintedStore{htpasswd.FileStore{Path: o.file, Create: o.mode == 'c'}}
}

// setApache sets the password of the user: with -c in a new file, with -n on
// standard output.
func setApache(ctx context.Context, p *Program, o htpasswdOptions) error {
	if err := checkApacheUser(ctx, p, o); err != nil {
		return err
	}
	hash, err := apacheHash(ctx, p, o)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%s:%s\n", o.user, hash.Encoded())
	verb, action := "Adding", "update"
	switch o.mode {
	case 'n':
		return p.Print(line)
	case 'c':
		action = "create"
		_, err = o.store().Update(ctx, func(f *htpasswd.File) error { return f.Reset(string(line)) })
	default:
		_, err = o.store().Update(ctx, func(f *htpasswd.File) error {
			verb = "Adding"
			if _, exists := f.Lookup(o.user); exists {
				verb = "Updating"
			}
			return f.Set(o.user, hash)
		})
	}
	if !made(err) {
		return apacheFileError(p, o, action, err)
	}
	p.tellApache("%s password for user %s", verb, o.user)
	return err
}

// checkApacheUser refuses a name that "user add" refuses, and a file that the
// registry refuses, before a password is asked for. A user who is in the file
// already keeps the name.
func checkApacheUser(ctx context.Context, p *Program, o htpasswdOptions) error {
	invalid := htpasswd.ValidateUser(o.user)
	if o.mode != 0 || o.source == 'b' && invalid == nil && otherAlgorithms[o.algorithm] == "" { // with -b nothing is asked
		return invalid
	}
	f, err := o.store().Read(ctx)
	if err != nil {
		return apacheFileError(p, o, "read", err)
	}
	if _, exists := f.Lookup(o.user); !exists {
		return invalid
	}
	if invalid != nil {
		p.warnApache(invalid)
	}
	return nil
}

// apacheHash asks for the password and hashes it, once nothing else can be wrong.
func apacheHash(ctx context.Context, p *Program, o htpasswdOptions) (h htpasswd.Hash, err error) {
	if other := otherAlgorithms[o.algorithm]; other != "" {
		return h, fail(exitAlgorithm, fmt.Sprintf("leave out -%c to use bcrypt", o.algorithm),
			"%s algorithm not supported: the registry accepts only bcrypt", other)
	}
	cost := o.cost
	if cost == 0 {
		cost = htpasswd.DefaultCost
	}
	if cost < apacheMinCost || cost > apacheMaxCost {
		return h, fail(exitMismatch, "", "Unable to encode with bcrypt: cost is not between %d and %d", apacheMinCost, apacheMaxCost)
	}
	password, err := apachePassword(ctx, p, o)
	if err != nil {
		return h, err
	}
	return await(ctx, func() (htpasswd.Hash, error) {
		defer clear(password)
		return htpasswd.HashPassword(password, cost)
	})
}

func removeApache(ctx context.Context, p *Program, o htpasswdOptions) error {
	found := false
	_, err := o.store().Update(ctx, func(f *htpasswd.File) error {
		err := f.Remove(o.user)
		found = !errors.Is(err, htpasswd.ErrUserNotFound)
		if !found {
			return nil
		}
		return err
	})
	switch {
	case !made(err):
		return apacheFileError(p, o, "update", err)
	case found:
		p.tellApache("Deleting password for user %s", o.user)
	default:
		p.tellApache("User %s not found", o.user) // exit 0, as Apache's program
	}
	return err
}

// verifyApache wants every line of the user to have the password: one server goes
// by the first of them, another by the last.
func verifyApache(ctx context.Context, p *Program, o htpasswdOptions) error {
	f, err := o.store().Read(ctx)
	if err != nil {
		return apacheFileError(p, o, "read", err)
	}
	var password []byte
	for entry := range f.All() {
		if entry.User != o.user {
			continue
		}
		if entry.Hash.Encoded() == "" {
			return fail(exitFormat, "", "Empty hash for user %s", o.user)
		}
		if password == nil {
			if password, err = apachePassword(ctx, p, o); err != nil {
				return err
			}
		}
		if err := verifyApacheEntry(ctx, entry, password); err != nil {
			return err
		}
	}
	if password == nil {
		return fail(exitName, "", "User %s not found", o.user)
	}
	p.tellApache("Password for user %s correct.", o.user)
	return nil
}

// verifyApacheEntry compares the password as Apache's program does: a hash that
// its servers refuse matches no password.
func verifyApacheEntry(ctx context.Context, entry htpasswd.Entry, password []byte) error {
	wrong := fail(exitMismatch, "", "password verification failed")
	encoded := entry.Hash.Encoded()
	if _, n := crypt.Scan(encoded); n < len(encoded) || lint.Problem(entry, lint.Apache) != "" {
		return wrong
	}
	err := interruptible(ctx, func() error { return entry.Hash.Verify(password) })
	switch {
	case errors.Is(err, htpasswd.ErrMismatch):
		return wrong
	case errors.Is(err, htpasswd.ErrUnsupportedHash):
		return fail(exitAlgorithm, "", "cannot verify the password of user %s, whose hash is %s: %w", entry.User, entry.Hash.Scheme(), err)
	}
	return err
}

// apacheFileError says what could not be done with the file. It has no hint that
// names a flag of the other commands.
func apacheFileError(p *Program, o htpasswdOptions, action string, err error) error {
	var refused *htpasswd.ParseError
	var known *Error
	switch e := p.explain(err); {
	case errors.As(err, &refused):
		hint := "the registry refuses every user until this is fixed: " + p.Name + " check --fix -f " + quote(o.file)
		if errors.As(err, &known) {
			hint = known.Hint
		}
		return fail(e.Status, hint, "The file %s does not appear to be a valid htpasswd file: %w", o.file, refused)
	case errors.Is(err, context.Canceled), errors.Is(err, htpasswd.ErrInvalidUser):
		return err
	case errors.Is(err, syscall.EBUSY):
		return fail(e.Status, "if the file itself is mounted into a container, mount its directory instead, or see registryctl user add --in-place",
			"cannot %s file %s: %w", action, o.file, err)
	default:
		return fail(e.Status, "", "cannot %s file %s: %w", action, o.file, err)
	}
}

// tellApache says what was done in the words of Apache's program, which begin with
// no name.
func (p *Program) tellApache(format string, args ...any) {
	fmt.Fprintf(p.Stderr, "%s\n", oneLine(fmt.Sprintf(format, args...)))
}

// warnApache warns of a name or a password that "user add" refuses.
func (p *Program) warnApache(reason error) {
	p.tellApache("%s: warning: some clients cannot log in: %v", apacheName, reason)
}
