package htpasswd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/crypt"
)

// Limits. A cost is the base-2 logarithm of bcrypt's rounds, so each step
// doubles the time that every request to the registry takes.
const (
	MinCost     = 4
	DefaultCost = 10
	MaxCost     = 17

	MaxPasswordBytes = 72  // bcrypt looks at no more
	MaxUserBytes     = 255 // what Apache and this package write
)

// A Scheme names a way of hashing passwords, such as "bcrypt" or "apr1". The
// empty Scheme is that of a text which no known scheme has made.
type Scheme string

// Bcrypt is the one scheme that the registry accepts, and the one that this
// package writes. The others are only read.
const Bcrypt Scheme = "bcrypt"

// A Hash is what stands for a password in an htpasswd file. Printed by the fmt
// package it shows its scheme and cost and never its text, which an attacker
// could try passwords against; [Hash.Encoded] gives that, and is what to compare.
// The zero Hash matches no password.
type Hash struct {
	_ [0]func() // no ==, which would compare the pointers
	// Behind a pointer to a string, which fmt prints as an address: it also prints
	// the fields of a Hash that stands unexported in another struct.
	text *string
	cost uint8 // of bcrypt; 0 for any other scheme
}

// HashPassword hashes password with bcrypt at the given cost, as "$2y$": the
// one prefix that the registry, nginx and Apache httpd all take.
//
// The error is [ErrInvalidPassword] for a password that is empty, has more than
// [MaxPasswordBytes] or a NUL byte, as bcrypt would take another one for it, and
// [ErrInvalidCost] for a cost outside [MinCost] to [MaxCost].
func HashPassword(password []byte, cost int) (Hash, error) {
	if err := ValidatePassword(password); err != nil {
		return Hash{}, err
	}
	// x/crypto would silently take its default for a cost that is too low.
	if cost < MinCost || cost > MaxCost {
		return Hash{}, ErrInvalidCost
	}
	text, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return Hash{}, err
	}
	// The computation behind 2a, 2b and 2y is the same here: 2a and 2b name bugs
	// of other implementations, which this one never had.
	text[2] = 'y'
	return newHash(string(text)), nil
}

// ParseHash reads a hash that was made elsewhere. The error is
// [ErrUnsupportedHash] where the text, taken whole, is no hash of a known scheme.
func ParseHash(text string) (Hash, error) {
	h := newHash(text)
	if h.isBcrypt() && len(text) == crypt.BcryptLen {
		return h, nil
	}
	if scheme, n := crypt.Scan(text); scheme == "" || n != len(text) {
		return Hash{}, ErrUnsupportedHash
	}
	return h, nil
}

// newHash is a Hash of any text, of an unknown scheme if need be. Of a bcrypt hash
// the registry looks at no byte behind it.
func newHash(text string) Hash {
	cost, ok := crypt.Cost(text)
	if ok {
		text = text[:crypt.BcryptLen]
	}
	return Hash{text: &text, cost: uint8(cost)}
}

// Verify checks password against the hash as a server does that accepts the
// scheme: nil if it is the right one, else [ErrMismatch]. The error is
// [ErrUnsupportedHash] where the scheme cannot be verified here, or only with an
// effort beyond reason.
//
// Of a bcrypt hash's password the registry compares the first 72 bytes only,
// and so does Verify; [ValidatePassword] refuses a longer one.
//
// How long it takes is up to the hash: about 70 ms at cost 10, and twice that
// with each further step of the cost.
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

// Scheme returns the scheme of the hash, empty if it is unknown.
func (h Hash) Scheme() Scheme {
	if h.isBcrypt() {
		return Bcrypt
	}
	scheme, _ := crypt.Scan(h.Encoded())
	return Scheme(scheme)
}

func (h Hash) isBcrypt() bool { return h.cost > 0 }

// Cost returns the cost of a bcrypt hash; ok is false for any other.
func (h Hash) Cost() (cost int, ok bool) {
	return int(h.cost), h.isBcrypt()
}

// Encoded returns the hash as it stands in the file. It belongs in an htpasswd
// file and nowhere else.
func (h Hash) Encoded() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// String describes the hash, such as "bcrypt(10)".
func (h Hash) String() string {
	switch scheme := h.Scheme(); scheme {
	case Bcrypt:
		return fmt.Sprintf("%s(%d)", scheme, h.cost)
	case "":
		return "unknown"
	default:
		return string(scheme)
	}
}

// GoString is what %#v prints: the same as String.
func (h Hash) GoString() string { return h.String() }

// ValidatePassword says whether password is one that [HashPassword] takes and
// that every server tells from all others. The error is [ErrInvalidPassword],
// with the reason.
func ValidatePassword(password []byte) error {
	switch {
	case len(password) == 0:
		return fmt.Errorf("%w: it is empty", ErrInvalidPassword)
	case len(password) > MaxPasswordBytes:
		return fmt.Errorf("%w: it has more than %d bytes, and the registry would look at the first %d only",
			ErrInvalidPassword, MaxPasswordBytes, MaxPasswordBytes)
	case bytes.IndexByte(password, 0) >= 0:
		return fmt.Errorf("%w: it holds a NUL byte", ErrInvalidPassword)
	}
	return nil
}

// ValidateUser says whether name can stand in an htpasswd file and be logged in
// with: UTF-8, 1 to [MaxUserBytes] bytes, no colon, no control or
// line-separating character, no blank at either end (the registry would trim
// it), no leading "#" (a comment) or byte order mark. The error is
// [ErrInvalidUser], with the reason.
func ValidateUser(name string) error {
	if isPlain(name) {
		return nil
	}
	reason := ""
	switch {
	case name == "":
		reason = "it is empty"
	case len(name) > MaxUserBytes:
		reason = fmt.Sprintf("it has more than %d bytes", MaxUserBytes)
	case !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case strings.Contains(name, ":"):
		reason = "a colon ends the name in the file"
	case strings.ContainsFunc(name, isControl):
		reason = "it holds a control character"
	case strings.TrimSpace(name) != name:
		reason = "it begins or ends with a blank"
	case name[0] == '#':
		reason = "a line that begins with # is a comment"
	case strings.HasPrefix(name, "\uFEFF"):
		reason = "it begins with a byte order mark"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalidUser, reason)
}

// isPlain tells, in one look, the names that most users have.
func isPlain(name string) bool {
	if name == "" || len(name) > MaxUserBytes || name[0] == '#' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7F || c == ':' {
			return false
		}
	}
	return true
}

// isControl also takes U+2028 and U+2029, which end a line in some programs.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}
