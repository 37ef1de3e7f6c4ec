package cli

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

const (
	program      = "registryctl"
	fileVariable = "REGISTRY_AUTH_HTPASSWD_PATH" // the registry's own
	defaultFile  = "auth/registry.htpasswd"      // as in the tutorials
)

// Main runs registryctl with the arguments, program name first, and returns the
// exit status. It leaves it to its caller to exit, so that a terminal has its echo
// back by then.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if isApacheName(args[0]) {
		args = append([]string{program, apacheName}, args[1:]...)
	}
	p := newRegistryctl()
	p.Stdin, p.Stdout, p.Stderr = stdin, stdout, stderr
	return p.Main(args)
}

// Commands returns the tree of commands of registryctl, for documentation.
func Commands() *cobra.Command { return newRegistryctl().Commands() }

// newRegistryctl returns the program that keeps its texts in files.
func newRegistryctl() *Program {
	p := new(Program)
	f := &fileFlags{program: p}
	*p = Program{
		Name:        program,
		UserCommand: program + " user",
		Short:       "Manage the htpasswd users of a private Docker registry",
		Long: `Manage the htpasswd users of a private Docker registry, without Apache.

The users are in a file: the one that -f names, or else the environment variable
` + fileVariable + `, which the registry reads as well, or else
` + defaultFile + `. With "-f -" a command is a filter: it reads the
file from standard input, and an edit writes the new file to standard output.
Windows PowerShell 5.1 writes UTF-16 when output is redirected with >, which the
registry cannot read: name the file with -f there.

An edit replaces the file as a whole: readers see the old file or the new one,
even after a crash. A single file that is mounted into a container cannot be
replaced: mount its directory. If that is not possible, --in-place writes into
the file itself. Readers may then see half an edit, and a crash may leave one.`,
		Example: `  registryctl user add elton
  registryctl user list`,
		Exit: `0   done
1   file or network error
2   usage error
3   wrong password
4   interrupted
5   password refused
6   user name refused, unknown or already taken
7   the server does not accept the file or an entry
8   user import --dry-run --exit-code: changes are pending
10  htpasswd: unsupported algorithm`,
		CreateHelp: `If the file does not exist, it is created with mode 0600. --mode sets another
mode, such as 0640 for a server that runs as another user in the group, and
changes that of an existing file, too. The directory is created only for the
default path.`,
		LoginHelp: `With --docker-config the login is saved for a robot, in a config.json of docker,
which then holds the password. Its other values are kept, and its mode is 0600.
A generated password is not printed then. If a credential helper keeps the
logins for this registry, nothing is changed.`,
		StaleHint:   "the registry reads another file: check the path that it is given, and mount the directory instead of the file",
		AccessFile:  true,
		HintFlags:   []string{"file", "in-place"},
		Flags:       f.register,
		CreateFlags: f.registerMode,
		LoginFlags:  f.registerLogin,
		Open:        f.open,
	}
	p.Subcommands = func(p *Program) []*cobra.Command {
		return []*cobra.Command{newUser(p), newAccess(p), newServe(p), newFileCheck(p), newCost(p), newHtpasswd(p), newCompletion(p), newVersion(p)}
	}
	return p
}

// newUser returns the command that holds those for users.
func newUser(p *Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "user",
		Short:   "Add, change, remove, list and verify users",
		Long:    "Add, change, remove, list and verify the users of an htpasswd file.",
		Example: p.examples("add elton", "list -f auth/registry.htpasswd", `list -f C:\auth\registry.htpasswd # PowerShell`),
	}
	cmd.AddCommand(append(UserCommands(p), newUserExport(p))...)
	p.asGroup(cmd)
	return cmd
}

// UserCommands returns the commands for users that each program has.
func UserCommands(p *Program) []*cobra.Command {
	return []*cobra.Command{
		newUserAdd(p), newUserPasswd(p), newUserRemove(p), newUserRename(p), newUserDisable(p), newUserEnable(p),
		newUserVerify(p), newUserList(p), newUserImport(p),
	}
}

// fileFlags are the flags that say which file is meant, and how it is written.
type fileFlags struct {
	path        pathFlag
	inPlace     bool
	lockTimeout Duration
	mode        modeFlag

	program *Program
}

func (f *fileFlags) register(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.VarP(&f.path, "file", "f", "htpasswd `FILE`, or - (default "+defaultFile+")")
	flags.BoolVar(&f.inPlace, "in-place", false, "write into a single mounted file; not safe against a crash")
	f.lockTimeout = Duration(10 * time.Second)
	flags.Var(&f.lockTimeout, "lock-timeout", "`TIME` to wait for another edit")
}

func (f *fileFlags) registerMode(cmd *cobra.Command) {
	cmd.Flags().Var(&f.mode, "mode", "`MODE` of the file in octal, such as 0640 (default 0600)")
}

// open returns the file that the flags and the environment name.
func (f *fileFlags) open(o OpenOptions) (Text, error) {
	s := fileStore{program: f.program, timeout: time.Duration(f.lockTimeout), access: o.Access, prompt: o.Prompt}
	s.InPlace, s.Create = f.inPlace, o.Access == ToCreate
	s.Mode, s.SetMode = fs.FileMode(f.mode), f.mode != 0
	if f.path == "-" {
		t := Text{Store: &filter{in: f.program.Stdin, out: f.program.Stdout}, Name: "the input", ToStdout: true, file: s}
		if f.mode != 0 {
			return t, Misuse("", "--mode needs a file, not standard input")
		}
		return t, nil
	}
	if f.mode != 0 && runtime.GOOS == "windows" {
		return Text{}, Misuse("the file takes the access list of its directory", "--mode does not work on Windows")
	}
	switch {
	case f.path != "":
		s.Path, s.origin = string(f.path), "named by -f"
	case os.Getenv(fileVariable) != "":
		path, err := systemPath(os.Getenv(fileVariable))
		if err != nil {
			return Text{}, Misuse(`set "`+fileVariable+`=PATH"`, "$%s %w", fileVariable, err)
		}
		s.Path, s.origin = path, "named by $"+fileVariable
	default:
		s.Path, s.origin, s.isDefault = filepath.FromSlash(defaultFile), "the default path", true
	}
	t := Text{Store: s, Name: s.Path, File: s.Path, IsDefault: s.isDefault, file: s}
	if o.Access != ToRead {
		t.Warning = lostWithContainer(s.Path)
	}
	return t, nil
}
