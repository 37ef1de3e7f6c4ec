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
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
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
	Line   int
	Err    error
	before int // users that are listed before it, to tell the entries of one line apart
}

// The formats of a list.
const (
	Lines = "lines"
	CSV   = "csv"
	JSON  = "json"
)

// Guess returns the format of a list by the extension of its name, else by how
// it begins. It is empty for nothing but names under a first line such as "name":
// that may be the header of CSV or, in lines, a user, who would be lost.
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
	rest := skipType(begin)
	first, _, _ := bytes.Cut(rest, []byte("\n"))
	header, err := csv.NewReader(bytes.NewReader(first)).Read()
	switch {
	case err != nil || column(header, nameColumns) < 0:
		return Lines
	case len(header) > 1 || len(rest) < len(begin) || rest[0] == '"': // no list of lines begins like that
		return CSV
	case bytes.IndexByte(rest, ':') >= 0:
		return Lines
	}
	return ""
}

// Parse reads a list in the given format. An entry with neither a password nor a
// hash is a problem unless the list may be of names alone. The problems are in the
// order of the list. Where there are any the users are of no use: some are missing,
// some are there twice.
func Parse(text []byte, format string, namesAlone bool) (users []User, problems []Problem) {
	p := &parser{namesAlone: namesAlone}
	text, err := charset.Decode(text)
	if err != nil {
		p.problem(1, "%w: %w", ErrNoEntry, err)
		return nil, p.problems
	}
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
	namesAlone bool
	users      []User
	problems   []Problem
}

func (p *parser) problem(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{line, fmt.Errorf(format, args...), len(p.users)})
}

// add notes an entry; value is its password, or a hash in its place, nil if it
// has neither. One that says it is a hash has to be: taken for a password, any
// other than bcrypt's would let in whoever has read the old file.
func (p *parser) add(line int, name string, value *string, isHash bool) {
	err := htpasswd.ValidateUser(name)
	u := User{Line: line, Name: name}
	switch {
	case err != nil:
	case value == nil && !p.namesAlone:
		err = fmt.Errorf("%w: no password; --generate makes one for who is new", ErrNoEntry)
	case value == nil:
	case isHash || looksHashed(*value):
		err = u.takeHash(*value)
	default:
		err = u.takePassword(*value)
	}
	if err != nil {
		p.problem(line, "%w", err)
		return
	}
	p.users = append(p.users, u)
}

// takePassword refuses more than one line: nobody can type that, and it is what is
// left of a list in which a carriage return alone ends a line.
func (u *User) takePassword(value string) error {
	if strings.ContainsAny(value, "\r\n") {
		return fmt.Errorf("%w: it has more than one line", htpasswd.ErrInvalidPassword)
	}
	u.Password = []byte(value)
	return htpasswd.ValidatePassword(u.Password)
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
		err := fmt.Errorf("%w: the same name is on line %d", htpasswd.ErrUserExists, p.users[before].Line)
		p.problems = append(p.problems, Problem{p.users[again].Line, err, again})
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.before, b.before))
	})
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
		parsers[i] = parser{namesAlone: p.namesAlone, users: room[first:first]}
		group.Go(func() { parsers[i].lines(part, first) })
	}
	group.Wait()
	p.users = room[:0]
	for _, part := range parsers {
		for _, problem := range part.problems {
			problem.before += len(p.users)
			p.problems = append(p.problems, problem)
		}
		p.users = append(p.users, part.users...)
	}
}

// loneReturn is why a text is not read that seems to hold no users, or fewer.
const loneReturn = "a carriage return alone ends no line; LF or CRLF does"

