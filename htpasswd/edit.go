package htpasswd

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// Add adds a new user in a line at the end. The scheme of the hash must be
// [Bcrypt], as the registry accepts no other. The error is [ErrInvalidUser],
// [ErrUserExists], [ErrUnsupportedHash] or the [*ParseError] of the File.
func (f *File) Add(user string, h Hash) error {
	text, err := f.accept(h)
	if err != nil {
		return err
	}
	if err := ValidateUser(user); err != nil {
		return err
	}
	if len(f.linesOf(user)) > 0 {
		return ErrUserExists
	}
	f.append(newUser{user, text})
	return nil
}

// Set gives a user this hash, and adds the user if there is none of that name.
// If the user has several lines, the last one stays, which the registry goes
// by, and the others are removed. The error is that of [File.Add], without
// ErrUserExists, or [ErrLineTooLong].
func (f *File) Set(user string, h Hash) error {
	text, err := f.accept(h)
	if err != nil {
		return err
	}
	lines := f.linesOf(user)
	if len(lines) == 0 {
		if err := ValidateUser(user); err != nil {
			return err
		}
		f.append(newUser{user, text})
		return nil
	}
	with := make([]string, len(lines))
	last := len(lines) - 1
	if with[last], err = withHash(lines[last].text, text); err != nil {
		return err
	}
	f.replace(lines, with)
	return nil
}

// Remove removes every line of a user. The name may be one that Add refuses.
// The error is [ErrUserNotFound] or the [*ParseError] of the File.
func (f *File) Remove(user string) error {
	if f.refused != nil {
		return f.refused
	}
	lines := f.linesOf(user)
	if len(lines) == 0 {
		return ErrUserNotFound
	}
	f.replace(lines, make([]string, len(lines)))
	return nil
}

// Rename gives every line of a user another name, and keeps hash and place. The
// error is [ErrUserNotFound], for the new name [ErrInvalidUser] or
// [ErrUserExists], [ErrLineTooLong], or the [*ParseError] of the File.
func (f *File) Rename(from, to string) error {
	if f.refused != nil {
		return f.refused
	}
	lines := f.linesOf(from)
	if len(lines) == 0 {
		return ErrUserNotFound
	}
	if err := ValidateUser(to); err != nil {
		return err
	}
	if len(f.linesOf(to)) > 0 {
		return ErrUserExists
	}
	with := make([]string, len(lines))
	for i, l := range lines {
		r, _ := record.Parse(l.text)
		with[i] = l.text[:r.Start] + to + l.text[r.Start+len(from):]
		if err := record.CheckLine(with[i]); err != nil {
			return err
		}
	}
	f.replace(lines, with)
	return nil
}

// Disable keeps a user from logging in without losing the password: it puts a "!"
// before the hash in every line of the user. Every server then refuses the
// password, and [File.Set] and [File.Apply] keep the "!". The error is
// [ErrUserNotFound], [ErrLineTooLong] or the [*ParseError] of the File.
func (f *File) Disable(user string) error {
	return f.editHashes(user, func(hash string) string { return record.DisabledMark + strings.TrimPrefix(hash, record.DisabledMark) })
}

// Enable undoes [File.Disable], or the same edit made by hand: the user can log in
// again with the same password as before. The error is that of Disable.
func (f *File) Enable(user string) error {
	return f.editHashes(user, func(hash string) string { return strings.TrimPrefix(hash, record.DisabledMark) })
}

// editHashes edits what stands behind the colon in every line of a user.
func (f *File) editHashes(user string, edit func(hash string) string) error {
	if f.refused != nil {
		return f.refused
	}
	lines := f.linesOf(user)
	if len(lines) == 0 {
		return ErrUserNotFound
	}
	with := make([]string, len(lines))
	for i, l := range lines {
		r, _ := record.Parse(l.text)
		start := r.Start + len(r.User) + len(":")
		with[i] = l.text[:start] + edit(r.Hash) + l.text[start+len(r.Hash):]
		if err := record.CheckLine(with[i]); err != nil {
			return err
		}
	}
	f.replace(lines, with)
	return nil
}

// A Change is what [File.Apply] does for one user.
type Change struct {
	User   string
	Hash   Hash // as for [File.Set]
	Remove bool // instead, as [File.Remove] does
}

