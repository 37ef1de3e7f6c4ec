// Package record reads the lines of an htpasswd file as the registry does.
//
// Source: registry/auth/htpasswd in github.com/distribution/distribution.
package record

import "bytes"

// FirstLine returns the first line of text, with its LF if it has one.
func FirstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}

// LineEnd is what a line that is added to text ends with: the same as the last line
// that ends.
func LineEnd(text []byte) []byte {
	if i := bytes.LastIndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return []byte("\r\n")
	}
	return []byte("\n")
}

// MaxLineBytes is the longest line that the registry reads, without its LF.
const MaxLineBytes = 1<<16 - 1

// LastLineEnd is what ends the last line of text, of so many bytes: LineEnd, or LF
// alone where a CR would make the line longer than the registry reads.
func LastLineEnd(text []byte, length int) []byte {
	end := LineEnd(text)
	if length+len(end)-1 > MaxLineBytes {
		return []byte("\n")
	}
	return end
}

// A Record is what a line says: user:hash. Its fields are parts of the line.
type Record struct {
	Start      int    // of the body in the line
	Body       []byte // without the blanks around it
	User, Hash []byte
}

// Parse reads a line; ok is false for one that names no user.
func Parse(line []byte) (r Record, ok bool) {
	body := bytes.TrimSpace(line)
	if len(body) == 0 || body[0] == '#' {
		return Record{}, false
	}
	r.Start = cap(line) - cap(body) // TrimSpace gives a part of the same array
	r.Body = body
	r.User, r.Hash, ok = bytes.Cut(body, []byte{':'})
	return r, ok
}
