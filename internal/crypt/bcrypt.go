package crypt

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// A bcrypt hash is "$2y$", the cost in two digits, "$", 22 characters of salt and 31 of digest. The registry looks at no
// byte behind these 60, and at none of the password behind the first 72. Source: Provos and Mazières, "A Future-Adaptable
// Password Scheme" (1999), and x/crypto/bcrypt, which the registry uses.
const (
	bcryptLen  = 60
	bcryptHead = len("$2y$10$")
)

func parseBcrypt(s string) parsed {
	if _, ok := Cost(s); !ok {
		return parsed{}
	}
	return parsed{scheme: Bcrypt, size: bcryptLen}
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
func Cost(s string) (cost int, ok bool) {
	if len(s) < bcryptLen || s[:2] != "$2" || !strings.Contains("abxy", s[2:3]) || s[3] != '$' || s[6] != '$' {
		return 0, false
	}
	for _, digit := range s[4:6] {
		if digit < '0' || digit > '9' {
			return 0, false
		}
	}
	cost, _ = strconv.Atoi(s[4:6])
	// Its alphabet is that of crypt(3), in another order.
	ok = spanHash64(s[bcryptHead:bcryptLen]) == bcryptLen-bcryptHead
	return cost, ok && cost >= bcrypt.MinCost && cost <= bcrypt.MaxCost
}
