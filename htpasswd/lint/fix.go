package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// A Change is something that Fix did.
type Change struct {
	Kind Kind   `json:"kind"` // of the finding that is gone
	Line int    `json:"line"` // in the text before; 0 for the file as a whole
	Done string `json:"done"` // holds no hash and of the text no more than a user's name
}

// Fix makes the text right for the registry where that needs no guess, and says
// what it did. Nothing is lost: a line that is no entry becomes a comment, and
// of a user's several lines only those go that did not count. What Fix returns
// it would return unchanged.
//
// It cannot make a password valid: users whose hash the registry does not take
// stay as they are.
func Fix(text []byte) (fixed []byte, changes []Change) {
	x := &fixer{}
	decoded, ok := x.decode(text)
	if !ok {
		return text, nil
	}
	x.split(decoded)
	x.trim()
	x.dedupe()
	fixed = x.join()
	if _, wide := charset.UTF16Order(fixed); wide {
		return text, nil // no text at all, in any encoding that is known
	}
	return fixed, x.changes
}

type fixer struct {
	lineEnd string
	lines   []fixedLine
	changes []Change
}

// A fixedLine is a line of the new text, without its line end.
type fixedLine struct {
	number int // of the line in the text before
	text   string
	end    string
}

func (x *fixer) did(kind Kind, line int, format string, args ...any) {
	x.changes = append(x.changes, Change{kind, line, fmt.Sprintf(format, args...)})
}

// decode makes UTF-8 of UTF-16; ok is false where that is not possible.
func (x *fixer) decode(text []byte) (decoded []byte, ok bool) {
	if order, ok := charset.UTF16Order(text); ok {
		decoded, err := charset.DecodeUTF16(text, order)
		if err != nil {
			return text, false
		}
		x.did(UTF16, 0, "written as UTF-8 instead of UTF-16")
		return decoded, true
	}
	decoded = charset.TrimBOM(text)
	if len(decoded) != len(text) {
		x.did(BOM, 1, "byte order mark removed")
	}
	return decoded, true
}

// split makes lines of the text: also where a carriage return alone, or nothing,
// stands between two records.
func (x *fixer) split(text []byte) {
	x.lineEnd = record.LineEnding(string(text))
	number := 0
	for line := range bytes.Lines(text) {
		number++
		body := strings.TrimSuffix(string(line), "\n")
		end := string(line[len(body):])
		if end != "" {
			trimmed := strings.TrimRight(body, "\r")
			end = body[len(trimmed):] + end
			body = trimmed
		}
		parts := strings.Split(body, "\r")
		if last := len(parts) - 1; last > 0 {
			x.did(LoneCR, number, "line ends put in the place of carriage returns")
			if end == "" && parts[last] == "" { // nothing stands behind the last one
				parts, end = parts[:last], x.lineEnd
			}
		}
		for i, part := range parts {
			partEnd := x.lineEnd
			if i == len(parts)-1 {
				partEnd = end
			}
			x.unglue(number, part, partEnd)
		}
	}
	if n := len(x.lines); n > 0 && !strings.HasSuffix(x.lines[n-1].end, "\n") {
		last := &x.lines[n-1]
		last.end = strings.TrimPrefix(record.EndLine(last.text, x.lineEnd), last.text)
		x.did(NoNewline, last.number, "final newline added")
	}
}

// unglue adds a line, or the records that one holds.
func (x *fixer) unglue(number int, body, end string) {
	for {
		user, hash, ok := fixedLine{text: body}.record()
		_, n := crypt.Scan(hash)
		if !ok || n == 0 || !isGlued(hash[n:]) {
			break
		}
		x.did(GluedLines, number, "line end put behind the hash of user %q", user)
		first := body[:strings.Index(body, user+":")+len(user)+1+n]
		x.add(number, first, x.lineEnd)
		body = body[len(first):]
	}
	x.add(number, body, end)
}

// add adds a line; one that is no entry as a comment.
func (x *fixer) add(number int, body, end string) {
	const mark = "# "
	record := strings.TrimSpace(body)
	isEntry := record == "" || record[0] == '#' || strings.Contains(record, ":")
	switch length := len(body) + len(strings.TrimSuffix(end, "\n")); {
	case length > htpasswd.MaxLineBytes || !isEntry && len(mark)+length > htpasswd.MaxLineBytes:
		x.did(LineTooLong, number, "cut into comments")
		for part := range slices.Chunk([]byte(body), htpasswd.MaxLineBytes/2) {
			x.lines = append(x.lines, fixedLine{number, mark + string(part), x.lineEnd})
		}
		return
	case !isEntry:
		x.did(NoColon, number, "made a comment")
		body = mark + body
	}
	x.lines = append(x.lines, fixedLine{number, body, end})
}

// trim removes the blanks around a user's name and before a hash. Where that
// would make one user of two, which of them is meant is not known.
func (x *fixer) trim() {
	users, same := make(map[string]int), make(map[string]int)
	for _, l := range x.lines {
		if user, _, ok := l.record(); ok {
			users[trimName(user)]++
			same[user]++
		}
	}
	for i, l := range x.lines {
		user, hash, ok := l.record()
		if !ok {
			continue
		}
		name := trimName(user)
		if name != user && name != "" && users[name] == same[user] && htpasswd.ValidateUser(name) == nil {
			x.did(BlankAroundName, l.number, "what is invisible around the name of user %q removed", name)
			l.text = strings.Replace(l.text, user+":", name+":", 1)
			user = name
		}
		if trimmed := strings.TrimLeft(hash, " \t"); trimmed != hash {
			x.did(BlankBeforeHash, l.number, "blanks before the hash of user %q removed", user)
			l.text = strings.Replace(l.text, user+":"+hash, user+":"+trimmed, 1)
		}
		x.lines[i] = l
	}
}

// dedupe keeps a user's last line, which is the one that the registry goes by.
func (x *fixer) dedupe() {
	last := make(map[string]int)
	for i, l := range x.lines {
		if user, _, ok := l.record(); ok {
			last[user] = i
		}
	}
	kept := x.lines[:0]
	for i, l := range x.lines {
		user, _, ok := l.record()
		if ok && last[user] != i {
			x.did(Duplicate, l.number, "line of user %q removed, as line %d counts", user, x.lines[last[user]].number)
			continue
		}
		kept = append(kept, l)
	}
	x.lines = kept
}

// record reads the line as the registry does.
func (l fixedLine) record() (user, hash string, ok bool) {
	r, kind := record.Parse(l.text)
	return r.User, r.Hash, kind == record.Entry
}

func (x *fixer) join() []byte {
	var text bytes.Buffer
	for _, l := range x.lines {
		text.WriteString(l.text)
		text.WriteString(l.end)
	}
	return text.Bytes()
}
