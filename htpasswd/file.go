package htpasswd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"unicode"

	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/hugepages"
	"github.com/registryctl/registryctl/internal/names"
	"github.com/registryctl/registryctl/internal/record"
)

// MaxLineBytes is the longest line that the registry reads, without the line
// end; one more byte and it refuses the whole file. (It scans with a
// bufio.Scanner, whose buffer holds 64 KiB.)
const MaxLineBytes = 1<<16 - 1

// A File is the text of an htpasswd file. What an edit does not name keeps every
// byte: comments, blank lines, order, line ends, lines that make no sense. The
// zero File is an empty one.
//
// A File may be read by several goroutines at once as long as none edits it.
type File struct {
	raw  []byte      // as given to Parse
	text []byte      // raw as UTF-8; no edit changes it
	err  *ParseError // why no edit is accepted

	// What the edits did. A line is known by its offset: in the text, or in what
	// was added, which goes on counting where the text ends. There it stays as it
	// was; what it says since stands in changed, nil if it was removed.
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

// hashSpan returns where in the line the hash stands that another one would
// replace: blanks before it go, what comes behind a whole hash, or in a field of
// its own, stays.
func hashSpan(r record.Record) (start, end int) {
	start = r.Start + len(r.User) + 1
	hash := bytes.TrimLeftFunc(r.Hash, unicode.IsSpace)
	end = start + len(r.Hash) - len(hash)
	if _, n := crypt.Scan(string(hash)); n > 0 {
		return start, end + n
	}
	if i := bytes.IndexAny(hash, ":\r"); i >= 0 {
		return start, end + i
	}
	return start, start + len(r.Hash)
}

// WriteTo writes the text: of an unedited File what was parsed, byte for byte.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.err != nil {
		n, err := w.Write(f.raw)
		return int64(n), err
	}
	out := &countingWriter{w: w}
	refs := slices.Sorted(maps.Keys(f.changed))
	inText, _ := slices.BinarySearch(refs, len(f.text))
	f.writeLines(out, f.text, 0, refs[:inText])
	f.writeAdded(out, refs[inText:])
	return out.n, out.err
}

// writeLines writes lines, the first of which has the offset from, as they stand
// since the changes.
func (f *File) writeLines(out *countingWriter, lines []byte, from int, changes []int) {
	at := 0
	for _, ref := range changes {
		out.write(lines[at : ref-from])
		out.write(f.changed[ref])
		at = ref - from + len(record.FirstLine(lines[ref-from:]))
	}
	out.write(lines[at:])
}

// writeAdded writes the lines that were added, behind what was written before.
func (f *File) writeAdded(out *countingWriter, changes []int) {
	if f.standing > 0 && out.n > 0 && out.last != '\n' {
		out.write(record.LineEnd(f.text))
	}
	f.writeLines(out, f.added, len(f.text), changes)
}

// appended returns what the edits put behind the text; ok is false if they did
// anything else.
func (f *File) appended() (text []byte, ok bool) {
	refs := slices.Sorted(maps.Keys(f.changed))
	if len(refs) > 0 && refs[0] < len(f.text) {
		return nil, false
	}
	var b bytes.Buffer
	out := &countingWriter{w: &b, n: int64(len(f.text))}
	if out.n > 0 {
		out.last = f.text[out.n-1]
	}
	f.writeAdded(out, refs)
	return b.Bytes(), true
}

// A countingWriter keeps the first error, and the last byte that was written.
type countingWriter struct {
	w    io.Writer
	n    int64
	last byte
	err  error
}

