package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/term"
	"github.com/registryctl/registryctl/internal/userlist"
)

// A passwordSource says where a password comes from: a prompt on the terminal,
// unless a flag names another source. No flag takes the password itself, as every
// process on the machine can read the arguments of another.
type passwordSource struct {
	stdin bool
	file  pathFlag
	env   envFlag
}

func (s *passwordSource) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&s.stdin, "password-stdin", false, "read the password from standard input")
	flags.Var(&s.file, "password-file", "read the password from `FILE`")
	flags.Var(&s.env, "password-env", "read the password from the variable `VAR`")
}

// An envFlag is --password-env. As soon as the flag is parsed, the variable is read and
// removed from the environment, so that no child process sees it.
type envFlag struct {
	name  string
	value string
	isSet bool
}

func (e *envFlag) String() string { return e.name }
func (e *envFlag) Type() string   { return "name" }

func (e *envFlag) Set(name string) error {
	if name == "" {
		return FlagProblem("needs the name of a variable")
	}
	e.name = name
	e.value, e.isSet = os.LookupEnv(name)
	_ = os.Unsetenv(name)
	return nil
}

// A newPassword says where a new password comes from, and how it is hashed.
type newPassword struct {
	passwordSource
	generate bool
	hash     NonEmpty // "-" is standard input
	cost     costFlag

	openLogin func(OpenOptions) (Login, error)
	login     Login // nil: none
}

func (s *newPassword) register(cmd *cobra.Command, p *Program) {
	s.passwordSource.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&s.generate, "generate", false, "generate a password and print it once")
	flags.Var(&s.hash, "hash", "take this bcrypt `HASH`, or - for standard input")
	s.cost.register(cmd)
	s.openLogin = p.LoginFlags(cmd)
}

// prompts reports whether the password is asked for at a prompt.
func (s *newPassword) prompts() bool {
	return !s.stdin && s.file == "" && s.env.name == "" && !s.generate && s.hash == ""
}

// manifest returns the format in which the object is printed, or "" if it is not. The
// JSON of --generate is that of the password, which a dry run does not print.
func (s *newPassword) manifest(p *Program, output formatFlag, dryRun dryRunFlag) string {
	if s.generate && output.value == "json" && dryRun.value == DryRunNone {
		return ""
	}
	return output.manifest(p)
}

// check refuses sources that exclude each other, before a password is read.
func (s *newPassword) check(cmd *cobra.Command, p *Program, t Text) error {
	if err := exclusive(cmd, "a password has one source", "password-stdin", "password-file", "password-env", "generate", "hash"); err != nil {
		return err
	}
	var err error
	if s.login, err = s.openLogin(OpenOptions{Access: ToCreate, DryRun: t.DryRun}); err != nil {
		return err
	}
	switch {
	case s.login != nil && s.hash != "":
		return Misuse("", "a login needs the password, but --hash gives only its hash")
	case t.ToStdout && s.generate:
		return Misuse("name a file with -f", "standard output cannot be both the file and the generated password")
	case t.Manifest != "" && s.generate:
		return manifestAndPassword()
	case t.ToStdout && s.hash == "-":
		return stdinTaken()
	case s.cost != 0 && s.hash != "":
		return Misuse("", "--cost and --hash cannot be used together: the hash already has a cost")
	case s.generate && t.DryRun == DryRunNone && s.login == nil:
		return p.checkStdout()
	}
	return s.passwordSource.check(cmd, t)
}

func (s *passwordSource) check(cmd *cobra.Command, t Text) error {
	if err := exclusive(cmd, "a password has one source", "password-stdin", "password-file", "password-env"); err != nil {
		return err
	}
	if t.ToStdout && s.stdin {
		return stdinTaken()
	}
	return nil
}

// manifestAndPassword returns the error for flags that would print both.
func manifestAndPassword() error {
	return Misuse("leave out -o", "standard output cannot be both the manifest and the generated password")
}

func stdinTaken() error {
	return Misuse("name a file with -f, or take the password from --password-file or --password-env",
		"standard input cannot be both the file and the password")
}

// checkStdout fails if nobody could see a generated password.
func (p *Program) checkStdout() error {
	f, ok := p.Stdout.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	// Go opens the null device if standard output is closed. On Windows, os.SameFile
	// cannot tell a pipe or a terminal from the null device.
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) && info.Mode().Type() == null.Mode().Type() && !isTerminal(f) {
		return fail(exitIO, "the password is printed only once", "standard output is closed or the null device: nobody would see the generated password")
	}
	return nil
}

// A credential is a password, or a hash that was computed elsewhere.
type credential struct {
	password []byte
	hash     htpasswd.Hash
}

