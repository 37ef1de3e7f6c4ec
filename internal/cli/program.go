package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/crypt"
)

// A Program is a command line on htpasswd texts that are kept in one kind of
// place: files for registryctl, Secrets for kubectl registryctl.
type Program struct {
	Name        string // as a person types it
	UserCommand string // what the commands for users begin with, such as "registryctl user"

	Short, Long, Example string // help of the program itself
	Exit                 string // its exit statuses, a line each
	ExampleFlags         string // what each example in the help needs, such as "--secret registry-auth"
	CreateHelp           string // how a text that is missing is created, a paragraph
	LoginHelp            string // where a new password can be saved for a client, a paragraph
	StaleHint            string // hint where a registry refuses whom the text lets in

	// Subcommands returns the commands of the program, in the order of its help.
	Subcommands func(*Program) []*cobra.Command
	// Flags adds the flags of every command, in the order of the help.
	Flags func(root *cobra.Command)
	// CreateFlags adds the flags of the commands that can create a text.
	CreateFlags func(*cobra.Command)
	// EditFlags adds the flags of the commands that edit; nil if there are none.
	EditFlags func(*cobra.Command)
	// LoginFlags adds the flags that say where a new password is saved for a client, and
	// returns what opens that place: there is none if no flag was given.
	LoginFlags func(*cobra.Command) func(OpenOptions) (Login, error)
	// Manifests are the formats in which an edit prints the object that holds the
	// text: further values of -o. The store prints it, as OpenOptions say.
	Manifests []string
	// ServerDryRun says that the store makes dry runs itself, and --dry-run=server
	// is one of them.
	ServerDryRun bool
	// AccessFile says that an access file can stand beside the text.
	AccessFile bool
	// HintFlags are the flags of every command that a hint repeats if they are given.
	HintFlags []string
	// Open returns the text that the flags name. With an error it still returns the
	// name of the text, if the flags have one.
	Open func(OpenOptions) (Text, error)

	Stdin          io.Reader
	Stdout, Stderr io.Writer

	quiet bool
	flags *pflag.FlagSet // of every command
}

// Access is what a text is opened for.
type Access int

// What a text may be opened for.
const (
	ToRead   Access = iota
	ToEdit          // Read fails where an edit would be refused, so that no password is asked for in vain
	ToCreate        // also create what is missing: Read returns fs.ErrNotExist for it
)

// OpenOptions say what a text is opened for.
type OpenOptions struct {
	Access   Access
	DryRun   DryRun // for DryRunClient nobody needs the right to write
	Manifest string // one of Program.Manifests: an edit prints it, and nothing else is on standard output
	Prompt   bool   // a person is asked for a password between Read and Update
}

// A Store keeps an htpasswd text. Update makes an edit durable, and may call it
// more than once: the edit depends on nothing but its argument. If the edit leaves
// the text as it was, nothing is written.
type Store interface {
	Read(context.Context) (*htpasswd.File, error)
	Update(context.Context, func(*htpasswd.File) error) (changed bool, err error)
}

// A Text is a store, with what messages say about it.
type Text struct {
	Store
	Name      string // in messages; empty if the flags name none
	File      string // path, if it is a file
	ToStdout  bool   // an edit writes the text to standard output
	IsDefault bool   // nobody has named it: it need not exist
	Warning   string // for a person who has edited it
	DryRun    DryRun // set by Program.open
	Manifest  string // set by Program.open

	file fileStore // of File if there is one, for the access file
}

// open opens the text that the flags name.
func (p *Program) open(o OpenOptions) (Text, error) {
	t, err := p.Open(o)
	t.DryRun, t.Manifest = o.DryRun, o.Manifest
	if t.Store == nil {
		return t, err
	}
	t.Store = lintedStore{t.Store}
	if o.DryRun == DryRunClient && !p.ServerDryRun {
		t.Store = dryStore{t.Store, o.Access == ToCreate}
	}
	return t, err
}

// A lintedStore offers no --fix for a text that --fix refuses as well.
type lintedStore struct{ Store }

func (s lintedStore) Read(ctx context.Context) (*htpasswd.File, error) {
	f, err := s.Store.Read(ctx)
	return f, unfixableIn(ctx, f, err)
}

func (s lintedStore) Update(ctx context.Context, edit func(*htpasswd.File) error) (changed bool, err error) {
	var text *htpasswd.File
	changed, err = s.Store.Update(ctx, func(f *htpasswd.File) error {
		text = f
		return edit(f)
	})
	return changed, unfixableIn(ctx, text, err)
}

func unfixableIn(ctx context.Context, f *htpasswd.File, err error) error {
	if f == nil || !errors.As(err, new(*htpasswd.ParseError)) {
		return err
	}
	if _, _, fixErr := lint.Fix(ctx, f.Text()); errors.Is(fixErr, lint.ErrUnfixable) {
		err = fail(exitFormat, fixErr.Error(), "%w", err)
	}
	return err
}

// A dryStore makes each edit on a copy of the text.
type dryStore struct {
	Store
	create bool // a missing text is an empty one
}

func (s dryStore) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	f, refused := s.Read(ctx)
	missing := s.create && isMissing(refused)
	if missing {
		f, refused = new(htpasswd.File), nil
	}
	if f == nil {
		return false, refused
	}
	if err := editRead(f, refused, edit); err != nil {
		return false, err
	}
	return missing || f.Changed(), nil
}

// command returns a command line of the program for a hint: verb holds the command
// and flags as they are, operands are quoted as a shell needs it; one that holds a
// hash is NAME. The flags that name the text are repeated.
func (p *Program) command(verb string, operands ...string) string {
	return p.commandLine(p.Name+" "+verb, operands)
}

// userCommand does the same for a command for users, such as "passwd".
func (p *Program) userCommand(verb string, operands ...string) string {
	return p.commandLine(p.UserCommand+" "+verb, operands)
}

func (p *Program) commandLine(line string, operands []string) string {
	words := []string{line}
	flags := p.GivenFlags(p.HintFlags...)
	if slices.ContainsFunc(operands, func(s string) bool { return strings.HasPrefix(s, "-") }) {
		words, flags = slices.Concat(words, flags, []string{"--"}), nil
	}
	for _, operand := range operands {
		if crypt.HoldsHash(operand) {
			operand = "NAME"
		}
		words = append(words, quote(operand))
	}
	return strings.Join(append(words, flags...), " ")
}

// GivenFlags returns those of the flags of every command that were given, as they are
// typed.
func (p *Program) GivenFlags(names ...string) (words []string) {
	for _, name := range names {
		f := p.flags.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		word := "--" + f.Name
		if f.Shorthand != "" {
			word = "-" + f.Shorthand
		}
		words = append(words, word)
		if f.NoOptDefVal == "" {
			words = append(words, quote(f.Value.String()))
		}
	}
	return words
}

// isPlain reports whether a word means itself in every shell, with these characters
// beside letters and digits.
func isPlain(word, also string) bool {
	return word != "" && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"+also) == ""
}

// examples returns command lines for users as the examples of a help text.
func (p *Program) examples(lines ...string) string { return p.examplesOf(p.UserCommand, lines...) }

func (p *Program) examplesOf(command string, lines ...string) string {
	for i, line := range lines {
		end := len(line) // of the command, before a pipe or a comment
		if at := strings.IndexAny(line, "|#"); at >= 0 {
			end = at - len(" ")
		}
		lines[i] = "  " + strings.TrimSpace(command+" "+line[:end]+" "+p.ExampleFlags) + line[end:]
	}
	return strings.Join(lines, "\n")
}
