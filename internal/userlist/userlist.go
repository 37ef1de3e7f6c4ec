// Package userlist reads the lists from which users are provisioned: lines of
// name:password, CSV with a header, JSON. It tells every entry that is wrong,
// with its line.
package userlist

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/hugepages"
	"github.com/registryctl/registryctl/internal/names"
	"github.com/registryctl/registryctl/internal/record"
)

// A User is one entry of a list: with a password, a hash made elsewhere, or
// neither.
type User struct {
	Line     int // counted from 1
	Name     string
	Password []byte        // nil if there is none
	Hash     htpasswd.Hash // bcrypt, or the zero Hash
}

// HasHash reports whether the entry brings a hash instead of a password.
func (u User) HasHash() bool { return u.Hash.Scheme() == htpasswd.Bcrypt }

// ErrNoEntry is the reason of an entry that cannot be read at all, or whose hash
// the registry does not take. The other reasons are htpasswd.ErrInvalidUser,
// htpasswd.ErrInvalidPassword and htpasswd.ErrUserExists.
var ErrNoEntry = errors.New("not an entry")

// A Problem is an entry that is wrong. It holds no password and no text of the list.
type Problem struct {
	Line int
	Err  error
}

// The formats of a list.
const (
	Lines = "lines"
	CSV   = "csv"
	JSON  = "json"
)

// Guess returns the format of a list by the extension of its name, else by how
// it begins.
func Guess(name string, text []byte) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return CSV
	case ".json", ".jsonl", ".ndjson":
		return JSON
	case ".txt", ".htpasswd":
		return Lines
	}
	if decoded, err := charset.Decode(text); err == nil {
		text = decoded
	}
	begin := bytes.TrimSpace(text)
	if len(begin) > 0 && (begin[0] == '{' || begin[0] == '[') {
		return JSON
	}
	first, _, _ := bytes.Cut(skipType(text), []byte("\n"))
	if header, err := csv.NewReader(bytes.NewReader(first)).Read(); err == nil && len(header) > 1 && column(header, nameColumns) >= 0 {
		return CSV
	}
	return Lines
}

// Parse reads a list in the given format. Where there are problems the users are
// those of the other entries.
func Parse(text []byte, format string) (users []User, problems []Problem) {
	text, err := charset.Decode(text)
	if err != nil {
		return nil, []Problem{{1, fmt.Errorf("%w: %w", ErrNoEntry, err)}}
	}
	p := &parser{}
	switch format {
	case CSV:
		p.csv(text)
	case JSON:
		p.json(text)
	default:
		p.allLines(text)
	}
	p.refuseTwice()
	return p.users, p.problems
}

type parser struct {
	users    []User
	problems []Problem
}

func (p *parser) problem(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{line, fmt.Errorf(format, args...)})
}

// add notes an entry; value is its password, or a hash in its place, nil if it
// has neither. One that says it is a hash has to be: taken for a password, any
// other than bcrypt's would let in whoever has read the old file.
func (p *parser) add(line int, name string, value *string, isHash bool) {
	err := htpasswd.ValidateUser(name)
	u := User{Line: line, Name: name}
	switch {
	case err != nil || value == nil:
	case isHash || looksHashed(*value):
		err = u.takeHash(*value)
	default:
		u.Password = []byte(*value)
		err = htpasswd.ValidatePassword(u.Password)
	}
	if err != nil {
		p.problem(line, "%w", err)
		return
	}
	p.users = append(p.users, u)
}

func (u *User) takeHash(value string) error {
	h, err := htpasswd.ParseHash(value)
	if err != nil || h.Scheme() != htpasswd.Bcrypt {
		return fmt.Errorf("%w: the registry accepts no hash but bcrypt, and this one is %s", ErrNoEntry, describe(h))
	}
	u.Hash = h
	return nil
}

// looksHashed takes for a hash what nobody would choose for a password.
func looksHashed(value string) bool {
	for _, prefix := range []string{"$2a$", "$2b$", "$2x$", "$2y$", "$apr1$", "$1$", "$5$", "$6$", "$y$", "{SHA}", "{SSHA}"} {
		if strings.HasPrefix(value, prefix) {
			return true
		}
	}
	return false
}

func describe(h htpasswd.Hash) string {
	if h.Scheme() == "" {
		return "cut or damaged"
	}
	return string(h.Scheme())
}

