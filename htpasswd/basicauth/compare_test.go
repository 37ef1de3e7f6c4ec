package basicauth

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/crypt"
)

// slowly gives an Authenticator over users with hashes of cost 4 a comparison that
// takes a second of a synctest clock, and says which passwords were compared.
// The right one is "right".
func slowly(t *testing.T, a *Authenticator, names ...string) (compared func() []string) {
	var mu sync.Mutex
	var passwords []string
	a.ready().compare = func(_ string, password []byte) error {
		mu.Lock()
		passwords = append(passwords, string(password))
		mu.Unlock()
		time.Sleep(time.Second)
		if string(password) == "right" {
			return nil
		}
		return crypt.ErrMismatch
	}
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%s:%s\n", name, ofCost(4))
	}
	load(t, a, text.String())
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(passwords)
	}
}

func TestOneComparisonForOneCredential(t *testing.T) {
	for _, canLeave := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { oneComparisonForOneCredential(t, canLeave) })
	}
}

func oneComparisonForOneCredential(t *testing.T, canLeave bool) {
	ctx := context.Background()
	if canLeave {
		ctx = t.Context()
	}
	a := &Authenticator{}
	compared := slowly(t, a, "elton", "francis")
	const n = 50
	type answer struct {
		right bool
		err   error
	}
	answers := make(chan answer, 3*n)
	ask := func(user, password string) {
		answers <- answer{user != "nobody" && password == "right", a.Verify(ctx, user, password)}
	}
	for range n {
		go ask("elton", "right")
		go ask("elton", "wrong")
		go ask("nobody", "right")
	}
	for range 3 * n {
		got := <-answers
		if got.right {
			require.NoError(t, got.err)
		} else {
			require.Equal(t, ErrUnauthorized, got.err)
		}
	}
	got := compared()
	slices.Sort(got)
	require.Equal(t, []string{"right", "right", "wrong"}, got)

	// Without a cache nothing is kept when they are answered.
	require.NoError(t, a.Verify(ctx, "elton", "right"))
	require.Len(t, compared(), 4)
	require.Nil(t, a.ready().cache)
}

func TestNoMoreAtOnceThanAllowedAndInTurn(t *testing.T) {
	for _, limit := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			a := &Authenticator{MaxConcurrent: limit, MaxWait: time.Minute}
			compared := slowly(t, a, "elton")
			start := time.Now()
			const n = 12
			var asked []string
			for i := range n {
				password := fmt.Sprint("wrong", i)
				asked = append(asked, password)
				ctx := t.Context()
				if i%2 == 0 {
					ctx = context.Background() // which cannot end
				}
				go func() { _ = a.Verify(ctx, "elton", password) }()
				synctest.Wait()
			}
			for i := range n / limit {
				require.Len(t, compared(), (i+1)*limit)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			got := compared()
			for i := 0; i < n; i += limit { // those that begin at the same time have no order
				require.ElementsMatch(t, asked[i:i+limit], got[i:i+limit])
			}
			require.Equal(t, time.Duration(n/limit)*time.Second, time.Since(start))
		})
	}
}

func TestDefaultLimitLeavesHalfOfTheCores(t *testing.T) {
	// room is how many comparisons can be under way at once.
	room := func(a *Authenticator) (n int) {
		for a.ready().turns.TryAcquire(1) {
			n++
		}
		return n
	}
	for procs, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 9: 4} {
		before := runtime.GOMAXPROCS(procs)
		got := room(&Authenticator{})
		runtime.GOMAXPROCS(before)
		assert.Equal(t, want, got, "of %d", procs)
	}
	assert.Equal(t, 7, room(&Authenticator{MaxConcurrent: 7}))
}

// A caller whose context ends leaves at once; the comparison goes on for the
// others, and one that nobody waits for any more is never begun.
func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{MaxConcurrent: 1, CacheTTL: time.Hour}
		compared := slowly(t, a, "elton")
		start := time.Now()
		verify := func(patience time.Duration, password string, want error, after time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			assert.Equal(t, want, a.Verify(ctx, "elton", password), password)
			assert.Equal(t, after, time.Since(start), password)
		}
		var all sync.WaitGroup
		ask := func(patience time.Duration, password string, want error, after time.Duration) {
			all.Go(func() { verify(patience, password, want, after) })
			synctest.Wait()
		}
		const ms = time.Millisecond
		ask(5000*ms, "first", ErrUnauthorized, 1000*ms)
		ask(500*ms, "abandoned", context.DeadlineExceeded, 500*ms)
		ask(600*ms, "abandoned", context.DeadlineExceeded, 600*ms)
		ask(1500*ms, "right", context.DeadlineExceeded, 1500*ms) // began it, and leaves in the midst of it
		ask(5000*ms, "right", nil, 2000*ms)
		ask(2500*ms, "lonely", context.DeadlineExceeded, 2500*ms) // is compared to the end all the same
		ask(5000*ms, "last", ErrUnauthorized, 4000*ms)
		all.Wait()
		require.Equal(t, []string{"first", "right", "lonely", "last"}, compared())

		// Who has left before asking is not served, but for what is known.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, context.Canceled, a.Verify(ctx, "elton", "wrong"))
		require.NoError(t, a.Verify(ctx, "elton", "right"))
		require.Len(t, compared(), 4)
	})
}

