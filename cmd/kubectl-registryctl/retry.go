package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
)

const (
	firstWait   = 20 * time.Millisecond
	longestWait = 4 * time.Second // the fewer there are at a time, the more get through

	// shortestTry is the time that must be left for a try.
	shortestTry = 100 * time.Millisecond
	// longestTry is the time for an edit that is not tried again.
	longestTry = time.Minute
	// noticeAfter is when a person is told what an edit waits for.
	noticeAfter = time.Second
)

// retry calls work until it succeeds, or fails for good, or the time of
// --retry-timeout is over, which ends the context of work too. A command that only
// reads is not tried again. The error is one for a person.
func (s *secret) retry(ctx context.Context, work func(context.Context) error) error {
	if s.options.Access == cli.ToRead {
		return s.explain(ctx, work(ctx))
	}
	limit := s.patience
	if limit == 0 {
		limit = longestTry
	}
	end := time.Now().Add(limit)
	within, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	notice := s.startNotice(limit)
	defer notice.stop()
	var last error
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		begun := time.Now()
		err := work(within)
		if last != nil && errors.Is(err, context.DeadlineExceeded) && within.Err() != nil {
			err = last // says more
		}
		if err == nil || s.patience == 0 || !s.passes(within, err) {
			return s.explain(ctx, err)
		}
		last = err
		notice.because(waitsFor(err))
		// A random pause, so that concurrent edits spread out. It is shorter when little time
		// is left.
		pause := rand.N(max(firstWait, min(wait, time.Until(end)/10)))
		if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
			pause = max(pause, time.Duration(seconds)*time.Second)
		}
		// If the deadline cut off a write, its result would be unknown.
		if needed := max(shortestTry, 2*time.Since(begun)); time.Until(end) < pause+needed {
			return s.explain(ctx, err)
		}
		select {
		case <-time.After(pause):
		case <-within.Done():
			return s.explain(ctx, err)
		}
	}
}

// errAbandoned is in the error of a write whose answer a person has stopped
// waiting for.
var errAbandoned = errors.New("interrupted")

// await makes a write, and waits for its answer also when ctx is canceled, so that
// what is said of it is true. A user who interrupts it is told so, and can
// interrupt again to stop waiting. The deadline of ctx ends it.
func (s *secret) await(ctx context.Context, write func(context.Context) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	if err := ctx.Err(); err != nil {
		return nil, requestError{err}
	}
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	type answer struct {
		object *unstructured.Unstructured
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		object, err := write(ctx)
		done <- answer{object, err}
	}()
	for told := false; ; told = true {
		select {
		case a := <-done:
			return a.object, a.err
		case <-interrupts:
			if told {
				return nil, requestError{errAbandoned}
			}
			s.program.Say("waiting for the answer to the write of %s; interrupt again to stop without it", s)
		}
	}
}

// A notice tells a person, once, what an edit waits for.
type notice struct {
	mu      sync.Mutex
	reason  string
	stopped bool
	timer   *time.Timer
}

func (s *secret) startNotice(limit time.Duration) *notice {
	n := &notice{reason: "the answer of the cluster"}
	n.timer = time.AfterFunc(noticeAfter, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.stopped && !s.told {
			s.told = true
			s.program.Say("%s: waiting up to %s for %s", s, limit, n.reason)
		}
	})
	return n
}

func (n *notice) because(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reason = reason
}

func (n *notice) stop() {
	n.timer.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
}
