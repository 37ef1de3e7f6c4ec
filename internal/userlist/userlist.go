// Package userlist reads lists of users to import: lines of name:password, CSV
// with a header, or JSON. It reports every bad entry with its line.
package userlist

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// A Format is the format of a list.
type Format string

// The formats of a list. Lines are name:password, and so is an htpasswd file.
const (
	Lines Format = "lines"
	CSV   Format = "csv"
	JSON  Format = "json"
)

// Options say how [Parse] reads a list.
type Options struct {
	Name            string // of the file, from which Parse guesses the format; may be empty
	Format          Format // "" to guess it
	Generate        bool   // accept users who have neither a password nor a hash
	SkipUnsupported bool   // mark users whose hash is not bcrypt, instead of refusing the list
}

// A User is one entry of a list. It has a password, a bcrypt hash, or neither.
type User struct {
	Line     int // counted from 1
	Name     string
	Password []byte        // nil if there is none
	Hash     htpasswd.Hash // the zero Hash if there is none
	Skip     bool          // the list has a hash of an unsupported scheme

	entry int // counted from 1: several may be on one line
}

// HasHash reports whether the entry has a hash instead of a password.
func (u User) HasHash() bool { return !u.Hash.IsZero() }

// ErrInvalidEntry is the reason for an entry that cannot be read, or whose hash
// the registry does not accept. The other reasons are [htpasswd.ErrInvalidUser],
// [htpasswd.ErrInvalidPassword] and [htpasswd.ErrUserExists].
var ErrInvalidEntry = errors.New("invalid entry")

// A Problem is a bad entry. It holds no password, no hash and no text of the list
// but the name of the user.
type Problem struct {
	Line int
	User string // as it can be shown: escaped, "[hidden]" if it holds a hash, "" if it is not known
	Err  error

	entry int // see User
}

// String describes the problem without its line, such as
// `user "elton": invalid password: it is empty`.
func (p Problem) String() string {
	if p.User == "" {
		return p.Err.Error()
	}
	return fmt.Sprintf("user %s: %v", p.User, p.Err)
}

// An Error holds every problem of a list, at least one, in the order of the list.
type Error struct{ Problems []Problem }

// Error describes the first problem.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Problems[0].Line, e.Problems[0]) }

// Unwrap returns the reason of the first problem.
func (e *Error) Unwrap() error { return e.Problems[0].Err }

// Parse returns the users of a list, each of them once, in the order of the list. If any
// entry is bad, the error is an [*Error] with all of them. If the format is not
// supported, the error is a [FormatError].
func Parse(text string, o Options) ([]User, error) {
	text, err := decode(text)
	if err != nil {
		return nil, err
	}
	if o.Format == "" {
		if o.Format, err = Guess(o.Name, text); err != nil {
			return nil, err
		}
	}
	room := min(strings.Count(text, "\n"), len(text)/64) // enough for a list of hashes
	p := parser{options: o, users: make([]User, 0, room), bad: make(map[int]error)}
	switch o.Format {
	case CSV:
		p.csv(text)
	case JSON:
		p.json(text)
	default:
		p.lines(text)
	}
	p.refuseUsers()
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.entry, b.entry) })
	if len(p.problems) > 0 {
		return nil, &Error{p.problems}
	}
	return p.users, nil
}

// decode returns text as UTF-8 without a byte order mark.
func decode(text string) (string, error) {
	if strings.HasPrefix(text, "PK\x03\x04") {
		return "", ErrWorkbook
	}
	for _, mark := range []string{"\uFEFF", "\xFF\xFE", "\xFE\xFF"} {
		if !strings.HasPrefix(text, mark) {
			continue
		}
		decoded, err := charset.Decode([]byte(text))
		if err != nil {
			return "", ErrBrokenUTF16
		}
		text = string(decoded)
		break
	}
	if strings.Contains(text, "\x00") {
		return "", ErrBinary
	}
	return text, nil
}

// A parser collects the users and the problems of a list.
type parser struct {
	options  Options
	users    []User
	problems []Problem
	bad      map[int]error // the problem of a user in the list, by the index

	entries   int // read so far
	hasHashes bool
}

// refuse records a problem of an entry that was read. The name is empty if it must not
// be shown.
func (p *parser) refuse(u User, err error) {
	p.problems = append(p.problems, Problem{u.Line, shown(u.Name), err, u.entry})
}

// invalid records an entry that cannot be read.
func (p *parser) invalid(line int, name, format string, args ...any) {
	p.entries++
	p.refuse(User{Line: line, Name: name, entry: p.entries}, invalid(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalidEntry}, args...)...)
}

