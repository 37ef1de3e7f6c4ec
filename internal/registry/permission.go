package registry

import (
	"errors"
	"slices"
	"strings"

	"github.com/registryctl/registryctl/internal/access"
)

// ErrPermission is the error of ParsePermission.
var ErrPermission = errors.New("a permission is pull, push or delete, a colon, and the name of a repository")

// A Permission is something to do with a repository. The zero value is nothing.
type Permission struct {
	Action     string // pull, push or delete
	Repository string
}

// ParsePermission parses ACTION:REPOSITORY, such as push:labs/app.
func ParsePermission(s string) (Permission, error) {
	action, repository, _ := strings.Cut(s, ":")
	if !slices.Contains([]string{"pull", "push", "delete"}, action) || !access.ValidName(repository) {
		return Permission{}, ErrPermission
	}
	return Permission{action, repository}, nil
}

// String returns ACTION:REPOSITORY.
func (p Permission) String() string { return p.Action + ":" + p.Repository }

// actions returns what has to be granted. A push reads too: it asks which
// layers are there.
func (p Permission) actions() []string {
	if p.Action == "push" {
		return []string{"pull", "push"}
	}
	return []string{p.Action}
}

// needsPull reports whether pull is among them.
func (p Permission) needsPull() bool { return p.Action == "pull" || p.Action == "push" }

// scope returns the scope that asks a token server for it.
func (p Permission) scope() string {
	return "repository:" + p.Repository + ":" + strings.Join(p.actions(), ",")
}
