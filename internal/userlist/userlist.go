// Package userlist reads the lists from which users are provisioned: lines of
// name:password, CSV with a header, JSON. It tells every entry that is wrong,
// with its line.
package userlist

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
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

// The titles of what an entry has, in CSV and JSON, in any case of letters.
var (
	nameTitles     = []string{"name", "user", "username"}
	passwordTitles = []string{"password"}
	hashTitles     = []string{"hash"}
)

func isOne(titles []string, title string) bool {
	return slices.Contains(titles, strings.ToLower(title))
}

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
	case err != nil || column(header, nameTitles) < 0:
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
		return fmt.Errorf("%w: the registry accepts no hash but bcrypt, and this is %s", ErrNoEntry, describe(value, h))
	}
	u.Hash = h
	return nil
}

// hashLike is what begins like a hash, of whatever scheme: also one with something
// before it that has got there on the way, such as a quote, a blank, or a second
// "$" from a compose file. Nobody chooses such a password. It is compiled when it is
// wanted, as the program has to start fast.
var hashLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\s"'\\]*(?:` +
		`(?i:\{[a-z0-9.-]*(?:sha|crypt|md5|plain|pbkdf2|argon2)[a-z0-9.-]*\})|` +
		`\${1,2}(?:1|2[a-zA-Z]?|5|6|7|g?y|md5|apr1|sha1|scrypt|argon2[a-z]*|pbkdf2[a-z0-9-]*|[PH])[$\\])`)
})

func looksHashed(value string) bool {
	isBcrypt := len(value) > 4 && value[:2] == "$2" && value[3] == '$' // soon said of a million
	return isBcrypt || hashLike().MatchString(value)
}

// describe says what is wrong with a hash that is not whole, or not bcrypt's.
func describe(value string, h htpasswd.Hash) string {
	switch {
	case h.Scheme() != "":
		return string(h.Scheme())
	case strings.Contains(value, "$$"):
		return "one with each $ twice, as only a compose file has them"
	}
	return "cut or damaged, or of another scheme"
}

// refuseTwice makes a problem of a name that is listed again: which password is
// meant is not known.
func (p *parser) refuseTwice() {
	if ascend(p.users) {
		return
	}
	seen := make(map[string]int)
	first := make(map[int]int)
	for i, u := range p.users {
		if before, ok := seen[u.Name]; ok {
			first[i] = before
			continue
		}
		seen[u.Name] = i
	}
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
