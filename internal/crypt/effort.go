package crypt

import "strings"

// An Effort tells how long it takes to verify a password: hashes with the same Effort take the same time.
type Effort struct {
	Scheme string
	Rounds int // of bcrypt the cost, which is the base-2 logarithm of the rounds; 0 if the scheme has no choice
	Salt   int // bytes, if each round hashes the salt
}

// Assess returns the effort of the hash at the start of s, and the length of that hash. Both are zero if Verify would
// refuse the hash without computing it: because it is too expensive, can only be recognised, or is of another scheme than
// bcrypt and followed by text other than a field of its own.
func Assess(s string) (e Effort, n int) {
	h := parse(s)
	if h.scheme == Bcrypt {
		if h.rounds > MaxCost {
			return Effort{}, 0
		}
		return Effort{Scheme: Bcrypt, Rounds: h.rounds}, h.size
	}
	// nginx and Apache httpd, which accept the other schemes, end a hash at a colon.
	s, _, _ = strings.Cut(s, ":")
	h = parse(s)
	if h.sum == nil || h.size != len(s) || h.rounds > MaxRounds {
		return Effort{}, 0
	}
	return Effort{h.scheme, h.rounds, h.salt}, h.size
}
