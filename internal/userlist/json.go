package userlist

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// json reads an array of objects, one object after the other, or one object whose
// keys are the names. It stops where the text is not JSON.
func (p *parser) json(text string) {
	lines := lineCounter{text: text}
	d := json.NewDecoder(strings.NewReader(text))
	isArray := strings.HasPrefix(strings.TrimLeft(text, jsonSpace), "[")
	between := jsonSpace
	if isArray {
		_, _ = d.Token()
		between = jsonSpace + ","
	}
	for first := true; d.More(); first = false {
		start := lines.skip(d, 0, between)
		line := lines.at(start)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			p.invalid(line, "", "not valid JSON; the rest of the list was not read")
			return
		}
		fields, ok := fieldsOf(value, start, &lines)
		switch {
		case !ok:
			p.invalid(line, "", `not an object with a "name"`)
		case first && !isArray && isMap(fields):
			p.namesAndPasswords(fields)
			p.refuseMore(d, &lines)
			return
		default:
			p.object(line, fields)
		}
	}
	if isArray {
		if _, err := d.Token(); err != nil {
			p.invalid(lines.at(lines.skip(d, 0, jsonSpace)), "", "the JSON array is not closed")
			return
		}
	}
	p.refuseMore(d, &lines)
}

// refuseMore refuses text after the end of the list.
func (p *parser) refuseMore(d *json.Decoder, lines *lineCounter) {
	line := lines.at(lines.skip(d, 0, jsonSpace))
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		p.invalid(line, "", "more text after the end of the JSON list")
	}
}

// A field is a key of an object and its value.
type field struct {
	key      string
	value    *string // nil for null
	isString bool    // or null
	line     int
}

// fieldsOf reads an object that starts at an offset of the list. It returns every key that
// occurs twice; json.Unmarshal would silently use the last one.
func fieldsOf(object json.RawMessage, start int, lines *lineCounter) (fields []field, ok bool) {
	if object[0] != '{' {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(string(object)))
	_, _ = d.Token() // object is valid JSON, so that nothing below can fail
	for d.More() {
		f := field{line: lines.at(lines.skip(d, start, jsonSpace+","))}
		key, _ := d.Token()
		f.key, _ = key.(string)
		var value any
		_ = d.Decode(&value)
		text, isString := value.(string)
		f.isString = isString || value == nil
		if isString {
			f.value = &text
		}
		fields = append(fields, f)
	}
	return fields, true
}

// isMap reports whether the keys of an object are names rather than titles.
func isMap(fields []field) bool {
	for _, f := range fields {
		if isOneOf(nameTitles, f.key) || isOneOf(passwordTitles, f.key) || isOneOf(hashTitles, f.key) {
			return false
		}
	}
	return true
}

// namesAndPasswords reads an object such as {"elton": "d0cker"}.
func (p *parser) namesAndPasswords(fields []field) {
	for _, f := range fields {
		if !f.isString {
			p.invalid(f.line, f.key, `its value is not a string; in a list of objects each has a "name"`)
			continue
		}
		p.add(f.line, f.key, f.value, nil)
	}
}

// object reads an object such as {"name": "elton", "password": "d0cker"}.
func (p *parser) object(line int, fields []field) {
	var name, password, hash *string
	for _, f := range fields {
		var target **string
		title := strings.ToLower(f.key)
		switch {
		case isOneOf(nameTitles, f.key):
			target, title = &name, "name"
		case isOneOf(passwordTitles, f.key):
			target = &password
		case isOneOf(hashTitles, f.key):
			target = &hash
		default:
			continue
		}
		switch {
		case !f.isString:
			p.invalid(line, "", "the %s is not a string", title)
			return
		case *target != nil:
			p.invalid(line, "", "two values for the %s", title)
			return
		}
		*target = f.value
	}
	if hash != nil && *hash == "" { // as an empty cell of CSV
		hash = nil
	}
	if name == nil {
		p.invalid(line, "", `no "name"`)
		return
	}
	p.add(line, *name, password, hash)
}

const jsonSpace = " \t\r\n"

// A lineCounter converts offsets in a text to line numbers. The offsets must not decrease.
type lineCounter struct {
	text    string
	counted int // bytes
	ends    int // of lines among them
}

// skip returns the offset of the next value that d reads, after characters in between. The
// text of d starts at an offset of the list.
func (c *lineCounter) skip(d *json.Decoder, start int, between string) int {
	rest := c.text[start+int(d.InputOffset()):]
	return len(c.text) - len(strings.TrimLeft(rest, between))
}

func (c *lineCounter) at(offset int) int {
	c.ends += strings.Count(c.text[c.counted:offset], "\n")
	c.counted = offset
	return c.ends + 1
}
