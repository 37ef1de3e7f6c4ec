package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/userlist"
)

func TestImportSteps(t *testing.T) {
	other := strings.Replace(exampleHash, "nqgX", "XgqN", 1)
	file := "elton:" + other + "\n# comment\nfrancis:" + exampleHash + "\nelton:" + exampleHash + "\nold:x\nold:x\noff:!" + exampleHash
	for name, c := range map[string]struct {
		list      string
		generated map[string]bool
		prune     bool
		want      string
	}{
		"the same hash":       {list: "elton:" + exampleHash, want: "=elton"}, // the last line counts
		"another hash":        {list: "francis:" + other, want: "~francis"},
		"a new user":          {list: "new:" + other, want: "+new"},
		"a password":          {list: "elton:d0cker\nnew:d0cker", want: "~elton +new"},
		"a name":              {list: "elton\nnew", want: "=elton +new"},
		"generated meanwhile": {list: "elton:d0cker", generated: map[string]bool{"elton": true}, want: "=elton"},
		"prune":               {list: "new:d0cker\nelton", prune: true, want: "+new =elton -francis -old -off"},
		"prune with nobody":   {prune: true, want: "-elton -francis -old -off"},
		"a disabled user":     {list: "off:" + exampleHash, want: "=off"},

		"skipped": {list: "francis:{SHA}x\nnew:{SHA}x", prune: true, want: "!francis !new -elton -old -off"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := htpasswd.Parse([]byte(file))
			require.NoError(t, err)
			list, err := userlist.Parse(c.list, userlist.Options{Format: userlist.Lines, Generate: true, SkipUnsupported: true})
			require.NoError(t, err)
			var got []string
			for _, step := range importSteps(list, c.generated, f, c.prune) {
				got = append(got, step.action.mark()+step.user)
			}
			assert.Equal(t, c.want, strings.Join(got, " "))
			assert.False(t, f.Changed())
		})
	}
}

// After the changes were applied there is nothing left to do, whatever the file was.
func TestImportChangesMatchTheList(t *testing.T) {
	other := strings.Replace(exampleHash, "nqgX", "XgqN", 1)
	list, err := userlist.Parse("a:"+exampleHash+"\nb:"+other+"\nc:"+other+"\n", userlist.Options{})
	require.NoError(t, err)
	for _, file := range []string{"", "a:x", "c:" + other + "\r\nz:y\r\na:" + exampleHash + "\r\na:x\r\n", "#\nz:y\nb:" + other + "\nz:y", "a:!x\n"} {
		f, err := htpasswd.Parse([]byte(file))
		require.NoError(t, err)
		changes, err := importChanges(list, importSteps(list, nil, f, true))
		require.NoError(t, err)
		require.NoError(t, f.Apply(changes))
		n := countImport(importSteps(list, nil, f, true))
		assert.Zero(t, n.changes(), file)
		assert.Equal(t, "0 added, 0 updated, 0 removed, 3 unchanged", n.String(), file)
		assert.Equal(t, strings.Count(file, "#"), strings.Count(f.Text(), "#"))
	}
}

// A user who only had to exist, and was removed before the edit, is not added
// without a hash.
func TestImportOfAUserRemovedMeanwhile(t *testing.T) {
	list, err := userlist.Parse("elton\n", userlist.Options{Generate: true, Format: userlist.Lines})
	require.NoError(t, err)
	_, err = importChanges(list, importSteps(list, nil, new(htpasswd.File), false))
	assert.EqualError(t, err, fmt.Sprintf("user %q was removed by another edit; run the import again", "elton"))
}
