package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"iter"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

// An importPlan is a list of users that the file is to match. What is to be done
// for it depends on the file, and is only said of one: by of, or by apply, which
// does it.
type importPlan struct {
	users     []userlist.User // those with a password get their hash by an importWork
	generated map[int]bool    // users whose password was made here, as they are new
	prune     bool
}

// An action is what is done for a user.
type action byte

const (
	actionKeep action = iota
	actionAdd
	actionUpdate
	actionRemove
)

// String is the action in the JSON output.
func (a action) String() string { return [...]string{"keep", "add", "update", "remove"}[a] }

func (a action) mark() string { return [...]string{"=", "+", "~", "-"}[a] }

// An importOutcome is what is done for one file.
type importOutcome struct {
	actions []action // for each user of the list
	removed []string
}

// of says what apply would do.
func (p *importPlan) of(f *htpasswd.File) importOutcome {
	done := importOutcome{actions: make([]action, len(p.users))}
	for i := range p.users {
		done.actions[i] = p.action(i, f)
	}
	if p.prune {
		done.removed = p.unlisted(f)
	}
	return done
}

// apply is the edit.
func (p *importPlan) apply(f *htpasswd.File) (importOutcome, error) {
	done := p.of(f)
	var changes []htpasswd.Change
	for i, what := range done.actions {
		if what == actionAdd || what == actionUpdate {
			changes = append(changes, htpasswd.Change{User: p.users[i].Name, Hash: p.users[i].Hash})
		}
	}
	for _, user := range done.removed {
		changes = append(changes, htpasswd.Change{User: user, Remove: true})
	}
	return done, f.Apply(changes)
}

func (p *importPlan) action(i int, f *htpasswd.File) action {
	u := &p.users[i]
	entry, exists := f.Lookup(u.Name)
	switch {
	case exists && (p.generated[i] || u.Password == nil && !u.HasHash()):
		return actionKeep // only has to be there
	case exists && u.HasHash() && u.Hash.Equal(entry.Hash):
		return actionKeep
	case exists:
		return actionUpdate
	case u.Password == nil && !u.HasHash():
		return actionKeep // was there when passwords were made, and is left removed
	}
	return actionAdd
}

// unlisted returns the users of the file that are not on the list.
func (p *importPlan) unlisted(f *htpasswd.File) []string {
	listed := make(map[string]bool, len(p.users))
	for _, u := range p.users {
		listed[u.Name] = true
	}
	var users []string
	for user := range f.Users() {
		if !listed[user] {
			users = append(users, user)
		}
	}
	return users
}

// An importWork is what takes long for one user of the list.
type importWork struct {
	user    *userlist.User
	current htpasswd.Hash // in the file, if it is worth comparing with
	cost    int
}

// work returns what is to be done for the users that come with a password; who is
// new and has none gets one.
func (p *importPlan) work(f *htpasswd.File, cost costFlag) []importWork {
	var todo []importWork
	for i := range p.users {
		u := &p.users[i]
		if u.HasHash() {
			continue
		}
		entry, exists := f.Lookup(u.Name)
		switch {
		case u.Password == nil && exists:
			continue
		case u.Password == nil:
			if p.generated == nil {
				p.generated = make(map[int]bool)
			}
			u.Password, p.generated[i] = []byte(rand.Text()), true
		}
		w := importWork{user: u, cost: cost.of(entry.Hash)}
		if is, ok := entry.Hash.Cost(); ok && is == w.cost {
			w.current = entry.Hash
		}
		todo = append(todo, w)
	}
	return todo
}

// comparable reports whether there is a hash to compare with.
func (w importWork) comparable() bool { return w.current.Scheme() == htpasswd.Bcrypt }

// compare gives the user the hash in the file, if it is that of the password.
func (w importWork) compare() error {
	err := w.current.Verify(w.user.Password)
	switch {
	case err == nil:
		w.user.Hash = w.current
	case w.cost > htpasswd.MaxCost: // no new hash can be made; the plan says so as well
		err = htpasswd.ErrInvalidCost
	case errors.Is(err, htpasswd.ErrMismatch):
		return nil
	}
	return w.of(err)
}

func (w importWork) hash() (err error) {
	w.user.Hash, err = htpasswd.HashPassword(w.user.Password, w.cost)
	return w.of(err)
}

// of says whose error it is.
func (w importWork) of(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("user %q: %w", w.user.Name, err)
}

// steps yields what is done for each user: those of the list, then those that are
// not on it.
func (p *importPlan) steps(done importOutcome) iter.Seq2[string, action] {
	return func(yield func(string, action) bool) {
		for i, u := range p.users {
			if !yield(u.Name, done.actions[i]) {
				return
			}
		}
		for _, user := range done.removed {
			if !yield(user, actionRemove) {
				return
			}
		}
	}
}

// highestCost is that of the hashes that are written.
func (p *importPlan) highestCost(done importOutcome) int {
	highest := 0
	for i, is := range done.actions {
		if cost, ok := p.users[i].Hash.Cost(); ok && (is == actionAdd || is == actionUpdate) {
			highest = max(highest, cost)
		}
	}
	return highest
}

// changes reports whether anything is done.
func (o importOutcome) changes() bool {
	for _, a := range o.actions {
		if a != actionKeep {
			return true
		}
	}
	return len(o.removed) > 0
}

func (o importOutcome) summary() string {
	var count [actionRemove]int
	for _, a := range o.actions {
		count[a]++
	}
	return fmt.Sprintf("%d added, %d updated, %d removed, %d unchanged",
		count[actionAdd], count[actionUpdate], len(o.removed), count[actionKeep])
}
