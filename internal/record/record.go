// Package record reads the lines of an htpasswd file as the registry does.
//
// Source: registry/auth/htpasswd in github.com/distribution/distribution.
package record

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/registryctl/registryctl/internal/charset"
)

// MaxLineBytes is the longest line that the registry reads, in bytes without
// the LF.
const MaxLineBytes = 1<<16 - 1

// The reasons why the registry refuses a whole file.
var (
	ErrNoColon     = errors.New("no colon in the line")
	ErrLineTooLong = fmt.Errorf("line longer than %d bytes", MaxLineBytes)
	ErrUTF16       = errors.New("the file is UTF-16, not UTF-8")
)

// Check returns the reason why the registry refuses a text, and the line, counted from 1.
// The error is nil if the registry reads the text.
func Check(text string) (line int, err error) {
	if _, isUTF16 := charset.UTF16Order(text); isUTF16 {
		return 1, ErrUTF16
	}
	for l := range strings.Lines(text) {
		line++
		if len(l) <= MaxLineBytes && strings.IndexByte(l, ':') >= 0 { // as nearly all are
			continue
		}
		if err := CheckLine(l); err != nil {
			return line, err
		}
	}
	return 0, nil
}

// CheckLine does the same for one line, with or without its line ending.
func CheckLine(line string) error {
	if len(strings.TrimSuffix(line, "\n")) > MaxLineBytes {
		return ErrLineTooLong
	}
	if _, kind := Parse(line); kind == Malformed {
		return ErrNoColon
	}
	return nil
}

// DisabledMark is put before the hash of a disabled user. No scheme begins with it, so
// every server refuses every password. A "#" before the name would not work for zot,
// which has no comments.
const DisabledMark = "!"

// A Kind is how the registry reads a line.
type Kind int

// The kinds of lines.
const (
	Comment   Kind = iota // empty, or its first character is "#": skipped
	Entry                 // names a user
	Malformed             // has no colon: the registry refuses the whole file
)

// A Record is the content of an entry, user:hash.
type Record struct {
	Start      int // offset of the user in the line
	User, Hash string
}

// Parse reads one line, with or without its line ending. Whitespace at both
// ends, as Unicode defines it, does not count. The first colon ends the user.
// The Record is the zero value for any other kind than Entry.
func Parse(line string) (Record, Kind) {
	body := strings.TrimSpace(line)
	if body == "" || body[0] == '#' {
		return Record{}, Comment
	}
	start := 0
	if !strings.HasPrefix(line, body) {
		start = len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
	}
	user, hash, found := strings.Cut(body, ":")
	if !found {
		return Record{}, Malformed
	}
	return Record{start, user, hash}, Entry
}

// LineEnding returns the line ending of the last line of text that has one, or LF if
// there is none. New lines get the same.
func LineEnding(text string) string {
	if strings.HasSuffix(text[:strings.LastIndexByte(text, '\n')+1], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// EndLine returns line with the ending, or with LF alone if a CR would make it
// longer than MaxLineBytes.
func EndLine(line, ending string) string {
	if len(line)+len(ending)-len("\n") > MaxLineBytes {
		ending = "\n"
	}
	return line + ending
}
