package htpasswd

import (
	"bytes"
	"slices"

	"github.com/registryctl/registryctl/internal/record"
)

// find returns the offsets of the user's lines, in their order.
func (f *File) find(user string) []int {
	if x := f.index.of(f); x != nil {
		return x.get([]byte(user))
	}
	return f.scan(user)
}

// scan finds the user's lines without an index. It searches the text for the
// name as a whole, not line by line, and only then asks what the lines say.
func (f *File) scan(user string) []int {
	var refs []int
	isUsers := func(line []byte) bool {
		r, ok := record.Parse(line)
		return ok && string(r.User) == user
	}
	needle := []byte(user + ":")
	from := 0
	for _, part := range [][]byte{f.text, f.added} {
		for at := 0; ; {
			i := bytes.Index(part[at:], needle)
			if i < 0 {
				break
			}
			start := bytes.LastIndexByte(part[:at+i], '\n') + 1
			line := record.FirstLine(part[start:])
			if _, ok := f.changed[from+start]; !ok && isUsers(line) {
				refs = append(refs, from+start)
			}
			at = start + len(line)
		}
		from += len(part)
	}
	for ref, line := range f.changed {
		if isUsers(line) {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}
