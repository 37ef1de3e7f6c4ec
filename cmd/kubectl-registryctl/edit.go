package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
)

// settleTime is the time to find out whether a write without an answer was made.
const settleTime = 2 * time.Second

// edit applies a change to the text. If the Secret was edited meanwhile or the server did
// not answer, it tries again with the current text. It returns the object before and
// after the change, which is the same one if nothing was changed.
func (s *secret) edit(ctx context.Context, change func(text []byte) ([]byte, error)) (before, after *unstructured.Unstructured, err error) {
	var lost *write
	err = s.retry(ctx, func(ctx context.Context) error {
		var now *write
		before, after, now, err = s.try(ctx, change, lost)
		lost = cmp.Or(now, lost)
		return err
	})
	if err == nil || lost == nil {
		return before, after, err
	}
	if errors.Is(err, errAbandoned) {
		return nil, nil, s.unsure(err)
	}
	return s.settle(ctx, *lost, err)
}

// try makes the change once, unless the last write, whose result is unknown, was made
// after all. If the result of its own is unknown, it returns that one as lost.
func (s *secret) try(ctx context.Context, change func(text []byte) ([]byte, error), last *write) (before, after *unstructured.Unstructured, lost *write, err error) {
	before, err = s.current(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	key, text, err := s.text(before)
	if err != nil {
		return nil, nil, nil, err
	}
	if last != nil && last.isIn(text) {
		return last.object, before, nil, nil
	}
	edited, err := change(text)
	if err != nil {
		return nil, nil, nil, err
	}
	if bytes.Equal(edited, text) {
		return before, before, nil, nil
	}
	if isImmutable(before) {
		return nil, nil, nil, s.immutable()
	}
	after, err = s.with(before, key, edited)
	if err != nil || s.options.DryRun == cli.DryRunClient {
		return before, after, nil, err
	}
	options := writeOptions{fieldManager: s.fieldManager, dryRun: s.options.DryRun == cli.DryRunServer}
	after, err = s.await(ctx, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return s.client.put(ctx, after, options)
	})
	if err != nil && !isRefusal(err) && !isUnsent(err) && !options.dryRun {
		code := codeOf(err)
		answered := code != 0 && code != http.StatusGatewayTimeout
		if last != nil && last.version() == versionOf(before) {
			answered = answered && last.answered
		}
		lost = &write{before: text, after: edited, object: before, answered: answered}
	}
	return before, after, lost, err
}

// current returns the object that Read has found, but only once; after that, the current
// one.
func (s *secret) current(ctx context.Context) (*unstructured.Unstructured, error) {
	if read := s.read; read != nil {
		s.read = nil
		return read.object, nil
	}
	return s.get(ctx)
}

// settle asks the server whether a write that failed was made after all.
func (s *secret) settle(ctx context.Context, lost write, failure error) (before, after *unstructured.Unstructured, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	object, err := s.get(ctx)
	if err != nil {
		return nil, nil, s.unsure(failure)
	}
	_, text, err := s.text(object)
	switch {
	case err != nil:
		return nil, nil, s.unsure(failure)
	case lost.isIn(text):
		return lost.object, object, nil
	case !lost.answered && lost.version() == versionOf(object):
		return nil, nil, s.unsure(failure) // it may still be on its way
	case errors.Is(failure, context.Canceled):
		return nil, nil, failure
	}
	return nil, nil, fmt.Errorf("nothing was written: %w", failure)
}

// A write is one whose result is unknown.
type write struct {
	before, after []byte
	object        *unstructured.Unstructured // the object that it replaces; nil for none
	answered      bool                       // the server has answered that it failed, other than by a timeout
}

// version returns the resourceVersion that the object must have for the write to succeed.
func (w write) version() string { return versionOf(w.object) }

func versionOf(object *unstructured.Unstructured) string {
	if object == nil {
		return ""
	}
	return object.GetResourceVersion()
}

// isIn reports whether a later text shows that the write was made: it has every line that
// the write added, and none that it removed. No two writes add the same line, because
// each hash has its own salt.
func (w write) isIn(text []byte) bool {
	if bytes.Equal(text, w.before) {
		return false
	}
	before, after, now := lines(w.before), lines(w.after), lines(text)
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

// lines returns how often each line occurs.
func lines(text []byte) map[string]int {
	count := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		count[strings.TrimRight(line, "\r\n")]++
	}
	return count
}
