package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
)

// settleTime is how long the server is asked, after all, what became of a write.
const settleTime = 2 * time.Second

// edit applies a change to the text, and again to the text as it is then if
// somebody else was faster or the server went away. It returns the object before
// and after it, which are the same if nothing was changed.
func (s *secret) edit(ctx context.Context, change func(text []byte) ([]byte, error)) (before, after *unstructured.Unstructured, err error) {
	var lost *write
	err = s.retry(ctx, func(ctx context.Context) error {
		before, after, err = s.try(ctx, change, &lost)
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

// try makes the change once. A write whose fate is unknown it leaves in lost.
func (s *secret) try(ctx context.Context, change func(text []byte) ([]byte, error), lost **write) (before, after *unstructured.Unstructured, err error) {
	before, err = s.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, text, err := s.text(before)
	if err != nil {
		return nil, nil, err
	}
	if *lost != nil && (*lost).isIn(text) {
		return (*lost).object, before, nil
	}
	edited, err := change(text)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Equal(edited, text) {
		return before, before, nil
	}
	if isImmutable(before) {
		return nil, nil, s.immutable()
	}
	after, err = s.with(before, key, edited)
	if err != nil || s.options.DryRun == cli.DryRunClient {
		return before, after, err
	}
	options := writeOptions{fieldManager: s.fieldManager, dryRun: s.options.DryRun == cli.DryRunServer}
	after, err = s.await(ctx, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return s.client.put(ctx, after, options)
	})
	if err != nil && !isRefusal(err) && !isUnsent(err) && !options.dryRun {
		code := codeOf(err)
		answered := code != 0 && code != http.StatusGatewayTimeout
		if *lost != nil && (*lost).version() == versionOf(before) {
			answered = answered && (*lost).answered
		}
		*lost = &write{before: text, after: edited, object: before, answered: answered}
	}
	return before, after, err
}

// current returns the object as Read has found it, the first time, else as it is
// now.
func (s *secret) current(ctx context.Context) (*unstructured.Unstructured, error) {
	if read := s.read; read != nil {
		s.read = nil
		return read.object, nil
	}
	return s.get(ctx)
}

// settle asks the server what became of a write that has failed by err.
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

// A write is one whose fate is unknown.
type write struct {
	before, after []byte
	object        *unstructured.Unstructured // that it was to replace; nil for none
	answered      bool                       // the server has said that it failed, and not that it took too long
}

// version is what the object must still have for the write to be made.
func (w write) version() string { return versionOf(w.object) }

func versionOf(object *unstructured.Unstructured) string {
	if object == nil {
		return ""
	}
	return object.GetResourceVersion()
}

// isIn tells from a later text whether the write was made: every line that it added
// is there, and none that it took away. No two writes add the same line, as each
// hash has a salt of its own.
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

// lines counts how often there is each.
func lines(text []byte) map[string]int {
	count := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		count[strings.TrimRight(line, "\r\n")]++
	}
	return count
}
