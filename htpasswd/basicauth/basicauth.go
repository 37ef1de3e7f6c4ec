package basicauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

var (
	// ErrUnauthorized is returned for a wrong password, and for a user who does not
	// exist or cannot log in: the two cannot be told apart.
	ErrUnauthorized = errors.New("wrong user name or password")

	// ErrBusy is returned if a password was not compared within MaxWait.
	ErrBusy = errors.New("too many logins are waiting")
)

// An Authenticator verifies passwords against the text of an htpasswd file. Set
// its fields before the first use, and do not change them or copy the
// Authenticator afterwards. Its methods may be called concurrently. It needs no
// Close: it keeps no file open, and no goroutine beyond the comparisons under way.
//
// Packages fmt, log/slog and encoding/json print no hash, password or key of an
// Authenticator.
type Authenticator struct {
	// Path is the path of the file. The file may be missing at first, and Path may
	// be a symbolic link. If Path is empty, the text is passed to
	// [Authenticator.Load].
	Path string

	// CheckInterval is the least time between two checks of the file for a change,
	// and so the longest time that an edit stays unseen; 1 second if zero. If it is
	// negative, each Verify checks.
	//
	// A file that is written in place is read when it has not changed for 20
	// milliseconds, so a writer that pauses for longer can be seen half-way. Replace
	// the file instead, as [htpasswd.FileStore] does.
	CheckInterval time.Duration

	// MaxBytes is the largest size of a text that is read, in bytes; 256 MiB if
	// zero.
	MaxBytes int64

	// OnReload, if not nil, is called after each change of the text in use, and
	// when the file turns out to be missing, unreadable or malformed, once for each
	// such error. Other calls of Verify may wait for it. It must not call methods of
	// the Authenticator.
	OnReload func(LoadResult)

	// Schemes are the schemes of the hashes that are accepted; only
	// [htpasswd.Bcrypt] if empty, as the registry does. The others are "apr1",
	// "md5-crypt", "sha1", "ssha", "sha256-crypt" and "sha512-crypt". All of them but
	// SHA-crypt are quick to guess for anyone who has the file, and SHA-crypt can take
	// 6 seconds of a core.
	Schemes []htpasswd.Scheme

	// MaxCost is the highest cost of a bcrypt hash that is accepted; 15 if zero,
	// which takes about 2 seconds of a core. Each step doubles the time. A cost above
	// [htpasswd.MaxCost] is never accepted.
	MaxCost int

	// MaxConcurrent is the number of passwords that are compared at once, each on
	// one core; half of [runtime.GOMAXPROCS] if zero, so that cores are left for
	// everything else. The others wait in the order of their arrival. Calls with the
	// same user and password share one comparison.
	MaxConcurrent int

	// MaxWait is how long Verify waits until its comparison begins; 10 seconds if
	// zero. A comparison that has begun is not cut short by MaxWait.
	MaxWait time.Duration

	// CacheTTL is how long a right password is remembered after it was compared;
	// if zero, none is. A remembered login takes microseconds instead of the 60
	// milliseconds of bcrypt at cost 10, and does not wait for others.
	//
	// What is remembered is an HMAC-SHA-256 of user, hash and password, under a
	// random key that lives as long as the process. Wrong passwords are never
	// remembered. An entry that is changed or removed in the file is refused as soon
	// as the edit is seen. The risk: anyone who reads the memory of the process can try
	// passwords, at the speed of an HMAC, against the users who logged in within
	// CacheTTL. And anyone who knows a right password can tell by the time whether that
	// user logged in within CacheTTL.
	CacheTTL time.Duration

	// CacheSize is the number of right passwords that are remembered; 10,000 if
	// zero, which take about 4 MB. The oldest is forgotten first.
	CacheSize int

	// Limit, if not nil, is called by [Authenticator.VerifyRequest] before a
	// password is looked at. If it returns a positive duration, the request is
	// refused with a [*LimitError], and the client may try again after that time. It
	// is the place for a back-off per address; user is what the client claims, and
	// empty if its credentials are malformed.
	Limit func(r *http.Request, user string) (retryAfter time.Duration)

	// OnLogin, if not nil, is called by [Authenticator.VerifyRequest] with the
	// outcome for each request that has credentials: nil, or the error that it
	// returns. User is what the client claims, and empty if its credentials are
	// malformed.
	OnLogin func(r *http.Request, user string, err error)

	once  sync.Once
	state func() *state // a function, because fmt would print the value behind a pointer
}

