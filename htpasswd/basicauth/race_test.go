package basicauth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// While the file is edited, each edit is seen when the interval is over; and once
// anybody has seen it, nobody gets an answer by an older text.
func TestEditsWhileOthersVerify(t *testing.T) {
	const (
		verifiers = 64
		edits     = 200
		interval  = time.Millisecond
	)
	// Version v of the file has elton with the password v, and francis if there is
	// to be one: two versions in a row are of one size.
	isThere := func(v int64) bool { return v%4 < 2 }
	password := func(v int64) string { return fmt.Sprint("password ", v) }
	hash := func(v int64) string { return fmt.Sprintf("$2y$04$%052d.", v) }
	path := filepath.Join(t.TempDir(), "htpasswd")
	edit := func(v int64) {
		h, err := htpasswd.ParseHash(hash(v))
		require.NoError(t, err)
		_, err = htpasswd.FileStore{Path: path, Create: true}.Update(t.Context(), func(f *htpasswd.File) error {
			if isThere(v) {
				return errors.Join(f.Set("elton", h), f.Set("francis", h))
			}
			if err := f.Remove("francis"); err != nil && !errors.Is(err, htpasswd.ErrUserNotFound) {
				return err
			}
			return f.Set("elton", h)
		})
		require.NoError(t, err)
	}
	a := &Authenticator{Path: path, CheckInterval: interval, CacheTTL: time.Hour, CacheSize: 50}
	a.ready().compare = func(h string, p []byte) error { // as bcrypt would, but that takes minutes under the race detector
		var v int64
		if _, err := fmt.Sscanf(h, "$2y$04$%d", &v); err != nil || password(v) != string(p) {
			return crypt.ErrMismatch
		}
		return nil
	}
	edit(0)

	var begun, seen atomic.Int64 // the version that is being written at the latest, and the latest that has let somebody in
	see := func(v int64) {
		for now := seen.Load(); now < v && !seen.CompareAndSwap(now, v); now = seen.Load() {
		}
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	var answers, refused, newer atomic.Int64
	for range verifiers {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(rand.N(8 * time.Millisecond)): // or the editor would not get a core
				}
				user, from := "elton", seen.Load()
				v := from - 2 + rand.Int64N(4)
				if rand.IntN(2) == 0 {
					user = "francis"
				}
				err := a.Verify(t.Context(), user, password(v))
				to := begun.Load() // the text was none before from, and none after to
				answers.Add(1)
				switch {
				case err == nil:
					if v < from || v > to || user == "francis" && !isThere(v) {
						t.Errorf("%s got in with version %d at %d to %d", user, v, from, to)
						return
					}
					if v > from {
						newer.Add(1)
					}
					see(v)
				case !errors.Is(err, ErrUnauthorized):
					t.Error(err)
					return
				case v == from && v == to && (user == "elton" || isThere(v)):
					t.Errorf("%s was refused with version %d, which is the only one", user, v)
					return
				default:
					refused.Add(1)
				}
			}
		})
	}
	stop := sync.OnceFunc(func() {
		close(done)
		all.Wait()
	})
	defer stop()
	for v := int64(1); v <= edits && !t.Failed(); v++ {
		begun.Store(v)
		edit(v)
		time.Sleep(interval)
		require.NoError(t, a.Verify(t.Context(), "elton", password(v)), "edit %d is seen", v)
		see(v)
		require.Equal(t, ErrUnauthorized, a.Verify(t.Context(), "elton", password(v-1)))
		err := a.Verify(t.Context(), "francis", password(v))
		require.Equal(t, isThere(v), err == nil, "%v", err)
	}
	stop()
	// Else nothing has been tried.
	assert.Greater(t, refused.Load(), int64(edits))
	assert.Greater(t, answers.Load()-refused.Load(), int64(edits))
	assert.NotZero(t, newer.Load(), "edits that a verifier was the first to see")
}
