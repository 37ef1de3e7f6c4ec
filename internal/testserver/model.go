package testserver

import (
	"errors"
	"regexp"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// RegistryReads is a model of how the registry reads a file, in the terms of its
// own source: the users with what stands behind their colon. Of a text that it
// refuses, ok is false, and the lines that it cannot read are left out.
func RegistryReads(text string) (users map[string]string, ok bool) {
	users, ok = make(map[string]string), true
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) >= 64*1024 {
			ok = false
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		user, hash, found := strings.Cut(line, ":")
		if !found {
			ok = false
			continue
		}
		users[user] = hash
	}
	return users, ok
}

// RegistryLogins returns those of the users who can log in, each with the hash.
func RegistryLogins(text string) (hashes map[string]string, ok bool) {
	hashes, ok = RegistryReads(text)
	for user, hash := range hashes {
		size := 60
		if strings.HasPrefix(hash, "$2$") {
			size--
		}
		if isAccepted(hash) {
			hashes[user] = hash[:min(size, len(hash))]
		} else {
			delete(hashes, user)
		}
	}
	return hashes, ok
}

// saltAndDigest are what a bcrypt hash has behind its cost. The last character of
// the digest stands for four bits.
var saltAndDigest = regexp.MustCompile(`^[./A-Za-z0-9]{52}[.CGKOSWaeimquy26]`)

// isAccepted asks x/crypto/bcrypt about a hash, at the lowest cost.
func isAccepted(hash string) bool {
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		return false
	}
	cost := len("$2y$")
	if hash[2] == '$' {
		cost = len("$2$")
	}
	cheap := []byte(hash[:cost] + "04" + hash[cost+2:])
	return saltAndDigest.MatchString(hash[cost+len("04$"):]) &&
		errors.Is(bcrypt.CompareHashAndPassword(cheap, []byte("no password")), bcrypt.ErrMismatchedHashAndPassword)
}
