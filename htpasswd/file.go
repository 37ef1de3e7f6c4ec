package htpasswd

import (
	"bytes"
	"io"
	"iter"
	"maps"
	"slices"
	"unicode"

	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
)

// MaxLineBytes is the longest line that the registry reads, without the line
// end; one more byte and it refuses the whole file. (It scans with a
// bufio.Scanner, whose buffer holds 64 KiB.)
const MaxLineBytes = 1<<16 - 1

// A File is the text of an htpasswd file. What an edit does not name keeps every
// byte: comments, blank lines, order, line ends, lines that make no sense. The
// zero File is an empty one.
//
// A File may be read by several goroutines at once only as long as none edits it
// or looks up a user.
type File struct {
	raw  []byte      // as given to Parse
	text []byte      // raw as UTF-8; no edit changes it
	err  *ParseError // why no edit is accepted

	// What the edits did. A line of text is known by its offset there; the line
	// added as number i by len(text)+i. A line that was removed is nil.
	changed map[int][]byte
	added   [][]byte

	scans int   // look-ups that scanned the text
	index index // instead of scanning, when many users are asked for
}

// An Entry is one line of a File that names a user.
type Entry struct {
	User string // as the registry reads it: any text without a colon, even empty
	Hash Hash   // of an unknown scheme where the line has none that is known
	Line int    // counted from 1
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
	for n := 1; len(text) > 0; n++ {
		line := firstLine(text)
		if err := checkLine(line); err != nil {
			f.err = &ParseError{Line: n, Err: err}
			return f, f.err
		}
		text = text[len(line):]
	}
	return f, nil
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

// firstLine returns the first line of text, with its LF if it has one.
func firstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}

// A record is what a line says: user:hash. Both are parts of the line.
type record struct {
	start      int // of the user in the line
	user, hash []byte
}

// parseRecord reads a line; ok is false for one that names no user.
func parseRecord(line []byte) (r record, ok bool) {
	body := bytes.TrimSpace(line)
	if len(body) == 0 || body[0] == '#' {
		return record{}, false
	}
	r.start = cap(line) - cap(body) // TrimSpace gives a part of the same array
	r.user, r.hash, ok = bytes.Cut(body, []byte{':'})
	return r, ok
}

// hashSpan returns where in the line the hash stands that another one would
// replace: blanks before it go, what comes behind a whole hash, or in a field of
// its own, stays.
func (r record) hashSpan() (start, end int) {
	start = r.start + len(r.user) + 1
	hash := bytes.TrimLeftFunc(r.hash, unicode.IsSpace)
	end = start + len(r.hash) - len(hash)
	if _, n := crypt.Scan(string(hash)); n > 0 {
		return start, end + n
	}
	if i := bytes.IndexAny(hash, ":\r"); i >= 0 {
		return start, end + i
	}
	return start, start + len(r.hash)
}

// WriteTo writes the text: of an unedited File what was parsed, byte for byte.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.err != nil {
		n, err := w.Write(f.raw)
		return int64(n), err
	}
	out := &countingWriter{w: w}
	at := 0
	for _, ref := range slices.Sorted(maps.Keys(f.changed)) {
		out.write(f.text[at:ref])
		out.write(f.changed[ref])
		at = ref + len(firstLine(f.text[ref:]))
	}
	out.write(f.text[at:])
	f.writeAdded(out)
	return out.n, out.err
}

// writeAdded writes the lines that were added, behind what was written before.
func (f *File) writeAdded(out *countingWriter) {
	for _, line := range f.added {
		if line == nil {
			continue
		}
		if out.n > 0 && out.last != '\n' {
			out.write(f.lineEnd())
		}
		out.write(line)
	}
}

// appended returns what the edits put behind the text; ok is false if they did
// anything else.
func (f *File) appended() (text []byte, ok bool) {
	if len(f.changed) > 0 {
		return nil, false
	}
	var b bytes.Buffer
	out := &countingWriter{w: &b, n: int64(len(f.text))}
	if out.n > 0 {
		out.last = f.text[out.n-1]
	}
	f.writeAdded(out)
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

// lineEnd is what a new line ends with: the same as the last line that ends.
func (f *File) lineEnd() []byte {
	if i := bytes.LastIndexByte(f.text, '\n'); i > 0 && f.text[i-1] == '\r' {
		return []byte("\r\n")
	}
	return []byte("\n")
}

// edited reports whether WriteTo would write anything but what was parsed.
func (f *File) edited() bool {
	return len(f.changed) > 0 || slices.ContainsFunc(f.added, func(line []byte) bool { return line != nil })
}

// All yields the entries in the order of their lines. Where a user stands on
// several of them, the registry goes by the last, nginx and Apache httpd by the
// first. The File must not be edited meanwhile.
func (f *File) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		n := 0
		for _, line := range f.lines() {
			n++
			if r, ok := parseRecord(line); ok && !yield(newEntry(r, n)) {
				return
			}
		}
	}
}

