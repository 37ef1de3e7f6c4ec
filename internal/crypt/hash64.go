package crypt

import (
	"slices"
	"strings"
)

// hash64 is the alphabet of crypt(3), each character at its value.
const hash64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// encodeHash64 writes the bytes of digest in the given order: three of them make a number, the first one lowest, whose sixes
// of bits are written from the lowest on. Each scheme has its own order.
func encodeHash64(digest, order []byte) string {
	var text strings.Builder
	for group := range slices.Chunk(order, 3) {
		var bits uint
		for i, at := range group {
			bits |= uint(digest[at]) << (8 * i)
		}
		for range len(group) + 1 { // three bytes fill four characters, one fills two
			text.WriteByte(hash64[bits&63])
			bits >>= 6
		}
	}
	return text.String()
}

// isHash64 is true for the bytes of hash64.
var isHash64 = func() (is [256]bool) {
	for i := range len(hash64) {
		is[hash64[i]] = true
	}
	return is
}()

// spanHash64 counts the characters of hash64 that s begins with.
func spanHash64(s string) int {
	for i := range len(s) {
		if !isHash64[s[i]] {
			return i
		}
	}
	return len(s)
}

// cutSaltDigest reads SALT$DIGEST, as md5-crypt and SHA-crypt have it, and says how many bytes that takes. The digest has a
// known length. A salt is anything that neither ends itself nor the field or the line it stands in (crypt(5)).
func cutSaltDigest(s string, digestLen int) (salt, digest string, size int, ok bool) {
	end := strings.IndexAny(s, "$:\n")
	if end < 0 || s[end] != '$' {
		return "", "", 0, false
	}
	size = end + 1 + digestLen
	if len(s) < size || spanHash64(s[end+1:size]) != digestLen {
		return "", "", 0, false
	}
	return s[:end], s[end+1 : size], size, true
}

// lastBelow reports whether the last character of s has a value below n: its other bits hold no data.
func lastBelow(s string, n int) bool { return strings.IndexByte(hash64, s[len(s)-1]) < n }

// isSafeSalt reports whether crypt(3) accepts the bytes of a salt. Source: check_badsalt_chars of libxcrypt.
func isSafeSalt(salt string) bool {
	for i := range len(salt) {
		if c := salt[i]; c <= ' ' || c >= 0x7F || strings.IndexByte(`!*:;\`, c) >= 0 {
			return false
		}
	}
	return true
}
