package userlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"
)

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
