package crypt

import (
	"bytes"
	"crypto/md5"
	"hash"
)

// parseMD5Crypt reads PREFIX SALT $ DIGEST.
func parseMD5Crypt(scheme, prefix, s string) parsed {
	salt, digest, size, ok := cutSaltDigest(s[len(prefix):], 22)
	if !ok {
		return parsed{}
	}
	exact := len(salt) <= 8 && lastBelow(digest, 1<<2) // 22 characters for 128 bits
	if scheme == MD5Crypt {
		exact = exact && isSafeSalt(salt)
	}
	salt = salt[:min(len(salt), 8)]
	return parsed{
		scheme: scheme,
		size:   len(prefix) + size,
		salt:   len(salt),
		digest: digest,
		exact:  exact,
		sum: func(password []byte) string {
			return encodeHash64(md5Crypt(password, []byte(prefix), []byte(salt)), md5Order)
		},
	}
}

var md5Order = []byte{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11}

// md5Crypt is Poul-Henning Kamp's algorithm of 1994 (FreeBSD, lib/libcrypt/crypt-md5.c); Apache's apr1 is the same with
// another prefix (apr-util, crypto/apr_md5.c). Its oddities are the original's.
func md5Crypt(password, prefix, salt []byte) []byte {
	h := md5.New()
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	sum := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write(prefix)
	h.Write(salt)
	h.Write(stretch(sum, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write([]byte{0}) // the original meant a byte of sum, which it had just cleared
		} else {
			h.Write(password[:1])
		}
	}
	sum = h.Sum(sum[:0])

	return iterate(h, sum, password, salt, 1000)
}

// iterate is the slow part, which SHA-crypt took over.
func iterate(h hash.Hash, sum, password, salt []byte, rounds int) []byte {
	for i := range rounds {
		h.Reset()
		if i%2 != 0 {
			h.Write(password)
		} else {
			h.Write(sum)
		}
		if i%3 != 0 {
			h.Write(salt)
		}
		if i%7 != 0 {
			h.Write(password)
		}
		if i%2 != 0 {
			h.Write(sum)
		} else {
			h.Write(password)
		}
		sum = h.Sum(sum[:0])
	}
	return sum
}

// stretch repeats b up to n bytes.
func stretch(b []byte, n int) []byte {
	return bytes.Repeat(b, n/len(b)+1)[:n]
}
