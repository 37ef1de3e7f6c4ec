// Package charset undoes what Windows PowerShell and Notepad do to a text:
// a byte order mark in front, or UTF-16 instead of UTF-8.
package charset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF16 is returned for a text that is to be UTF-16 but is not well-formed.
// Nothing is guessed then: in a password one replaced character is another password.
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

// UTF16Order reports whether b is UTF-16, and in which byte order: by its byte
// order mark, or, where that is missing, by two ASCII characters at its start,
// which UTF-8 would have written without the NUL bytes.
func UTF16Order(b []byte) (binary.ByteOrder, bool) {
	if order, ok := markedOrder(b); ok {
		return order, true
	}
	if len(b) == 3 {
		// The end of this line, which is missing yet, must not change the answer.
		b = append(slices.Clip(b), '\n')
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

// Decode gives b as UTF-8 without a byte order mark. Only a byte order mark tells
// UTF-16 here: in a secret a NUL byte may be meant. Other text is returned as it
// is, valid UTF-8 or not.
func Decode(b []byte) ([]byte, error) {
	if order, ok := markedOrder(b); ok {
		return DecodeUTF16(b, order)
	}
	return TrimBOM(b), nil
}

// DecodeUTF16 gives b, which is UTF-16, as UTF-8 without a byte order mark.
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