// read returns the credential for a user.
func (s *newPassword) read(ctx context.Context, p *Program, user string) (c credential, err error) {
	if s.login != nil {
		if err := s.login.Check(ctx); err != nil {
			return c, fmt.Errorf("cannot save a login: %w", err)
		}
	}
	switch {
	case s.generate:
		c.password = []byte(rand.Text())
		return c, nil
	case s.hash != "":
		c.hash, err = s.readHash(ctx, p.Stdin)
		return c, err
	}
	c.password, err = s.passwordSource.read(ctx, p, user, p.promptNew)
	if err != nil {
		return credential{}, err
	}
	if err := htpasswd.ValidatePassword(c.password); err != nil {
		return credential{}, fail(exitPassword, s.blankHint(c.password), "%w", s.named(err))
	}
	const short = 8
	switch {
	case isQuoted(c.password):
		p.Warn("the quotes around the password are part of it")
	case string(c.password) == user:
		p.Warn("the password is the same as the user name")
	case len([]rune(string(c.password))) < short:
		p.Warn("the password has fewer than %d characters", short)
	}
	return c, nil
}

// isQuoted reports whether a password is in quotes, as cmd.exe sends it for: echo "d0cker"|
func isQuoted(password []byte) bool {
	n := len(password)
	return n > 1 && (password[0] == '"' || password[0] == '\'') && password[n-1] == password[0]
}

// encode returns the hash of the credential. A password is hashed at the given cost and
// overwritten, unless it is needed again.
func (s *newPassword) encode(ctx context.Context, p *Program, c credential, cost int) (htpasswd.Hash, error) {
	if !c.hash.IsZero() {
		cost, _ := c.hash.Cost()
		p.warnOfCost(cost)
		return c.hash, nil
	}
	start := time.Now()
	h, err := await(ctx, func() (htpasswd.Hash, error) {
		if !s.generate && s.login == nil {
			defer clear(c.password)
		}
		return htpasswd.HashPassword(c.password, cost)
	})
	switch {
	case err != nil:
	case cost > slowCost:
		p.Warn("at cost %d each request to the registry takes %.1f s of a core like this one", cost, time.Since(start).Seconds())
	default:
		p.warnOfCost(cost)
	}
	return h, err
}

// save saves the login of a user whose password was set, if a flag asks for it.
func (s *newPassword) save(ctx context.Context, p *Program, t Text, user string, c credential) (saved bool, err error) {
	if s.login == nil {
		return false, nil
	}
	if err := s.login.Save(ctx, user, c.password); err != nil {
		return false, fmt.Errorf("the password of %s was set, but its login was not saved: %w", shown(user), err)
	}
	clear(c.password)
	p.done(t, "saved the login of %s in %s", shown(user), s.login)
	return true, nil
}

// A cost below weakCost or above slowCost is warned of.
const (
	weakCost = 10
	slowCost = 12
)

// warnOfCost warns of a cost whose time on this machine is not known.
func (p *Program) warnOfCost(cost int) {
	switch {
	case cost > slowCost:
		p.Warn("at cost %d each request to the registry takes %d times as long as at cost %d", cost, 1<<(cost-htpasswd.DefaultCost), htpasswd.DefaultCost)
	case cost < weakCost && cost > 0:
		p.Warn("a hash of cost %d is quick to guess for anyone who gets the file; the default is %d", cost, htpasswd.DefaultCost)
	}
}

type prompter func(context.Context, *term.Terminal, string) ([]byte, error)

// promptExisting asks once.
func promptExisting(ctx context.Context, t *term.Terminal, user string) ([]byte, error) {
	return promptOnce(ctx, t, fmt.Sprintf("Password for %s: ", shown(user)))
}

// read reads the password from the source that the flags name, or from the prompt.
func (s *passwordSource) read(ctx context.Context, p *Program, user string, prompt prompter) ([]byte, error) {
	switch {
	case s.stdin:
		return s.readLine(ctx, p, p.Stdin)
	case s.file != "":
		f, err := await(ctx, func() (*os.File, error) { return openFile(string(s.file)) }) // a pipe waits for its writer
		if err != nil {
			return nil, s.cannotOpen(err)
		}
		defer f.Close()
		return s.readLine(ctx, p, f)
	case s.env.name != "" && !s.env.isSet:
		// The message does not repeat the name, which may be the password, given by mistake.
		return nil, Misuse("use the name of the variable alone: PW, not $PW, $env:PW or %PW%", "the environment variable of --password-env is not set")
	case s.env.name != "":
		return s.readLine(ctx, p, strings.NewReader(s.env.value))
	}
	t, err := term.Open()
	if err != nil {
		return nil, Misuse("use --password-stdin, --password-file or --password-env", "no terminal to ask for the password of %s", shown(user))
	}
	defer t.Close()
	return prompt(ctx, t, user)
}

func (s *passwordSource) readLine(ctx context.Context, p *Program, r io.Reader) ([]byte, error) {
	line, marked, err := decodeLine(ctx, r)
	if marked && err == nil {
		p.Warn("%s has a byte order mark, which docker login --password-stdin would send as part of the password", s.place())
	}
	return line, s.named(err)
}

// place names the source of the password; it is empty for the prompt.
func (s *passwordSource) place() string {
	switch {
	case s.stdin:
		return "standard input"
	case s.env.isSet:
		return "$" + s.env.name
	}
	return string(s.file)
}