// An edit that is seen while a password waits to be compared counts.
func TestUserIsRemovedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{}
		slowly(t, a, "elton", "francis", "caroline")
		answers := map[string]error{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, user := range []string{"elton", "francis", "caroline"} {
			all.Go(func() {
				err := a.Verify(t.Context(), user, "right")
				mu.Lock()
				answers[user] = err
				mu.Unlock()
			})
		}
		synctest.Wait()
		load(t, a, "elton:"+ofCost(4)+"\nfrancis:"+ofCost(5))
		all.Wait()
		require.Equal(t, map[string]error{"elton": nil, "francis": ErrUnauthorized, "caroline": ErrUnauthorized}, answers)
	})
}

// Who comes back while its comparison is under way gets the answer of that one.
func TestComparisonUnderWayIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{}
		compared := slowly(t, a, "elton")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		start := time.Now()
		require.Equal(t, context.DeadlineExceeded, a.Verify(ctx, "elton", "right"))
		require.NoError(t, a.Verify(t.Context(), "elton", "right"))
		require.Equal(t, time.Second, time.Since(start))
		require.Len(t, compared(), 1)
	})
}

func TestCacheIsOffUnlessAskedFor(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			a := &Authenticator{CacheTTL: ttl, CacheSize: 100}
			compared := slowly(t, a, "elton")
			for i := range 3 {
				require.NoError(t, a.Verify(t.Context(), "elton", "right"))
				require.Len(t, compared(), i+1)
			}
		})
	}
}

func TestCacheHasATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{CacheTTL: time.Minute}
		compared := slowly(t, a, "elton", "francis")
		verify := func(user string, want int) {
			t.Helper()
			require.NoError(t, a.Verify(t.Context(), user, "right"))
			require.Len(t, compared(), want)
		}
		verify("elton", 1)
		time.Sleep(30 * time.Second)
		verify("francis", 2)
		time.Sleep(29 * time.Second) // a minute after elton's
		verify("elton", 2)
		time.Sleep(time.Nanosecond)
		verify("elton", 3) // to have been used did not prolong it
		verify("francis", 3)
		time.Sleep(time.Minute)
		require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "elton", "wrong"))
		require.Zero(t, a.ready().cache.Len(), "nothing is kept beyond its time")
	})
}

func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{CacheTTL: time.Hour, CacheSize: 3, MaxConcurrent: 10}
		names := []string{"a", "b", "c", "d", "e"}
		compared := slowly(t, a, names...)
		for _, name := range names {
			require.NoError(t, a.Verify(t.Context(), name, "right"))
			require.LessOrEqual(t, a.ready().cache.Len(), 3)
		}
		require.Len(t, compared(), 5)
		for _, name := range []string{"c", "d", "e"} {
			require.NoError(t, a.Verify(t.Context(), name, "right"))
		}
		require.Len(t, compared(), 5)
		require.NoError(t, a.Verify(t.Context(), "a", "right"))
		require.Len(t, compared(), 6)
		require.NoError(t, a.Verify(t.Context(), "e", "right"))
		require.Len(t, compared(), 6)
		require.NoError(t, a.Verify(t.Context(), "c", "right")) // was the oldest
		require.Len(t, compared(), 7)
	})
}

func TestOnlySuccessIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Authenticator{CacheTTL: time.Hour}
		compared := slowly(t, a, "elton")
		for i := range 3 {
			require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "elton", "wrong"))
			require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "nobody", "right"))
			require.Len(t, compared(), 2*i+2)
		}
		require.Zero(t, a.ready().cache.Len())
	})
}

// The cache does not answer for an entry that is another one, or gone.
func TestCacheFollowsTheFile(t *testing.T) {
	a := &Authenticator{CacheTTL: time.Hour}
	d0cker, francis := "elton:"+hashed(t, "d0cker")+"\n", "francis:"+hashed(t, "r3gL4b")+"\n"
	elton := func(password string) error { return a.Verify(t.Context(), "elton", password) }
	load(t, a, d0cker+francis)
	require.NoError(t, elton("d0cker"))

	load(t, a, francis)
	require.Equal(t, ErrUnauthorized, elton("d0cker"), "removed")
	load(t, a, strings.Replace(d0cker, "elton", "dora", 1))
	require.Equal(t, ErrUnauthorized, elton("d0cker"), "renamed: the only hash, a decoy for elton, is the same")
	require.NoError(t, a.Verify(t.Context(), "dora", "d0cker"))
	load(t, a, "elton:"+hashed(t, "another")+"\n")
	require.Equal(t, ErrUnauthorized, elton("d0cker"), "changed")
	require.NoError(t, elton("another"))
	load(t, a, d0cker+"elton:"+ofCost(4))
	require.Equal(t, ErrUnauthorized, elton("d0cker"), "a later line counts")
	load(t, a, "elton:"+hashed(t, "d0cker"))
	require.NoError(t, elton("d0cker"), "the same password with another salt")
}
