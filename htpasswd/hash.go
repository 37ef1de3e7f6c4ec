package htpasswd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// Limits of the cost of bcrypt: the base-2 logarithm of its rounds, so that each
// step doubles the time that every request to the registry takes.
const (
	MinCost     = 4
	DefaultCost = 10
	MaxCost     = crypt.MaxCost // about a minute; a hash above is not verified either
)

// A Scheme names a way to hash passwords, such as "bcrypt" or "apr1". It is
// empty for a text that is no hash of a known scheme.
type Scheme string

// Bcrypt is the only scheme that the registry accepts, and the one that this
// package writes. The others are only verified.
const Bcrypt Scheme = "bcrypt"

// A Hash stands for a password in an htpasswd file. Anyone who has it can try
// passwords against it, so packages fmt, log/slog and encoding/json print only its
// scheme and cost; [Hash.Encoded] returns its text.
// The zero Hash matches no password. Hashes are compared with [Hash.Equal].
type Hash struct {
	_    [0]func() // no ==, which would compare the pointers
	text *string   // a pointer, as fmt prints the fields of a Hash that lies unexported in another struct
}

// HashPassword hashes a password with bcrypt, as "$2y$": the one prefix that the
// registry, nginx and Apache httpd all accept. A cost of 0 is [DefaultCost].
//
// The error is [ErrInvalidPassword] for a password that bcrypt cannot tell from
// others: one that is empty, longer than [MaxPasswordBytes], or holds a NUL
// byte. It is [ErrInvalidCost] for a cost that is not between [MinCost] and
// [MaxCost]. [ValidatePassword] checks what else a new password should be.
func HashPassword(password []byte, cost int) (Hash, error) {
	if err := hashable(password); err != nil {
		return Hash{}, err
	}
	if cost == 0 {
		cost = DefaultCost
	}
	// x/crypto would use its default for a cost that is too low.
	if cost < MinCost || cost > MaxCost {
		return Hash{}, ErrInvalidCost
	}
	text, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return Hash{}, err
	}
	// $2a$, $2b$ and $2y$ are the same computation here: the first two name bugs
	// that other implementations had.
	text[2] = 'y'
	return newHash(string(text)), nil
}

// ParseHash reads a hash that was made elsewhere. The error is
// [ErrUnsupportedHash] unless the text, taken as a whole, is a hash that
// [Hash.Verify] can check a password against.
func ParseHash(text string) (Hash, error) {
	if effort, n := crypt.Assess(text); effort.Scheme == "" || n != len(text) {
		return Hash{}, ErrUnsupportedHash
	}
	return newHash(text), nil
}

// newHash returns the Hash of any text.
func newHash(text string) Hash { return Hash{text: &text} }

// Disabled returns the hash that a disabled user had before [File.Disable]; ok is
// false if the Hash is not that of a disabled user. The Hash of a disabled user has no
// scheme and matches no password.
func (h Hash) Disabled() (before Hash, ok bool) {
	text, ok := strings.CutPrefix(h.Encoded(), record.DisabledMark)
	if !ok {
		return Hash{}, false
	}
	return newHash(text), true
}

// Verify checks a password against the hash, as a server does that accepts its
// scheme. It returns nil if the password is the right one, [ErrMismatch] if it
// is not, and [ErrUnsupportedHash] if the scheme cannot be verified here, or
// only with unreasonable effort.
//
// Against a bcrypt hash only the first 72 bytes of the password count, as for
// the registry. The time is that of the hash: about 70 ms at cost 10, and twice
// that with each step of the cost.
func (h Hash) Verify(password []byte) error {
	err := crypt.Verify(h.Encoded(), password)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, crypt.ErrMismatch):
		return ErrMismatch
	default:
		return fmt.Errorf("%w: %w", ErrUnsupportedHash, err)
	}
}

// Scheme returns the scheme of the hash, which is empty if it is not known.
func (h Hash) Scheme() Scheme {
	scheme, _ := crypt.Scan(h.line())
	return Scheme(scheme)
}

// Cost returns the cost of a bcrypt hash; ok is false for any other.
func (h Hash) Cost() (cost int, ok bool) {
	cost, _, ok = crypt.ParseBcrypt(h.line())
	return cost, ok
}

// Encoded returns the hash as it is written in the file. It belongs there and
// nowhere else. The registry ignores what follows a bcrypt hash on its line, so it
// is not part of the hash.
func (h Hash) Encoded() string {
	text := h.line()
	if _, size, ok := crypt.ParseBcrypt(text); ok {
		return text[:size]
	}
	return text
}

// line returns all that stands behind the colon.
func (h Hash) line() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h.text == nil }

// Equal reports whether both are the same text.
func (h Hash) Equal(other Hash) bool { return h.Encoded() == other.Encoded() }

// String describes the hash, for example "bcrypt(10)" or "disabled bcrypt(10)".
func (h Hash) String() string {
	if before, ok := h.Disabled(); ok {
		return "disabled " + before.String()
	}
	if cost, ok := h.Cost(); ok {
		return fmt.Sprintf("%s(%d)", Bcrypt, cost)
	}
	return cmp.Or(string(h.Scheme()), "unknown")
}

// Format prints, for every verb, what String returns.
func (h Hash) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, h.String()) }

// LogValue returns what String returns.
func (h Hash) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText returns what String returns, so that no encoder writes the hash.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }
