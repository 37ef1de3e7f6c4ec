package userlist

import (
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
)

// allLines reads a text of lines.
func (p *parser) allLines(text []byte) { p.lines(text, 0) }

// loneReturn is why a text is not read that seems to hold no users, or fewer.
const loneReturn = "a carriage return alone ends no line; LF or CRLF does"

// lines reads lines, before which there are n others.
func (p *parser) lines(text []byte, n int) {
	for line := range strings.Lines(string(text)) {
		n++
		if ended, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(ended, "\r")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == '#' {
			if strings.Contains(line, "\r") { // and perhaps users behind it
				p.problem(n, "%w: "+loneReturn, ErrNoEntry)
			}
			continue
		}
		name, password, ok := strings.Cut(line, ":")
		switch {
		case !ok && strings.ContainsAny(name, ",;"): // a password would become part of a name
			p.problem(n, "%w: no colon but a comma or semicolon; CSV has commas, and a header with \"name\"", ErrNoEntry)
		case !ok:
			p.add(n, name, nil, false)
		case strings.HasPrefix(password, " ") || strings.HasPrefix(password, "\t"):
			p.problem(n, "%w: a blank stands before it; if that is part of it, take CSV or JSON", htpasswd.ErrInvalidPassword)
		default:
			p.add(n, name, &password, false)
		}
	}
}