func newEntry(r record, line int) Entry {
	return Entry{User: string(r.user), Hash: newHash(string(r.hash)), Line: line}
}

// lines yields each line that stands in the file now, by its number in changed
// and added.
func (f *File) lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for at := 0; at < len(f.text); {
			line := firstLine(f.text[at:])
			now := line
			if len(f.changed) > 0 {
				now = f.line(at)
			}
			if now != nil && !yield(at, now) {
				return
			}
			at += len(line)
		}
		for i, line := range f.added {
			if line != nil && !yield(len(f.text)+i, line) {
				return
			}
		}
	}
}

// line returns what stands now on the line with this number, nil if it was removed.
func (f *File) line(ref int) []byte {
	if ref >= len(f.text) {
		return f.added[ref-len(f.text)]
	}
	if line, ok := f.changed[ref]; ok {
		return line
	}
	return firstLine(f.text[ref:])
}

// replace puts another line in the place of the one with this number; nil
// removes it.
func (f *File) replace(ref int, line []byte) {
	switch {
	case ref >= len(f.text):
		f.added[ref-len(f.text)] = line
	case line != nil && bytes.Equal(line, firstLine(f.text[ref:])):
		delete(f.changed, ref)
	default:
		if f.changed == nil {
			f.changed = make(map[int][]byte)
		}
		f.changed[ref] = line
	}
}

// Lookup returns the user's entry; of several the last, which is the one that
// the registry goes by.
func (f *File) Lookup(user string) (Entry, bool) {
	refs := f.find(user)
	if len(refs) == 0 {
		return Entry{}, false
	}
	ref := refs[len(refs)-1]
	r, _ := parseRecord(f.line(ref))
	return newEntry(r, f.lineNumber(ref)), true
}

func (f *File) lineNumber(ref int) int {
	n := 1
	if ref < len(f.text) && len(f.changed) == 0 {
		return n + bytes.Count(f.text[:ref], []byte{'\n'})
	}
	for at := range f.lines() {
		if at == ref {
			break
		}
		n++
	}
	return n
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

// Set gives the user this hash, and adds the user where there is none. Where
// the user stands on several lines, the last one's place stays and the others
// go. Errors as for [File.Add], without [ErrUserExists].
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
	r, _ := parseRecord(line)
	start, end := r.hashSpan()
	line = slices.Concat(line[:start], []byte(h.Encoded()), line[end:])
	if err := checkLine(line); err != nil {
		return err
	}
	for _, ref := range refs[:len(refs)-1] {
		f.replace(ref, nil)
	}
	f.replace(last, line)
	f.index.set(user, []int{last})
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
	for _, ref := range refs {
		f.replace(ref, nil)
	}
	f.index.set(user, nil)
	return nil
}

// Rename gives every line of a user another name, and keeps hash and place.
// Errors: [ErrUserNotFound], [ErrInvalidUser] or [ErrUserExists] for the new
// name, or the [*ParseError] of the File.
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
		r, _ := parseRecord(line)
		lines[i] = slices.Concat(line[:r.start], []byte(to), line[r.start+len(from):])
		if err := checkLine(lines[i]); err != nil {
			return err
		}
	}
	for i, ref := range refs {
		f.replace(ref, lines[i])
	}
	f.index.set(from, nil)
	f.index.set(to, refs)
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
	f.index.set(user, []int{len(f.text) + len(f.added)})
	f.added = append(f.added, slices.Concat([]byte(user), []byte{':'}, []byte(h.Encoded()), f.lineEnd()))
}

// find returns the numbers of the user's lines, in their order.
func (f *File) find(user string) []int {
	if f.index.users == nil {
		if f.scans < scansBeforeIndex {
			f.scans++
			return f.scan(user)
		}
		f.index = f.buildIndex()
	}
	return f.index.get(user)
}

// scan finds the user's lines without an index. It searches the text for the
// name as a whole, not line by line, and only then asks what the lines say.
func (f *File) scan(user string) []int {
	var refs []int
	names := func(line []byte) bool {
		r, ok := parseRecord(line)
		return ok && string(r.user) == user
	}
	needle := []byte(user + ":")
	for at := 0; ; {
		i := bytes.Index(f.text[at:], needle)
		if i < 0 {
			break
		}
		start := bytes.LastIndexByte(f.text[:at+i], '\n') + 1
		line := firstLine(f.text[start:])
		if _, ok := f.changed[start]; !ok && names(line) {
			refs = append(refs, start)
		}
		at = start + len(line)
	}
	for ref, line := range f.changed {
		if names(line) {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	for i, line := range f.added {
		if names(line) {
			refs = append(refs, len(f.text)+i)
		}
	}
	return refs
}
