// Package lint finds what keeps users from logging in: it reads an htpasswd file
// as a server does, and reports what is wrong with each line. It also corrects
// what can be corrected without guessing.
//
// The registry computes every bcrypt hash as $2y$. crypt(3), and so nginx and
// Apache httpd, compute $2x$ with an old bug, which makes another hash of a
// password that is not ASCII, and $2a$ with a safeguard, which makes another hash
// of a few passwords with the byte 0xFF. A hash that begins with $2y$ is the same
// everywhere.
package lint

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// A Server is a program that reads htpasswd files.
type Server string

// The servers that Check knows. Most were tested with the files in testdata/wild:
// Distribution 2.8.2 and 3.1.2, and nginx 1.22, Apache httpd 2.4 and lighttpd 1.4.69 on
// a system whose crypt(3) is libxcrypt.
//
// For the other two the source was read: pkg/api/htpasswd.go of zot 2.1.20, and auth.go
// and basic_auth.go in pkg/middlewares/auth of Traefik 3.7.9 with basic.go of
// github.com/containous/go-http-auth at a37a7636d23e. They may treat a hash in an
// unusual form in another way.
const (
	Registry Server = "registry"
	Nginx    Server = "nginx"
	Apache   Server = "apache"
	Lighttpd Server = "lighttpd"
	Zot      Server = "zot"
	Traefik  Server = "traefik"
)

// Servers returns all servers that Check knows.
func Servers() []Server { return []Server{Registry, Nginx, Apache, Lighttpd, Zot, Traefik} }

// lastCounts reports whether the server uses the last line of a user who has several,
// and not the first.
func (s Server) lastCounts() bool { return s == Registry || s == Zot || s == Traefik }

// A Severity tells how serious a finding is.
type Severity string

// A finding is an error if a user who is listed cannot log in by the name that
// the file has, or if nobody can. Any other finding is a warning.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// A Remedy tells what corrects the problem of a finding.
type Remedy string

// The remedies. For RemedyNone, the Hint tells what to do by hand.
const (
	RemedyNone     Remedy = ""
	RemedyFix      Remedy = "fix"      // Fix does it
	RemedyPassword Remedy = "password" // set a new password for the user
	RemedyRemove   Remedy = "remove"   // remove the user
	RemedyRename   Remedy = "rename"   // rename the user
	RemedyMode     Remedy = "mode"     // change the mode of the file
)

// A Finding is a problem in a file. It holds no hash, and no text of the file
// except the name of a user. Findings can be compared with ==; two that differ
// only in Server describe the same problem.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Server   Server   `json:"server"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line"`   // counted from 1; 0 for the file as a whole
	Column   int      `json:"column"` // in bytes, counted from 1; 0 for the file as a whole
	User     string   `json:"user"`   // empty for a finding about a line or the file; "[hidden]" for a name that holds a hash
	Message  string   `json:"message"`
	Hint     string   `json:"hint"` // what to do, without the name of a program
	Remedy   Remedy   `json:"remedy"`
}

// Check returns the problems that a server has with a text, in the order of the
// lines. The error is that of the context if it ends first, or reports that the
// server is not one of [Servers].
//
// Besides the text, Check needs up to twice its size in memory, and about 200
// bytes for each finding.
func Check(ctx context.Context, text string, server Server) ([]Finding, error) {
	if !slices.Contains(Servers(), server) {
		return nil, fmt.Errorf("unknown server %q", server)
	}
	c := checker{ctx: ctx, server: server}
	c.check(text)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return c.findings, nil
}

// CheckMode returns the findings about who may read and write a file with this
// mode. The argument root tells whether root owns the file, which decides whether
// a server whose workers do not run as root can read it.
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
	ctx      context.Context
	server   Server
	findings []Finding
	unfit    bool // Fix would refuse the text
	steps    int
	folded   map[string]string // a name, by what FoldName makes of it; only of those that it changes
}

// A place is the position of a finding, and the user whom it is about.
type place struct {
	line, column int
	user         string
}

// add adds a finding, if the kind is one for this server. The details are inserted into
// its message.
func (c *checker) add(kind Kind, at place, details ...any) {
	k := kinds[kind]
	effect, ok := k.at[c.server]
	if !ok {
		return
	}
	f := Finding{
		Kind: kind, Server: c.server, Severity: effect.severity,
		Line: at.line, Column: at.column, User: crypt.Redact(at.user),
		Message: k.what, Hint: k.hint, Remedy: k.remedy,
	}
	if len(details) > 0 {
		f.Message = fmt.Sprintf(k.what, details...)
	}
	f.Message += "; " + effect.does
	switch {
	case f.User != at.user:
		f.Hint, f.Remedy = "remove the line", RemedyNone // no command may name the user
	case kind == Duplicate && !c.server.lastCounts():
		f.Hint, f.Remedy = "set a new password, which leaves one line", RemedyPassword // Fix keeps the line that counts for the registry
	}
	if f.Remedy == RemedyFix && c.unfit {
		f.Hint, f.Remedy = "correct it in an editor", RemedyNone
	}
	c.findings = append(c.findings, f)
}

// ended reports whether the context has ended. It is called for each line, and looks at
// the context now and then.
func (c *checker) ended() bool {
	c.steps++
	return c.steps%1024 == 0 && c.ctx.Err() != nil
}

