package term

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
	xterm "golang.org/x/term"
)

func openDevices() (in, out *os.File, err error) {
	in, err = os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	out, err = os.OpenFile("CONOUT$", os.O_WRONLY, 0)
	if err != nil {
		_ = in.Close()
		return nil, nil, err
	}
	return in, out, nil
}

// holdStop has nothing to do: Windows does not stop jobs.
func holdStop() (release func()) { return func() {} }

func flushInput(fd int) error { return windows.FlushConsoleInputBuffer(windows.Handle(fd)) }

// interrupted reports whether it was Ctrl-C that ended a read. That looks like
// an end of the input, and the signal may come a moment later.
func interrupted(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(500 * time.Millisecond):
		return false
	}
}

// AwaitKey shows the prompt and waits for a key.
func (t *Terminal) AwaitKey(prompt string) {
	state, err := xterm.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return
	}
	defer func() { _ = xterm.Restore(int(t.in.Fd()), state) }()
	fmt.Fprint(t.out, prompt)
	_, _ = t.in.Read(make([]byte, 1))
}

// disableEcho leaves the console reading whole lines, and Ctrl-C an event.
func disableEcho(fd int) error {
	var mode uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &mode); err != nil {
		return err
	}
	mode &^= windows.ENABLE_ECHO_INPUT
	mode |= windows.ENABLE_LINE_INPUT | windows.ENABLE_PROCESSED_INPUT
	return windows.SetConsoleMode(windows.Handle(fd), mode)
}
