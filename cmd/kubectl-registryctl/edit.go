package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	firstWait   = 20 * time.Millisecond
	longestWait = 4 * time.Second // the fewer there are at a time, the more get through

	longestWrite = time.Minute
)

// edit applies a change to the text that is there, and again to the one that is
// there then if somebody else was faster or the server went away, until patience
// ends.
func (s *secret) edit(ctx context.Context, change func(text []byte) ([]byte, error)) (changed bool, err error) {
	var lost *revision
	deadline := time.Now().Add(s.patience)
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		changed, err = s.try(ctx, change, &lost)
		if err == nil {
			return changed, nil
		}
		if !s.passes(err) || time.Now().After(deadline) {
			break
		}
		// Anything up to it, as the others wait as well; who has waited long, less.
		most := max(firstWait, min(wait, time.Until(deadline)/10))
		select {
		case <-time.After(rand.N(most)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	if lost != nil {
		return false, s.unsure(ctx, err)
	}
	return false, s.explain(ctx, err)
}

// try makes the change once. Of a write that no answer came to it leaves what it
// was in lost.
func (s *secret) try(ctx context.Context, change func(text []byte) ([]byte, error), lost **revision) (changed bool, err error) {
	object, err := s.get(ctx)
	if err != nil {
		return false, err
	}
	key, text, err := s.text(object)
	if err != nil {
		return false, err
	}
	if *lost != nil && (*lost).isIn(text) {
		return true, nil
	}
	if isImmutable(object) {
		return false, s.immutable()
	}
	edited, err := change(text)
	if err != nil || bytes.Equal(edited, text) {
		return false, err
	}
	if object, err = s.with(object, key, edited); err != nil {
		return false, err
	}
	// It is waited for, also when ctx ends, so that what is said of it is true.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestWrite)
	defer cancel()
	if err = s.put(ctx, object); err != nil && !isRefusal(err) && !s.dryRun {
		*lost = &revision{text, edited}
	}
	return err == nil, err
}

// A revision is a write of a text.
type revision struct{ before, after []byte }

// isIn tells from a later text whether the write was made: every line that it added
// is there, and none that it took away. No two writes add the same line, as each
// hash has a salt of its own.
func (r revision) isIn(text []byte) bool {
	if bytes.Equal(text, r.before) {
		return false
	}
	before, after, now := lines(r.before), lines(r.after), lines(text)
	for line, n := range after {
		if n != before[line] && n != now[line] {
			return false
		}
	}
	for line := range before {
		if after[line] == 0 && now[line] != 0 {
			return false
		}
	}
	return true
}

// lines counts how often there is each.
func lines(text []byte) map[string]int {
	count := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		count[strings.TrimRight(line, "\r\n")]++
	}
	return count
}
