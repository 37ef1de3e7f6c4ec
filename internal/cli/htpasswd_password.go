package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/term"
)

// apachePassword returns the password from where the flags say.
func apachePassword(ctx context.Context, p *Program, o htpasswdOptions) (password []byte, err error) {
	switch o.source {
	case 'b':
		password = []byte(o.password)
		return password, checkApachePassword(p, o, password)
	case 'i':
		if password, _, err = decodeLine(ctx, p.Stdin); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return password, checkApachePassword(p, o, password)
	}
	t, err := term.Open()
	if err != nil {
		return promptApache(ctx, p, o, &linePrompt{bufio.NewReader(p.Stdin), p.Stderr})
	}
	defer t.Close()
	return promptApache(ctx, p, o, t)
}

// checkApachePassword refuses a password that bcrypt cannot tell from others, and
// warns of a new one that docker login would change.
func checkApachePassword(p *Program, o htpasswdOptions, password []byte) error {
	invalid := htpasswd.ValidatePassword(password)
	if crypt.Ambiguity(password) != "" {
		return invalid
	}
	if invalid != nil && o.mode != 'v' {
		p.warnApache(invalid)
	}
	return nil
}

type secretReader interface {
	ReadSecret(ctx context.Context, prompt string) ([]byte, error)
}

func promptApache(ctx context.Context, p *Program, o htpasswdOptions, r secretReader) ([]byte, error) {
	question := "New password: "
	if o.mode == 'v' {
		question = "Enter password: "
	}
	password, err := r.ReadSecret(ctx, question)
	if errors.Is(err, io.EOF) {
		return nil, fail(exitPassword, "-i reads it from standard input", "the input ended before a password was typed")
	}
	if err == nil {
		err = checkApachePassword(p, o, password)
	}
	if err != nil || o.mode == 'v' {
		return password, err
	}
	again, err := r.ReadSecret(ctx, "Re-type new password: ")
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(password, again) {
		return nil, fail(exitMismatch, "", "password verification error")
	}
	return password, nil
}

// A linePrompt reads the answers from lines of standard input if there is no
// terminal, as scripts pipe them into Apache's program.
type linePrompt struct {
	in  *bufio.Reader
	out io.Writer
}

func (p *linePrompt) ReadSecret(ctx context.Context, prompt string) ([]byte, error) {
	fmt.Fprint(p.out, prompt)
	defer fmt.Fprintln(p.out)
	line, err := await(ctx, func() ([]byte, error) {
		line, err := p.in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) > 0 {
			return line, nil // the last line need not end
		}
		return line, err
	})
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}
