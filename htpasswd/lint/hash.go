package lint

import (
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// hash looks at what the server reads as the hash of a user.
func (c *checker) hash(p person, hash string) {
	switch trimmed := strings.TrimLeft(hash, " \t"); {
	case trimmed != hash:
		c.add(BlankBeforeHash, p.at())
		return
	case hash == "":
		c.add(EmptyHash, p.at())
		return
	}
	if c.server == Registry {
		c.registryHash(p, hash)
	} else {
		c.cryptHash(p, hash)
	}
	switch cost, ok := crypt.Cost(hash); {
	case !ok:
	case cost < htpasswd.DefaultCost:
		c.add(LowCost, p.at(), cost)
	case cost > slowCost:
		c.add(HighCost, p.at(), cost)
	}
}

// slowCost is the highest cost at which a push is still quick: each of its
// dozens of requests pays for one hash.
const slowCost = 12

// registryHash: the registry takes what x/crypto/bcrypt takes.
func (c *checker) registryHash(p person, hash string) {
	scheme, n := crypt.Scan(until(hash, ":\r\x00"))
	switch {
	case isStandard(hash):
		c.unusualPrefix(p, hash)
	case takenByGo(hash):
		c.add(OddBcrypt, p.at())
		return
	case strings.HasPrefix(hash, "$2"):
		c.add(BrokenBcrypt, p.at())
		return
	case scheme != "":
		c.add(NotBcrypt, p.at(), scheme)
		return
	default:
		c.add(UnknownHash, p.at())
		return
	}
	switch rest := hash[n:]; {
	case rest == "" || isGlued(rest) || rest[0] == '\r':
	case rest[0] == ':':
		c.add(ThirdField, p.at())
	default:
		c.add(TextAfterHash, p.at())
	}
}

// cryptHash: nginx and Apache httpd compare the whole field, and leave most
// schemes to crypt(3).
func (c *checker) cryptHash(p person, hash string) {
	scheme, n := crypt.Scan(hash)
	switch {
	case scheme == "" && takenByGo(hash):
		c.add(OddBcrypt, p.at())
	case scheme == "" && strings.HasPrefix(hash, "$2"):
		c.add(BrokenBcrypt, p.at())
	case scheme == "":
		c.add(UnknownHash, p.at())
	case n < len(hash):
		c.add(TextAfterHash, p.at())
	case scheme == crypt.Bcrypt && !isStandard(hash):
		if takenByGo(hash) {
			c.add(OddBcrypt, p.at())
		} else {
			c.add(BrokenBcrypt, p.at())
		}
	case scheme == crypt.Bcrypt:
		c.unusualPrefix(p, hash)
	case scheme == crypt.DESCrypt:
		c.add(MaybeDES, p.at())
	case scheme == crypt.SSHA:
		c.add(SSHAHash, p.at())
	case scheme == crypt.Plain:
		c.add(PlainHash, p.at())
	default:
		c.add(NotBcrypt, p.at(), scheme)
	}
}

func (c *checker) unusualPrefix(p person, hash string) {
	switch hash[:4] {
	case "$2b$":
		c.add(Prefix2b, p.at())
	case "$2x$":
		c.add(Prefix2x, p.at())
	}
}

// The 22 characters of salt hold 128 bits, the 31 of digest 184. What is left in
// the last of each is zero in a hash as bcrypt writes it.
const (
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	saltLen        = 22
	digestLen      = 31
	saltSpare      = 1<<4 - 1
	digestSpare    = 1<<2 - 1
)

// isStandard reports whether a bcrypt hash is one that every server reads, as far
// as they go.
func isStandard(hash string) bool {
	_, ok := crypt.Cost(hash)
	if !ok {
		return false
	}
	salt := strings.IndexByte(bcryptAlphabet, hash[len("$2y$10$")+saltLen-1])
	return salt&saltSpare == 0 && takenByGo(hash)
}

// takenByGo reports whether x/crypto/bcrypt, and with it the registry, takes the
// hash: its versions and costs are read loosely.
func takenByGo(hash string) bool {
	if _, err := bcrypt.Cost([]byte(hash)); err != nil {
		return false
	}
	head := len("$2y$10$")
	if hash[2] == '$' {
		head = len("$2$10$")
	}
	if len(hash) < head+saltLen+digestLen {
		return false
	}
	text := hash[head : head+saltLen+digestLen]
	for _, char := range []byte(text) {
		if strings.IndexByte(bcryptAlphabet, char) < 0 {
			return false
		}
	}
	return strings.IndexByte(bcryptAlphabet, text[len(text)-1])&digestSpare == 0
}
