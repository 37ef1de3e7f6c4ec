package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/atomicfile"
	"github.com/registryctl/registryctl/internal/crypt"
)

func newAccess(p *Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Manage who may pull, push and delete in which repositories",
		Long: `Manage who may pull, push and delete in which repositories. The rights are in a
text file beside the users' file, auth/registry.access, which "registryctl
serve" reads. You can also edit it by hand; comments and the order of the lines
are kept:

  # user       actions     repositories
  @dev = elton francis
  elton        all         **               # delete and the catalog too
  @dev         push        labs/**          # push implies pull
  ci           push        labs/app tools/*
  *            pull        public/**        # everyone, also without a login

Grants add up; there is no deny. A user is a name, a group such as @dev, @users
for everyone who has logged in, or * for everyone. An action is pull, push
(which includes pull), delete, or all. In a repository * stands for any text
between two slashes, and ** for any number of path components: labs/** is every
repository below labs, but not labs itself.

Without the file, everyone who has logged in may do everything. A file that
--access names must exist; grant creates it.`,
		Example: `  registryctl access grant francis pull "labs/**"
  registryctl access test francis push labs/app`,
	}
	cmd.AddCommand(newAccessGrant(p), newAccessRevoke(p), newAccessList(p), newAccessTest(p))
	p.asGroup(cmd)
	return cmd
}

// registerAccess adds --access to a command.
func registerAccess(cmd *cobra.Command, path *pathFlag) {
	cmd.Flags().Var(path, "access", "access `FILE` (default: the users' file with the extension .access)")
}

// A rightsFile is the access file beside a users' file.
type rightsFile struct {
	fileStore        // for its path, options and error messages
	flag      string // repeated in hints
	users     Text
}

// openRights returns the access file that the flag names, or else the one beside the
// users' file.
func openRights(flag pathFlag, users Text) (rightsFile, error) {
	r := rightsFile{users: users, fileStore: users.file}
	r.origin, r.isDefault = "named by --access", false
	r.Path = string(flag)
	if flag != "" {
		r.flag = " --access " + quote(r.Path)
		return r, nil
	}
	if users.File == "" {
		return r, Misuse("use --access FILE", "the users come from standard input, so the access file must be named")
	}
	r.Path, r.origin = strings.TrimSuffix(users.File, filepath.Ext(users.File))+".access", "the access file of "+users.File
	if r.Path == users.File {
		return r, Misuse("use --access to name the access file", "-f names the users' file, not the access file")
	}
	return r, nil
}

// openUsersAndRights opens the users' file to read, and the access file.
func openUsersAndRights(p *Program, flag pathFlag) (rightsFile, error) {
	users, err := p.open(OpenOptions{Access: ToRead, DryRun: DryRunNone})
	if err != nil {
		return rightsFile{}, err
	}
	return openRights(flag, users)
}

// command is Program.command with --access if it was given.
func (r rightsFile) command(verb string, operands ...string) string {
	return r.program.command(verb+r.flag, operands...)
}

func (r rightsFile) read() (*access.File, error) {
	text, _, err := atomicfile.ReadToWatch(r.Path) // which waits for no pipe
	if err != nil {
		return nil, r.explain(err)
	}
	return r.parse(text)
}

// readIfAny returns nil if there is no access file and none was named.
func (r rightsFile) readIfAny() (*access.File, error) {
	f, err := r.read()
	if r.flag == "" && isMissing(err) {
		return nil, nil
	}
	return f, err
}

// explain is that of a fileStore, with another hint for a file that does not exist.
func (r rightsFile) explain(err error) error {
	if isMissing(err) && !errors.As(err, new(*Error)) {
		return Fail(program+" access grant creates it", "%w", missingFile{r.Path, r.origin})
	}
	return r.fileStore.explain(err)
}

// editAccessFile is the hint for a malformed access file.
const editAccessFile = "edit the access file; " + program + " access --help shows examples"

