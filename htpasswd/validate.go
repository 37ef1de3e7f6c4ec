package htpasswd

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/registryctl/registryctl/internal/crypt"
)

// Limits, in bytes.
const (
	MaxPasswordBytes = 72  // bcrypt reads no more
	MaxUserBytes     = 255 // the limit of Apache's htpasswd
)

// ValidatePassword reports whether every client can log in with password, and
// every server tells it from all others. It must be UTF-8 of 1 to
// [MaxPasswordBytes] bytes, without a NUL byte, and without whitespace at
// either end, which docker login removes. The error is [ErrInvalidPassword],
// with the reason, and never holds the password.
func ValidatePassword(password []byte) error {
	if err := hashable(password); err != nil {
		return err
	}
	switch {
	case !utf8.Valid(password):
		return fmt.Errorf("%w: it is not UTF-8, and docker would send another one", ErrInvalidPassword)
	case len(bytes.TrimSpace(password)) != len(password):
		return fmt.Errorf("%w: it begins or ends with whitespace, which docker login removes", ErrInvalidPassword)
	}
	return nil
}

// hashable returns an error if bcrypt could not tell a password from others.
func hashable(password []byte) error {
	if reason := crypt.Ambiguity(password); reason != "" {
		return fmt.Errorf("%w: %s", ErrInvalidPassword, reason)
	}
	return nil
}

// ValidateUser reports whether name can be the name of a new user: one that
// stands in an htpasswd file, and that every client can log in with. It must be
// UTF-8 of 1 to [MaxUserBytes] bytes, without a colon and without control
// characters or line separators. It must not begin or end with whitespace,
// which the registry removes, or with an invisible U+FEFF or U+200B; not begin
// with "#", which starts a comment; and not be "<token>", which credential
// helpers take for something else. The error is [ErrInvalidUser], with the
// reason.
func ValidateUser(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "it is empty"
	case len(name) > MaxUserBytes:
		reason = fmt.Sprintf("it is longer than %d bytes", MaxUserBytes)
	case !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case strings.Contains(name, ":"):
		reason = "it contains a colon, which ends the name in the file"
	case strings.ContainsFunc(name, isControl):
		reason = "it contains a control character or a line separator"
	case strings.TrimSpace(name) != name:
		reason = "it begins or ends with whitespace"
	case strings.Trim(name, "\uFEFF\u200B") != name:
		reason = "it begins or ends with an invisible character"
	case name[0] == '#':
		reason = "it begins with #, which starts a comment in the file"
	case name == "<token>":
		reason = "credential helpers take its password for a token"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalidUser, reason)
}

func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