// check compares the users who are listed with those whom the server finds.
func (c *checker) check(text string) {
	if order, ok := charset.UTF16Order(text); ok {
		decoded, err := charset.DecodeUTF16([]byte(text), order)
		c.unfit = err != nil || slices.Contains(decoded, 0) || c.contents(string(decoded)) != hasHash || isMostlyOther(string(decoded))
		c.add(UTF16, place{line: 1, column: 1}) // no server finds a line in it
		return
	}
	switch c.contents(text) {
	case hasNothing:
		c.add(NoUsers, place{}, "")
	case hasOther:
		c.add(NotHtpasswd, place{})
		return
	case hasUsers:
		c.unfit = true
	case hasHash:
		c.unfit = isMostlyOther(text)
	}
	if charset.IsMixed(text) {
		c.unfit = true
		c.add(MixedUTF16, place{line: 1, column: 1})
	}
	c.lines(text)
	c.users(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		c.add(NoNewline, place{line: 1 + strings.Count(text, "\n"), column: 1})
	}
}

// users checks each user who is listed and not disabled.
func (c *checker) users(text string) {
	effective := c.effective(text)
	c.folded = make(map[string]string)
	entries := reader{server: c.server, rest: text}
	var read entry
	disabled, others := false, false
	for p := range pieces(text) {
		if c.ended() {
			return
		}
		if p.inComment && p.hidden != "" && p.kind == record.Entry {
			c.add(IgnoredRecord, p.at())
		}
		if !p.isListed() {
			continue
		}
		switch line, ok := effective[p.name]; {
		case ok && line == p.line && p.hidden == "":
			for more := true; read.line < line && more; {
				read, more = entries.next()
			}
			if isDisabled(read.hash) {
				disabled = true
				continue
			}
			others = true
			c.name(p, effective)
			c.hash(p.at(), read.hash)
		case ok && p.hidden != "":
			others = true
			c.add(IgnoredRecord, p.at())
		case ok:
			c.add(Duplicate, p.at(), line)
		default:
			others = true
			c.add(p.whyNot(c.server), p.at())
		}
	}
	if disabled && !others {
		c.add(NoUsers, place{}, " who are not disabled")
	}
}

// effective returns the line of each user that counts for the server.
func (c *checker) effective(text string) map[string]int {
	// Large enough for short lines, so that the map need not grow.
	users := make(map[string]int, min(len(text)/32, 1+strings.Count(text, "\n")))
	r := reader{server: c.server, rest: text}
	last := c.server.lastCounts()
	for e, ok := r.next(); ok && !c.ended(); e, ok = r.next() {
		if _, isThere := users[e.user]; !isThere || last {
			users[e.user] = e.line
		}
	}
	return users
}

// lines looks for problems of lines that do not depend on the user.
func (c *checker) lines(text string) {
	limit := htpasswd.MaxLineBytes
	if c.server == Apache {
		limit = apacheLine
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if c.ended() {
			return
		}
		body, ended := strings.CutSuffix(line, "\n")
		if len(body) > limit {
			c.add(LineTooLong, place{line: n, column: limit + 1}, limit)
		}
		if bare := trimMarks(line, n); bare != line && strings.HasPrefix(bare, "#") && strings.Contains(line, ":") {
			c.add(BOMBeforeComment, place{line: 1, column: 1})
		}
		switch _, kind := record.Parse(body); {
		case kind == record.Malformed:
			c.add(NoColon, place{line: n, column: 1})
		case kind == record.Entry && c.server == Traefik && strings.Count(body, ":") > 1:
			c.add(ThirdField, place{line: n, column: 1})
		case kind == record.Comment && c.server == Zot:
			c.comment(body, n)
		}
		if ended && strings.HasSuffix(strings.TrimSuffix(body, "\r"), `\`) {
			c.add(Backslash, place{line: n, column: len(body)})
		}
	}
}

// comment looks for a user in line n, which is a comment for other servers.
func (c *checker) comment(line string, n int) {
	user, hash, _ := strings.Cut(line, ":")
	if x := (checker{server: c.server}); x.problem(hash) == "" {
		c.add(CommentedUser, place{n, 1, user})
	}
}

// What a text may hold instead of users with hashes.
const (
	hasHash    = iota
	hasNothing // no line but empty ones and comments
	hasUsers   // users, and no hash of any scheme
	hasOther   // no hash, and lines that no htpasswd file has
)

// contents returns what a text holds, to tell an htpasswd file from another text.
func (c *checker) contents(text string) int {
	found := hasNothing
	n := 0
	for line := range strings.Lines(text) {
		n++
		if c.ended() {
			break
		}
		has := contentsOf(line, n)
		if has == hasHash {
			return hasHash
		}
		found = max(found, has)
	}
	return found
}

// isMostlyOther reports whether a text that contains hashes is probably another kind of
// file, such as a document or a program. It reads only the beginning.
func isMostlyOther(text string) bool {
	const (
		few  = 10 // other lines that an htpasswd file may contain
		most = 1000
	)
	var count [hasOther + 1]int
	n := 0
	for line := range strings.Lines(text) {
		n++
		count[contentsOf(line, n)]++
		if n == most {
			break
		}
	}
	return count[hasOther] > max(few, count[hasHash])
}

// contentsOf returns what line n holds.
func contentsOf(line string, n int) int {
	rec, kind := record.Parse(trimMarks(line, n))
	scheme, _ := crypt.Scan(rec.Hash)
	switch {
	case kind == record.Comment:
		return hasNothing
	case scheme != "" || crypt.HoldsHash(line):
		return hasHash
	case kind == record.Malformed, strings.HasPrefix(rec.Hash, " "): // as in YAML
		return hasOther
	}
	return hasUsers
}