// shown returns a name for a message. It returns "" for an invalid name that looks like
// several fields, as it may be more of the line than the name.
func shown(name string) string {
	switch {
	case name == "" || len(name) > htpasswd.MaxUserBytes:
		return ""
	case crypt.HoldsHash(name):
		return crypt.Hidden
	case htpasswd.ValidateUser(name) != nil && strings.ContainsAny(name, "\t,;"):
		return ""
	}
	return crypt.Quote(name)
}

// errNoPassword is the problem of an entry whose name may be a password.
var errNoPassword = invalid("no password; --generate creates one for a new user")

// add adds a user with a password, a hash, or neither. Nil means that the list has none.
func (p *parser) add(line int, name string, password, hash *string) {
	p.entries++
	u := User{Line: line, Name: name, entry: p.entries}
	err := checkName(name)
	if err != nil {
		p.refuse(u, err)
		return
	}
	switch {
	case password != nil && hash != nil:
		err = invalid("both a password and a hash")
	case hash != nil:
		err = p.setHash(&u, *hash)
	case password != nil:
		err = p.setPassword(&u, *password)
	case !p.options.Generate:
		err = errNoPassword
	}
	if err != nil {
		p.bad[len(p.users)] = err
	}
	p.users = append(p.users, u)
}

// refuseUsers refuses users who are listed twice, and those whose entry is bad otherwise.
func (p *parser) refuseUsers() {
	names := make([]string, len(p.users))
	for i, u := range p.users {
		names[i] = u.Name
	}
	repeated := record.Repeated(names)
	lines := make(map[string]int) // of the first entry that is not bad
	for i, u := range p.users {
		first, isListed := lines[u.Name]
		bad, isBad := p.bad[i]
		switch {
		case isListed:
			p.refuse(u, fmt.Errorf("%w in the list: also on line %d", htpasswd.ErrUserExists, first))
		case isBad:
			if errors.Is(bad, errNoPassword) {
				u.Name = ""
			}
			p.refuse(u, bad)
		case repeated[u.Name]:
			lines[u.Name] = u.Line
		}
	}
}

func checkName(name string) error {
	if err := htpasswd.ValidateUser(name); err != nil {
		return err
	}
	if strings.ContainsRune(name, utf8.RuneError) {
		return fmt.Errorf("%w: %s", htpasswd.ErrInvalidUser, lostCharacter)
	}
	return nil
}

// setPassword sets the password of u, or the hash if the value is one.
func (p *parser) setPassword(u *User, value string) error {
	if _, _, isBcrypt := crypt.ParseBcrypt(value); isBcrypt || beginsAsHash(value) {
		return p.setHash(u, value)
	}
	u.Password = []byte(value)
	return validatePassword(value)
}

// setHash sets the hash of u. A hash is never used as a password.
func (p *parser) setHash(u *User, value string) error {
	p.hasHashes = true
	cost, size, isBcrypt := crypt.ParseBcrypt(value)
	switch {
	case isBcrypt && cost > htpasswd.MaxCost:
		return invalid("the hash has cost %d, and %d is the highest supported", cost, htpasswd.MaxCost)
	case isBcrypt && size == len(value):
		var err error
		u.Hash, err = htpasswd.ParseHash(value)
		return err
	}
	scheme, n := crypt.Scan(value)
	isWhole := scheme != "" && n == len(value)
	switch {
	case strings.HasPrefix(value, record.DisabledMark) && p.options.SkipUnsupported:
		u.Skip = true
		return nil
	case strings.HasPrefix(value, record.DisabledMark):
		return invalid("the user is disabled; --skip-unsupported skips such users")
	case strings.Contains(value, "$$"):
		return invalid("a hash with each $ doubled, as in a Compose file; write each $ once")
	case !isWhole && (strings.Contains(value, "$2") || !beginsAsHash(value)):
		return invalid("the hash is truncated or damaged")
	case p.options.SkipUnsupported:
		u.Skip = true
		return nil
	case !isWhole:
		scheme = "of another scheme"
	}
	return invalid("the hash is %s, and the registry accepts only bcrypt; --skip-unsupported skips such users", scheme)
}

const lostCharacter = "it has U+FFFD, which stands for a character that could not be converted"

func validatePassword(password string) error {
	reason := ""
	switch {
	case strings.ContainsAny(password, "\r\n"):
		reason = "it has more than one line"
	case strings.ContainsRune(password, utf8.RuneError) && utf8.ValidString(password):
		reason = lostCharacter
	default:
		return htpasswd.ValidatePassword([]byte(password))
	}
	return fmt.Errorf("%w: %s", htpasswd.ErrInvalidPassword, reason)
}
