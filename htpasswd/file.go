package htpasswd

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/record"
)

// MaxLineBytes is the longest line that the registry reads, in bytes without
// the LF. One byte more and it refuses the whole file: it scans with a
// bufio.Scanner, whose buffer holds 64 KiB.
const MaxLineBytes = record.MaxLineBytes

// A File is the text of an htpasswd file. An edit changes the lines that it
// names and keeps every other byte: comments, empty lines, order, line endings,
// lines that make no sense. The zero value is an empty file.
//
// Several goroutines may read a File at once, as long as none edits it. What a
// File prints with package fmt, log/slog or encoding/json holds no hash.
type File struct {
	pieces  []string    // the text, in pieces of whole lines; only the last line may lack its line ending
	parsed  string      // the text as it was parsed
	edited  bool        // pieces may differ from parsed
	refused *ParseError // if set, every edit but Reset fails with it
}

// An Entry is one line of a File that names a user.
type Entry struct {
	User string // as the registry reads it: any text without a colon, even an empty one
	Hash Hash   // its Scheme is empty if the line has no hash of a known one
	Line int    // of the text as it is now, counted from 1
}

// Parse reads the text of an htpasswd file. It keeps no reference to text.
//
// It reads the lines as the registry does: a line ends with LF; whitespace at
// both ends of it, as Unicode defines it, does not count; empty lines, and
// those that begin with "#", name nobody; in the others the first colon ends
// the name of the user. The hash is not judged: the registry looks at it only
// when that user logs in.
//
// If the registry would refuse the whole file, the error is a [*ParseError]
// for the first line that is the reason. Parse still returns a File then: it
// can be read, and [File.Reset] can replace its text, but every other edit
// fails with that error.
//
// Source: registry/auth/htpasswd in github.com/distribution/distribution.
func Parse(text []byte) (*File, error) { return parse(string(text)) }

func parse(text string) (*File, error) {
	f := &File{pieces: []string{text}, parsed: text}
	line, err := record.Check(text)
	if err == nil {
		return f, nil
	}
	f.refused = &ParseError{Line: line, Err: err}
	if order, ok := charset.UTF16Order(text); ok {
		if decoded, err := charset.DecodeUTF16([]byte(text), order); err == nil {
			f.pieces = []string{string(decoded)}
		}
	}
	return f, f.refused
}

// All yields the entries in the order of their lines. If a user has several,
// the registry goes by the last of them, nginx and Apache httpd by the first.
// The File must not be edited meanwhile.
func (f *File) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for l, r := range f.entries() {
			if !yield(Entry{r.User, newHash(r.Hash), l.number}) {
				return
			}
		}
	}
}

// Users yields each user once, in the order of their first lines. The File must
// not be edited meanwhile.
func (f *File) Users() iter.Seq[string] {
	return func(yield func(string) bool) {
		n := 0
		for _, piece := range f.pieces {
			n += strings.Count(piece, "\n")
		}
		names := make([]string, 0, n+1)
		for _, r := range f.entries() {
			names = append(names, r.User)
		}
		repeated := record.Repeated(names)
		seen := make(map[string]bool, len(repeated))
		for _, user := range names {
			if repeated[user] {
				if seen[user] {
					continue
				}
				seen[user] = true
			}
			if !yield(user) {
				return
			}
		}
	}
}

// Lookup returns the entry of a user: if there are several, the last one, which
// the registry goes by.
func (f *File) Lookup(user string) (Entry, bool) {
	lines := f.linesOf(user)
	if len(lines) == 0 {
		return Entry{}, false
	}
	l := lines[len(lines)-1]
	r, _ := record.Parse(l.text)
	return Entry{r.User, newHash(r.Hash), l.number}, true
}

// Verify checks the password of a user. It returns nil if the password is the
// right one, [ErrUserNotFound] if there is no such user, and else what
// [Hash.Verify] returns. The registry lets the user in only if the scheme of
// the hash is [Bcrypt] as well.
func (f *File) Verify(user string, password []byte) error {
	e, ok := f.Lookup(user)
	if !ok {
		return ErrUserNotFound
	}
	return e.Hash.Verify(password)
}

// Changed reports whether the text differs from the one that was parsed.
func (f *File) Changed() bool {
	if !f.edited {
		return false
	}
	rest := f.parsed
	for _, piece := range f.pieces {
		var same bool
		if rest, same = strings.CutPrefix(rest, piece); !same {
			return true
		}
	}
	return rest != ""
}

// Text returns the text.
func (f *File) Text() string { return strings.Join(f.output(), "") }

// WriteTo writes the text. If nothing was edited, that is what was parsed, byte
// for byte.
func (f *File) WriteTo(w io.Writer) (n int64, err error) {
	for _, piece := range f.output() {
		written, err := io.WriteString(w, piece)
		n += int64(written)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// output returns the pieces to write: those of a text in UTF-16 were decoded to
// be read.
func (f *File) output() []string {
	if f.refused != nil {
		return []string{f.parsed}
	}
	return f.pieces
}

// Format prints, for every verb, what the File is and nothing of its text.
func (f *File) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "htpasswd.File") }

// A line is one line of the text, with its line ending.
type line struct {
	number       int // counted from 1
	piece, start int // where it begins
	text         string
}

func (f *File) lines() iter.Seq[line] {
	return func(yield func(line) bool) {
		number := 0
		for i, piece := range f.pieces {
			start := 0
			for text := range strings.Lines(piece) {
				number++
				if !yield(line{number, i, start, text}) {
					return
				}
				start += len(text)
			}
		}
	}
}

// entries yields the lines that name a user.
func (f *File) entries() iter.Seq2[line, record.Record] {
	return func(yield func(line, record.Record) bool) {
		for l := range f.lines() {
			if r, kind := record.Parse(l.text); kind == record.Entry && !yield(l, r) {
				return
			}
		}
	}
}

// linesOf returns the lines of a user in their order.
func (f *File) linesOf(user string) (lines []line) {
	entry := user + ":"
	for l := range f.lines() {
		// Nearly every line begins with the name of its user, and not with whitespace.
		if first := l.text[0]; ' ' < first && first < utf8.RuneSelf && !strings.HasPrefix(l.text, entry) {
			continue
		}
		if r, kind := record.Parse(l.text); kind == record.Entry && r.User == user {
			lines = append(lines, l)
		}
	}
	return lines
}
