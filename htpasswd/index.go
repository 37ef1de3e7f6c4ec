package htpasswd

// A few users are found sooner by scanning the text than by an index of it,
// which takes as long to build as about this many scans.
const scansBeforeIndex = 8

// An index knows the lines of each user, so that many edits of one File cost
// about one pass over its text and not one each.
type index struct {
	users map[string]int   // the number of the user's last line
	more  map[string][]int // all of them, for a user with several
}

func (f *File) buildIndex() index {
	const typicalLine = 70 // a name, a colon and a bcrypt hash
	x := index{users: make(map[string]int, len(f.text)/typicalLine+len(f.added)), more: make(map[string][]int)}
	for ref, line := range f.lines() {
		r, ok := parseRecord(line)
		if !ok {
			continue
		}
		user := string(r.user)
		if earlier, ok := x.users[user]; ok {
			if x.more[user] == nil {
				x.more[user] = []int{earlier}
			}
			x.more[user] = append(x.more[user], ref)
		}
		x.users[user] = ref
	}
	return x
}

// get returns the numbers of the user's lines, in their order.
func (x index) get(user string) []int {
	if refs, ok := x.more[user]; ok {
		return refs
	}
	if ref, ok := x.users[user]; ok {
		return []int{ref}
	}
	return nil
}

// set notes that these lines are the user's now. It does nothing to an index
// that has not been built.
func (x index) set(user string, refs []int) {
	if x.users == nil {
		return
	}
	delete(x.more, user)
	switch len(refs) {
	case 0:
		delete(x.users, user)
		return
	case 1:
	default:
		x.more[user] = refs
	}
	x.users[user] = refs[len(refs)-1]
}
