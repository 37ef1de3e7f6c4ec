package access

import "strings"

// Rights answer who may do what. They do not change, and may be used by any number
// of goroutines at once.
type Rights struct {
	rules  map[Subject][]rule
	groups map[string][]Subject // of a user
}

type rule struct {
	Grant
	patterns []pattern
}

// Rights returns what the text says now.
func (f *File) Rights() *Rights {
	r := &Rights{rules: make(map[Subject][]rule), groups: make(map[string][]Subject)}
	for g := range f.All() {
		if g.Action == "" {
			for _, member := range g.Members {
				r.groups[member] = append(r.groups[member], g.Subject)
			}
			continue
		}
		rule := rule{Grant: g}
		for _, p := range g.Patterns {
			rule.patterns = append(rule.patterns, newPattern(p))
		}
		r.rules[g.Subject] = append(r.rules[g.Subject], rule)
	}
	return r
}

// Unrestricted returns the rights that count where nobody has written any: as with
// htpasswd alone, everyone who has logged in may do everything.
func Unrestricted() *Rights {
	everything := rule{Grant: Grant{Subject: Users, Action: All, Patterns: []string{"**"}}, patterns: []pattern{newPattern("**")}}
	return &Rights{rules: map[Subject][]rule{Users: {everything}}}
}

// Find returns the grants by which the user may do the action in the repository: one,
// or two that add up to [All]; nil if the user may not. An empty user is somebody who
// has not logged in. Nobody may do anything where the registry refuses the name.
func (r *Rights) Find(user string, a Action, repository string) []Grant {
	if !ValidName(repository) {
		return nil
	}
	name := strings.Split(repository, "/")
	find := func(a Action) []Grant {
		return r.find(user, func(rule rule) bool { return rule.Action.includes(a) && rule.match(name) })
	}
	if grant := find(a); grant != nil || a != All {
		return grant
	}
	push, del := find(Push), find(Delete)
	if push == nil || del == nil {
		return nil
	}
	return append(push, del...)
}

// FindCatalog is Find for the list of all repositories, which needs [All] on **.
func (r *Rights) FindCatalog(user string) []Grant {
	return r.find(user, func(rule rule) bool {
		for _, p := range rule.Patterns {
			if p == "**" && rule.Action == All {
				return true
			}
		}
		return false
	})
}

// Any reports whether there is any grant for the user, also one for everyone.
func (r *Rights) Any(user string) bool {
	return r.find(user, func(rule) bool { return true }) != nil
}

// find returns the first grant for the user that allows reports true for: of the
// user's own, of the groups', of everyone's.
func (r *Rights) find(user string, allows func(rule) bool) []Grant {
	subjects := []Subject{Everyone}
	if user != "" {
		subjects = append([]Subject{User(user)}, r.groups[user]...)
		subjects = append(subjects, Users, Everyone)
	}
	for _, s := range subjects {
		for _, rule := range r.rules[s] {
			if allows(rule) {
				return []Grant{rule.Grant}
			}
		}
	}
	return nil
}

func (r rule) match(name []string) bool {
	for _, p := range r.patterns {
		if p.match(name) {
			return true
		}
	}
	return false
}
