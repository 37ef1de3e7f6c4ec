package basicauth

import "context"

// A comparison of a password with a hash that is under way or waits for its turn,
// shared by all who want to know.
type comparison struct {
	wanted  int  // by so many callers; guarded by Authenticator.mu, as the next one
	started bool // it has had its turn

	unwanted chan struct{} // closed when nobody wants it any more before it had its turn
	done     chan struct{} // closed when right is set
	right    bool
}

// share calls compare once for all who ask for the same credential at the same
// time, no more than MaxConcurrent at once, and returns what it returned. What was
// right is remembered. If the context ends first, its error is returned, and the
// comparison goes on for the others.
func (a *Authenticator) share(ctx context.Context, c credential, compare func() bool) (right bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	a.mu.Lock()
	s, shared := a.comparisons[c]
	if !shared {
		s = &comparison{unwanted: make(chan struct{}), done: make(chan struct{})}
		a.comparisons[c] = s
	}
	s.wanted++
	a.mu.Unlock()

	switch {
	case shared:
	case ctx.Done() == nil: // who cannot leave does it himself, which is faster
		a.run(s, c, compare)
	default:
		go a.run(s, c, compare)
	}
	select {
	case <-s.done:
		return s.right, nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.wanted--
	if s.wanted == 0 && !s.started {
		delete(a.comparisons, c)
		close(s.unwanted)
	}
	return false, ctx.Err()
}

// run waits for the turn of s, and compares unless nobody wants that any more.
func (a *Authenticator) run(s *comparison, c credential, compare func() bool) {
	select {
	case a.bound <- struct{}{}: // who waits for this gets it in the order of coming
		defer func() { <-a.bound }()
	case <-s.unwanted:
		return
	}
	a.mu.Lock()
	s.started = s.wanted > 0
	a.mu.Unlock()
	if !s.started {
		return
	}
	right := compare()

	a.mu.Lock()
	defer a.mu.Unlock()
	if right {
		a.cache.add(c)
	}
	delete(a.comparisons, c)
	s.right = right
	close(s.done)
}

func (a *Authenticator) remembers(c credential) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cache.has(c)
}
