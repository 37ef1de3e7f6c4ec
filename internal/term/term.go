// Package term reads secrets from the terminal that controls the process, which
// is there also when standard input is a pipe.
package term

import (
	"context"
	"errors"
	"fmt"
	"os"

	xterm "golang.org/x/term"
)

// ErrNone is returned by Open where no terminal controls the process, as in CI.
var ErrNone = errors.New("no terminal")

// A Terminal is the controlling terminal of the process.
type Terminal struct{ in, out *os.File }

// Open opens the controlling terminal, or returns ErrNone.
func Open() (*Terminal, error) {
	in, out, err := openDevices()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	t := &Terminal{in, out}
	if !xterm.IsTerminal(int(in.Fd())) {
		t.Close()
		return nil, ErrNone
	}
	return t, nil
}

// Close closes the terminal.
func (t *Terminal) Close() {
	_ = t.in.Close()
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// ReadSecret shows the prompt and reads one line, which is not shown. When ctx
// ends first it returns the context's error at once, and the terminal is as it
// was before. End of input is io.EOF.
func (t *Terminal) ReadSecret(ctx context.Context, prompt string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd := int(t.in.Fd())
	state, err := xterm.GetState(fd)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprint(t.out, prompt); err != nil {
		return nil, err
	}
	type answer struct {
		secret []byte
		err    error
	}
	// A read of a terminal cannot be interrupted. After a cancellation this
	// goroutine stays behind until the process ends, which is soon.
	answers := make(chan answer, 1)
	go func() {
		secret, err := xterm.ReadPassword(fd)
		answers <- answer{secret, err}
	}()
	defer fmt.Fprintln(t.out) // the newline that was typed is not shown either
	select {
	case a := <-answers:
		return a.secret, a.err
	case <-ctx.Done():
		_ = xterm.Restore(fd, state)
		return nil, ctx.Err()
	}
}
