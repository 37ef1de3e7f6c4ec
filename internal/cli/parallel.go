package cli

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	xterm "golang.org/x/term"
)

// parallel calls work(0) to work(n-1) on every core and returns the first error.
// It does not wait for what is under way when ctx ends. On a terminal a line on
// standard error says how far it is.
func (p *Program) parallel(ctx context.Context, what string, n int, work func(int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := work(int(i)); err != nil {
					cancel(err)
				}
				done.Add(1)
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	stop := p.progress(what, n, &done)
	defer stop()
	select {
	case <-finished:
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

// progress rewrites one line on standard error, if that is a terminal, until it
// is stopped.
func (p *Program) progress(what string, n int, done *atomic.Int64) (stop func()) {
	if p.quiet || n == 0 || !isTerminal(p.Stderr) {
		return func() {}
	}
	shown := 0
	show := func(line string) { // what was there before goes, also where a terminal knows no escapes
		fmt.Fprintf(p.Stderr, "\r%-*s\r%s", shown, "", line)
		shown = len(line)
	}
	begun := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-ticker.C:
				show(progressLine(what, int(done.Load()), n, time.Since(begun)))
			case <-stopped:
				show("")
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(stopped)
		<-gone
	}
}

// progressLine is such as "hashing 120 of 1000, 30/s, 29s left".
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
