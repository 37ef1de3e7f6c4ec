package userlist

import (
	"path/filepath"
	"strings"

	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// lines reads a list of lines, among them an htpasswd file.
func (p *parser) lines(text string) {
	if p.refuseLoneCR(text) {
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		r, kind := record.Parse(line)
		name, value, _ := strings.Cut(line, ":") // with the whitespace around them, so that it is refused
		first, _, _ := strings.Cut(r.Hash, ":")
		switch {
		case kind == record.Comment:
		case kind == record.Malformed && strings.ContainsAny(line, ",;\t"): // a password would become part of a name
			p.invalid(n, "", `no colon; CSV needs a header such as "name,password"`)
		case kind == record.Malformed:
			p.add(n, name, nil, nil)
		case first != value && beginsAsHash(first): // an htpasswd file may have whitespace or a third field there
			p.add(n, name, &first, nil)
		default:
			p.add(n, name, &value, nil)
		}
	}
	p.refuseDESCrypt()
}

// refuseLoneCR refuses a text with a carriage return that does not belong to a line
// ending: it would hide all users but the first.
func (p *parser) refuseLoneCR(text string) bool {
	for rest := text; ; {
		i := strings.IndexByte(rest, '\r')
		switch {
		case i < 0:
			return false
		case !strings.HasPrefix(rest[i+1:], "\n"):
			line := 1 + strings.Count(text[:len(text)-len(rest)+i], "\n")
			p.invalid(line, "", "a carriage return alone does not end a line; use LF or CRLF")
			return true
		}
		rest = rest[i+2:]
	}
}

// refuseDESCrypt refuses what may be hashes of the old crypt(3) in an htpasswd file.
// Nothing tells them from passwords of 13 characters, except that the list is called
// an htpasswd file or has other hashes.
func (p *parser) refuseDESCrypt() {
	if !p.hasHashes && !strings.EqualFold(filepath.Ext(p.options.Name), ".htpasswd") {
		return
	}
	for i := range p.users {
		u := &p.users[i]
		switch scheme, _ := crypt.Scan(string(u.Password)); {
		case scheme != crypt.DESCrypt:
		case p.options.SkipUnsupported:
			u.Password, u.Skip = nil, true
		default:
			p.refuse(*u, invalid("this may be a hash by %s, which the registry does not accept; "+
				"if it is a password, use CSV or JSON; --skip-unsupported skips such users", scheme))
		}
	}
}
