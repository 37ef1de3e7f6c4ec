package crypt

import (
	"crypto/sha1"
	"encoding/base64"
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