// A state holds the unexported fields of an Authenticator.
type state struct {
	err  error // of the fields
	key  []byte
	rule rule

	latest  atomic.Pointer[snapshot]
	reading *semaphore.Weighted // held by who reads the file

	turns       *semaphore.Weighted // held by each comparison under way
	comparisons singleflight.Group
	compare     func(hash string, password []byte) error
	cache       *ttlcache.Cache[credential, struct{}] // nil without CacheTTL
}

// ready returns the state, and creates it at the first call.
func (a *Authenticator) ready() *state {
	a.once.Do(func() {
		s := &state{
			key:     processKey(),
			reading: semaphore.NewWeighted(1),
			turns:   semaphore.NewWeighted(int64(orDefault(a.MaxConcurrent, max(1, runtime.GOMAXPROCS(0)/2)))),
			compare: crypt.Verify,
		}
		s.rule, s.err = newRule(a.Schemes, a.MaxCost)
		s.latest.Store(&snapshot{err: errNothingLoaded})
		if a.CacheTTL > 0 {
			// Never started, so it has no goroutine that would outlive the Authenticator.
			s.cache = ttlcache.New(
				ttlcache.WithTTL[credential, struct{}](a.CacheTTL),
				ttlcache.WithCapacity[credential, struct{}](uint64(orDefault(a.CacheSize, 10_000))),
			)
		}
		a.state = func() *state { return s }
	})
	return a.state()
}

// processKey returns the key of all Authenticators. They share it, so that two of them
// with the same file choose the same hash for an unknown user.
var processKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
})

// orDefault returns the value of a field, or its default if that is not positive.
func orDefault[T int | int64 | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}

// Verify returns nil if the user can log in with the password, and
// [ErrUnauthorized] if not. Any other error means that it could not be decided:
// [ErrBusy], the error of the context, or the reason why no text was read so far,
// for example fs.ErrNotExist or an [*htpasswd.ParseError]. While the file is
// missing or malformed, the last good text stays in use.
//
// A wrong password and an unknown user take the same time: for an unknown user
// the password is compared with a hash from the file, chosen by an HMAC of the
// name. If the file has hashes of several costs, unknown names are spread over
// these as the users are. The choice for a name is stable until the process ends;
// anyone who compares it across a restart, or among several servers, can tell an
// unknown name.
func (a *Authenticator) Verify(ctx context.Context, user, password string) error {
	s := a.ready()
	waiting, cancel := context.WithTimeoutCause(ctx, orDefault(a.MaxWait, 10*time.Second), ErrBusy)
	defer cancel()
	users, err := a.users(waiting)
	if err != nil {
		return err
	}
	hash, listed := users.hashes[user]
	draw := s.mac("decoy", user) // for a listed user too, as it takes time
	if !listed {
		hash = users.decoy(binary.BigEndian.Uint64(draw[:]))
	}
	if hash == "" {
		return ErrUnauthorized // nobody can log in
	}
	// listed is part of it, because a decoy may be the hash that the user had before.
	c := s.mac("login", strconv.FormatBool(listed), user, hash, password)
	if s.remembers(c) {
		return nil
	}
	right, err := s.share(ctx, waiting, c, func() bool {
		// Even a password that is refused is compared, so that it takes the same time.
		matches := s.compare(hash, []byte(password[:min(len(password), htpasswd.MaxPasswordBytes)])) == nil
		return matches && listed && crypt.Ambiguity([]byte(password)) == ""
	})
	if err != nil {
		return err
	}
	// The user may have been removed during the comparison.
	if !right || s.latest.Load().users.hashes[user] != hash {
		return ErrUnauthorized
	}
	return nil
}

// Has reports whether the user exists and can log in, for a server that checks
// whether a session or a token is still good. The errors are those of
// [Authenticator.Verify].
func (a *Authenticator) Has(ctx context.Context, user string) (bool, error) {
	users, err := a.users(ctx)
	if err != nil {
		return false, err
	}
	_, ok := users.hashes[user]
	return ok, nil
}

// users returns the users of the text in use.
func (a *Authenticator) users(ctx context.Context) (*users, error) {
	snapshot, err := a.look(ctx, false)
	if err != nil {
		return nil, err
	}
	if snapshot.users == nil {
		return nil, snapshot.err
	}
	return snapshot.users, nil
}

// A credential stands for a user, a hash and a password without revealing them.
type credential [sha256.Size]byte

// mac returns the HMAC of the parts. Each is preceded by its length, so that no
// two lists of parts are the same message.
func (s *state) mac(parts ...string) (c credential) {
	h := hmac.New(sha256.New, s.key)
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	h.Sum(c[:0])
	return c
}
