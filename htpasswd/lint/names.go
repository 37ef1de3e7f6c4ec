package lint

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// longName is the shortest name, in bytes, for which Apache's htpasswd program
// refuses a whole file. Apache httpd itself reads it.
const longName = 195

// name checks the name of a user who is listed and whom the server finds.
func (c *checker) name(p piece, effective map[string]int) {
	trimmed := strings.Trim(p.name, byteOrderMark+"\u200B")
	switch {
	case p.name == "":
		c.add(EmptyName, p.at())
	case crypt.HoldsHash(p.name):
		c.add(BadName, p.at(), "holds a hash")
	case !utf8.ValidString(p.name):
		c.add(BadName, p.at(), "is not UTF-8")
	case len(p.name) > htpasswd.MaxUserBytes:
		c.add(BadName, p.at(), fmt.Sprintf("is longer than %d bytes", htpasswd.MaxUserBytes))
	case p.name == "<token>":
		c.add(MangledName, p.at(), "is one by which credential helpers store a token")
	case strings.TrimSpace(p.name) != p.name:
		c.add(MangledName, p.at(), "ends in whitespace, which docker and podman remove")
	case trimmed != p.name:
		c.add(BadName, p.at(), "begins or ends with an invisible character")
	case htpasswd.ValidateUser(p.name) != nil:
		c.add(BadName, p.at(), "holds a control character or a line separator")
	}
	if len(p.name) >= longName {
		c.add(LongName, p.at(), len(p.name))
	}
	c.twin(p, effective)
}

// twin looks for another user whose name looks the same to a person.
func (c *checker) twin(p piece, effective map[string]int) {
	folded := FoldName(p.name)
	if folded == p.name {
		return // the other one reports it
	}
	other, ok := c.folded[folded]
	if _, isThere := effective[folded]; isThere {
		other, ok = folded, true
	}
	if ok {
		c.add(Twin, p.at(), crypt.Quote(crypt.Redact(other)))
		return
	}
	c.folded[folded] = p.name
}

// FoldName returns the same text for names that differ only in case or Unicode
// normalisation. Servers distinguish such names, but people do not.
func FoldName(name string) string {
	if isLowerASCII(name) { // as most are
		return name
	}
	return norm.NFC.String(strings.ToLower(norm.NFC.String(name)))
}

func isLowerASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}
