package access

import (
	"slices"
	"strings"
)

// Rights tell who may do what. They do not change, and may be used by several
// goroutines at once.
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

// Unrestricted returns the rights without an access file: everyone who has logged in
// may do everything, as with htpasswd alone.
func Unrestricted() *Rights {
	everything := rule{Grant: Grant{Subject: Users, Action: All, Patterns: []string{"**"}}, patterns: []pattern{newPattern("**")}}
	return &Rights{rules: map[Subject][]rule{Users: {everything}}}
}

// Find returns the grants by which the user may perform the action in the repository:
// one, or two that add up to [All]. It returns nil if the user may not, or if the
// registry does not accept the name of the repository. An empty user is one who has not
// logged in.
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
	return r.find(user, func(rule rule) bool { return rule.Action == All && slices.Contains(rule.Patterns, "**") })
}

// Any reports whether there is any grant for the user, including those for everyone.
func (r *Rights) Any(user string) bool {
	return r.find(user, func(rule) bool { return true }) != nil
}

// find returns the first grant for the user for which allows returns true: of those for
// the user, then for the user's groups, then for everyone.
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
	return slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.match(name) })
}