// named adds the source to the error of a password that is refused.
func (s *passwordSource) named(err error) error {
	if place := s.place(); place != "" && errors.Is(err, htpasswd.ErrInvalidPassword) {
		return fmt.Errorf("%s: %w", place, err)
	}
	return err
}

// cannotOpen returns the error for a --password-file that cannot be opened. It does not
// repeat the name, which may be the password itself, given by mistake.
func (s *passwordSource) cannotOpen(err error) error {
	hint := ""
	switch {
	case s.file == "-":
		hint = "--password-stdin reads it from standard input"
	case errors.Is(err, fs.ErrNotExist):
		hint = "--password-file takes the path of a file that holds the password"
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return Fail(hint, "cannot open the file of --password-file: %w", err)
}

// maxSourceBytes is more than any password needs, even in UTF-16. A longer text is
// refused without being read to its end.
const maxSourceBytes = 4096

// decodeLine reads a password as the shells of all systems send it: perhaps with a byte
// order mark, which marked reports, or as UTF-16, and with a line ending.
func decodeLine(ctx context.Context, r io.Reader) (line []byte, marked bool, err error) {
	raw, err := readAll(ctx, io.LimitReader(r, maxSourceBytes))
	if err != nil {
		return nil, false, err
	}
	text, err := charset.Decode(raw)
	defer func() { clear(raw); clear(text) }()
	if err != nil {
		return nil, false, fail(exitPassword, "", "%w: it is truncated or malformed UTF-16", htpasswd.ErrInvalidPassword)
	}
	marked = !bytes.Equal(text, raw)
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(line, []byte("\r"))
	}
	if bytes.ContainsAny(text, "\r\n") {
		return nil, false, fail(exitPassword, "", "%w: it has more than one line", htpasswd.ErrInvalidPassword)
	}
	if slices.Contains(powerShellObjects, string(text)) {
		return nil, false, fail(exitPassword, "pipe in the text: [Net.NetworkCredential]::new('', $secure).Password",
			"%w: it is the name of a PowerShell object that holds a password", htpasswd.ErrInvalidPassword)
	}
	return bytes.Clone(text), marked, nil
}

// powerShellObjects are what PowerShell sends if a secret object itself is piped into a
// program.
var powerShellObjects = []string{"System.Security.SecureString", "System.Management.Automation.PSCredential"}

func (s *newPassword) readHash(ctx context.Context, stdin io.Reader) (h htpasswd.Hash, err error) {
	text := string(s.hash)
	if text == "-" {
		line, _, err := decodeLine(ctx, stdin)
		if errors.Is(err, htpasswd.ErrInvalidPassword) {
			return h, fail(exitFormat, "", "standard input is not one line with a hash")
		}
		if err != nil {
			return h, err
		}
		text = strings.TrimSpace(string(line)) // cmd.exe sends the blank before a |
	}
	h, err = htpasswd.ParseHash(text)
	switch {
	case err == nil && h.Scheme() == htpasswd.Bcrypt:
		return h, nil
	case err == nil:
		return h, fail(exitFormat, "", "the hash is %s, and the registry accepts only bcrypt", h.Scheme())
	case strings.HasPrefix(text, "$$"):
		return h, fail(exitFormat, "write each $ once; they are doubled only in a compose file", "the value of --hash is not a bcrypt hash")
	case strings.HasPrefix(text, "'"):
		return h, fail(exitFormat, "leave out the single quotes: in cmd.exe they are part of the value", "the value of --hash is not a bcrypt hash")
	case !strings.HasPrefix(text, "$"):
		return h, fail(exitFormat, "put it in single quotes, because a shell expands what follows a $; or use --hash -",
			"the value of --hash is not a bcrypt hash")
	}
	return h, fail(exitFormat, "a bcrypt hash has 60 characters and begins with $2y$", "the value of --hash is not a bcrypt hash")
}

// A generatedPassword is the JSON output for one. No field may change its name.
type generatedPassword struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Hash     string `json:"hash,omitempty"` // with --print
}

// passwordCSV returns generated passwords as CSV with a header.
func passwordCSV(list []generatedPassword) []byte {
	var text bytes.Buffer
	table := csv.NewWriter(&text)
	_ = table.Write([]string{"name", "password"}) // to a buffer: no error
	for _, g := range list {
		_ = table.Write([]string{userlist.QuoteCell(g.User), g.Password})
	}
	table.Flush()
	return text.Bytes()
}

// revealUnsure prints generated passwords after an edit that may have been made, and
// warns that they may not be in force.
func (p *Program) revealUnsure(err error, reveal func() error) error {
	p.Warn("what is printed is in force only if the edit was made")
	return errors.Join(err, reveal())
}

// lostPasswords returns the error for passwords that were set but could not be printed.
func (p *Program) lostPasswords(what string, users []string, err error) error {
	if err == nil {
		return nil
	}
	const most = 10
	if len(users) > most {
		users = []string{"NAME"}
	}
	// Not wrapped, because report would ignore it if the reader of the output is gone.
	return fail(exitIO, p.userCommand("passwd --generate", users...), "%s set but could not be printed: %v", what, err)
}
