package crypt

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// The lengths of the parts of a bcrypt hash: "$2y$", the cost in two digits, "$", 22 characters of salt and 31 of digest.
// Source: Provos and Mazières, "A Future-Adaptable Password Scheme" (1999).
const (
	bcryptSaltLen   = 22 // 128 bits: four bits of the last character are spare
	bcryptDigestLen = 31 // 184 bits: two bits of the last character are spare
)

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

var bcryptEncoding = base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding)

// ParseBcrypt returns the cost of the bcrypt hash at the start of s, and the length of that hash. It accepts what the
// registry accepts, which is what x/crypto/bcrypt compares a password with: any version up to 2, a minor version of any
// byte or none, a cost with a sign. The registry ignores what follows the hash.
func ParseBcrypt(s string) (cost, size int, ok bool) {
	const minSize = len("$2$10$") + bcryptSaltLen + bcryptDigestLen
	if len(s) < minSize || s[0] != '$' || s[1] > '2' {
		return 0, 0, false
	}
	head := len("$2$")
	if s[2] != '$' {
		head++
	}
	cost, err := strconv.Atoi(s[head : head+2])
	if err != nil || cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return 0, 0, false
	}
	head += len("10$")
	size = head + bcryptSaltLen + bcryptDigestLen
	if len(s) < size {
		return 0, 0, false
	}
	salt, digest := s[head:head+bcryptSaltLen], s[head+bcryptSaltLen:size]
	if spanHash64(salt) != len(salt) { // the decoder skips line endings
		if _, err := bcryptEncoding.DecodeString(salt); err != nil {
			return 0, 0, false
		}
	}
	if spanHash64(digest) != len(digest) || !spareBitsClear(bcryptAlphabet, digest, 2) {
		return 0, 0, false
	}
	return cost, size, true
}

func parseBcrypt(s string) parsed {
	cost, size, ok := ParseBcrypt(s)
	if !ok {
		return parsed{}
	}
	return parsed{scheme: Bcrypt, size: size, rounds: cost}
}

// isExactBcrypt reports whether crypt(3) and Apache accept a hash that the registry accepts.
func isExactBcrypt(s string) bool {
	return strings.HasPrefix(s, "$2") && strings.IndexByte("abxy", s[2]) >= 0 && s[3] == '$' &&
		isDigit(s[4]) && isDigit(s[5]) && s[6] == '$' &&
		spareBitsClear(bcryptAlphabet, s[:len(s)-bcryptDigestLen], 4) &&
		spanHash64(s[7:]) == len(s)-7
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// spareBitsClear reports whether the low bits of the last character of s, which hold no data, are zero.
func spareBitsClear(alphabet, s string, bits int) bool {
	i := strings.IndexByte(alphabet, s[len(s)-1])
	return i >= 0 && i&(1<<bits-1) == 0
}

// Ambiguity returns why bcrypt cannot tell the password from others, or "" if it can.
func Ambiguity(password []byte) string {
	switch {
	case len(password) == 0:
		return "it is empty"
	case len(password) > 72:
		return "it is longer than 72 bytes, and bcrypt would ignore the rest"
	case bytes.IndexByte(password, 0) >= 0:
		return "it contains a NUL byte"
	}
	return ""
}

func verifyBcrypt(encoded string, cost int, password []byte) error {
	if cost > MaxCost {
		return ErrTooExpensive
	}
	err := bcrypt.CompareHashAndPassword([]byte(encoded), password)
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return ErrMismatch
	}
	return err
}
