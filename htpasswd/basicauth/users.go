package basicauth

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/crypt"
	"github.com/registryctl/registryctl/internal/record"
)

// verifiable are the schemes that an Authenticator can accept.
var verifiable = []htpasswd.Scheme{
	crypt.Bcrypt, crypt.APR1, crypt.MD5Crypt, crypt.SHA1, crypt.SSHA, crypt.SHA256Crypt, crypt.SHA512Crypt,
}

// A rule says with which entries users can log in.
type rule struct {
	schemes []htpasswd.Scheme
	maxCost int
}

func newRule(schemes []htpasswd.Scheme, maxCost int) (rule, error) {
	for _, scheme := range schemes {
		if !slices.Contains(verifiable, scheme) {
			return rule{}, fmt.Errorf("basicauth: the scheme %q in Schemes cannot be verified", scheme)
		}
	}
	if len(schemes) == 0 {
		schemes = []htpasswd.Scheme{htpasswd.Bcrypt}
	}
	return rule{slices.Clone(schemes), orDefault(maxCost, 15)}, nil
}

// assess returns the hash of an entry, without what follows it on the line, and the
// effort to verify it. If nobody can log in with the entry, it returns the reason.
func (r rule) assess(e record.Record) (hash string, effort crypt.Effort, reason string) {
	if err := htpasswd.ValidateUser(e.User); err != nil {
		return "", effort, err.Error()
	}
	effort, size := crypt.Assess(e.Hash)
	if size == 0 || !r.accepts(effort) {
		return "", effort, r.reason(e.Hash)
	}
	return e.Hash[:size], effort, ""
}

func (r rule) accepts(e crypt.Effort) bool {
	return slices.Contains(r.schemes, htpasswd.Scheme(e.Scheme)) && (e.Scheme != crypt.Bcrypt || e.Rounds <= r.maxCost)
}

// reason returns why nobody can log in with the hash.
func (r rule) reason(hash string) string {
	scheme, _ := crypt.Scan(hash)
	cost, _, isBcrypt := crypt.ParseBcrypt(hash)
	switch {
	case strings.HasPrefix(hash, record.DisabledMark):
		return "disabled"
	case scheme == "":
		return "no hash of a known scheme"
	case !slices.Contains(r.schemes, htpasswd.Scheme(scheme)):
		return fmt.Sprintf("the scheme %s is not accepted", scheme)
	case isBcrypt && cost > r.maxCost:
		return fmt.Sprintf("the bcrypt cost %d is above the limit of %d", cost, r.maxCost)
	}
	return fmt.Sprintf("the %s hash is malformed or too expensive", scheme)
}

// A users value holds the users of one text. It is never changed.
type users struct {
	text    string            // that the hashes are parts of
	hashes  map[string]string // of each user who can log in
	refused []Refusal
	kinds   []*kind // in an order that is the same for every text
}

// A kind stands for all hashes that take the same time to compare.
type kind struct {
	effort crypt.Effort
	hash   string // one of them
	users  int    // who have one of them
}

func newUsers(text string, r rule) (*users, error) {
	if line, err := record.Check(text); err != nil {
		return nil, &htpasswd.ParseError{Line: line, Err: err}
	}
	u := &users{text: text, hashes: make(map[string]string, strings.Count(text, "\n"))}
	refused := make(map[string]Refusal)
	kinds := make(map[crypt.Effort]*kind)
	count := func(effort crypt.Effort, hash string) {
		k := kinds[effort]
		if k == nil {
			k = &kind{effort: effort, hash: hash}
			kinds[effort] = k
		}
		k.users++
	}
	repeated := false
	line := 0
	for l := range strings.Lines(text) {
		line++
		e, kind := record.Parse(l)
		if kind != record.Entry {
			continue
		}
		before := len(u.hashes)
		hash, effort, reason := r.assess(e)
		if reason != "" {
			refused[e.User] = Refusal{crypt.Redact(e.User), line, reason}
			delete(u.hashes, e.User)
			repeated = repeated || len(u.hashes) < before
			continue
		}
		u.hashes[e.User] = hash
		delete(refused, e.User)
		count(effort, hash)
		repeated = repeated || len(u.hashes) == before
	}
	if repeated { // lines that do not count were counted
		clear(kinds)
		for _, hash := range u.hashes {
			effort, _ := crypt.Assess(hash)
			count(effort, hash)
		}
	}
	u.refused = slices.SortedFunc(maps.Values(refused), func(a, b Refusal) int { return cmp.Compare(a.Line, b.Line) })
	u.kinds = slices.SortedFunc(maps.Values(kinds), func(a, b *kind) int {
		return cmp.Or(
			cmp.Compare(a.effort.Scheme, b.effort.Scheme),
			cmp.Compare(a.effort.Rounds, b.effort.Rounds),
			cmp.Compare(a.effort.Salt, b.effort.Salt),
		)
	})
	return u, nil
}

// decoy returns the hash with which the password of an unknown user is compared, or ""
// if nobody can log in. Each kind is as frequent among unknown users as among the users:
// draw, as a part of the highest number, is a position in the list of all users, sorted
// by kind. So an edit of the file changes the decoy of few names only.
func (u *users) decoy(draw uint64) string {
	place, _ := bits.Mul64(draw, uint64(len(u.hashes)))
	for _, k := range u.kinds {
		if place < uint64(k.users) {
			return k.hash
		}
		place -= uint64(k.users)
	}
	return ""
}
