package tokens

import (
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/registryctl/registryctl/internal/access"
)

type claims struct {
	jwt.Claims
	Access []resource `json:"access"`
}

// A resource is what a scope names, with the actions on it.
type resource struct {
	Type    string   `json:"type"`
	Class   string   `json:"class,omitempty"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// String returns the resource in the form of a scope, for the log.
func (r resource) String() string { return r.Type + ":" + r.Name + ":" + strings.Join(r.Actions, ",") }

// parseScope reads type:name:action,action, where the type can be followed by a class
// in parentheses and the name can begin with host:port.
func parseScope(s string) (r resource, ok bool) {
	first, last := strings.IndexByte(s, ':'), strings.LastIndexByte(s, ':')
	if first == last {
		return r, false
	}
	r = resource{Type: s[:first], Name: s[first+1 : last], Actions: strings.Split(s[last+1:], ",")}
	if kind, class, found := strings.Cut(r.Type, "("); found {
		r.Type = kind
		r.Class, ok = strings.CutSuffix(class, ")")
		return r, ok
	}
	return r, true
}

// grant returns the part of the scopes that the user may have. Malformed scopes are
// ignored.
func grant(rights *access.Rights, user string, scopes []string) []resource {
	granted := []resource{}
	for _, scope := range scopes {
		r, ok := parseScope(scope)
		if !ok {
			continue
		}
		switch {
		case r.Type == "repository":
			r.Actions = slices.DeleteFunc(repositoryActions(r.Actions), func(action string) bool {
				return rights.Find(user, access.Action(action), r.Name) == nil
			})
		case r.Type == "registry" && r.Name == "catalog" && slices.Contains(r.Actions, "*") && rights.FindCatalog(user) != nil:
			r.Actions = []string{"*"}
		default:
			continue
		}
		if len(r.Actions) > 0 {
			granted = append(granted, r)
		}
	}
	return granted
}

// repositoryActions returns the actions among those asked for that the registry knows.
func repositoryActions(asked []string) []string {
	var actions []string
	for _, action := range []access.Action{access.Pull, access.Push, access.Delete} {
		if slices.Contains(asked, string(action)) || slices.Contains(asked, "*") {
			actions = append(actions, string(action))
		}
	}
	return actions
}
