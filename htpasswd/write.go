package htpasswd

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"github.com/registryctl/registryctl/internal/record"
)

// WriteTo writes the text: of an unedited File what was parsed, byte for byte.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.err != nil {
		n, err := w.Write(f.raw)
		return int64(n), err
	}
	out := &countingWriter{w: w}
	refs := slices.Sorted(maps.Keys(f.changed))
	inText, _ := slices.BinarySearch(refs, len(f.text))
	f.writeLines(out, f.text, 0, refs[:inText])
	f.writeAdded(out, refs[inText:])
	return out.n, out.err
}

// writeLines writes lines, the first of which has the offset from, as they stand
// since the changes.
func (f *File) writeLines(out *countingWriter, lines []byte, from int, changes []int) {
	at := 0
	for _, ref := range changes {
		out.write(lines[at : ref-from])
		out.write(f.changed[ref])
		at = ref - from + len(record.FirstLine(lines[ref-from:]))
	}
	out.write(lines[at:])
}

// writeAdded writes the lines that were added, behind what was written before.
func (f *File) writeAdded(out *countingWriter, changes []int) {
	if f.standing > 0 && out.open > 0 {
		out.write(record.LastLineEnd(f.text, out.open))
	}
	f.writeLines(out, f.added, len(f.text), changes)
}

// appended returns what the edits put behind the text; ok is false if they did
// anything else.
func (f *File) appended() (text []byte, ok bool) {
	refs := slices.Sorted(maps.Keys(f.changed))
	if len(refs) > 0 && refs[0] < len(f.text) {
		return nil, false
	}
	var b bytes.Buffer
	out := &countingWriter{w: &b}
	out.count(f.text)
	f.writeAdded(out, refs)
	return b.Bytes(), true
}

// A countingWriter keeps the first error, and how long the last line is so far.
type countingWriter struct {
	w    io.Writer
	n    int64
	open int // bytes behind the last LF
	err  error
}

func (c *countingWriter) write(b []byte) {
	if c.err != nil || len(b) == 0 {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.count(b)
	c.err = err
}

func (c *countingWriter) count(b []byte) {
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		c.open = 0
		b = b[i+1:]
	}
	c.open += len(b)
}

// edited reports whether WriteTo would write anything but what was parsed.
func (f *File) edited() bool {
	if f.standing > 0 {
		return true
	}
	for ref := range f.changed {
		if ref < len(f.text) {
			return true
		}
	}
	return false
}
