package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// ErrUnfixable is the error of [Fix] for a text that it cannot correct without
// guessing. It is wrapped with the reason, which holds no part of the text.
var ErrUnfixable = errors.New("the file cannot be fixed")

// A Change is something that Fix did.
type Change struct {
	Kind Kind   `json:"kind"` // of the finding that is gone
	Line int    `json:"line"` // in the text before; 0 for the file as a whole
	Done string `json:"done"` // holds no hash, and of the text no more than the name of a user
}

// Fix corrects a text for the registry as far as that needs no guessing, and
// returns what it changed. If there is nothing to correct, it returns the text
// itself and no changes, as it does for any text that Fix has returned.
//
// Fix changes nothing for users who can log in: the hash that counts for the
// registry, which is that of a user's last line, stays the same. A record without
// a line of its own, because the line ending before it is missing or is a lone
// carriage return, gets a line if its user has no line that counts. Otherwise it
// becomes a comment, and so does a line that is not an entry. Of several lines of
// a user, those that do not count are removed. Names are not changed; a byte order
// mark before the first name is not a part of it.
//
// The error is [ErrUnfixable] for a text that is not an htpasswd file, or mostly
// something else, and for malformed UTF-16 or UTF-16 with lines in ASCII. If the
// context ends first, the error is that of the context.
//
// Fix cannot make a password valid: users whose hash the registry does not accept
// stay as they are.
func Fix(ctx context.Context, text string) (fixed string, changes []Change, err error) {
	x := fixer{ctx: ctx}
	text, err = x.decode(text)
	if err != nil {
		return "", nil, err
	}
	before := effectiveEntries(text)
	if trimmed := trimMarks(text, 1); trimmed != text {
		x.did(BOM, 1, "byte order mark removed")
		text = trimmed
	}
	x.effective = effectiveEntries(text)
	x.split(text)
	x.dedupe()
	fixed = x.join()
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	if len(x.changes) == 0 {
		return text, nil, nil
	}
	c := checker{ctx: ctx}
	if has := c.contents(text); has == hasUsers || has == hasOther {
		return "", nil, fmt.Errorf("%w: no line holds a user and a hash, so it is not an htpasswd file", ErrUnfixable)
	}
	if isMostlyOther(text) {
		return "", nil, fmt.Errorf("%w: most of its lines are not entries, so it may not be an htpasswd file", ErrUnfixable)
	}
	if err := cmp.Or(verifyFix(ctx, before, text, fixed), ctx.Err()); err != nil {
		return "", nil, err
	}
	return fixed, x.changes, nil
}

type fixer struct {
	ctx        context.Context
	lineEnding string
	effective  map[string]entry // before
	lines      []fixedLine
	changes    []Change
}

// A fixedLine is a line of the new text.
type fixedLine struct {
	number int // of the line in the text before
	text   string
	ending string
}

func (x *fixer) did(kind Kind, line int, format string, args ...any) {
	x.changes = append(x.changes, Change{kind, line, fmt.Sprintf(format, args...)})
}

// effectiveEntries returns the entry of each user that counts for the registry. It skips
// lines for which the registry refuses the file.
func effectiveEntries(text string) map[string]entry {
	users := make(map[string]entry)
	r := reader{server: Registry, rest: text}
	for e, ok := r.next(); ok; e, ok = r.next() {
		users[e.user] = e
	}
	return users
}

// decode returns the text as UTF-8.
func (x *fixer) decode(text string) (string, error) {
	if charset.IsMixed(text) {
		return "", fmt.Errorf("%w: it starts as UTF-16 and holds lines in ASCII", ErrUnfixable)
	}
	if order, ok := charset.UTF16Order(text); ok {
		decoded, err := charset.DecodeUTF16([]byte(text), order)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnfixable, err)
		}
		if slices.Contains(decoded, 0) {
			return "", fmt.Errorf("%w: its encoding is unknown", ErrUnfixable)
		}
		text = string(decoded)
		x.did(UTF16, 0, "converted from UTF-16 to UTF-8")
	}
	return text, nil
}

// split makes a line of each piece of the text.
func (x *fixer) split(text string) {
	x.lineEnding = record.LineEnding(text)
	n := 0
	for line := range strings.Lines(text) {
		n++
		if n%1024 == 0 && x.ctx.Err() != nil {
			return
		}
		body := strings.TrimRight(line, "\r\n")
		ending := line[len(body):]
		if !strings.HasSuffix(ending, "\n") && ending != "" { // a carriage return at the end of the text
			x.did(LoneCR, n, "line ending added instead of a carriage return")
			ending = x.lineEnding
		}
		parts := slices.Collect(piecesOf(body, 0))
		if len(parts) > 1 && strings.Contains(body, "\r") {
			x.did(LoneCR, n, "line endings added instead of carriage returns")
		}
		for i, p := range parts {
			p.line = n
			if i == len(parts)-1 {
				x.add(p, ending)
			} else {
				x.add(p, x.lineEnding)
			}
		}
	}
	if n := len(x.lines); n > 0 && x.lines[n-1].ending == "" {
		last := &x.lines[n-1]
		last.ending = record.EndLine(last.text, x.lineEnding)[len(last.text):]
		x.did(NoNewline, last.number, "final line ending added")
	}
}

