// Package basicauth verifies user names and passwords against an htpasswd file,
// for servers that ask for HTTP Basic authentication (RFC 7617).
//
//	users := &basicauth.Authenticator{Path: "auth/registry.htpasswd"}
//	http.Handle("/", users.Middleware("registry")(handler))
//
// An [Authenticator] follows the file as it is edited, keeps a server alive that
// is flooded with wrong passwords, and tells nobody which users there are.
//
// # Which users there are
//
// The text is read as the registry does, see [htpasswd.Parse]: of several lines
// of one user the last counts. Nobody can log in by an entry whose hash is not
// bcrypt (see Legacy), is broken, or costs more than MaxCost; it is treated as if
// it were not there. Nor can anybody with a password that
// [htpasswd.ValidatePassword] refuses, as bcrypt would take another one for it: an
// empty one, one of more than 72 bytes, one with a NUL byte. The registry lets
// these in.
//
// A wrong password, and a user who is not there or cannot log in, get the same
// error after the same time. For a user who is there that is the time of the
// entry's cost; so for one who is not, the password is compared all the same, with
// a hash whose cost is drawn by an HMAC of the name: each cost as often as the file
// has it, and the same one for the same name each time. The key of the HMAC is
// random and lives as long as the process. So where a file has several costs, the
// cost that an invented user seems to have may be another one in another process,
// which somebody can see who tries before and after a restart, or several servers
// with one file. What remains besides is less than a microsecond, of the
// millisecond or more that a comparison with bcrypt takes.
//
// # The cache
//
// To compare a password takes some 60 ms of a core at cost 10, at each request,
// and a client of a registry makes dozens in a row. With CacheTTL set, a password
// that was right is known again for that long, in a few microseconds.
//
// What is remembered is an HMAC-SHA-256 of the user, the hash in the file and the
// password, under a random key that lives as long as the process. Wrong passwords
// are never remembered: nobody can fill the cache but those who can log in. And as
// the hash is looked up in the text each time, an entry that is changed or removed
// is out the moment the edit is seen, whatever the cache holds.
//
// What the cache costs in safety: somebody who reads the memory of the process
// finds the key, and can try passwords at the speed of HMAC, a hundred thousand
// times that of bcrypt at cost 10, against the users who logged in within CacheTTL;
// without the cache they would find only passwords that are being verified. And
// somebody who knows a right password can tell by the time whether its user logged
// in within CacheTTL. The file and the cache without the key are of no more use
// than the file.
//
// # A flood of wrong passwords
//
// No more than MaxConcurrent passwords are compared at once; the others wait for
// their turn, first come, first served, each until its context ends. Those who ask
// for one user and password at the same time share one comparison. What is in the
// cache does not wait. How often somebody may try, and how many may wait, is not
// limited here: that is better done where the addresses of the clients are known.
package basicauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// ErrUnauthorized is the answer to a wrong password and to a user who is not
// there, without a difference.
var ErrUnauthorized = errors.New("wrong user name or password")

// An Authenticator verifies passwords against the text of an htpasswd file. Its
// fields are set before its first use and not changed afterwards; their zero
// values make sense. It may be used by any number of goroutines at once, has none
// of its own but for passwords that are compared or wait for that, and must not be
// copied once it is used.
type Authenticator struct {
	// Path of the file, which need not be there yet. It must be a regular file or
	// lead to one by symbolic links. Where Path is empty, the text is what
	// [Authenticator.Load] is given.
	Path string

	// CheckInterval is how long an edit of the file may remain unseen, and the
	// least time between two looks at it; a second if zero. If negative, each
	// Verify looks. An edit shows by the inode, the size or the times of the file.
	// One in place that leaves these as they are, as they have changed within the
	// same tick of the clock, is seen when the file is 2 seconds old. One in place
	// that takes longer than 20 milliseconds can be seen half-way.
	CheckInterval time.Duration

	// OnReload, if not nil, is called with nil when another text of the file is in
	// use or the error is over, and with the error when the file turns out to be
	// gone, unreadable or malformed, once each time; the users are those of the last
	// good text then. A file that is being written to in place is unreadable, for
	// one look. It is called by the Verify that looked at the file, which
	// others may be waiting for, and must call neither Verify nor Reload.
	OnReload func(error)

	// MaxCost is the highest cost of a bcrypt hash that is verified, 15 if zero.
	// Each step doubles the time: 15 takes about 2 seconds of a core, and 31, the
	// highest there is, a day and a half. More than 20 counts as 20.
	MaxCost int

	// Legacy has hashes verified that the registry does not accept: apr1, {SHA},
	// {SSHA}, md5-crypt and SHA-crypt. All but SHA-crypt, which can take up to
	// 6 seconds of a core, are quickly guessed by who has read the file.
	Legacy bool

	// MaxConcurrent is how many passwords may be compared at once, each on a core
	// of its own. If zero it is half of [runtime.GOMAXPROCS], but at least 1: more
	// cores make a login faster only where many come at once, and the server needs
	// the others to answer everybody else.
	MaxConcurrent int

	// CacheTTL is for how long a right password is remembered, from when it was
	// compared. If zero, none is. For what that means see the package's text.
	CacheTTL time.Duration

	// CacheSize is how many right passwords are remembered at most; 10,000 if zero,
	// which take 2.5 MB. The oldest makes way.
	CacheSize int

	// MaxWait is how long a request to [Authenticator.Middleware] waits until its
	// password is compared; 10 seconds if zero.
	MaxWait time.Duration

	once    sync.Once
	key     []byte    // of the HMACs; the process's if nil
	hmacs   sync.Pool // of hash.Hash
	which   accepted
	latest  atomic.Pointer[sighting]
	looking chan struct{} // has an element while somebody looks at the file

	bound   chan struct{}                            // has an element for each comparison under way
	compare func(hash string, password []byte) error // as crypt.Verify does

	mu          sync.Mutex
	comparisons map[credential]*comparison
	cache       cache
}

