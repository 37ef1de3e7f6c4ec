// Package crypt reads the password schemes that an htpasswd file may hold: bcrypt, those that Apache's htpasswd writes or
// has written, and those that nginx and crypt(3) take. It recognises them and verifies a password against most of them; it
// never writes one.
//
// The texts are those of crypt(5), https://httpd.apache.org/docs/2.4/misc/password_encryptions.html and
// https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html.
package crypt

import (
	"crypto/subtle"
	"errors"
	"strings"
)

// The schemes, by the names that are shown to people.
const (
	Bcrypt      = "bcrypt"       // $2y$COST$SALTDIGEST
	APR1        = "apr1"         // $apr1$SALT$DIGEST
	MD5Crypt    = "md5-crypt"    // $1$SALT$DIGEST
	SHA1        = "sha1"         // {SHA}BASE64
	SSHA        = "ssha"         // {SSHA}BASE64
	SHA256Crypt = "sha256-crypt" // $5$[rounds=N$]SALT$DIGEST
	SHA512Crypt = "sha512-crypt" // $6$[rounds=N$]SALT$DIGEST

	// Recognised only.
	DESCrypt = "des-crypt" // 13 characters and nothing to tell them by
	Plain    = "plain"     // {PLAIN}PASSWORD
	Yescrypt = "yescrypt"  // $y$PARAMETERS$SALT$DIGEST
)

// Limits of the time that Verify takes. All but MaxCost are those of crypt(3) in musl.
const (
	// MaxCost is the highest cost of bcrypt: about a minute. One of 31, the highest of the format, takes a day and a half.
	MaxCost = 20

	// MaxRounds is the most rounds of SHA-crypt: 2 to 6 s of one core (measured on an EPYC) for up to 72 bytes of
	// password, 11 s for MaxPassword. The format goes up to 999,999,999; a tool that is not told otherwise takes 5,000.
	MaxRounds = 9_999_999

	// MaxPassword is the longest password, in bytes: the time of SHA-crypt grows with its square, and with its product with
	// the rounds. Apache's htpasswd takes 255 bytes, openssl passwd 256.
	MaxPassword = 256
)

// The errors of Verify.
var (
	ErrMismatch     = errors.New("password does not match")
	ErrUnsupported  = errors.New("hash is of no scheme that can be verified")
	ErrTooExpensive = errors.New("hash or password is too expensive to verify")
)

// Scan recognises the hash at the start of s and returns its scheme and length. It ignores the text after the hash, so
// that joined records can be separated. If s does not begin with a whole hash of a known scheme, it returns "" and 0.
//
// The length of two schemes is not known: plain takes all of s, and des-crypt is recognised only if it is all of s. For
// ssha see sshaLen.
func Scan(s string) (scheme string, n int) {
	h := parse(s)
	return h.scheme, h.size
}

// Verify returns nil if encoded is a hash of password (for bcrypt, of its first 72 bytes), and ErrMismatch if it is the
// hash of another one. The error is ErrUnsupported if the scheme is unknown or only recognised, or if the text is
// malformed. It is ErrTooExpensive, at once, beyond MaxCost, MaxRounds or MaxPassword.
//
// It compares only the digest, not the whole text as a caller of crypt(3) does. So a text that crypt(3) would write in
// another way matches, too: fewer than 1,000 rounds count as 1,000, and a salt that is too long is cut.
func Verify(encoded string, password []byte) error {
	h := parse(encoded)
	switch {
	case h.scheme == Bcrypt && h.size == len(encoded):
		return verifyBcrypt(encoded, h.rounds, password)
	case h.sum == nil || h.size != len(encoded):
		return ErrUnsupported
	case h.rounds > MaxRounds || len(password) > MaxPassword:
		return ErrTooExpensive
	case subtle.ConstantTimeCompare([]byte(h.sum(password)), []byte(h.digest)) == 0:
		return ErrMismatch
	}
	return nil
}

// IsExact reports whether encoded is a whole hash in the form in which nginx, Apache and crypt(3) write it. They accept no
// other form, because they compare the whole text with the one that they compute. So no password matches a hash with a
// salt that is too long, rounds below 1,000 or unused bits that are set, although Verify accepts the right one.
//
// It does not report which of these programs support the scheme.
func IsExact(encoded string) bool {
	h := parse(encoded)
	if h.scheme == Bcrypt {
		h.exact = isExactBcrypt(encoded[:h.size])
	}
	return h.exact && h.size == len(encoded)
}

// parsed is the result of parse. It is the zero value for a text that does not begin with a hash.
type parsed struct {
	scheme string
	size   int                          // bytes of the text
	rounds int                          // where the text sets the cost
	salt   int                          // bytes, where each round hashes the salt
	digest string                       // as the text has it
	sum    func(password []byte) string // the digest of a password; nil where the scheme is only recognised
	exact  bool                         // see IsExact, which asks only then for bcrypt
}

func parse(s string) parsed {
	if h := parseBcrypt(s); h.size > 0 {
		return h
	}
	switch {
	case strings.HasPrefix(s, "$apr1$"):
		return parseMD5Crypt(APR1, "$apr1$", s)
	case strings.HasPrefix(s, "$1$"):
		return parseMD5Crypt(MD5Crypt, "$1$", s)
	case strings.HasPrefix(s, "{SHA}"):
		return parseSHA1(s)
	case strings.HasPrefix(s, "{SSHA}"):
		return parseSSHA(s)
	case strings.HasPrefix(s, "$5$"):
		return parseSHACrypt(sha256Crypt, s)
	case strings.HasPrefix(s, "$6$"):
		return parseSHACrypt(sha512Crypt, s)
	case strings.HasPrefix(s, "$y$"):
		return parseYescrypt(s)
	case strings.HasPrefix(s, "{PLAIN}"):
		return parsed{scheme: Plain, size: len(s), exact: true}
	default:
		return parseDESCrypt(s)
	}
}
