// Package lint says what a server would make of an htpasswd file, line by line:
// who cannot log in, and why; and mends what needs no guess.
package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
)

// A Server is a program that reads htpasswd files.
type Server string

// The servers whose reading is known. What they do was learned by asking them:
// Distribution 2.8.2 and 3.1.2, nginx 1.22 with libxcrypt, Apache httpd 2.4.
const (
	Registry Server = "registry"
	Nginx    Server = "nginx"
	Apache   Server = "apache"
)

// Servers are all of them.
var Servers = []Server{Registry, Nginx, Apache}

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
	User     string   `json:"user"`   // empty where it is about no user
	Message  string   `json:"message"`
	Hint     string   `json:"hint"`
}

// Check returns what the server would make of the text, in the order of lines.
func Check(text []byte, server Server) []Finding {
	c := checker{server: server}
	c.text(text)
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

// add notes a finding, if it is one at this server. The details fill the kind's
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

func (c *checker) text(text []byte) {
	if _, ok := charset.UTF16Order(text); ok {
		c.add(UTF16, place{line: 1, column: 1}) // its lines are no lines to any server
		return
	}
	entries := c.lines(text)
	c.entries(entries)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		c.add(NoNewline, place{line: 1 + bytes.Count(text, []byte{'\n'}), column: 1})
	}
}

// An entry is a line that names a user, as the server reads it.
type entry struct {
	line       int
	start      int    // of the name in the line
	user, hash string // the hash with all that follows it
}

// name is what a person would type to log in.
func (e entry) name() string { return strings.TrimSpace(strings.TrimPrefix(e.user, "\ufeff")) }

func (e entry) at() place { return place{e.line, e.start + 1, e.user} }

func (e entry) atHash() place { return place{e.line, e.start + len(e.user) + 2, e.user} }

// lines looks at each line for itself and returns those that name a user.
func (c *checker) lines(text []byte) []entry {
	var entries []entry
	n := 0
	for line := range bytes.Lines(text) {
		n++
		body := strings.TrimSuffix(string(line), "\n")
		if len(body) > htpasswd.MaxLineBytes {
			c.add(LineTooLong, place{line: n, column: htpasswd.MaxLineBytes + 1})
			continue
		}
		body = strings.TrimRight(body, "\r")
		record := strings.TrimSpace(body)
		if record == "" || record[0] == '#' {
			continue
		}
		if n == 1 && strings.HasPrefix(record, "\ufeff") {
			c.byteOrderMark(record)
		}
		start := strings.Index(body, record)
		user, hash, ok := strings.Cut(record, ":")
		if !ok {
			c.add(NoColon, place{line: n, column: start + 1})
			continue
		}
		e := entry{n, start, user, hash}
		if body != record {
			c.add(BlankAroundLine, e.at())
		}
		entries = append(entries, e)
	}
	return entries
}

func (c *checker) byteOrderMark(record string) {
	if strings.HasPrefix(strings.TrimPrefix(record, "\ufeff"), "#") {
		c.add(BOMBeforeComment, place{line: 1, column: 1})
		return
	}
	c.add(BOM, place{line: 1, column: 1})
}

// entries looks at users: what one line says of them counts only if it is the
// one that the server goes by.
func (c *checker) entries(entries []entry) {
	lines := make(map[string][]int)
	for _, e := range entries {
		lines[e.user] = append(lines[e.user], e.line)
	}
	for _, e := range entries {
		all := lines[e.user]
		counts := all[0]
		if c.server == Registry {
			counts = all[len(all)-1]
		}
		if e.line != counts {
			c.add(Duplicate, e.at(), counts)
			continue
		}
		c.user(e)
		c.hash(e)
	}
}

func (c *checker) user(e entry) {
	switch {
	case e.user == "":
		c.add(EmptyName, e.at())
	case strings.TrimSpace(e.user) != e.user:
		c.add(BlankAroundName, e.at())
	case !utf8.ValidString(e.user):
		c.add(BadName, e.at(), "is not UTF-8")
	case len(e.user) > htpasswd.MaxUserBytes:
		c.add(BadName, e.at(), fmt.Sprintf("has more than %d bytes", htpasswd.MaxUserBytes))
	case strings.HasPrefix(e.user, "\ufeff"): // said of the line
	case htpasswd.ValidateUser(e.user) != nil:
		c.add(BadName, e.at(), "holds a control character")
	}
}

func (c *checker) hash(e entry) {
	hash := strings.TrimLeft(e.hash, " \t")
	if hash != e.hash {
		c.add(BlankBeforeHash, e.atHash())
	}
	// What is only behind a carriage return is a line to a person.
	hash, behind, cr := strings.Cut(hash, "\r")
	if cr && strings.Contains(behind, ":") {
		c.add(LoneCR, e.atHash())
	}
	if hash == "" {
		c.add(EmptyHash, e.atHash())
		return
	}
	scheme, n := crypt.Scan(hash)
	if scheme == "" {
		scheme, n = crypt.Scan(before(hash, ":"))
	}
	rest := hash[n:]
	switch {
	case scheme == "" && strings.HasPrefix(hash, "$2"):
		c.add(BrokenBcrypt, e.atHash())
	case scheme == "":
		c.add(UnknownHash, e.atHash())
	case scheme != crypt.Bcrypt:
		c.add(NotBcrypt, e.atHash(), scheme)
		c.scheme(e, scheme)
	case hash[:4] == "$2b$" || hash[:4] == "$2x$":
		c.add(RefusedPrefix, e.atHash(), hash[:4])
	}
	c.cost(e, hash)
	switch {
	case scheme == "" || rest == "":
	case rest[0] == ':':
		c.add(ThirdField, e.atHash())
	case isGlued(rest):
		c.add(GluedLines, e.atHash())
	default:
		c.add(TextAfterHash, e.atHash())
	}
}

// scheme is for the servers that take more than bcrypt.
func (c *checker) scheme(e entry, scheme string) {
	switch scheme {
	case crypt.SSHA:
		c.add(SSHAHash, e.atHash())
	case crypt.Plain:
		c.add(PlainHash, e.atHash())
	}
}

func (c *checker) cost(e entry, hash string) {
	cost, ok := crypt.Cost(hash)
	switch {
	case !ok:
	case cost < htpasswd.DefaultCost:
		c.add(LowCost, e.atHash(), cost)
	case cost > slowCost:
		c.add(HighCost, e.atHash(), cost, 1<<(cost-htpasswd.DefaultCost))
	}
}

// slowCost is the highest cost at which a push is still quick: each of its
// dozens of requests pays for one hash.
const slowCost = 12

// isGlued reports whether what stands behind a hash is another record, whose line
// end is missing.
func isGlued(rest string) bool {
	user, hash, ok := strings.Cut(rest, ":")
	if !ok || htpasswd.ValidateUser(user) != nil {
		return false
	}
	scheme, _ := crypt.Scan(before(hash, ":"))
	return scheme != ""
}

// before returns s up to the separator, or all of it.
func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}
