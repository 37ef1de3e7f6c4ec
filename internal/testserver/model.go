package testserver

import (
	"errors"
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

// isAccepted asks x/crypto/bcrypt about a hash, at the lowest cost.
func isAccepted(hash string) bool {
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		return false
	}
	cost := len("$2y$")
	if hash[2] == '$' {
		cost = len("$2$")
	}
	if len(hash) < cost+len("04$")+53 {
		return false
	}
	cheap := []byte(hash[:cost] + "04" + hash[cost+2:])
	last := strings.IndexByte("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", hash[cost+len("04$")+52])
	return errors.Is(bcrypt.CompareHashAndPassword(cheap, []byte("no password")), bcrypt.ErrMismatchedHashAndPassword) && last >= 0 && last%4 == 0
}
