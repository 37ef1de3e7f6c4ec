package crypt

// An Effort is what it takes to verify a password: of two hashes with the same one it takes the same time.
type Effort struct {
	Scheme string
	Rounds int // of bcrypt the cost, which is the base-2 logarithm of the rounds; 0 where a scheme has no choice
	Salt   int // bytes, where each round hashes the salt
}

// fieldLen is how many bytes of s stand before a colon: where nginx and Apache httpd, which take the other schemes, end a
// hash.
func fieldLen[T string | []byte](s T) int {
	for i := range len(s) {
		if s[i] == ':' {
			return i
		}
	}
	return len(s)
}

// Assess tells the effort of the hash at the start of s, and how many bytes of s it takes. These are 0 where Verify would
// refuse it unseen: a hash that is too expensive, one that can only be recognised, none at all, or one of another scheme
// than bcrypt with text behind it that is no field of its own.
func Assess[T string | []byte](s T) (e Effort, n int) {
	if cost, ok := Cost(s); ok {
		if cost > MaxCost {
			return Effort{}, 0
		}
		return Effort{Scheme: Bcrypt, Rounds: cost}, BcryptLen
	}
	s = s[:fieldLen(s)]
	h := parse(string(s))
	if h.sum == nil || h.size != len(s) || h.rounds > MaxRounds {
		return Effort{}, 0
	}
	return Effort{h.scheme, h.rounds, h.salt}, h.size
}
