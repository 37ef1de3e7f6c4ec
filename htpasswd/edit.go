package htpasswd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"unicode"

	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/hugepages"
	"github.com/registryctl/registryctl/internal/record"
)

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

// hashSpan returns the part of the line that a new hash replaces: blanks before the
// old one go, what follows it, or stands in a field of its own, stays.
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
