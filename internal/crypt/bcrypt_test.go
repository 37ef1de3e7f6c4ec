package crypt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/bcrypt"
)

// What the registry accepts and what it does not: ParseBcrypt agrees with x/crypto/bcrypt, which the registry calls.
func TestParseBcrypt(t *testing.T) {
	const salt, digest = "nqgXJbxWx3BLfgdqva9c2u", "IJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
	for encoded, want := range map[string]struct{ accepted, exact bool }{
		"$2y$04$" + salt + digest:                                {true, true},
		"$2a$04$" + salt + digest:                                {true, true},
		"$2b$04$" + salt + digest:                                {true, true},
		"$2x$04$" + salt + digest:                                {true, true},
		"$2$04$" + salt + digest:                                 {true, false},
		"$2z$04$" + salt + digest:                                {true, false},
		"$1y$04$" + salt + digest:                                {true, false},
		"$2y$+4$" + salt + digest:                                {true, false},
		"$2y$04x" + salt + digest:                                {true, false},
		"$2yx04$" + salt + digest:                                {true, false},
		"$2y$04$" + salt[:21] + "v" + digest:                     {true, false}, // spare bits of the salt; another digest, but of some password
		"$2y$04$" + salt + digest[:30] + "D":                     {},            // spare bits of the digest
		"$3y$04$" + salt + digest:                                {},
		"$2y$03$" + salt + digest:                                {},
		"$2y$32$" + salt + digest:                                {},
		"$2y$4$" + salt + digest:                                 {},
		"$2y$004$" + salt + digest:                               {},
		"$2y$04$" + salt + digest[:30]:                           {},
		"$2$04$" + salt + digest[:30]:                            {},
		"$2y$04$" + salt[:21] + "=" + digest:                     {},
		"$2y$04$" + salt + digest[:30] + "$":                     {},
		"2y$04$" + salt + digest:                                 {},
		"$$2y$$04$$" + salt + digest:                             {},
		"$2y$04$" + strings.Repeat("\r", 4) + salt[:18] + digest: {true, false}, // base64 ignores line endings
		"": {},
	} {
		_, n, ok := ParseBcrypt(encoded)
		assert.Equal(t, want.accepted, ok, "%q", encoded)
		if ok {
			assert.Equal(t, len(encoded), n, "%q", encoded)
		}
		assert.Equal(t, want.exact, IsExact(encoded), "%q", encoded)
		err := bcrypt.CompareHashAndPassword([]byte(encoded), []byte("pw"))
		if ok {
			assert.ErrorIs(t, err, bcrypt.ErrMismatchedHashAndPassword, "%q", encoded)
			assert.ErrorIs(t, Verify(encoded, []byte("pw")), ErrMismatch, "%q", encoded)
		} else {
			assert.Error(t, err)
			assert.ErrorIs(t, Verify(encoded, []byte("pw")), ErrUnsupported, "%q", encoded)
		}
	}
}