// Apply makes all of the changes in one pass over the text, or none of them.
// New users are added in the order of the changes. Each user may be named only
// once. The error names the user, and is that of [File.Set] or [File.Remove].
func (f *File) Apply(changes []Change) error {
	if f.refused != nil {
		return f.refused
	}
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.User
	}
	for user := range record.Repeated(names) {
		return fmt.Errorf("user %q: changed twice", user)
	}
	index := make(map[string]int)
	if f.hasUsers() {
		for i, c := range changes {
			index[c.User] = i
		}
	}
	var lines []line
	var changeOf []int                // for each line
	last := make([]int, len(changes)) // 1 + the index in lines of the user's last one
	for l, r := range f.entries() {
		if i, ok := index[r.User]; ok {
			lines, changeOf = append(lines, l), append(changeOf, i)
			last[i] = len(lines)
		}
	}

	with := make([]string, len(lines))
	added := make([]newUser, 0, len(changes))
	for i, c := range changes {
		if c.Remove {
			if last[i] == 0 {
				return fmt.Errorf("user %q: %w", c.User, ErrUserNotFound)
			}
			continue
		}
		text, err := f.accept(c.Hash)
		switch {
		case err != nil:
		case last[i] > 0:
			with[last[i]-1], err = withHash(lines[last[i]-1].text, text)
		default:
			added, err = append(added, newUser{c.User, text}), ValidateUser(c.User)
		}
		if err != nil {
			return fmt.Errorf("user %q: %w", c.User, err)
		}
	}
	f.replace(lines, with)
	f.append(added...)
	return nil
}

// Reset replaces the text as a whole, also that of a File which the registry
// refuses. The new text must be one that the registry reads, else the error is
// a [*ParseError]; and if the old one names any user, so must the new one, else
// it is [ErrNoUsers]: a text that was lost on the way does not empty the file.
// After an error the File is as it was.
func (f *File) Reset(text string) error {
	next, err := parse(text)
	if err != nil {
		return err
	}
	if f.hasUsers() && !next.hasUsers() {
		return ErrNoUsers
	}
	f.pieces, f.edited, f.refused = next.pieces, true, nil
	return nil
}

func (f *File) hasUsers() bool {
	for range f.entries() {
		return true
	}
	return false
}

// accept returns the text of a hash that may be written.
func (f *File) accept(h Hash) (string, error) {
	if f.refused != nil {
		return "", f.refused
	}
	_, size, isBcrypt := crypt.ParseBcrypt(h.line())
	if !isBcrypt {
		return "", ErrUnsupportedHash
	}
	return h.line()[:size], nil
}

// replace puts other texts in the place of these lines, which are in the order
// of the text. An empty one removes its line.
func (f *File) replace(lines []line, with []string) {
	if len(lines) == 0 {
		return
	}
	var pieces []string
	keep := func(piece string) {
		if piece != "" {
			pieces = append(pieces, piece)
		}
	}
	for i, piece := range f.pieces {
		at := 0
		for len(lines) > 0 && lines[0].piece == i {
			keep(piece[at:lines[0].start])
			keep(with[0])
			at = lines[0].start + len(lines[0].text)
			lines, with = lines[1:], with[1:]
		}
		keep(piece[at:])
	}
	f.pieces, f.edited = pieces, true
}

type newUser struct{ name, hash string }

// append adds lines at the end, with the line ending that the text has. If its last line
// has none, it gets one.
func (f *File) append(added ...newUser) {
	if len(added) == 0 {
		return
	}
	ending := f.lineEnding()
	f.endLastLine(ending)
	var lines strings.Builder
	lines.Grow(len(added) * 100) // enough for most
	for _, u := range added {
		for _, part := range []string{u.name, ":", u.hash, ending} {
			lines.WriteString(part)
		}
	}
	f.pieces, f.edited = append(f.pieces, lines.String()), true
}

// lineEnding returns that of the last line which has one.
func (f *File) lineEnding() string {
	for i := len(f.pieces) - 1; i >= 0; i-- {
		if strings.Contains(f.pieces[i], "\n") {
			return record.LineEnding(f.pieces[i])
		}
	}
	return "\n"
}

func (f *File) endLastLine(ending string) {
	if len(f.pieces) == 0 {
		return
	}
	last := len(f.pieces) - 1
	piece := f.pieces[last]
	start := strings.LastIndexByte(piece, '\n') + 1
	if start < len(piece) {
		f.pieces = append(f.pieces[:last:last], piece[:start], record.EndLine(piece[start:], ending))
	}
}

// withHash returns the line of an entry with another hash. What follows the old
// hash, or stands in a field of its own, stays, and so does the mark of a
// disabled user; whitespace before the hash does not.
func withHash(line, hash string) (string, error) {
	r, _ := record.Parse(line)
	start := r.Start + len(r.User) + len(":")
	// A CR may be the line ending of another program, before somebody else's entry.
	old := strings.TrimLeftFunc(r.Hash, func(c rune) bool { return unicode.IsSpace(c) && c != '\r' })
	mark := ""
	if after, disabled := strings.CutPrefix(old, record.DisabledMark); disabled {
		mark, old = record.DisabledMark, after
	}
	rest := ""
	if _, n := crypt.Scan(old); n > 0 {
		rest = old[n:]
	} else if i := strings.IndexAny(old, ":\r"); i >= 0 {
		rest = old[i:]
	}
	line = line[:start] + mark + hash + rest + line[start+len(r.Hash):]
	return line, record.CheckLine(line)
}
