package basicauth

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// defaultMaxCost is about 2 seconds of a core.
const defaultMaxCost = 15

// accepted says which hashes can be logged in with.
type accepted struct {
	maxCost int
	legacy  bool
}

// users are those of one text, which never changes.
type users struct {
	accepted
	text   []byte
	fields map[string][]byte // what stands behind the colon, by user

	// The kinds of the hashes that can be logged in with, in an order that is the
	// same for every text, and how many users have one.
	kinds []*kind
	total int
}

// A kind of hashes: those that take the same time.
type kind struct {
	crypt.Effort
	hash  string // one of them
	users int    // who have one
}

func newUsers(text []byte, which accepted) (*users, error) {
	if _, err := htpasswd.Parse(text); err != nil {
		return nil, err
	}
	u := &users{accepted: which, text: text}
	kinds := make(map[crypt.Effort]*kind)
	count := func(field []byte, users int) {
		effort, hash, ok := u.assess(field)
		if !ok {
			return
		}
		k := kinds[effort]
		if k == nil {
			k = &kind{effort, string(hash), 0}
			kinds[effort] = k
		}
		k.users += users
		u.total += users
	}
	u.fields = make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		r, is := record.Parse(line)
		if is != record.Entry {
			continue
		}
		if earlier, ok := u.fields[r.User]; ok {
			count(earlier, -1)
		}
		u.fields[r.User] = []byte(r.Hash)
		count(u.fields[r.User], 1)
	}
	u.kinds = slices.SortedFunc(maps.Values(kinds), func(a, b *kind) int {
		return cmp.Or(cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.Rounds, b.Rounds), cmp.Compare(a.Salt, b.Salt))
	})
	return u, nil
}

// assess returns the hash at the start of the field behind the colon, and the
// effort it takes; ok is false if nobody can log in with it.
func (w accepted) assess(field []byte) (effort crypt.Effort, hash []byte, ok bool) {
	effort, n := crypt.Assess(field)
	if effort.Scheme == crypt.Bcrypt {
		ok = effort.Rounds <= w.maxCost
	} else {
		ok = n > 0 && w.legacy
	}
	return effort, field[:n], ok
}

// hash returns that of the user; ok is false if there is none, or none that can
// be logged in with.
func (u *users) hash(user string) (hash string, ok bool) {
	field, ok := u.fields[user]
	if !ok {
		return "", false
	}
	_, text, ok := u.assess(field)
	return string(text), ok
}

// decoy returns the hash to compare with for a user who is missing, or none if
// nobody can log in. Draw, from 0 to the highest number, selects it by the place
// in a line of all users, sorted by the kind of their hashes. So an edit changes
// the kind that is drawn only near where one kind ends and the next begins.
func (u *users) decoy(draw uint64) string {
	place, _ := bits.Mul64(draw, uint64(u.total))
	at := int(place)
	for _, k := range u.kinds {
		if at < k.users {
			return k.hash
		}
		at -= k.users
	}
	return ""
}
