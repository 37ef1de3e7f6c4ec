package lint

import (
	"strings"

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
	switch cost, _, ok := crypt.ParseBcrypt(hash); {
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

// isStandard reports whether a bcrypt hash is one that every server accepts.
func isStandard(hash string) bool {
	_, size, ok := crypt.ParseBcrypt(hash)
	return ok && crypt.IsExact(hash[:size])
}

func takenByGo(hash string) bool {
	_, _, ok := crypt.ParseBcrypt(hash)
	return ok
}