func (r rightsFile) parse(text string) (*access.File, error) {
	f, err := access.Parse(text)
	if err != nil {
		return nil, fail(exitFormat, editAccessFile, "%s: %w", r.Path, err)
	}
	return f, nil
}

// update edits the access file. A new file gets the mode of the users' file, because the
// same server reads both.
func (r rightsFile) update(ctx context.Context, create bool, edit func(*access.File) error) (changed bool, err error) {
	r.access, r.Create = ToEdit, create
	if err := r.checkEdit(); err != nil {
		return false, r.explain(err)
	}
	o := atomicfile.Options{Create: create, InPlace: r.InPlace}
	if info, err := os.Stat(r.users.File); err == nil {
		o.Mode = info.Mode().Perm()
	}
	ctx, cancel := context.WithTimeout(ctx, max(r.timeout, shortestWait))
	defer cancel()
	changed, err = atomicfile.Update(ctx, r.Path, o, func(text string) (io.WriterTo, error) {
		if text == "" && create {
			text = access.Header
		}
		f, err := r.parse(text)
		if err != nil {
			return nil, err
		}
		if err := edit(f); err != nil || !f.Changed() {
			return nil, err
		}
		return f, nil
	})
	return changed, r.explain(err)
}

// A grantLine holds the operands of "access grant" and "access revoke".
type grantLine struct {
	subject      access.Subject
	action       access.Action
	repositories []string
}

// parseGrant reads USER ACTION REPOSITORY..., or without USER if --user is given.
func parseGrant(cmd *cobra.Command, user string, args []string) (g grantLine, err error) {
	names := []string{"USER", "ACTION", "REPOSITORY..."}
	if cmd.Flags().Changed("user") {
		names, g.subject = names[1:], access.User(user)
	}
	if err := operands(names...)(cmd, args); err != nil {
		return g, err
	}
	if g.subject == "" {
		if g.subject, err = access.ParseSubject(args[0]); err != nil {
			return g, fail(exitName, "", "%w", err)
		}
		args = args[1:]
	}
	g.action, g.repositories = access.Action(args[0]), args[1:]
	if !g.action.Valid() {
		return g, Misuse(cmd.CommandPath()+" --help shows an example", "%w", access.ErrAction)
	}
	return g, nil
}

// String returns the line for a message, without the subject.
func (g grantLine) String() string {
	return crypt.Redact(fmt.Sprintf("%s on %s", g.action, strings.Join(g.repositories, ", ")))
}

// shownSubject returns a subject for a message.
func shownSubject(s access.Subject) string {
	switch name, ok := s.UserName(); {
	case ok:
		return shown(name)
	case s == access.Everyone:
		return "everyone"
	case s == access.Users:
		return "everyone who has logged in"
	}
	return oneLine(crypt.Redact(string(s)))
}

// grantCommand returns the command that grants a subject an action in a repository.
func (r rightsFile) grantCommand(s access.Subject, action access.Action, repository string) string {
	name, isUser := s.UserName()
	switch typed, err := access.ParseSubject(name); {
	case !isUser:
		return r.command("access grant", string(s), string(action), repository)
	case err != nil || typed != s: // the name would be taken for a group, or for everyone
		return r.command("access grant --user "+quote(name), string(action), repository)
	}
	return r.command("access grant", name, string(action), repository)
}

// completeGrant offers users, actions, and the repositories of the access file.
func completeGrant(p *Program, path *pathFlag) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if !cmd.Flags().Changed("user") {
			if len(args) == 0 {
				return p.completeUsers(cmd, args, word)
			}
			args = args[1:]
		}
		if len(args) == 0 {
			return []string{"pull", "push", "delete", "all"}, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := openUsersAndRights(p, *path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		f, err := r.read()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for g := range f.All() {
			for _, name := range g.Patterns {
				if access.ValidName(name) { // a shell takes it as it is
					names = append(names, name)
				}
			}
		}
		return unique(names), cobra.ShellCompDirectiveNoFileComp
	}
}
