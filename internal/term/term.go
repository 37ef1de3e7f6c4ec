// Package term reads secrets from the controlling terminal of the process, which it can
// use even if standard input is a pipe.
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
	abandoned bool // a read of in has not ended
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

// Close closes the terminal. It discards what was typed or pasted after the last line,
// because a shell would show and run it.
func (t *Terminal) Close() {
	_ = flushInput(int(t.in.Fd()))
	if !t.abandoned { // on Windows, Close waits for the read
		_ = t.in.Close()
	}
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// ReadSecret shows the prompt and reads one line without echo. If ctx ends first, it
// returns the error of ctx at once. In either case it restores the terminal. If the input
// ends before the line does, the error is io.EOF.
//
// Unlike x/term.ReadPassword it leaves line editing to the terminal, so that a backspace
// removes a character and not a byte of it, and it notices the end of the input.
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
	defer fmt.Fprintln(t.out) // the newline that was typed was not echoed

	type answer struct {
		line []byte
		err  error
	}
	// A read of a terminal cannot be interrupted, because Fd has made it blocking. After
	// a cancellation this goroutine remains until the process ends, which is soon.
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
	line := make([]byte, 0, 128) // large enough that append leaves no copy of a password
	var c [1]byte                // byte by byte, because the next line belongs to the next call
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
