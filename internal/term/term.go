// Package term reads secrets from the terminal that controls the process, which
// is there also when standard input is a pipe.
package term

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	xterm "golang.org/x/term"
)

// ErrNone is returned by Open where no terminal controls the process, as in CI.
var ErrNone = errors.New("no terminal")

// A Terminal is the controlling terminal of the process.
type Terminal struct {
	in, out   *os.File
	abandoned bool // a read of in goes on
}

// Open opens the controlling terminal, or returns ErrNone.
func Open() (*Terminal, error) {
	in, out, err := openDevices()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	t := &Terminal{in: in, out: out}
	if !xterm.IsTerminal(int(in.Fd())) {
		t.Close()
		return nil, ErrNone
	}
	return t, nil
}

// Close closes the terminal. What was typed or pasted beyond the last line is
// dropped: a shell would show it and run it.
func (t *Terminal) Close() {
	_ = flushInput(int(t.in.Fd()))
	if !t.abandoned { // on Windows, Close waits for the read
		_ = t.in.Close()
	}
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// ReadSecret shows the prompt and reads one line, which is not shown. When ctx
// ends first it returns the context's error at once. Either way the terminal is
// then as it was before. Input that ends before the line does is io.EOF.
//
// The terminal does the line editing, so that a backspace takes back a character
// and not a byte of it, and an end of input is seen: both are where
// x/term.ReadPassword differs.
func (t *Terminal) ReadSecret(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(t.in.Fd())
	state, err := xterm.GetState(fd)
	if err != nil {
		return nil, err
	}
	if err := disableEcho(fd); err != nil {
		return nil, err
	}
	defer func() { _ = xterm.Restore(fd, state) }()
	defer holdStop()() // a shell turns the echo on when it stops a job
	if _, err := fmt.Fprint(t.out, prompt); err != nil {
		return nil, err
	}
	defer fmt.Fprintln(t.out) // the newline that was typed is not shown either

	type answer struct {
		line []byte
		err  error
	}
	// A read of a terminal, which Fd has made a blocking one, cannot be
	// interrupted. After a cancellation this goroutine stays behind until the
	// process ends, which is soon.
	answers := make(chan answer, 1)
	go func() {
		line, err := readLine(t.in)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if errors.Is(a.err, io.EOF) && interrupted(ctx) {
			return nil, ctx.Err()
		}
		return a.line, a.err
	case <-ctx.Done():
		t.abandoned = true
		return nil, ctx.Err()
	}
}

func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, 128) // so that no copy of a password is left behind
	var c [1]byte                // no more than the line: the next one is the next call's
	for {
		if _, err := io.ReadFull(r, c[:]); err != nil {
			return nil, err
		}
		if c[0] == '\n' {
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		line = append(line, c[0])
	}
}