func (a *Authenticator) init() {
	if a.key == nil {
		a.key = processKey()
	}
	a.hmacs.New = func() any { return hmac.New(sha256.New, a.key) }
	a.latest.Store(&sighting{err: errNothingLoaded})
	a.which = accepted{orDefault(a.MaxCost, defaultMaxCost), a.Legacy}
	a.looking = make(chan struct{}, 1)
	a.bound = make(chan struct{}, orDefault(a.MaxConcurrent, max(1, runtime.GOMAXPROCS(0)/2)))
	if a.compare == nil {
		a.compare = crypt.Verify
	}
	a.comparisons = make(map[credential]*comparison)
	a.cache = cache{size: orDefault(a.CacheSize, 10_000), ttl: max(0, a.CacheTTL)}
}

// processKey is one for all Authenticators: two for one file have to answer alike.
var processKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
})

// orDefault is for fields where a negative value makes no more sense than zero.
func orDefault[T int | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}

// Verify returns nil if the user can log in with the password, and
// [ErrUnauthorized] if not. Any other error means that it could not be told: it
// is the context's, where that ended the wait for other passwords to be compared
// or for the file to be read, or says why there was no good text so far: one that is
// fs.ErrNotExist, say, or an [*htpasswd.ParseError].
//
// A Verify that begins CheckInterval or more after an edit of the file goes by
// the new text. The first one reads it, the others wait for that, which takes
// about 0.3 seconds for a million users; meanwhile both texts are in memory.
func (a *Authenticator) Verify(ctx context.Context, user, password string) error {
	s, err := a.sight(ctx, a.due)
	if err != nil {
		return err
	}
	if s.users == nil {
		return s.err
	}
	hash, listed := s.users.hash(user)
	// A decoy may be the hash of the user's own that another name has now: what was
	// right for a listed user is not remembered of one who is not.
	var c credential
	if listed {
		c = a.mac(user, hash, password, "listed")
		if a.remembers(c) {
			return nil
		}
	}
	draw := a.mac(user) // of a listed user as well, as it takes time
	if !listed {
		hash = s.users.decoy(binary.BigEndian.Uint64(draw[:]))
		c = a.mac(user, hash, password)
	}
	if hash == "" {
		return ErrUnauthorized // as everybody is: nobody can log in
	}
	right, err := a.share(ctx, c, func() bool {
		// Whatever is wrong besides, the comparison takes its time.
		right := a.compare(hash, []byte(password[:min(len(password), htpasswd.MaxPasswordBytes)])) == nil
		return right && listed && htpasswd.ValidatePassword([]byte(password)) == nil
	})
	if err != nil {
		return err
	}
	if right { // the wait may have been long, and the user removed meanwhile
		current, listed := a.latest.Load().users.hash(user)
		right = listed && current == hash
	}
	if !right {
		return ErrUnauthorized
	}
	return nil
}

// A credential stands for a user, a hash and a password without telling them.
type credential [sha256.Size]byte

// mac returns the HMAC of the parts, each with its length before it, so that no
// two lists of parts give the same.
func (a *Authenticator) mac(parts ...string) credential {
	h := a.hmacs.Get().(hash.Hash)
	defer a.hmacs.Put(h)
	h.Reset()
	text := make([]byte, 0, 256)
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	h.Write(text)
	var c credential
	h.Sum(c[:0])
	return c
}
