package cli

import (
	"fmt"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

// An importAction is what an import does for one user.
type importAction byte

const (
	importKeep   importAction = iota // the user is as listed
	importAdd                        // the user is new
	importUpdate                     // the user gets another hash
	importRemove                     // the user is not listed
	importSkip                       // the list has a hash that the registry does not accept
)

// String returns the action as the JSON output has it.
func (a importAction) String() string {
	return [...]string{"keep", "add", "update", "remove", "skip"}[a]
}

// mark returns the character that stands for the action in the text output.
func (a importAction) mark() string { return [...]string{"=", "+", "~", "-", "!"}[a] }

// An importStep is what an import does for one user.
type importStep struct {
	user    string
	action  importAction
	current htpasswd.Hash // in the file, the zero Hash for a new user
}

// importSteps returns the steps that make the file match the list: one for each listed
// user, in the order of the list, and then, with prune, one for each user to remove.
//
// A user with a password but no hash needs another hash. A user with neither only has to
// exist. So does a user whose password was generated, whom another edit may have added
// since.
func importSteps(list []userlist.User, generated map[string]bool, f *htpasswd.File, prune bool) []importStep {
	steps := make([]importStep, len(list))
	exists := make([]bool, len(list))
	index := make(map[string]int)
	if hasUsers(f) { // else there is nobody to look up
		for i, u := range list {
			index[u.Name] = i
		}
	}
	for e := range f.All() {
		if i, listed := index[e.User]; listed {
			// The last line of a user counts. An edit keeps a user disabled.
			steps[i].current, exists[i] = hashOf(e), true
		}
	}
	for i, u := range list {
		step := &steps[i]
		step.user = u.Name
		switch {
		case u.Skip:
			step.action = importSkip
		case !exists[i]:
			step.action = importAdd
		case generated[u.Name], u.Password == nil && !u.HasHash():
			step.action = importKeep
		case !u.HasHash() || !u.Hash.Equal(step.current):
			step.action = importUpdate
		}
	}
	if !prune {
		return steps
	}
	for user := range f.Users() {
		if _, listed := index[user]; !listed {
			steps = append(steps, importStep{user: user, action: importRemove})
		}
	}
	return steps
}

// importChanges returns the edit for the steps, the first of which belong to the
// users of the list.
func importChanges(list []userlist.User, steps []importStep) ([]htpasswd.Change, error) {
	changes := make([]htpasswd.Change, 0, countImport(steps).changes())
	for i, step := range steps {
		switch step.action {
		case importRemove:
			changes = append(changes, htpasswd.Change{User: step.user, Remove: true})
		case importAdd, importUpdate:
			if !list[i].HasHash() { // the user existed when passwords were generated
				return nil, fmt.Errorf("user %s was removed by another edit; run the import again", shown(step.user))
			}
			changes = append(changes, htpasswd.Change{User: step.user, Hash: list[i].Hash})
		}
	}
	return changes, nil
}

// An importCount is how many users get each action.
type importCount [importSkip + 1]int

func countImport(steps []importStep) (n importCount) {
	for _, step := range steps {
		n[step.action]++
	}
	return n
}

// changes returns how many users are changed.
func (n importCount) changes() int { return n[importAdd] + n[importUpdate] + n[importRemove] }

// String is such as "2 added, 0 updated, 0 removed, 1 unchanged".
func (n importCount) String() string {
	text := fmt.Sprintf("%d added, %d updated, %d removed, %d unchanged", n[importAdd], n[importUpdate], n[importRemove], n[importKeep])
	if n[importSkip] > 0 {
		text += fmt.Sprintf(", %d skipped", n[importSkip])
	}
	return text
}
