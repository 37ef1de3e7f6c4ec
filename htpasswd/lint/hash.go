package lint

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// Problem returns why a server does not let a user in with this entry, whatever the
// password, or "" if it does. It does not know whether another line counts instead,
// nor what follows a bcrypt hash on the line, because an Entry does not tell;
// [Check] does.
func Problem(e htpasswd.Entry, server Server) string {
	hash := e.Hash.Encoded()
	if isDisabled(hash) {
		return "disabled"
	}
	c := checker{server: server}
	if e.Line == 1 && strings.HasPrefix(e.User, byteOrderMark) {
		c.add(BOM, place{})
	}
	switch server {
	case Nginx:
		hash = until(hash, "\r:\x00")
		if e.User == "" {
			c.add(EmptyName, place{})
		}
	case Apache:
		hash = until(strings.TrimLeft(hash, ":"), ":\x00")
		if strings.ContainsRune(e.User, 0) {
			c.add(NULInName, place{})
		}
	}
	return c.problem(hash)
}

// problem returns the message of the first error, after it has checked the hash.
func (c *checker) problem(hash string) string {
	c.hash(place{}, hash)
	for _, f := range c.findings {
		if f.Severity == SeverityError {
			return f.Message
		}
	}
	return ""
}

// hash checks the text that the server reads as the hash of a user.
func (c *checker) hash(at place, hash string) {
	switch {
	case strings.TrimLeftFunc(hash, unicode.IsSpace) != hash:
		c.add(BlankBeforeHash, at)
	case c.server.lastCounts():
		c.goHash(at, hash)
	default:
		c.cryptHash(at, hash)
	}
	if cost, _, ok := crypt.ParseBcrypt(hash); ok {
		switch {
		case cost < htpasswd.DefaultCost:
			c.add(LowCost, at, cost)
		case cost > slowCost:
			c.add(HighCost, at, cost)
		}
	}
}

// isDisabled reports whether a hash belongs to a disabled user: it begins with the mark,
// or is the mark alone. No server accepts it.
func isDisabled(hash string) bool {
	before, ok := strings.CutPrefix(hash, record.DisabledMark)
	scheme, _ := crypt.Scan(before)
	return ok && (until(before, ":") == "" || scheme != "")
}

// slowCost is the highest cost at which a push is still quick: each of its dozens of
// requests computes one hash.
const slowCost = 12

// goServers tells what the servers in Go accept: with which beginnings a bcrypt hash, any
// if there are none, and which other schemes.
var goServers = map[Server]struct{ begin, schemes []string }{
	Registry: {},
	Zot:      {[]string{"$2a$", "$2b$", "$2y$"}, []string{crypt.SHA256Crypt, crypt.SHA512Crypt}},
	Traefik:  {[]string{"$2a$", "$2b$", "$2x$", "$2y$"}, []string{crypt.SHA1, crypt.APR1, crypt.MD5Crypt}},
}

// goHash checks a hash as the servers in Go do.
func (c *checker) goHash(at place, hash string) {
	accepts := goServers[c.server]
	_, n, ok := crypt.ParseBcrypt(hash)
	field := until(hash, ":\r\x00")
	scheme, _ := crypt.Scan(field)
	switch {
	case ok && accepts.begin != nil && !slices.Contains(accepts.begin, hash[:4]):
		c.add(OddBcrypt, at)
	case ok:
		if c.server == Registry || crypt.IsExact(hash[:n]) {
			c.bcryptForm(at, hash[:n])
		}
		switch rest := hash[n:]; {
		case rest == "" || rest[0] == '\r' || isGlued(rest):
		case rest[0] != ':':
			c.add(TextAfterHash, at)
		case c.server != Traefik: // which refuses the file
			c.add(ThirdField, at)
		}
	case scheme == "":
		c.noHash(at, hash)
	case !slices.Contains(accepts.schemes, scheme):
		c.add(NotBcrypt, at, scheme)
	case !crypt.IsExact(field) || c.server == Zot && strings.Contains(field, "$$"): // zot takes no empty salt
		c.add(InexactHash, at, scheme)
	}
}

