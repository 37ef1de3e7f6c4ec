package crypt

import (
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// A bcrypt hash is "$2y$", the cost in two digits, "$", 22 characters of salt and 31 of digest. The registry looks at no
// byte behind these 60, and at none of the password behind the first 72. Source: Provos and Mazières, "A Future-Adaptable
// Password Scheme" (1999), and x/crypto/bcrypt, which the registry uses.
const (
	BcryptLen  = 60
	bcryptHead = len("$2y$10$")
)

func parseBcrypt(s string) parsed {
	if _, ok := Cost(s); !ok {
		return parsed{}
	}
	return parsed{scheme: Bcrypt, size: BcryptLen}
}

func verifyBcrypt(encoded string, password []byte) error {
	if cost, _ := Cost(encoded); cost > MaxCost {
		return ErrTooExpensive
	}
	err := bcrypt.CompareHashAndPassword([]byte(encoded), password)
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return ErrMismatch
	}
	return err
}

// Cost returns the cost of the bcrypt hash at the start of s; ok is false where there is none.
func Cost[T string | []byte](s T) (cost int, ok bool) {
	if len(s) < BcryptLen || s[0] != '$' || s[1] != '2' || strings.IndexByte("abxy", s[2]) < 0 || s[3] != '$' || s[6] != '$' {
		return 0, false
	}
	for _, digit := range []byte(s[4:6]) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		cost = 10*cost + int(digit-'0')
	}
	// Its alphabet is that of crypt(3), in another order.
	if spanHash64(s[bcryptHead:BcryptLen]) < BcryptLen-bcryptHead || cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return 0, false
	}
	return cost, true
}
