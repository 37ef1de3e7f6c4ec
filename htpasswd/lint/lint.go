// Package lint says what a server would make of an htpasswd file, line by line:
// who cannot log in, and why; and mends what needs no guess.
package lint

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
)

// A Server is a program that reads htpasswd files.
type Server string

// The servers whose reading is known: it was learned by asking them about the
// files in testdata/wild. They were Distribution 2.8.2 and 3.1.2, nginx 1.22 and
// Apache httpd 2.4, the last two on a system whose crypt(3) is libxcrypt.
const (
	Registry Server = "registry"
	Nginx    Server = "nginx"
	Apache   Server = "apache"
)

// Servers returns all of them.
func Servers() []Server { return []Server{Registry, Nginx, Apache} }

// A Severity says how bad a finding is.
type Severity string

// An Error keeps somebody who is listed from logging in by the name as a person
// would type it, or has the server refuse the whole file. A Warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// A Finding is something to know about a file. It holds no hash and no text of
// the file but a user's name.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Server   Server   `json:"server"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line"`   // counted from 1; 0 for the file as a whole
	Column   int      `json:"column"` // in bytes, counted from 1; 0 for the file as a whole
	User     string   `json:"user"`   // empty where it is about the line or the file, or the name is empty
	Message  string   `json:"message"`
	Hint     string   `json:"hint"`
}

// Check returns what the server would make of the text, in the order of lines. Of a
// server that is none of Servers nothing is known, and nothing is found.
func Check(text []byte, server Server) []Finding {
	if read[server] == nil {
		return nil
	}
	c := checker{server: server}
	c.check(string(text))
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return c.findings
}

// CheckMode returns what there is to say about who may read and write a file
// with this mode. Whether root owns it tells if a server that gave up root can
// read it.
func CheckMode(mode fs.FileMode, root bool, server Server) []Finding {
	c := checker{server: server}
	perm := mode.Perm()
	if perm&0o002 != 0 {
		c.add(OthersWrite, place{})
	}
	if perm&0o004 != 0 {
		c.add(OthersRead, place{})
	}
	if perm&0o077 == 0 && root {
		c.add(OwnerOnly, place{})
	}
	return c.findings
}

type checker struct {
	server   Server
	findings []Finding
}

// A place is where a finding stands.
type place struct {
	line, column int
	user         string
}

// add notes a finding, if the kind is one at this server. The details fill its
// words.
func (c *checker) add(kind Kind, at place, details ...any) {
	k := kinds[kind]
	effect, ok := k.at[c.server]
	if !ok {
		return
	}
	c.findings = append(c.findings, Finding{
		Kind: kind, Server: c.server, Severity: effect.severity,
		Line: at.line, Column: at.column, User: at.user,
		Message: fmt.Sprintf(k.what, details...) + ", " + effect.does,
		Hint:    k.hint,
	})
}

// check compares what a person would say is listed with what the server reads.
func (c *checker) check(text string) {
	if _, ok := charset.UTF16Order(text); ok {
		c.add(UTF16, place{line: 1, column: 1}) // its lines are no lines to any server
		return
	}
	c.lines(text)
	users := effective(read[c.server](text), c.server)
	for _, p := range listed(text) {
		entry, ok := users[p.name]
		switch {
		case ok && entry.line == p.line && p.hidden == "":
			c.name(p)
			c.hash(p, entry.hash)
		case ok:
			c.add(Duplicate, p.at(), entry.line)
		default:
			c.add(p.whyNot(c.server), p.at())
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		c.add(NoNewline, place{line: 1 + strings.Count(text, "\n"), column: 1})
	}
}

// lines looks for what is wrong with a line, whoever stands on it.
func (c *checker) lines(text string) {
	limit := htpasswd.MaxLineBytes
	if c.server == Apache {
		limit = apacheLine
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		body := strings.TrimSuffix(line, "\n")
		if len(body) > limit {
			c.add(LineTooLong, place{line: n, column: limit + 1}, limit)
		}
		record := strings.TrimSpace(body)
		if n == 1 && strings.HasPrefix(record, "\ufeff#") && strings.Contains(record, ":") {
			c.add(BOMBeforeComment, place{line: 1, column: 1})
		}
		if record != "" && record[0] != '#' && !strings.Contains(record, ":") {
			c.add(NoColon, place{line: n, column: 1 + strings.Index(body, record)})
		}
		if strings.HasSuffix(strings.TrimSuffix(body, "\r"), `\`) && strings.HasSuffix(line, "\n") {
			c.add(Backslash, place{line: n, column: len(body)})
		}
	}
}

// name looks at the name of a user who can log in.
func (c *checker) name(p person) {
	switch {
	case p.name == "":
		c.add(EmptyName, p.at())
	case !utf8.ValidString(p.name):
		c.add(BadName, p.at(), "is not UTF-8")
	case len(p.name) > htpasswd.MaxUserBytes:
		c.add(BadName, p.at(), fmt.Sprintf("has more than %d bytes", htpasswd.MaxUserBytes))
	case htpasswd.ValidateUser(p.name) != nil:
		c.add(BadName, p.at(), "holds a control character")
	}
}