// cryptHash checks a hash as the servers in C do: they compare the whole field, and leave
// most schemes to crypt(3).
func (c *checker) cryptHash(at place, hash string) {
	scheme, n := crypt.Scan(hash)
	switch {
	case scheme == "":
		c.noHash(at, hash)
	case scheme == crypt.SHA1 && c.server == Lighttpd: // it decodes what is there, up to the end of the digest
	case n < len(hash):
		c.add(TextAfterHash, at)
	case scheme == crypt.Bcrypt:
		c.bcryptForm(at, hash)
	case !crypt.IsExact(hash):
		c.add(InexactHash, at, scheme)
	case scheme == crypt.DESCrypt:
		c.add(MaybeDES, at)
	case scheme == crypt.SSHA:
		c.add(SSHAHash, at)
	case scheme == crypt.Plain:
		c.add(PlainHash, at)
	default:
		c.add(NotBcrypt, at, scheme)
	}
}

// bcryptForm checks how a bcrypt hash is written.
func (c *checker) bcryptForm(at place, hash string) {
	switch {
	case !crypt.IsExact(hash):
		c.add(OddBcrypt, at)
	case strings.HasPrefix(hash, "$2b$"):
		c.add(Prefix2b, at)
	case strings.HasPrefix(hash, "$2x$"):
		c.add(Prefix2x, at)
	case strings.HasPrefix(hash, "$2a$10$") && at.user == "docker":
		c.add(DockerUser, at)
	}
}

// noHash adds the finding for a text that is no hash of a known scheme.
func (c *checker) noHash(at place, text string) {
	cause := UnknownHash
	_, repair := repaired(text)
	switch {
	case text == "":
		cause = EmptyHash
	case repair != "":
		cause = repair
	case strings.HasPrefix(text, "$2"):
		cause = BrokenBcrypt
	case wasExpanded(text):
		cause = ShellExpanded
	case isPlain(text):
		cause = PlainText
	}
	c.add(cause, at)
}

// repaired removes quotes and escapes from a bcrypt hash that was copied from a file of
// another format. It returns the hash and the kind of the problem, which is empty if the
// text is not such a hash.
func repaired(text string) (hash string, kind Kind) {
	if text = strings.TrimLeftFunc(text, unicode.IsSpace); text == "" {
		return "", ""
	}
	bare := text
	if quote := text[0]; len(text) > 1 && (quote == '"' || quote == '\'') && text[len(text)-1] == quote {
		bare = text[1 : len(text)-1]
	}
	hash = strings.NewReplacer("$$", "$", `\$`, "$").Replace(bare)
	_, n, ok := crypt.ParseBcrypt(hash)
	ok = ok && n == len(hash)
	switch {
	case ok && hash != bare:
		return hash, DoubledDollars
	case ok && bare != text:
		return hash, Quoted
	}
	return "", ""
}

var (
	// What remains of "$2y$05$…" or "$2y$0…" in double quotes after bash or another shell has expanded it.
	expanded = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[abxy]-?(ba|z|da|k)?sh[0-9]`) })
	// What may be left of a bcrypt hash: the end of salt and digest.
	leftover = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$?[./A-Za-z0-9]{20,57}$`) })
)

// wasExpanded reports whether text is what a shell leaves of a bcrypt hash, whose
// "$2", "$0" and "$abc" it takes for variables.
func wasExpanded(text string) bool {
	return expanded().MatchString(text) || leftover().MatchString(text) && !isHex(text)
}

func isHex(text string) bool { return strings.Trim(text, "0123456789ABCDEFabcdef") == "" }

// isPlain reports whether text may be a password that was not hashed. One that
// begins with "!" or "*" was disabled.
func isPlain(text string) bool {
	return len(text) <= htpasswd.MaxPasswordBytes && strings.IndexByte("${!*", text[0]) < 0 && (len(text) < 32 || !isHex(text))
}
