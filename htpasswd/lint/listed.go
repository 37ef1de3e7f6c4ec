package lint

import (
	"iter"
	"strings"
	"unicode"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

const byteOrderMark = "\uFEFF"

// A piece is a part of a line that would be a line of its own if no line ending were
// missing.
type piece struct {
	line, column int
	text         string // the whole piece
	kind         record.Kind
	hidden       Kind // LoneCR or GluedLines: where the line ending before it is missing
	inComment    bool // its whole line is a comment

	// Of an entry, as a person reads it:
	name string
	raw  string // the name, with the whitespace and marks before it
	hash string // the text after the colon
}

func (p piece) at() place { return place{p.line, p.column, p.name} }

// isListed reports whether the piece lists a user.
func (p piece) isListed() bool { return p.kind == record.Entry && !p.inComment }

// pieces yields the pieces of a text, in their order.
func pieces(text string) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		n := 0
		for line := range strings.Lines(text) {
			n++
			for p := range piecesOf(strings.TrimRight(line, "\r\n"), n) {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// piecesOf yields the pieces of a line without its line ending. If a user can log in with
// a name that contains a carriage return, the line is one piece.
func piecesOf(line string, n int) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		rec, kind := record.Parse(trimMarks(line, n))
		if _, _, ok := crypt.ParseBcrypt(rec.Hash); ok && strings.Contains(rec.User, "\r") {
			yield(newPiece(line, n, 1))
			return
		}
		column := 1
		hidden := Kind("")
		for part := range strings.SplitSeq(line, "\r") {
			for end := 0; ; column += end {
				p := newPiece(part, n, column)
				p.hidden = hidden
				p.inComment = kind == record.Comment
				end = p.gluedAt()
				if end < len(part) {
					p.text = part[:end]
					_, p.hash, _ = strings.Cut(p.text, ":")
				}
				if !yield(p) {
					return
				}
				if end == len(part) {
					break
				}
				part, hidden = part[end:], GluedLines
			}
			column += len(part) + 1
			if hidden != "" || strings.TrimSpace(part) != "" {
				hidden = LoneCR
			}
		}
	}
}

func newPiece(text string, line, column int) piece {
	first := 0
	if column == 1 {
		first = line
	}
	rec, kind := record.Parse(trimMarks(text, first))
	p := piece{line: line, column: column, text: text, kind: kind, hash: rec.Hash}
	if kind == record.Entry {
		p.name = rec.User
		p.raw, _, _ = strings.Cut(text, ":")
		p.column += len(p.raw) - len(p.name)
	}
	return p
}

// gluedAt returns the offset in the piece of another record, before which the line ending
// is missing. It returns the length of the piece if there is none.
func (p piece) gluedAt() int {
	if !p.isListed() {
		return len(p.text)
	}
	start := strings.IndexByte(p.text, ':') + 1
	start += len(p.text[start:]) - len(strings.TrimLeftFunc(p.text[start:], unicode.IsSpace))
	if strings.HasPrefix(p.text[start:], record.DisabledMark) {
		start += len(record.DisabledMark)
	}
	if _, n := crypt.Scan(p.text[start:]); n > 0 && isGlued(p.text[start+n:]) {
		return start + n
	}
	return len(p.text)
}

// isGlued reports whether the text after a hash is another record.
func isGlued(rest string) bool {
	user, hash, ok := strings.Cut(rest, ":")
	if !ok || htpasswd.ValidateUser(user) != nil {
		return false
	}
	scheme, _ := crypt.Scan(until(strings.TrimLeft(hash, " \t"), ":\r"))
	return scheme != "" && scheme != crypt.DESCrypt
}

// trimMarks removes the byte order marks at the start of the first line. There they
// belong to the encoding, and not to a name. Other lines are returned as they are.
func trimMarks(line string, n int) string {
	if n != 1 {
		return line
	}
	for strings.HasPrefix(line, byteOrderMark) {
		line = line[len(byteOrderMark):]
	}
	return line
}

// whyNot returns why the server does not find the user by that name.
func (p piece) whyNot(server Server) Kind {
	switch {
	case server == Apache && strings.ContainsRune(p.raw, 0):
		return NULInName
	case p.hidden != "":
		return p.hidden
	case p.line == 1 && strings.HasPrefix(p.raw, byteOrderMark):
		return BOM
	case p.name == "":
		return EmptyName
	case p.raw != p.name:
		return BlankAroundLine
	}
	return Unread
}
