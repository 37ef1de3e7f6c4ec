package userlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

func (p *parser) json(text []byte) {
	if bytes.HasPrefix(bytes.TrimLeft(text, blanks), []byte("[")) {
		p.array(text)
	} else {
		p.objects(text)
	}
}

// array reads one array of objects, up to where it is broken.
func (p *parser) array(text []byte) {
	d := json.NewDecoder(bytes.NewReader(text))
	lines := lineCounter{text: text}
	_, _ = d.Token()
	for d.More() {
		line := lines.at(d.InputOffset(), blanks+",")
		var object json.RawMessage
		if d.Decode(&object) != nil {
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

// objects reads one object after the other. Behind a broken one it goes on with the
// next line, as mostly each has its own.
func (p *parser) objects(text []byte) {
	lines := lineCounter{text: text}
	d, begin := json.NewDecoder(bytes.NewReader(text)), int64(0)
	for {
		line := lines.at(begin+d.InputOffset(), blanks)
		var object json.RawMessage
		err := d.Decode(&object)
		switch {
		case err == nil:
			p.object(line, object)
			continue
		case errors.Is(err, io.EOF):
			return
		}
		p.problem(line, "%w: broken JSON", ErrNoEntry)
		_, rest, _ := bytes.Cut(text[lines.from:], []byte{'\n'})
		d, begin = json.NewDecoder(bytes.NewReader(rest)), int64(len(text)-len(rest))
	}
}

// object reads one entry. What is not Unicode would become U+FFFD in the decoder,
// and so another name or password.
func (p *parser) object(line int, text json.RawMessage) {
	fields, err := fieldsOf(text)
	switch {
	case !utf8.Valid(text):
		p.problem(line, "%w: it is not UTF-8", ErrNoEntry)
	case isHalved(text):
		p.problem(line, "%w: a \\u escape in it is half a character", ErrNoEntry)
	case err != nil:
		p.problem(line, "%w: %w", ErrNoEntry, err)
	case fields.name == nil:
		p.problem(line, "%w: no \"name\"", ErrNoEntry)
	default:
		p.addFields(line, *fields.name, fields.password, fields.hash)
	}
}

// jsonFields are those of an object that matter; nil for one that it has not, or
// that is null.
type jsonFields struct{ name, password, hash *string }

var errNoObject = errors.New(`no JSON object with the strings "name" and "password"`)

// fieldsOf goes through an object itself, as json.Unmarshal takes the last of two
// values for one field without a word.
func fieldsOf(object json.RawMessage) (fields jsonFields, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if begin, _ := d.Token(); begin != json.Delim('{') {
		return fields, errNoObject
	}
	for d.More() {
		key, _ := d.Token()
		title, _ := key.(string)
		var field **string
		switch {
		case isOne(nameTitles, title):
			field = &fields.name
		case isOne(passwordTitles, title):
			field = &fields.password
		case isOne(hashTitles, title):
			field = &fields.hash
		default:
			var other json.RawMessage
			_ = d.Decode(&other)
			continue
		}
		if *field != nil {
			return fields, fmt.Errorf("two values for its %s; leave one", strings.ToLower(title))
		}
		if d.Decode(field) != nil {
			return fields, errNoObject
		}
	}
	return fields, nil
}

// jsonEscape is any escape of JSON. Its group is half a character: a surrogate
// without the other.
var jsonEscape = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\\(?:ud[89ab]..\\ud[c-f]..|(ud[89a-f])|.)`)
})

func isHalved(text []byte) bool {
	return slices.ContainsFunc(jsonEscape().FindAllSubmatchIndex(text, -1), func(at []int) bool { return at[2] >= 0 })
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