// refuseTwice makes a problem of a name that is listed again: which password is
// meant is not known.
func (p *parser) refuseTwice() {
	if ascend(p.users) {
		return
	}
	name := func(i int) []byte {
		name := p.users[i].Name // not copied, as it is only read
		return unsafe.Slice(unsafe.StringData(name), len(name))
	}
	all := func(yield func(int, []byte) bool) {
		for i := range p.users {
			if !yield(i, name(i)) {
				return
			}
		}
	}
	first := make(map[int]int)
	names.Build(len(p.users), name, all, func(before, again int) {
		if f, ok := first[before]; ok {
			before = f
		}
		first[again] = before
	})
	for again, before := range first {
		p.problem(p.users[again].Line, "%w: the same name is on line %d", htpasswd.ErrUserExists, p.users[before].Line)
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}

// ascend reports whether each name comes after the one before: in a sorted list
// none can be there twice.
func ascend(users []User) bool {
	for i := 1; i < len(users); i++ {
		if users[i-1].Name >= users[i].Name {
			return false
		}
	}
	return true
}

// allLines reads a text of lines, a large one on every core.
func (p *parser) allLines(text []byte) {
	parts := record.Parts(text)
	parsers := make([]parser, len(parts))
	// Each part writes its users where they stand if every line before it has one, so
	// that they need not be copied then. The last line may have no end.
	room := make([]User, bytes.Count(text, []byte{'\n'})+1)
	hugepages.Prefer(room)
	var group sync.WaitGroup
	before := 0 // lines
	for i, part := range parts {
		first := before
		before += bytes.Count(part, []byte{'\n'})
		parsers[i].users = room[first:first]
		group.Go(func() { parsers[i].lines(part, first) })
	}
	group.Wait()
	p.users = room[:0]
	for _, part := range parsers {
		p.users = append(p.users, part.users...)
		p.problems = append(p.problems, part.problems...)
	}
}

// lines reads lines, before which there are n others.
func (p *parser) lines(text []byte, n int) {
	// As it is, which nobody changes: to copy a long list takes as long as reading it.
	for line := range strings.Lines(unsafe.String(unsafe.SliceData(text), len(text))) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		name, password, ok := strings.Cut(line, ":")
		if ok {
			p.add(n, name, &password, false)
		} else {
			p.add(n, name, nil, false)
		}
	}
}

var (
	nameColumns     = []string{"name", "user", "username"}
	passwordColumns = []string{"password"}
	hashColumns     = []string{"hash"}
)

// column finds a column by one of its names, in any case; -1 if there is none.
func column(header []string, names []string) int {
	return slices.IndexFunc(header, func(title string) bool {
		return slices.Contains(names, strings.ToLower(strings.TrimSpace(title)))
	})
}

// skipType leaves out the line that Windows PowerShell's Export-Csv begins with.
func skipType(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("#TYPE")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

func (p *parser) csv(text []byte) {
	rest := skipType(text)
	skipped := bytes.Count(text[:len(text)-len(rest)], []byte{'\n'})
	r := csv.NewReader(bytes.NewReader(rest))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return
	}
	name, password, hash := column(header, nameColumns), column(header, passwordColumns), column(header, hashColumns)
	if err != nil || name < 0 {
		p.problem(skipped+1, "%w: no CSV header with a column \"name\"", ErrNoEntry)
		return
	}
	for {
		record, err := r.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &bad):
			p.problem(skipped+bad.Line, "%w: %w", ErrNoEntry, bad.Err)
			return
		}
		line, _ := r.FieldPos(0)
		line += skipped
		if len(record) <= name {
			p.problem(line, "%w: too few columns", ErrNoEntry)
			continue
		}
		p.addFields(line, record[name], field(record, password), field(record, hash))
	}
}

// field returns a column of the record, nil if it is missing or empty.
func field(record []string, column int) *string {
	if column < 0 || len(record) <= column || record[column] == "" {
		return nil
	}
	return &record[column]
}

// addFields is add where the hash has a field of its own.
func (p *parser) addFields(line int, name string, password, hash *string) {
	switch {
	case password != nil && hash != nil:
		p.problem(line, "%w: both a password and a hash", ErrNoEntry)
	case hash != nil:
		p.add(line, name, hash, true)
	default:
		p.add(line, name, password, false)
	}
}

// A jsonUser is an object of the list. Other fields are left out of account.
type jsonUser struct {
	Name, User, Username *string
	Password, Hash       *string
}

func (p *parser) json(text []byte) {
	d := json.NewDecoder(bytes.NewReader(text))
	lines := lineCounter{text: text}
	isArray := bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))
	if isArray {
		_, _ = d.Token()
	}
	for d.More() {
		line := lines.at(int(d.InputOffset()))
		var u jsonUser
		err := d.Decode(&u)
		var wrongType *json.UnmarshalTypeError
		if err != nil {
			p.problem(line, "%w: no JSON object with the strings \"name\" and \"password\"", ErrNoEntry)
			if errors.As(err, &wrongType) {
				continue
			}
			return // nothing behind a syntax error can be read
		}
		name := firstOf(u.Name, u.User, u.Username)
		if name == nil {
			p.problem(line, "%w: no \"name\"", ErrNoEntry)
			continue
		}
		p.addFields(line, *name, u.Password, u.Hash)
	}
	if isArray {
		if _, err := d.Token(); err != nil {
			p.problem(lines.at(len(text)), "%w: the JSON array does not end", ErrNoEntry)
		}
	}
}

func firstOf(values ...*string) *string {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// A lineCounter tells the line of the next value, for offsets that only grow.
type lineCounter struct {
	text []byte
	from int
	line int
}

func (c *lineCounter) at(offset int) int {
	for offset < len(c.text) && bytes.IndexByte([]byte(" \t\r\n,["), c.text[offset]) >= 0 {
		offset++
	}
	if offset > c.from {
		c.line += bytes.Count(c.text[c.from:offset], []byte{'\n'})
		c.from = offset
	}
	return c.line + 1
}
