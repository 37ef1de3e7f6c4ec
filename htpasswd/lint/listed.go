package lint

import (
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
)

// A person is a user as somebody who looks at the file would say they are
// listed: by the name to be typed, without blanks and invisible marks, also
// where the line end before it is missing.
type person struct {
	line, column int
	name         string
	raw          string // the name with what stands around it up to the line's ends
	hidden       Kind   // LoneCR or GluedLines, if no line of its own has it
}

func (p person) at() place { return place{p.line, p.column, p.name} }

// listed returns who is listed, in the order of the text.
func listed(text string) []person {
	var people []person
	n := 0
	for line := range strings.Lines(text) {
		n++
		body := strings.TrimRight(strings.TrimSuffix(line, "\n"), "\r")
		column := 1
		hidden := Kind("")
		for part := range strings.SplitSeq(body, "\r") {
			people = listedIn(people, part, person{line: n, column: column, hidden: hidden})
			column += len(part) + 1
			if strings.TrimSpace(part) != "" {
				hidden = LoneCR
			}
		}
	}
	return people
}

// listedIn adds who is listed in a piece of a line that stands at p.
func listedIn(people []person, part string, p person) []person {
	for {
		record := trimName(part)
		user, hash, ok := strings.Cut(record, ":")
		if !ok || strings.HasPrefix(record, "#") {
			return people
		}
		p.name = trimName(user)
		p.raw, _, _ = strings.Cut(part, ":")
		people = append(people, person{p.line, p.column + strings.Index(p.raw, p.name), p.name, p.raw, p.hidden})

		_, n := crypt.Scan(hash)
		if n == 0 || !isGlued(hash[n:]) {
			return people
		}
		p.column += strings.Index(part, hash) + n
		p.hidden = GluedLines
		part = hash[n:]
	}
}

// trimName removes what a person does not see around a name.
func trimName(s string) string {
	for {
		t := strings.Trim(strings.TrimSpace(s), "\ufeff\u200b")
		if t == s {
			return s
		}
		s = t
	}
}

// isGlued reports whether what stands behind a hash is another record, whose
// line end is missing.
func isGlued(rest string) bool {
	user, hash, ok := strings.Cut(rest, ":")
	if !ok || htpasswd.ValidateUser(user) != nil {
		return false
	}
	scheme, _ := crypt.Scan(until(hash, ":\r"))
	return scheme != "" && scheme != crypt.DESCrypt
}

// whyNot says why the server does not find the user by that name.
func (p person) whyNot(server Server) Kind {
	switch {
	case server == Apache && strings.ContainsRune(p.raw, 0):
		return NULInName
	case p.hidden != "":
		return p.hidden
	case strings.Contains(p.raw, "\ufeff"), strings.Contains(p.raw, "\u200b"):
		return BOM
	case p.name == "":
		return EmptyName
	case strings.TrimRight(p.raw, " \t") != p.raw && !strings.ContainsAny(p.raw[:1], " \t"), server == Registry:
		return BlankAroundName
	case strings.TrimSpace(p.raw) != p.raw:
		return BlankAroundLine
	}
	return Unread
}
