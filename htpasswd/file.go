package htpasswd

import (
	"bytes"
	"iter"
	"sync"

	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/names"
	"github.com/registryctl/registryctl/internal/record"
)

// MaxLineBytes is the longest line that the registry reads, without the line
// end; one more byte and it refuses the whole file. (It scans with a
// bufio.Scanner, whose buffer holds 64 KiB.)
const MaxLineBytes = record.MaxLineBytes

// A File is the text of an htpasswd file. What an edit does not name keeps every
// byte: comments, blank lines, order, line ends, lines that make no sense. The
// zero File is an empty one.
//
// A File may be read by several goroutines at once as long as none edits it.
type File struct {
	raw  []byte      // as given to Parse
	text []byte      // raw as UTF-8; no edit changes it
	err  *ParseError // why no edit is accepted

	// What the edits did. A line is identified by its offset in the text or, if it
	// was added, in added, counted on from the end of the text. Neither is ever
	// changed: changed holds what the line says since, nil if it was removed.
	added      []byte
	addedLines newlines
	standing   int // lines of added that were not removed
	changed    map[int][]byte

	index index // instead of scanning, when many users are asked for
}

// An Entry is one line of a File that names a user.
type Entry struct {
	User string // as the registry reads it: any text without a colon, even empty
	Hash Hash   // of an unknown scheme where the line has none that is known
	// Line counts from 1, in the text that was parsed; lines that were added since
	// follow. No edit changes the number of another line.
	Line int
}

// Parse reads the text of an htpasswd file, which the caller must not change
// afterwards.
//
// The lines are read as the registry does: they end with LF, blanks around them
// (Unicode's) do not count, empty ones and those that begin with "#" are no
// entries, and of the others the first colon ends the user's name. What stands
// behind it is not judged, as the registry does not before that user logs in.
//
// The error is a [*ParseError] for the first line that makes the registry refuse
// the whole file. The File is returned all the same: what is there can be read,
// but every edit fails with that error.
//
// Source: registry/auth/htpasswd in github.com/distribution/distribution.
func Parse(text []byte) (*File, error) {
	f := &File{raw: text, text: text}
	if order, ok := charset.UTF16Order(text); ok {
		f.err = &ParseError{Line: 1, Err: ErrUTF16}
		if decoded, err := charset.DecodeUTF16(text, order); err == nil {
			f.text = decoded
		}
		return f, f.err
	}
	f.err = firstRefused(text)
	if f.err != nil {
		return f, f.err
	}
	return f, nil
}

// firstRefused finds the first line for which the registry would refuse the file.
// A large text is looked through on every core.
func firstRefused(text []byte) *ParseError {
	parts := record.Parts(text)
	refused := make([]*ParseError, len(parts))
	var group sync.WaitGroup
	for i := 1; i < len(parts); i++ {
		group.Go(func() { refused[i] = checkLines(parts[i]) })
	}
	refused[0] = checkLines(parts[0])
	group.Wait()
	for i, err := range refused {
		if err != nil {
			for _, before := range parts[:i] {
				err.Line += bytes.Count(before, []byte{'\n'})
			}
			return err
		}
	}
	return nil
}

func checkLines(text []byte) *ParseError {
	for n := 1; len(text) > 0; n++ {
		line := record.FirstLine(text)
		if err := checkLine(line); err != nil {
			return &ParseError{Line: n, Err: err}
		}
		text = text[len(line):]
	}
	return nil
}

// checkLine says why the registry would refuse a file for this line.
func checkLine(line []byte) error {
	if len(bytes.TrimSuffix(line, []byte("\n"))) > MaxLineBytes {
		return ErrLineTooLong
	}
	if bytes.IndexByte(line, ':') >= 0 {
		return nil
	}
	if t := bytes.TrimSpace(line); len(t) > 0 && t[0] != '#' {
		return ErrNoColon
	}
	return nil
}

// All yields the entries in the order of their lines. Where a user stands on
// several of them, the registry goes by the last, nginx and Apache httpd by the
// first. The File must not be edited meanwhile.
func (f *File) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for l := range f.lines() {
			if r, ok := record.Parse(l.now); ok && !yield(newEntry(r, l.number)) {
				return
			}
		}
	}
}

func newEntry(r record.Record, line int) Entry {
	text := string(r.Body) // one for both: a list of a million users is read by it
	return Entry{User: text[:len(r.User)], Hash: newHash(text[len(r.User)+1:]), Line: line}
}

// Users yields each user once, in the order of their first lines. The File must
// not be edited meanwhile.
func (f *File) Users() iter.Seq[string] {
	return func(yield func(string) bool) {
		repeats := make(map[int]bool)
		names.Build(f.sizeGuess(), f.userOf, f.userLines(), func(_, ref int) { repeats[ref] = true })
		for ref, user := range f.userLines() {
			if !repeats[ref] && !yield(string(user)) {
				return
			}
		}
	}
}

// userLines yields the user of each line that names one, by the line's offset.
func (f *File) userLines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for l := range f.lines() {
			if r, ok := record.Parse(l.now); ok && !yield(l.ref, r.User) {
				return
			}
		}
	}
}

// A fileLine is a line that stands in the file.
type fileLine struct {
	ref, number int
	now         []byte
}

// lines yields each line that stands in the file now.
func (f *File) lines() iter.Seq[fileLine] {
	return func(yield func(fileLine) bool) {
		l := fileLine{}
		for _, part := range [][]byte{f.text, f.added} {
			for len(part) > 0 {
				line := record.FirstLine(part)
				part = part[len(line):]
				l.number++
				l.now = line
				if len(f.changed) > 0 {
					l.now = f.line(l.ref)
				}
				if l.now != nil && !yield(l) {
					return
				}
				l.ref += len(line)
			}
		}
	}
}

// line returns what stands now on the line with this offset, nil if it was removed.
func (f *File) line(ref int) []byte {
	if line, ok := f.changed[ref]; ok {
		return line
	}
	return f.original(ref)
}

// original returns the line with this offset as it was parsed or added.
func (f *File) original(ref int) []byte {
	if ref < len(f.text) {
		return record.FirstLine(f.text[ref:])
	}
	return record.FirstLine(f.added[ref-len(f.text):])
}

// userOf returns the user whom the line with this offset names now.
func (f *File) userOf(ref int) []byte {
	r, _ := record.Parse(f.line(ref))
	return r.User
}

// Lookup returns the user's entry; of several the last, which is the one that
// the registry goes by.
func (f *File) Lookup(user string) (Entry, bool) {
	refs := f.find(user)
	if len(refs) == 0 {
		return Entry{}, false
	}
	ref := refs[len(refs)-1]
	r, _ := record.Parse(f.line(ref))
	return newEntry(r, f.lineNumber(ref)), true
}

func (f *File) lineNumber(ref int) int {
	inText := f.index.textLines()
	if ref < len(f.text) {
		return 1 + inText.before(f.text, ref)
	}
	n := inText.before(f.text, len(f.text))
	if len(f.text) > 0 && f.text[len(f.text)-1] != '\n' {
		n++
	}
	return n + 1 + f.addedLines.before(f.added, ref-len(f.text))
}

// Verify checks the password of a user: nil if the registry would let them in
// with it, were their scheme bcrypt; else [ErrUserNotFound], or what
// [Hash.Verify] says.
func (f *File) Verify(user string, password []byte) error {
	e, ok := f.Lookup(user)
	if !ok {
		return ErrUserNotFound
	}
	return e.Hash.Verify(password)
}