func (c *countingWriter) write(b []byte) {
	if c.err != nil || len(b) == 0 {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.last, c.err = b[len(b)-1], err
}

// edited reports whether WriteTo would write anything but what was parsed.
func (f *File) edited() bool {
	if f.standing > 0 {
		return true
	}
	for ref := range f.changed {
		if ref < len(f.text) {
			return true
		}
	}
	return false
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

// replace puts another line in the place of the one with this offset, which
// stands; nil removes it.
func (f *File) replace(ref int, line []byte) {
	if ref >= len(f.text) && line == nil {
		f.standing--
	}
	if line != nil && bytes.Equal(line, f.original(ref)) {
		delete(f.changed, ref)
		return
	}
	if f.changed == nil {
		f.changed = make(map[int][]byte)
	}
	f.changed[ref] = line
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

// Add adds a line for a new user at the end. The hash has to be bcrypt, as the
// registry takes no other. Errors: [ErrInvalidUser], [ErrUserExists],
// [ErrUnsupportedHash], or the [*ParseError] of the File.
func (f *File) Add(user string, h Hash) error {
	if err := f.accepts(h); err != nil {
		return err
	}
	if err := ValidateUser(user); err != nil {
		return err
	}
	if len(f.find(user)) > 0 {
		return ErrUserExists
	}
	f.append(user, h)
	return nil
}

// AddAll is Add for each of many users, in one pass over the text, or for none if
// one of them cannot be added. The sequence is gone through twice, and has to
// yield the same users again. The error is Add's, with the user's name before it.
func (f *File) AddAll(users iter.Seq2[string, Hash]) error {
	if f.err != nil {
		return f.err
	}
	end := record.LineEnd(f.text)
	n, more := 0, 0
	for user, h := range users {
		n++
		more += len(user) + 1 + len(h.Encoded()) + len(end)
	}
	if n == 0 {
		return nil
	}
	index := f.index.build(f)
	f.makeRoom(more)
	before := len(f.added)
	all := false
	defer func() { // also where going through the users panics
		if !all {
			f.added = f.added[:before]
			f.index.built.Store(nil)
		}
	}()
	added := 0
	var err error
	lines := func(yield func(int, []byte) bool) {
		for user, h := range users {
			if err = cmp.Or(f.accepts(h), ValidateUser(user)); err != nil {
				err = fmt.Errorf("user %q: %w", user, err)
				return
			}
			ref := len(f.text) + len(f.added)
			f.appendLine(user, h, end)
			added++
			if !yield(ref, f.original(ref)[:len(user)]) {
				return
			}
		}
	}
	index.users.PutAll(n, lines, func(_, ref int) {
		err = fmt.Errorf("user %q: %w", f.userOf(ref), ErrUserExists)
	})
	if err == nil && (added != n || len(f.added) != before+more) {
		err = errors.New("the users to add have changed meanwhile")
	}
	if err != nil {
		return err
	}
	all = true
	f.addedLines.count(f.added)
	f.standing += n
	return nil
}

// Set gives the user this hash, and adds the user where there is none. Where
// the user stands on several lines, the last one's place stays and the others
// go. Errors as for [File.Add], without [ErrUserExists], and [ErrLineTooLong].
func (f *File) Set(user string, h Hash) error {
	if err := f.accepts(h); err != nil {
		return err
	}
	refs := f.find(user)
	if len(refs) == 0 {
		if err := ValidateUser(user); err != nil {
			return err
		}
		f.append(user, h)
		return nil
	}
	last := refs[len(refs)-1]
	line := f.line(last)
	r, _ := record.Parse(line)
	start, end := hashSpan(r)
	line = slices.Concat(line[:start], []byte(h.Encoded()), line[end:])
	if err := checkLine(line); err != nil {
		return err
	}
	for _, ref := range refs[:len(refs)-1] {
		f.replace(ref, nil)
	}
	f.replace(last, line)
	if x := f.index.built.Load(); x != nil {
		delete(x.earlier, last)
	}
	return nil
}

// Remove removes every line of the user, whose name may be one that Add would
// refuse. Errors: [ErrUserNotFound], or the [*ParseError] of the File.
func (f *File) Remove(user string) error {
	if f.err != nil {
		return f.err
	}
	refs := f.find(user)
	if len(refs) == 0 {
		return ErrUserNotFound
	}
	f.forget(user, refs)
	for _, ref := range refs {
		f.replace(ref, nil)
	}
	return nil
}

// Rename gives every line of a user another name, and keeps hash and place.
// Errors: [ErrUserNotFound], [ErrInvalidUser] or [ErrUserExists] for the new
// name, [ErrLineTooLong], or the [*ParseError] of the File.
func (f *File) Rename(from, to string) error {
	if f.err != nil {
		return f.err
	}
	refs := f.find(from)
	if len(refs) == 0 {
		return ErrUserNotFound
	}
	if err := ValidateUser(to); err != nil {
		return err
	}
	if len(f.find(to)) > 0 {
		return ErrUserExists
	}
	lines := make([][]byte, len(refs))
	for i, ref := range refs {
		line := f.line(ref)
		r, _ := record.Parse(line)
		lines[i] = slices.Concat(line[:r.Start], []byte(to), line[r.Start+len(from):])
		if err := checkLine(lines[i]); err != nil {
			return err
		}
	}
	f.forget(from, refs)
	for i, ref := range refs {
		f.replace(ref, lines[i])
		f.note(to, ref)
	}
	return nil
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

// accepts says why no line with this hash may be written.
func (f *File) accepts(h Hash) error {
	if f.err != nil {
		return f.err
	}
	if h.Scheme() != Bcrypt {
		return ErrUnsupportedHash
	}
	return nil
}

func (f *File) append(user string, h Hash) {
	ref := len(f.text) + len(f.added)
	f.appendLine(user, h, record.LineEnd(f.text))
	f.addedLines.count(f.added)
	f.standing++
	f.note(user, ref)
}

func (f *File) appendLine(user string, h Hash, end []byte) {
	f.makeRoom(len(user) + 1 + len(h.Encoded()) + len(end))
	f.added = append(f.added, user...)
	f.added = append(f.added, ':')
	f.added = append(f.added, h.Encoded()...)
	f.added = append(f.added, end...)
}

// makeRoom makes sure that so many more bytes can be added. It takes twice as much
// each time: append grows a large slice by a quarter, and copies millions of lines
// several times over.
func (f *File) makeRoom(more int) {
	if cap(f.added)-len(f.added) >= more {
		return
	}
	grown := make([]byte, len(f.added), 2*cap(f.added)+more)
	hugepages.Prefer(grown)
	copy(grown, f.added)
	f.added = grown
}

// note tells the index, if there is one, of a line that now is the user's.
func (f *File) note(user string, ref int) {
	if x := f.index.built.Load(); x != nil {
		x.add([]byte(user), ref)
	}
}

// forget tells the index, if there is one, of a user whose lines, all of them,
// are about to be another's or nobody's.
func (f *File) forget(user string, refs []int) {
	if x := f.index.built.Load(); x != nil {
		delete(x.earlier, refs[len(refs)-1])
		x.users.Delete([]byte(user))
	}
}

// find returns the offsets of the user's lines, in their order.
func (f *File) find(user string) []int {
	if x := f.index.of(f); x != nil {
		return x.get([]byte(user))
	}
	return f.scan(user)
}

// scan finds the user's lines without an index. It searches the text for the
// name as a whole, not line by line, and only then asks what the lines say.
func (f *File) scan(user string) []int {
	var refs []int
	isUsers := func(line []byte) bool {
		r, ok := record.Parse(line)
		return ok && string(r.User) == user
	}
	needle := []byte(user + ":")
	from := 0
	for _, part := range [][]byte{f.text, f.added} {
		for at := 0; ; {
			i := bytes.Index(part[at:], needle)
			if i < 0 {
				break
			}
			start := bytes.LastIndexByte(part[:at+i], '\n') + 1
			line := record.FirstLine(part[start:])
			if _, ok := f.changed[from+start]; !ok && isUsers(line) {
				refs = append(refs, from+start)
			}
			at = start + len(line)
		}
		from += len(part)
	}
	for ref, line := range f.changed {
		if isUsers(line) {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}
