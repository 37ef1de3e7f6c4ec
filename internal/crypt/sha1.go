package crypt

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strings"
)

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// spanBase64 counts the characters of base64, padding apart, that s begins with.
func spanBase64(s string) int {
	return len(s) - len(strings.TrimLeft(s, base64Alphabet))
}

// parseSHA1 reads {SHA} and the base64 of SHA-1(password) (apr-util, crypto/apr_sha1.c).
func parseSHA1(s string) parsed {
	const prefix = "{SHA}"
	size := len(prefix) + base64.StdEncoding.EncodedLen(sha1.Size)
	if len(s) < size || spanBase64(s[len(prefix):size]) != size-1-len(prefix) || s[size-1] != '=' {
		return parsed{}
	}
	return parsed{
		scheme: SHA1,
		size:   size,
		exact:  spareBitsClear(base64Alphabet, s[:size-1], 2),
		digest: s[len(prefix):size],
		sum: func(password []byte) string {
			sum := sha1.Sum(password)
			return base64.StdEncoding.EncodeToString(sum[:])
		},
	}
}

// parseSSHA reads {SSHA} and the base64 of SHA-1(password salt) and that salt, of any length (nginx, src/core/ngx_crypt.c).
func parseSSHA(s string) parsed {
	const prefix = "{SSHA}"
	text := s[len(prefix):]
	text = text[:sshaLen(text)]
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) < sha1.Size {
		return parsed{}
	}
	salt := data[sha1.Size:]
	return parsed{
		scheme: SSHA,
		size:   len(prefix) + len(text),
		digest: text,
		exact:  base64.StdEncoding.EncodeToString(data) == text,
		sum: func(password []byte) string {
			sum := sha1.Sum(slices.Concat(password, salt))
			return base64.StdEncoding.EncodeToString(slices.Concat(sum[:], salt))
		},
	}
}

// sshaLen finds the end of a base64 text whose salt, and so whose length, is not known: it ends with its padding or with s.
// Where it has no padding and text follows, only a guess is left: a salt of 4 bytes, which Dovecot writes and which needs no
// padding.
func sshaLen(s string) int {
	const guess = (sha1.Size + 4) / 3 * 4
	n := spanBase64(s)
	switch {
	case n%4 == 0 && n == len(s):
		return n
	case n%4 == 2 && strings.HasPrefix(s[n:], "=="):
		return n + 2
	case n%4 == 3 && strings.HasPrefix(s[n:], "="):
		return n + 1
	case n >= guess:
		return guess
	default:
		return 0
	}
}