// add adds a piece of a line as a line of its own.
func (x *fixer) add(p piece, ending string) {
	user := crypt.Quote(crypt.Redact(p.name))
	_, isEffective := x.effective[p.name]
	switch {
	case p.kind == record.Comment:
	case p.inComment:
		if p.kind == record.Entry {
			x.did(IgnoredRecord, p.line, "record of user %s in a comment kept as a comment", user)
		}
		p.text = commentMark + p.text
	case p.kind == record.Malformed:
		x.did(NoColon, p.line, "made a comment")
		p.text = commentMark + p.text
	case p.hidden != "" && isEffective:
		x.did(IgnoredRecord, p.line, "record of user %s made a comment, as line %d counts", user, x.effective[p.name].line)
		p.text = commentMark + p.text
	case p.hidden != "":
		x.did(p.hidden, p.line, "line ending added before user %s", user)
		x.repair(&p)
	default:
		x.repair(&p)
	}
	x.addLine(p, ending)
}

const commentMark = "# "

// repair corrects a hash with which nobody can log in.
func (x *fixer) repair(p *piece) {
	head := p.text[:strings.IndexByte(p.text, ':')+1]
	hash := strings.TrimLeftFunc(p.hash, unicode.IsSpace)
	if hash != p.hash {
		x.did(BlankBeforeHash, p.line, "whitespace before the hash of user %s removed", crypt.Quote(crypt.Redact(p.name)))
	}
	if to, kind := repaired(hash); kind != "" {
		x.did(kind, p.line, "quotes or escapes removed from the hash of user %s", crypt.Quote(crypt.Redact(p.name)))
		hash = to
	}
	if hash != p.hash {
		p.text = head + hash
	}
}

// addLine adds the text of a piece, and splits it into several lines if it is too long.
func (x *fixer) addLine(p piece, ending string) {
	if len(p.text) <= htpasswd.MaxLineBytes {
		if ended := record.EndLine(p.text, ending); ending != "" && ended != p.text+ending {
			ending = ended[len(p.text):]
			x.did(LineTooLong, p.line, "carriage return at the end of the line removed")
		}
		x.lines = append(x.lines, fixedLine{p.line, p.text, ending})
		return
	}
	rest := strings.TrimPrefix(p.text, commentMark)
	if _, n := crypt.Scan(p.hash); n > 0 && p.isListed() { // the registry ignores what follows
		head := len(rest) - len(p.hash) + n
		x.lines = append(x.lines, fixedLine{p.line, rest[:head], x.lineEnding})
		rest = rest[head:]
	}
	x.did(LineTooLong, p.line, "cut into comments")
	for part := range slices.Chunk([]byte(rest), htpasswd.MaxLineBytes/2) {
		x.lines = append(x.lines, fixedLine{p.line, commentMark + string(part), x.lineEnding})
	}
}

// dedupe keeps the last line of each user, which is the one that counted.
func (x *fixer) dedupe() {
	last := make(map[string]int)
	for i, l := range x.lines {
		if rec, kind := record.Parse(l.text); kind == record.Entry {
			last[rec.User] = i
		}
	}
	kept := x.lines[:0]
	for i, l := range x.lines {
		rec, kind := record.Parse(l.text)
		counts := l.number
		if kind == record.Entry {
			counts = max(x.lines[last[rec.User]].number, x.effective[rec.User].line)
		}
		if kind == record.Entry && (last[rec.User] != i || counts > l.number) {
			x.did(Duplicate, l.number, "line of user %s removed, as line %d counts", crypt.Quote(crypt.Redact(rec.User)), counts)
			continue
		}
		kept = append(kept, l)
	}
	x.lines = kept
}

func (x *fixer) join() string {
	var text strings.Builder
	if len(x.lines) > 0 && strings.HasPrefix(x.lines[0].text, byteOrderMark) {
		text.WriteString("#" + x.lineEnding) // else the name would lose its beginning as a byte order mark
	}
	for _, l := range x.lines {
		text.WriteString(l.text)
		text.WriteString(l.ending)
	}
	return text.String()
}

// verifyFix checks the promises of Fix on its result.
func verifyFix(ctx context.Context, before map[string]entry, text, fixed string) error {
	wrong := func(what string) error { return fmt.Errorf("%w: %s", ErrUnfixable, what) }
	if _, err := htpasswd.Parse([]byte(fixed)); err != nil {
		return wrong("the registry would refuse the result")
	}
	after := effectiveEntries(fixed)
	for user, e := range before {
		hash, ok := accepted(e)
		now, isIn := accepted(after[user])
		switch {
		case !ok || isIn && now == hash:
		case !isIn && e.line == 1 && strings.HasPrefix(user, byteOrderMark): // now without the mark
		default:
			return wrong("a user could not log in any more, or with another password")
		}
	}
	listed := make(map[string]bool) // users who are listed, and not in a comment
	for p := range pieces(text) {
		if p.isListed() {
			listed[p.name] = true
		}
	}
	for user, e := range after {
		if _, ok := accepted(e); ok && !listed[user] {
			return wrong("a user could log in who is not listed")
		}
		if marked, ok := before[byteOrderMark+user]; ok && marked.line != 1 && e.line == 1 {
			return wrong("the first user is listed again, by a name with a byte order mark")
		}
	}
	x := fixer{ctx: ctx, effective: after}
	if _, err := x.decode(fixed); err != nil || trimMarks(fixed, 1) != fixed {
		return wrong("the result would not be read as it is")
	}
	x.split(fixed)
	x.dedupe()
	if len(x.changes) > 0 {
		return wrong("the result would need another run")
	}
	return nil
}

// accepted returns the hash with which the registry lets the user of an entry in.
func accepted(e entry) (hash string, ok bool) {
	_, n, ok := crypt.ParseBcrypt(e.hash)
	return e.hash[:n], ok
}
