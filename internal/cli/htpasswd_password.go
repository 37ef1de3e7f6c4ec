package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/term"
)

func (c *apacheCommand) readPassword(ctx context.Context) ([]byte, error) {
	switch c.source {
	case 'b':
		password := []byte(c.password)
		return password, htpasswd.ValidatePassword(password)
	case 'i':
		return decodePassword(ctx, c.program.Stdin, "standard input")
	}
	t, err := term.Open()
	if err != nil {
		return c.prompt(ctx, &linePrompt{bufio.NewReader(c.program.Stdin), c.program.Stderr})
	}
	defer t.Close()
	return c.prompt(ctx, t)
}

type secretReader interface {
	ReadSecret(ctx context.Context, prompt string) ([]byte, error)
}

func (c *apacheCommand) prompt(ctx context.Context, r secretReader) ([]byte, error) {
	question := "New password: "
	if c.mode == 'v' {
		question = "Enter password: "
	}
	password, err := r.ReadSecret(ctx, question)
	if errors.Is(err, io.EOF) {
		return nil, fail(exitPassword, "-i reads it from standard input", "the input ended before a password was typed")
	}
	if err == nil {
		err = htpasswd.ValidatePassword(password)
	}
	if err != nil || c.mode == 'v' {
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

// A linePrompt asks where there is no terminal: the answers are lines of standard
// input, as scripts pipe them into Apache's program.
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
