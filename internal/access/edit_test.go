package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGrant(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "francis      pull        labs/** a\n"},
		{"new", Header, Header + "francis      pull        labs/** a\n"},
		{"end", "# x", "# x\nfrancis      pull        labs/** a\n"},
		{"crlf", "# x\r\n", "# x\r\nfrancis      pull        labs/** a\r\n"},
		{"crlf without an end", "# x\r\n# y", "# x\r\n# y\r\nfrancis      pull        labs/** a\r\n"},
		{"a part is there", "francis pull a b\n", "francis pull a b\nfrancis      pull        labs/**\n"},
		{"all is there", "francis pull a # x\nfrancis pull labs/**", "francis pull a # x\nfrancis pull labs/**"},
		{"another action", "francis push a labs/**\n", "francis push a labs/**\nfrancis      pull        labs/** a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := parse(t, tt.text)
			require.NoError(t, f.Grant("francis", Pull, "labs/**", "a", "a"))
			assert.Equal(t, tt.want, f.String())
			assert.Equal(t, tt.want != tt.text, f.Changed())
			var b strings.Builder
			n, err := f.WriteTo(&b)
			require.NoError(t, err)
			assert.Equal(t, tt.want, b.String())
			assert.EqualValues(t, len(tt.want), n)
		})
	}

	f := parse(t, example)
	assert.ErrorIs(t, f.Grant("@ops", Pull, "a"), ErrUnknownGroup)
	assert.ErrorIs(t, f.Grant("elton", "read", "a"), ErrAction)
	assert.Error(t, f.Grant("elton", Pull, "a", "Labs"))
	assert.False(t, f.Changed())
	require.NoError(t, f.Grant("@dev", Delete, "labs/**"))
	require.NoError(t, f.Grant(Users, Pull, "**"))
	require.NoError(t, f.Grant(Everyone, Pull, "open"))
	require.NoError(t, f.Grant(User("a user with a long name"), Pull, "open"))
	assert.Equal(t, example+`@dev         delete      labs/**
@users       pull        **
*            pull        open
"a user with a long name" pull        open
`, f.String())
}

func TestRevoke(t *testing.T) {
	f := parse(t, example)
	require.NoError(t, f.Revoke("ci", Push, "tools/*"))
	require.NoError(t, f.Revoke(Everyone, Pull, "public/**"))
	assert.Equal(t, `# user       actions     repositories
@dev = elton francis
elton        all         **               # delete and the catalog too
@dev         push        labs/**          # push implies pull
ci           push        labs/app
`, f.String())
	require.NoError(t, f.Revoke("ci", Push, "labs/app"))
	assert.NotContains(t, f.String(), "\nci")
	assert.ErrorIs(t, f.Revoke("ci", Push, "labs/app"), ErrNoGrant)

	// Each line that says the same, or none of them.
	f = parse(t, "ci pull a b # x\n# y\nci pull b a\nci push a\n")
	assert.ErrorIs(t, f.Revoke("ci", Pull, "b", "c"), ErrNoGrant)
	assert.False(t, f.Changed())
	require.NoError(t, f.Revoke("ci", Pull, "b"))
	assert.Equal(t, "ci pull a # x\n# y\nci pull a\nci push a\n", f.String())
	require.NoError(t, f.Revoke("ci", Pull, "a"))
	assert.Equal(t, "# y\nci push a\n", f.String())
}

func TestRemoveAndRenameUser(t *testing.T) {
	const text = "\uFEFF@dev = elton  francis elton # elton\r\nelton pull a\r\n\"elton\" push elton\r\n# elton\r\n@elton = x\r\nfrancis pull b"
	f := parse(t, text)
	f.RenameUser("elton", "el ton")
	assert.Equal(t, "\uFEFF@dev = \"el ton\"  francis \"el ton\" # elton\r\n\"el ton\" pull a\r\n\"el ton\" push elton\r\n# elton\r\n@elton = x\r\nfrancis pull b", f.String())
	f.RemoveUsers([]string{"el ton"})
	assert.Equal(t, "\uFEFF@dev =  francis # elton\r\n# elton\r\n@elton = x\r\nfrancis pull b", f.String())
	f.RemoveUsers([]string{"nobody"})
	f.RenameUser("nobody", "x")
	f.RemoveUsers([]string{"francis"})
	assert.Equal(t, "\uFEFF@dev = # elton\r\n# elton\r\n@elton = x\r\n", f.String())
}

func FuzzGrantAndRevoke(f *testing.F) {
	f.Add(example, "francis", "push", "labs/** a")
	f.Add("\uFEFF", "@dev", "all", "**")
	f.Add("elton pull a\r\n\r\n# x", "el ton", "delete", "a/**/b")
	f.Fuzz(func(t *testing.T, text, user, action, repositories string) {
		file, err := Parse(text)
		patterns := strings.Fields(repositories)
		if err != nil || user == "" {
			return
		}
		subject := User(user)
		for _, p := range patterns {
			if file.grants(subject, Action(action), p) {
				return
			}
		}
		if err := file.Grant(subject, Action(action), patterns...); err != nil {
			assert.Equal(t, text, file.String())
			return
		}
		granted := parse(t, file.String())
		for _, p := range patterns {
			if !strings.Contains(p, "*") {
				assert.NotNil(t, granted.Rights().Find(user, Action(action), p))
			}
		}
		require.NoError(t, granted.Revoke(subject, Action(action), patterns...))
		// The last line keeps the end that it was given.
		assert.Equal(t, text, granted.String()[:len(text)])
		assert.Contains(t, []string{"", "\n", "\r\n"}, granted.String()[len(text):])
		if strings.HasSuffix(text, "\n") {
			assert.Equal(t, text, granted.String())
		}
		if len(patterns) > 0 {
			assert.True(t, errors.Is(granted.Revoke(subject, Action(action), patterns...), ErrNoGrant))
		}
	})
}

func BenchmarkRemoveUsers(b *testing.B) {
	var members strings.Builder
	var names []string
	for i := range 10_000 {
		name := fmt.Sprintf("user%d", i)
		members.WriteString(" " + name)
		if i%5 == 0 {
			names = append(names, name)
		}
	}
	for b.Loop() {
		f, err := Parse("@dev =" + members.String() + "\n")
		require.NoError(b, err)
		f.RemoveUsers(names)
		require.Empty(b, f.Mentions("user0"))
	}
}
