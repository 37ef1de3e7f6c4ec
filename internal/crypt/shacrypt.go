package crypt

import (
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strconv"
	"strings"
)

// shaCrypt is one of the two schemes that Ulrich Drepper specified in https://www.akkadia.org/drepper/SHA-crypt.txt.
type shaCrypt struct {
	scheme    string
	newHash   func() hash.Hash
	digestLen int // characters
	lastDigit int // what the value of the last character is below, as some of its bits are spare
	order     []byte
}

var sha256Crypt = shaCrypt{SHA256Crypt, sha256.New, 43, 1 << 4, []byte{
	20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30, 31,
}}

var sha512Crypt = shaCrypt{SHA512Crypt, sha512.New, 86, 1 << 2, []byte{
	42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10, 52,
	31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40, 41, 20,
	62, 63,
}}

// parseSHACrypt reads $5$ or $6$, [rounds=N$] SALT $ DIGEST.
func parseSHACrypt(c shaCrypt, s string) parsed {
	rounds, rest, exact, ok := cutRounds(s[len("$5$"):])
	if !ok {
		return parsed{}
	}
	salt, digest, size, ok := cutSaltDigest(rest, c.digestLen)
	if !ok {
		return parsed{}
	}
	exact = exact && len(salt) <= 16 && isSafeSalt(salt) && lastBelow(digest, c.lastDigit)
	salt = salt[:min(len(salt), 16)]
	return parsed{
		scheme: c.scheme,
		size:   len(s) - len(rest) + size,
		rounds: rounds,
		salt:   len(salt),
		digest: digest,
		exact:  exact,
		sum: func(password []byte) string {
			return encodeHash64(c.sum(password, []byte(salt), rounds), c.order)
		},
	}
}

// cutRounds reads an optional "rounds=N$". As in the specification N counts as the nearest number that is allowed; exact
// is false then, as for a leading zero. A text behind "rounds=" that is no number is refused, as musl and libxcrypt do;
// glibc takes it for a salt.
func cutRounds(s string) (rounds int, rest string, exact, ok bool) {
	const minRounds, maxRounds = 1000, 999_999_999
	s, ok = strings.CutPrefix(s, "rounds=")
	if !ok {
		return 5000, s, true, true
	}
	number, rest, ok := strings.Cut(s, "$")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return 0, "", false, false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		n = maxRounds + 1 // digits only, so it is out of range
	}
	exact = number[0] != '0' && n >= minRounds && n <= maxRounds
	return int(min(max(n, minRounds), maxRounds)), rest, exact, true
}

// sum is the specification's algorithm; A, B, DP, DS, P and S are its names.
func (c shaCrypt) sum(password, salt []byte, rounds int) []byte {
	h := c.newHash()
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	b := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write(salt)
	h.Write(stretch(b, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write(b)
		} else {
			h.Write(password)
		}
	}
	a := h.Sum(nil)

	h.Reset()
	for range password {
		h.Write(password)
	}
	p := stretch(h.Sum(nil), len(password)) // of DP

	h.Reset()
	for range 16 + int(a[0]) {
		h.Write(salt)
	}
	s := stretch(h.Sum(nil), len(salt)) // of DS

	return iterate(h, a, p, s, rounds)
}
