package cli

import (
	"os"
	"syscall"
)

// endingSignals are those that end a run as Ctrl-C does.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// ignoreBrokenPipe has nothing to do: Windows has no such signal.
func ignoreBrokenPipe() {}
