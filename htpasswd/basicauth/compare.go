package basicauth

import (
	"context"

	"github.com/jellydator/ttlcache/v3"
)

// share calls compare, once for all concurrent calls with the same credential, and
// returns its result. It waits until one of the MaxConcurrent turns is free. A right
// credential is remembered.
//
// If waiting ends before the turn comes, or ctx at any time, share returns the
// cause. A comparison that has begun goes on for the others.
func (s *state) share(ctx, waiting context.Context, c credential, compare func() bool) (right bool, err error) {
	for {
		result := s.comparisons.DoChan(string(c[:]), func() (any, error) {
			if err := s.turns.Acquire(waiting, 1); err != nil {
				return false, err
			}
			defer s.turns.Release(1)
			right := compare()
			if right && s.cache != nil {
				s.cache.DeleteExpired()
				s.cache.Set(c, struct{}{}, ttlcache.DefaultTTL)
			}
			return right, nil
		})
		select {
		case r := <-result:
			if r.Err == nil {
				return r.Val.(bool), nil
			}
			if waiting.Err() != nil {
				return false, context.Cause(waiting)
			}
			// The caller that waited for its turn has given up, so this one waits instead.
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// remembers reports whether the credential was right within CacheTTL.
func (s *state) remembers(c credential) bool {
	if s.cache == nil {
		return false
	}
	s.cache.DeleteExpired()
	return s.cache.Has(c)
}
