// Package charset reads texts as Windows PowerShell and Notepad write them: with a byte
// order mark, or in UTF-16 instead of UTF-8.
package charset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"regexp"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF16 is returned for malformed UTF-16. Characters are not replaced, because that
// would change a password.
var ErrUTF16 = errors.New("malformed UTF-16")

var bom = []byte("\uFEFF")

// TrimBOM removes one UTF-8 byte order mark from the start of b.
func TrimBOM(b []byte) []byte { return bytes.TrimPrefix(b, bom) }

// markedOrder reports whether b has the byte order mark of UTF-16, and of which
// byte order.
func markedOrder(b []byte) (binary.ByteOrder, bool) {
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return binary.LittleEndian, true
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return binary.BigEndian, true
	}
	return nil, false
}

// asciiRecord matches a record in ASCII, which UTF-16 cannot contain: a colon, followed by a text as long as a hash.
var asciiRecord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`:[!-~]{13}`) })

// UTF16Order reports whether the whole text is UTF-16, and in which byte order. Without a byte order mark it must be valid
// UTF-16 and begin with two ASCII characters, which have no NUL bytes in UTF-8. A text that also holds records in ASCII is
// not UTF-16, see [IsMixed].
func UTF16Order(text string) (order binary.ByteOrder, ok bool) {
	order, ok = startsAsUTF16(text)
	if !ok || asciiRecord().MatchString(text) {
		return nil, false
	}
	if _, marked := markedOrder([]byte(text[:2])); !marked {
		whole := []byte(text)
		if len(whole)%2 != 0 {
			whole = append(whole, '\n') // the last line ending may be a single byte, or missing
		}
		if _, err := DecodeUTF16(whole, order); err != nil {
			return nil, false
		}
	}
	return order, true
}

// IsMixed reports whether text begins as UTF-16 but holds records in ASCII, as if one program had created the file and
// another had appended to it. A server may read those records, so the text cannot be decoded safely.
func IsMixed(text string) bool {
	_, ok := startsAsUTF16(text)
	return ok && asciiRecord().MatchString(text)
}

func startsAsUTF16(text string) (binary.ByteOrder, bool) {
	b := []byte(text[:min(len(text), 4)])
	if len(b) == 3 {
		b = append(b, '\n')
	}
	if order, ok := markedOrder(b); ok {
		return order, true
	}
	switch {
	case len(b) < 4:
		return nil, false
	case b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
		return binary.LittleEndian, true
	case b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0:
		return binary.BigEndian, true
	}
	return nil, false
}

// Decode returns b as UTF-8 without a byte order mark. It takes b for UTF-16 only
// if it has a byte order mark, as a secret may hold NUL bytes. It returns any
// other text as it is, valid UTF-8 or not.
func Decode(b []byte) ([]byte, error) {
	if order, ok := markedOrder(b); ok {
		return DecodeUTF16(b, order)
	}
	return TrimBOM(b), nil
}

// DecodeUTF16 returns b, which is UTF-16, as UTF-8 without a byte order mark. The
// error is ErrUTF16.
func DecodeUTF16(b []byte, order binary.ByteOrder) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, ErrUTF16
	}
	text := make([]byte, 0, len(b)/2)
	for ; len(b) > 0; b = b[2:] {
		r := rune(order.Uint16(b))
		if utf16.IsSurrogate(r) {
			if len(b) < 4 {
				return nil, ErrUTF16
			}
			b = b[2:]
			if r = utf16.DecodeRune(r, rune(order.Uint16(b))); r == utf8.RuneError {
				return nil, ErrUTF16
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return TrimBOM(text), nil
}
