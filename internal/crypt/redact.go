package crypt

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Hidden is shown in the place of a text that holds a hash.
const Hidden = "[hidden]"

// A hash, or what is left of one that was cut: the mark of its scheme, and some of what follows it.
var hashLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$+(2[a-z]?|1|5|6|7|y|gy|sm3|md5|sha1|apr1|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*)[\\$]*\$[^\s$:]|\{(S?SHA(256|512)?|S?MD5|CRYPT|BCRYPT)\}[^\s:]|\{PLAIN\}.`)
})

// HoldsHash reports whether a hash, or a part of one that names its scheme, stands anywhere in text. It does not see a
// hash of DES crypt, which nothing tells from a word.
func HoldsHash(text string) bool {
	if !strings.Contains(text, "$") && !strings.Contains(text, "{") { // nearly every name
		return false
	}
	return hashLike().MatchString(strings.ReplaceAll(text, "\x00", "")) // as UTF-16 has NUL bytes between
}

// Redact returns the name of a user as it may be shown: Hidden if a hash stands where the name should, else the name as it
// is. Every command and every message that shows a name from a file calls it, before it escapes the name.
func Redact(name string) string {
	if HoldsHash(name) {
		return Hidden
	}
	return name
}

// Quote returns a name in quotes, escaped as in Go. If only backslashes would be escaped, as in DOMAIN\user, they are not.
func Quote(name string) string {
	rest := strings.ReplaceAll(name, `\`, "")
	if strconv.Quote(rest) == `"`+rest+`"` {
		return `"` + name + `"`
	}
	return strconv.Quote(name)
}
