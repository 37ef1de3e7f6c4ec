package registry

import (
	"errors"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/internal/access"
)

// ErrPermission is the error of ParsePermission.
var ErrPermission = errors.New("a permission is pull, push or delete, a colon, and the name of a repository")

// A Permission is an action in a repository. The zero value stands for none.
type Permission struct {
	Action     access.Action // Pull, Push or Delete
	Repository string
}

// ParsePermission parses ACTION:REPOSITORY, such as push:labs/app.
func ParsePermission(s string) (Permission, error) {
	action, repository, _ := strings.Cut(s, ":")
	if !slices.Contains(knownActions, action) || !access.ValidName(repository) {
		return Permission{}, ErrPermission
	}
	return Permission{access.Action(action), repository}, nil
}

// knownActions are those that a token can grant.
var knownActions = []string{"pull", "push", "delete"}

// actions returns what has to be granted. A push also needs pull, because it asks
// which layers are there.
func (p Permission) actions() []string {
	if p.Action == access.Push {
		return []string{"pull", "push"}
	}
	return []string{string(p.Action)}
}

// needsPull reports whether pull is one of the actions.
func (p Permission) needsPull() bool { return slices.Contains(p.actions(), "pull") }

// scope returns the scope in which a token server is asked for the permission.
func (p Permission) scope() string {
	return "repository:" + p.Repository + ":" + strings.Join(p.actions(), ",")
}
