package cli

import (
	"bytes"
	"context"
	"crypto/rand"
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
)

// A passwordSource is the one place that a password comes from: a prompt on the
// terminal, unless a flag names another. There is no flag for the password
// itself, as every process on the machine can read the arguments of another.
type passwordSource struct {
	stdin    bool
	file     string
	env      string
	generate bool
	hash     string
	cost     costFlag

	cmd *cobra.Command
	app *app
}

// registerRead adds the flags for a password that exists already.
func (p *passwordSource) registerRead(cmd *cobra.Command, a *app) {
	p.cmd, p.app = cmd, a
	flags := cmd.Flags()
	flags.BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input")
	flags.StringVar(&p.file, "password-file", "", "read the password from FILE")
	flags.StringVar(&p.env, "password-env", "", "read the password from the variable VAR")
}

// registerNew adds the flags for a password that is to be set.
func (p *passwordSource) registerNew(cmd *cobra.Command, a *app) {
	p.registerRead(cmd, a)
	flags := cmd.Flags()
	flags.BoolVar(&p.generate, "generate", false, "make a password and print it, once")
	flags.StringVar(&p.hash, "hash", "", "take this bcrypt HASH; - is standard input")
	p.cost.register(cmd)
}

// check refuses flags that exclude each other, before anything is asked or read.
func (p *passwordSource) check() error {
	var given []string
	for _, name := range []string{"password-stdin", "password-file", "password-env", "generate", "hash"} {
		if f := p.cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() != "false" {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return fail(exitUsage, "a password has one source", "%s exclude each other", strings.Join(given, " and "))
	}
	if p.app.file == "-" && (p.stdin || p.hash == "-") {
		return fail(exitUsage, "name a file with -f, or take the password from --password-file or --password-env",
			"standard input cannot be both the file and the password")
	}
	if p.app.file == "-" && p.generate {
		return fail(exitUsage, "name a file with -f", "standard output cannot be both the file and the generated password")
	}
	if p.cost.given && p.cmd.Flags().Changed("hash") {
		return fail(exitUsage, "", "--cost and --hash exclude each other: the hash has its cost")
	}
	return nil
}

// A secret is what a user is to be known by: a password, or a hash of one that
// was made elsewhere.
type secret struct {
	password []byte
	hash     htpasswd.Hash
	ready    bool // the hash is given, and there is no password
}

// read returns the secret of a user whose password is to be set.
func (p *passwordSource) read(ctx context.Context, user string) (secret, error) {
	switch {
	case p.generate:
		return secret{password: []byte(rand.Text())}, nil
	case p.cmd.Flags().Changed("hash"):
		return p.readHash(ctx)
	}
	password, err := p.readPassword(ctx, user, p.promptNew)
	if err != nil {
		return secret{}, err
	}
	return secret{password: password}, nil
}

// readPassword returns the password from where the flags say, or from prompt.
func (p *passwordSource) readPassword(ctx context.Context, user string, prompt prompter) ([]byte, error) {
	switch {
	case p.stdin:
		return decodePassword(ctx, p.app.in, "standard input")
	case p.cmd.Flags().Changed("password-file"):
		f, err := os.Open(p.file)
		if err != nil {
			return nil, p.noFile(err)
		}
		defer f.Close()
		return decodePassword(ctx, f, p.file)
	case p.cmd.Flags().Changed("password-env"):
		value, ok := os.LookupEnv(p.env)
		if !ok {
			// Not named in the message: it may be the password, put here by mistake.
			return nil, fail(exitUsage, "--password-env takes the variable's name, without a $", "the environment variable of --password-env is not set")
		}
		return decodePassword(ctx, strings.NewReader(value), "the environment variable")
	}
	t, err := term.Open()
	if err != nil {
		return nil, fail(exitUsage, "use --password-stdin, --password-file or --password-env", "no terminal to ask for the password of %q", user)
	}
	defer t.Close()
	return prompt(ctx, t, user)
}

// noFile is the error of a --password-file that cannot be opened. It does not name
// the file: that may be the password, put here by mistake.
func (p *passwordSource) noFile(err error) error {
	hint := ""
	switch {
	case p.file == "-":
		hint = "--password-stdin reads it from standard input"
	case errors.Is(err, fs.ErrNotExist):
		hint = "--password-file takes the path of a file that holds the password"
	}
	var unnamed *fs.PathError
	if errors.As(err, &unnamed) {
		err = unnamed.Err
	}
	return fail(exitIO, hint, "cannot open the file of --password-file: %w", err)
}

type prompter func(context.Context, *term.Terminal, string) ([]byte, error)

// promptAttempts is how often two different passwords may be typed.
const promptAttempts = 3

func (p *passwordSource) promptNew(ctx context.Context, t *term.Terminal, user string) ([]byte, error) {
	for range promptAttempts {
		password, err := promptOnce(ctx, t, fmt.Sprintf("New password for %q: ", user))
		if err != nil {
			return nil, err
		}
		if err := htpasswd.ValidatePassword(password); err != nil {
			return nil, err
		}
		again, err := promptOnce(ctx, t, fmt.Sprintf("Repeat the password for %q: ", user))
		if err != nil {
			return nil, err
		}
		if bytes.Equal(password, again) {
			return password, nil
		}
		fmt.Fprintf(p.app.err, "%s: the passwords differ\n", p.app.name)
	}
	return nil, fail(exitMismatch, "", "the passwords differed %d times", promptAttempts)
}

func promptExisting(ctx context.Context, t *term.Terminal, user string) ([]byte, error) {
	return promptOnce(ctx, t, fmt.Sprintf("Password for %q: ", user))
}

func promptOnce(ctx context.Context, t *term.Terminal, prompt string) ([]byte, error) {
	password, err := t.ReadSecret(ctx, prompt)
	if errors.Is(err, io.EOF) {
		return nil, fail(exitPassword, "", "the input ended before a password was typed")
	}
	return password, err
}

// maxSourceBytes is more than any password takes, in UTF-16 as well; what is
// longer need not be read to be refused.
const maxSourceBytes = 4096

// decodePassword reads a password as the shells of every system send it: with a
// byte order mark or as UTF-16, and with a line end behind it.
func decodePassword(ctx context.Context, r io.Reader, place string) ([]byte, error) {
	password, err := decodeLine(ctx, r)
	if err == nil {
		err = htpasswd.ValidatePassword(password)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	return password, nil
}

// decodeLine returns the one line that r holds.
func decodeLine(ctx context.Context, r io.Reader) ([]byte, error) {
	raw, err := readAll(ctx, io.LimitReader(r, maxSourceBytes))
	if err != nil {
		return nil, err
	}
	text, err := charset.Decode(raw)
	if err != nil {
		return nil, fail(exitPassword, "", "%w: it is cut or broken UTF-16", htpasswd.ErrInvalidPassword)
	}
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(line, []byte("\r"))
	}
	if bytes.ContainsAny(text, "\r\n") {
		return nil, fail(exitPassword, "", "%w: it has more than one line", htpasswd.ErrInvalidPassword)
	}
	if slices.Contains(powerShellObjects, string(text)) {
		return nil, fail(exitPassword, "pipe in the text: [Net.NetworkCredential]::new('', $secure).Password",
			"%w: it is what PowerShell calls an object that holds one", htpasswd.ErrInvalidPassword)
	}
	return text, nil
}

// powerShellObjects are what PowerShell makes of a secret that is piped into a
// program as it is.
var powerShellObjects = []string{"System.Security.SecureString", "System.Management.Automation.PSCredential"}

func (p *passwordSource) readHash(ctx context.Context) (secret, error) {
	text := p.hash
	if text == "-" {
		line, err := decodeLine(ctx, p.app.in)
		if errors.Is(err, htpasswd.ErrInvalidPassword) {
			return secret{}, fail(exitFormat, "", "standard input is not one line with a hash")
		}
		if err != nil {
			return secret{}, err
		}
		text = string(line)
	}
	h, err := htpasswd.ParseHash(text)
	switch {
	case err == nil && h.Scheme() == htpasswd.Bcrypt:
		return secret{hash: h, ready: true}, nil
	case err == nil:
		return secret{}, fail(exitFormat, "", "the hash is %s, and the registry accepts only bcrypt", h.Scheme())
	case !strings.HasPrefix(text, "$"):
		return secret{}, fail(exitFormat, "put it in single quotes, as a shell takes what follows a $ for a variable; or use --hash -",
			"the value of --hash is not a bcrypt hash")
	case strings.HasPrefix(text, "$$"):
		return secret{}, fail(exitFormat, "write each $ once; they are doubled only in a compose file", "the value of --hash is not a bcrypt hash")
	default:
		return secret{}, fail(exitFormat, "a bcrypt hash has 60 characters and begins with $2y$", "the value of --hash is not a bcrypt hash")
	}
}

// slowCost is the highest cost that goes without a warning.
const slowCost = 12

// encode returns the hash of the secret, made at the given cost if it is not
// there already. A hash takes its time: it is made before any lock is taken, and
// does not outlast a Ctrl-C.
func (a *app) encode(ctx context.Context, s secret, cost int) (htpasswd.Hash, error) {
	if s.ready {
		cost, _ := s.hash.Cost()
		a.warnOfCost(cost)
		return s.hash, nil
	}
	start := time.Now()
	h, err := await(ctx, func() (htpasswd.Hash, error) { return htpasswd.HashPassword(s.password, cost) })
	if err == nil && cost > slowCost {
		a.say("warning: at cost %d each request to the registry takes %.1f s of a core like this one", cost, time.Since(start).Seconds())
	}
	return h, err
}

// warnOfCost says what a cost means that nobody has timed here.
func (a *app) warnOfCost(cost int) {
	if cost > slowCost {
		a.say("warning: at cost %d each request to the registry takes %d times as long as at cost %d", cost, 1<<(cost-htpasswd.DefaultCost), htpasswd.DefaultCost)
	}
}

// interruptible runs what cannot be interrupted itself, and stops waiting for it
// when ctx ends.
func interruptible(ctx context.Context, work func() error) error {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, work() })
	return err
}

// await is interruptible for work with a result. That comes through a channel:
// work that goes on after ctx has ended touches nothing of the caller's.
func await[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := work()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
