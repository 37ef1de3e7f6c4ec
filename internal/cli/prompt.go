package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/term"
)

// promptAttempts is how often a new password is asked for.
const promptAttempts = 3

// promptNew asks twice for a new password. One that is refused is asked for again,
// as two that differ are.
func (p *Program) promptNew(ctx context.Context, t *term.Terminal, user string) ([]byte, error) {
	var problem error
	for range promptAttempts {
		if problem != nil {
			p.Say("%v", problem)
		}
		password, err := promptOnce(ctx, t, fmt.Sprintf("New password for %s: ", shown(user)))
		if err != nil {
			return nil, err
		}
		if problem = htpasswd.ValidatePassword(password); problem != nil {
			clear(password)
			continue
		}
		again, err := promptOnce(ctx, t, fmt.Sprintf("Repeat the password for %s: ", shown(user)))
		if err != nil {
			return nil, err
		}
		same := bytes.Equal(password, again)
		clear(again)
		if same {
			return password, nil
		}
		clear(password)
		problem = fail(exitMismatch, "", "the passwords do not match")
	}
	return nil, fmt.Errorf("no password after %d attempts: %w", promptAttempts, problem)
}

func promptOnce(ctx context.Context, t *term.Terminal, prompt string) ([]byte, error) {
	password, err := t.ReadSecret(ctx, prompt)
	if errors.Is(err, io.EOF) {
		return nil, fail(exitPassword, "", "the input ended before a password was typed")
	}
	return password, err
}
