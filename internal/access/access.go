// Package access reads, edits and evaluates the text that says which user may
// do what in which repository of a registry:
//
//	# user       actions     repositories
//	@dev = elton francis
//	elton        all         **               # delete and the catalog too
//	@dev         push        labs/**          # push implies pull
//	ci           push        labs/app tools/*
//	*            pull        public/**        # everyone, also without a login
//
// A line holds one grant, or defines a group. Words are separated by spaces and
// tabs; a word that begins with # starts a comment. Grants add up: there is no
// deny and no order. Several definitions of one group add up as well.
//
// The first word of a grant is a [Subject]: a user, a group, @users for everyone
// who has logged in, or * for everyone, also without a login. A user name stands
// in double quotes, with the escapes of Go, if it is *, begins with @ or #, or
// contains whitespace, a double quote or a character that cannot be printed.
//
// The second word is an [Action], and each further one a pattern: the name of a
// repository in which * stands for any text within a component of the path, and a
// component ** for any number of components: at the end for one or more, else for
// none or more.
//
// The text is UTF-8, with or without a byte order mark. The package knows no
// files. Nothing in it is for concurrent use but [Rights].
package access

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Header is the first line of a new text: it names the columns that
// [File.Grant] writes.
const Header = "# user       actions     repositories\n"

// A Subject is who a grant is for, in the form in which it stands in the text.
// Two Subjects are equal if they are for the same.
type Subject string

// The Subjects that are for more than a user or a group.
const (
	Everyone Subject = "*"      // also without a login
	Users    Subject = "@users" // everyone who has logged in
)

// User returns the Subject for one user.
func User(name string) Subject {
	if needsQuotes(name) {
		return Subject(strconv.Quote(name))
	}
	return Subject(name)
}

// ParseSubject returns the Subject for what a person types: *, @users, the name of a
// group with its @, or the name of a user. Quotes have no meaning; for a user whose name
// looks like one of the others, use [User].
func ParseSubject(s string) (Subject, error) {
	switch {
	case s == "":
		return "", errNoName
	case s == string(Everyone):
		return Everyone, nil
	case s[0] == '@':
		return Subject(s), checkGroup(s)
	}
	return User(s), nil
}

// IsGroup reports whether s is a group that the text defines, so not [Users].
func (s Subject) IsGroup() bool {
	return strings.HasPrefix(string(s), "@") && s != Users
}

// UserName returns the name of the user that s is for; ok is false if s is for
// more than one.
func (s Subject) UserName() (name string, ok bool) {
	if s == "" || s == Everyone || s[0] == '@' {
		return "", false
	}
	if s[0] == '"' {
		name, err := strconv.Unquote(string(s))
		return name, err == nil
	}
	return string(s), true
}

func needsQuotes(name string) bool {
	return name == "" || name == string(Everyone) || name[0] == '@' || name[0] == '#' ||
		!utf8.ValidString(name) || strings.ContainsFunc(name, notBare)
}

// notBare reports whether r must be in a quoted word. The space is the only whitespace
// that strconv.IsPrint accepts.
func notBare(r rune) bool { return r == ' ' || r == '"' || !strconv.IsPrint(r) }

// An Action is what a grant allows in a repository.
type Action string

// The actions that a grant can name.
const (
	Pull   Action = "pull"
	Push   Action = "push" // includes Pull, without which no client can push
	Delete Action = "delete"
	All    Action = "all" // all of these; for ** also the catalog
)

var actions = []Action{Pull, Push, Delete, All}

// Valid reports whether there is such an action.
func (a Action) Valid() bool { return slices.Contains(actions, a) }

func (a Action) includes(b Action) bool {
	return a == b || a == All || a == Push && b == Pull
}

// The errors of the edits, and the reasons in a [ParseError].
var (
	ErrAction       = errors.New("unknown action: expected pull, push, delete or all")
	ErrNoGrant      = errors.New("no such grant")
	ErrUnknownGroup = errors.New("the group is not defined")

	errNoName     = errors.New("the user name is empty")
	errDefineUser = errors.New("only a group can be defined, and its name begins with @")
)

// A ParseError says what is wrong with a text. It does not repeat the text.
type ParseError struct {
	Line int // counts from 1
	Err  error
}

func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *ParseError) Unwrap() error { return e.Err }

// A Grant is the content of a line: the subject may perform the action in the
// repositories that the patterns match. If the line defines a group, the action is empty,
// and there are members instead of patterns.
type Grant struct {
	Subject  Subject
	Action   Action
	Patterns []string
	Members  []string
	Line     int // counts from 1, in the text as it is when the Grant is returned
}

// A File is a parsed text. An edit changes the lines that it names and no other byte.
type File struct {
	original string
	lines    []line
}

// A line is a grant, the definition of a group, or, if subject is empty, neither.
type line struct {
	text    string // with its line ending
	words   []word
	subject Subject
	action  Action // empty in the definition of a group
}

// args are the members of a group, or the patterns of a grant.
func (l line) args() []word { return l.words[min(2, len(l.words)):] }

// A word is a part of a line.
type word struct {
	start, end int    // in the line
	value      string // without quotes and escapes
	quoted     bool
}

const byteOrderMark = "\uFEFF"

// Parse reads a text. The error is a [*ParseError].
func Parse(text string) (*File, error) {
	f := &File{original: text}
	for s := range strings.Lines(text) {
		l, err := parseLine(s, len(f.lines) == 0)
		if err != nil {
			return nil, &ParseError{len(f.lines) + 1, err}
		}
		f.lines = append(f.lines, l)
	}
	return f, nil
}

