package crypt

import "strings"

// parseDESCrypt takes 13 characters for the hash of the old crypt(3), which nothing tells from a word of that length.
func parseDESCrypt(s string) parsed {
	if len(s) != 13 || spanHash64(s) != 13 {
		return parsed{}
	}
	return parsed{scheme: DESCrypt, size: len(s), exact: spareBitsClear(hash64, s, 2)}
}

// parseYescrypt reads $y$ PARAMETERS $ SALT $ DIGEST, with the lengths of crypt(5).
func parseYescrypt(s string) parsed {
	const maxSaltLen, digestLen = 86, 43
	parameters, rest, ok := strings.Cut(s[len("$y$"):], "$")
	if !ok || parameters == "" || spanHash64(parameters) != len(parameters) {
		return parsed{}
	}
	salt, digest, n, ok := cutSaltDigest(rest, digestLen)
	if !ok || len(salt) > maxSaltLen || spanHash64(salt) != len(salt) {
		return parsed{}
	}
	return parsed{scheme: Yescrypt, size: len(s) - len(rest) + n, exact: lastBelow(digest, 1<<4)}
}
