package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	xterm "golang.org/x/term"
)

// parallel calls work(0) to work(n-1) on every core and returns the first error.
// When ctx ends, it does not wait for the calls under way. On a terminal a line on
// standard error shows the progress.
func (p *Program) parallel(ctx context.Context, what string, n int, work func(int) error) error {
	var done atomic.Int64
	defer p.progress(what, n, &done)()
	return interruptible(ctx, func() error {
		workers, ctx := errgroup.WithContext(ctx)
		workers.SetLimit(runtime.GOMAXPROCS(0))
		for i := 0; i < n && ctx.Err() == nil; i++ {
			workers.Go(func() error {
				defer done.Add(1)
				return work(i)
			})
		}
		return workers.Wait()
	})
}

// progress rewrites one line on standard error, if that is a terminal, until it
// is stopped.
func (p *Program) progress(what string, n int, done *atomic.Int64) (stop func()) {
	if p.quiet || n == 0 || !isTerminal(p.Stderr) {
		return func() {}
	}
	shown := 0
	show := func(line string) { // overwrites the last line with spaces, as not every terminal knows escapes
		fmt.Fprintf(p.Stderr, "\r%-*s\r%s", shown, "", line)
		shown = len(line)
	}
	begun := time.Now()
	stopped := make(chan struct{})
	var display sync.WaitGroup
	display.Go(func() {
		for {
			select {
			case <-time.After(100 * time.Millisecond):
				show(progressLine(what, int(done.Load()), n, time.Since(begun)))
			case <-stopped:
				show("")
				return
			}
		}
	})
	return func() {
		close(stopped)
		display.Wait()
	}
}

// progressLine returns a line such as "hashing 120 of 1000, 30/s, 29s left".
func progressLine(what string, done, n int, since time.Duration) string {
	line := fmt.Sprintf("%s %d of %d", what, done, n)
	if done == 0 {
		return line
	}
	left := time.Duration(float64(since) * float64(n-done) / float64(done))
	return fmt.Sprintf("%s, %.0f/s, %s left", line, float64(done)/since.Seconds(), left.Round(time.Second))
}

// isTerminal reports whether one of the program's streams is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}