func parseLine(text string, first bool) (line, error) {
	words, err := split(text, first)
	l := line{text: text, words: words}
	if err != nil || len(words) == 0 {
		return l, err
	}
	if l.subject, err = parseSubject(words[0]); err != nil {
		return l, err
	}
	if len(words) == 1 {
		return l, errors.New("expected a user, an action and repositories")
	}
	if words[1].value == "=" {
		return l, checkDefinition(l)
	}
	l.action = Action(words[1].value)
	if !l.action.Valid() {
		return l, ErrAction
	}
	if len(words) == 2 {
		return l, errors.New("expected a repository after the action")
	}
	for _, w := range l.args() {
		if w.quoted {
			return l, errors.New("expected a repository without quotes")
		}
		if err := checkPattern(w.value); err != nil {
			return l, err
		}
	}
	return l, nil
}

// parseSubject reads the first word of a line. A word in quotes is always a user.
func parseSubject(w word) (Subject, error) {
	if w.quoted && w.value != "" {
		return User(w.value), nil
	}
	return ParseSubject(w.value)
}

func checkDefinition(l line) error {
	if _, user := l.subject.UserName(); user || l.subject == Everyone {
		return errDefineUser
	}
	if l.subject == Users {
		return errors.New("the group @users cannot be defined: it is everyone who has logged in")
	}
	for _, w := range l.args() {
		if s, err := parseSubject(w); err != nil {
			return err
		} else if _, ok := s.UserName(); !ok {
			return errors.New("the members of a group are users")
		}
	}
	return nil
}

func checkGroup(s string) error {
	if s == "@" || strings.Contains(s, "=") || strings.ContainsFunc(s, notBare) || !utf8.ValidString(s) {
		return errors.New(`expected the name of a group after @, without whitespace, "=" and quotes`)
	}
	return nil
}

// split returns the words of a line.
func split(text string, first bool) ([]word, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8 text")
	}
	s := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	i := 0
	if first && strings.HasPrefix(s, byteOrderMark) {
		i = len(byteOrderMark)
	}
	var words []word
	for {
		for i < len(s) && isSeparator(s[i]) {
			i++
		}
		if i == len(s) || s[i] == '#' {
			return words, nil
		}
		w := word{start: i}
		if s[i] == '"' {
			quoted, err := strconv.QuotedPrefix(s[i:])
			if err != nil {
				return nil, errors.New("a quoted name is not closed or has an invalid escape")
			}
			w.quoted = true
			w.value, _ = strconv.Unquote(quoted) // no error: QuotedPrefix has checked it
			w.end = i + len(quoted)
			if w.end < len(s) && !isSeparator(s[w.end]) {
				return nil, errors.New("expected a space after a quoted name")
			}
		} else {
			w.end = len(s)
			if n := strings.IndexAny(s[i:], " \t"); n >= 0 {
				w.end = i + n
			}
			w.value = s[i:w.end]
			if strings.ContainsFunc(w.value, notBare) {
				return nil, errors.New("a quote or a character that cannot be printed in a word: put such a user name in double quotes")
			}
		}
		words = append(words, w)
		i = w.end
	}
}

func isSeparator(c byte) bool { return c == ' ' || c == '\t' }

// String returns the text.
func (f *File) String() string {
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString(l.text)
	}
	return b.String()
}

// WriteTo writes the text to w.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, f.String())
	return int64(n), err
}

// Changed reports whether the text differs from the one that was parsed.
func (f *File) Changed() bool { return f.String() != f.original }

// All returns the grants and the definitions of groups in the order of their lines.
func (f *File) All() iter.Seq[Grant] {
	return func(yield func(Grant) bool) {
		for i, l := range f.lines {
			if l.subject != "" && !yield(l.grant(i+1)) {
				return
			}
		}
	}
}

func (l line) grant(number int) Grant {
	g := Grant{Subject: l.subject, Action: l.action, Line: number}
	if l.isGroup() {
		g.Members = l.values()
	} else {
		g.Patterns = l.values()
	}
	return g
}

func (l line) values() []string {
	values := []string{}
	for _, w := range l.args() {
		values = append(values, w.value)
	}
	return values
}

// Mentions returns the numbers of the lines that hold the user's name: grants to
// the user, and groups that the user is in.
func (f *File) Mentions(user string) []int {
	var lines []int
	for i, l := range f.lines {
		if l.mentions(user) {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func (l line) mentions(user string) bool {
	return slices.ContainsFunc(l.users(), func(w word) bool { return w.value == user })
}

// users returns the words of the line that are names of users.
func (l line) users() []word {
	if l.isGroup() {
		return l.args()
	}
	if _, ok := l.subject.UserName(); ok {
		return l.words[:1]
	}
	return nil
}

func (l line) isGroup() bool { return l.subject != "" && l.action == "" }

// A Problem is a line that is valid but has no effect.
type Problem struct {
	Line    int
	User    string // the user whom the message is about, if any
	Message string
}

// Problems reports users who do not exist, groups that are not defined, and patterns
// that match no name that the registry accepts.
func (f *File) Problems(exists func(user string) bool) []Problem {
	var problems []Problem
	for i, l := range f.lines {
		add := func(user, message string) {
			problems = append(problems, Problem{i + 1, user, message})
		}
		for _, w := range l.users() {
			if !exists(w.value) {
				add(w.value, "the user does not exist")
			}
		}
		if l.isGroup() {
			continue
		}
		if l.subject.IsGroup() && !f.defines(l.subject) {
			add("", ErrUnknownGroup.Error())
		}
		for _, pattern := range l.values() {
			if err := CheckPattern(pattern); err != nil {
				add("", err.Error())
			}
		}
	}
	return problems
}

func (f *File) defines(group Subject) bool {
	return slices.ContainsFunc(f.lines, func(l line) bool { return l.isGroup() && l.subject == group })
}