// lines reads lines, before which there are n others.
func (p *parser) lines(text []byte, n int) {
	// As it is, which nobody changes: to copy a long list takes as long as reading it.
	for line := range strings.Lines(unsafe.String(unsafe.SliceData(text), len(text))) {
		n++
		if ended, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(ended, "\r")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == '#' {
			if strings.Contains(line, "\r") { // and perhaps users behind it
				p.problem(n, "%w: "+loneReturn, ErrNoEntry)
			}
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
	skipped := len(text) - len(rest)
	lines := bytes.Count(text[:skipped], []byte{'\n'})
	r := csv.NewReader(bytes.NewReader(rest))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	begin := text[:skipped+int(r.InputOffset())]
	name, password, hash := column(header, nameColumns), column(header, passwordColumns), column(header, hashColumns)
	switch {
	case bytes.Count(begin, []byte("\r")) > bytes.Count(begin, []byte("\r\n")):
		p.problem(lines+1, "%w: "+loneReturn, ErrNoEntry)
		return
	case errors.Is(err, io.EOF):
		return
	case err != nil || name < 0:
		p.problem(lines+1, "%w: no CSV header with a column \"name\"", ErrNoEntry)
		return
	}
	for _, titles := range [][]string{nameColumns, passwordColumns, hashColumns} {
		if column(header[column(header, titles)+1:], titles) >= 0 {
			line, _ := r.FieldPos(0)
			p.problem(lines+line, "%w: the CSV header has two columns for the %s; leave one", ErrNoEntry, titles[0])
			return
		}
	}
	for {
		record, err := r.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &bad):
			p.problem(lines+bad.Line, "%w: %w", ErrNoEntry, bad.Err)
			return
		}
		line, _ := r.FieldPos(0)
		line += lines
		switch {
		case len(record) <= name:
			p.problem(line, "%w: too few columns", ErrNoEntry)
		case len(record) > len(header):
			p.problem(line, "%w: too many columns; a password with a comma stands in double quotes", ErrNoEntry)
		default:
			p.addFields(line, record[name], field(record, password), field(record, hash))
		}
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
	between := blanks
	isArray := bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))
	if isArray {
		_, _ = d.Token()
		between += ","
	}
	for !isArray || d.More() {
		line := lines.at(d.InputOffset(), between)
		var object json.RawMessage
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) && !isArray {
			return
		}
		if err != nil {
			p.problem(line, "%w: broken JSON; what follows is not read", ErrNoEntry)
			return
		}
		p.object(line, object)
	}
	if _, err := d.Token(); err != nil {
		p.problem(lines.at(d.InputOffset(), blanks), "%w: the JSON array does not end", ErrNoEntry)
		return
	}
	line := lines.at(d.InputOffset(), blanks)
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		p.problem(line, "%w: more behind the end of the JSON array; put all in one", ErrNoEntry)
	}
}

// object reads one entry. What is not Unicode would become U+FFFD in the decoder,
// and so another name or password.
func (p *parser) object(line int, text json.RawMessage) {
	var u jsonUser
	err := json.Unmarshal(text, &u)
	name := firstOf(u.Name, u.User, u.Username)
	switch {
	case !utf8.Valid(text):
		p.problem(line, "%w: it is not UTF-8", ErrNoEntry)
	case isHalved(text):
		p.problem(line, "%w: a \\u escape in it is half a character", ErrNoEntry)
	case err != nil:
		p.problem(line, "%w: no JSON object with the strings \"name\" and \"password\"", ErrNoEntry)
	case name == nil:
		p.problem(line, "%w: no \"name\"", ErrNoEntry)
	default:
		p.addFields(line, *name, u.Password, u.Hash)
	}
}

// jsonEscape is any escape of JSON. Its group is half a character: a surrogate
// without the other.
var jsonEscape = regexp.MustCompile(`(?i)\\(?:ud[89ab]..\\ud[c-f]..|(ud[89a-f])|.)`)

func isHalved(text []byte) bool {
	return slices.ContainsFunc(jsonEscape.FindAllSubmatchIndex(text, -1), func(at []int) bool { return at[2] >= 0 })
}

func firstOf(values ...*string) *string {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// blanks are those of JSON.
const blanks = " \t\r\n"

// A lineCounter tells the line of what follows, for offsets that only grow.
type lineCounter struct {
	text []byte
	from int
	line int
}

// at skips what stands between before it counts.
func (c *lineCounter) at(offset int64, between string) int {
	rest := c.text[offset:]
	to := len(c.text) - len(bytes.TrimLeft(rest, between))
	if to > c.from {
		c.line += bytes.Count(c.text[c.from:to], []byte{'\n'})
		c.from = to
	}
	return c.line + 1
}
