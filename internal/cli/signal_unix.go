//go:build unix

package cli

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// endingSignals are those that end a run as Ctrl-C does: with the terminal as it
// was before. SIGHUP not under nohup.
func endingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// isBrokenPipe reports whether nobody reads any more what was written.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
