package htpasswd

import (
	"bytes"
	"slices"
	"sync"

	"github.com/registryctl/registryctl/internal/record"
)

// find returns the offsets of the user's lines, in their order.
func (f *File) find(user string) []int {
	if x := f.index.of(f); x != nil {
		return x.get([]byte(user))
	}
	return f.scan(user)
}

// scan finds the user's lines without an index, in a large text on every core.
func (f *File) scan(user string) []int {
	parts := append(record.Parts(f.text), f.added)
	found := make([][]int, len(parts))
	var group sync.WaitGroup
	from := 0
	for i, part := range parts {
		begin := from
		from += len(part)
		if i > 0 && len(part) > 0 {
			group.Go(func() { found[i] = f.scanPart(part, begin, user) })
		}
	}
	found[0] = f.scanPart(parts[0], 0, user)
	group.Wait()
	refs := slices.Concat(found...)
	for ref, line := range f.changed {
		if isOf(line, user) {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}

// scanPart finds those lines of the user that stand as they were in a part of the
// text, or in added, that begins at this offset. It searches for the name as a
// whole, not line by line, and only then asks what the lines say.
func (f *File) scanPart(part []byte, from int, user string) (refs []int) {
	needle := []byte(user + ":")
	for at := 0; ; {
		i := bytes.Index(part[at:], needle)
		if i < 0 {
			return refs
		}
		start := bytes.LastIndexByte(part[:at+i], '\n') + 1
		line := record.FirstLine(part[start:])
		if _, ok := f.changed[from+start]; !ok && isOf(line, user) {
			refs = append(refs, from+start)
		}
		at = start + len(line)
	}
}

func isOf(line []byte, user string) bool {
	r, ok := record.Parse(line)
	return ok && string(r.User) == user
}
