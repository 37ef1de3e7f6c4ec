package access

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const example = `# user       actions     repositories
@dev = elton francis
elton        all         **               # delete and the catalog too
@dev         push        labs/**          # push implies pull
ci           push        labs/app tools/*
*            pull        public/**        # everyone, also without a login
`

func parse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse(text)
	require.NoError(t, err, "%q", text)
	return f
}

func TestParse(t *testing.T) {
	f := parse(t, example)
	assert.Equal(t, example, f.String())
	assert.False(t, f.Changed())
	assert.Equal(t, []Grant{
		{Subject: "@dev", Members: []string{"elton", "francis"}, Line: 2},
		{Subject: "elton", Action: All, Patterns: []string{"**"}, Line: 3},
		{Subject: "@dev", Action: Push, Patterns: []string{"labs/**"}, Line: 4},
		{Subject: "ci", Action: Push, Patterns: []string{"labs/app", "tools/*"}, Line: 5},
		{Subject: "*", Action: Pull, Patterns: []string{"public/**"}, Line: 6},
	}, slices.Collect(f.All()))
	assert.Equal(t, []int{2, 3}, f.Mentions("elton"))
	assert.Empty(t, f.Mentions("@dev"))

	for _, text := range []string{
		"",
		"\n\r\n \t\n#\n  # x\n",
		"elton pull a",
		"\uFEFFelton pull a\r\n\tci\tpush\ta/b#c\t#\"\r\n",
		"@dev =\n@dev = a\n@users pull **\n",
		"= pull a\n@x = = # =\n",
		"café all straße\n日本 pull a\n",
	} {
		assert.Equal(t, text, parse(t, text).String())
	}
}

func TestParseError(t *testing.T) {
	for text, want := range map[string]string{
		"elton":                         "line 1: expected a user, an action and repositories",
		"\n\nelton read a":              "line 3: unknown action: expected pull, push, delete or all",
		"elton Pull a":                  "line 1: unknown action: expected pull, push, delete or all",
		"elton pull # a":                "line 1: expected a repository after the action",
		`elton pull "a"`:                "line 1: expected a repository without quotes",
		"elton pull a**":                "line 1: ** in a repository must be a whole component, as in a/**/b",
		"elton pull ***":                "line 1: ** in a repository must be a whole component, as in a/**/b",
		"elton = francis":               "line 1: only a group can be defined, and its name begins with @",
		`"@dev" = francis`:              "line 1: only a group can be defined, and its name begins with @",
		"* = francis":                   "line 1: only a group can be defined, and its name begins with @",
		"@users = francis":              "line 1: the group @users cannot be defined: it is everyone who has logged in",
		"@a = b\n@c = @a":               "line 2: the members of a group are users",
		"@c = *":                        "line 1: the members of a group are users",
		"@ pull a":                      `line 1: expected the name of a group after @, without whitespace, "=" and quotes`,
		"@dev=elton francis":            `line 1: expected the name of a group after @, without whitespace, "=" and quotes`,
		`"" pull a`:                     "line 1: the user name is empty",
		`@dev = ""`:                     "line 1: the user name is empty",
		`"elton pull a`:                 "line 1: a quoted name is not closed or has an invalid escape",
		`"el\qton" pull a`:              "line 1: a quoted name is not closed or has an invalid escape",
		`"elton"pull a`:                 "line 1: expected a space after a quoted name",
		`el"ton pull a`:                 "line 1: a quote or a character that cannot be printed in a word: put such a user name in double quotes",
		"elton\u00a0pull a":             "line 1: a quote or a character that cannot be printed in a word: put such a user name in double quotes",
		"elton pull a\relton pull b":    "line 1: a quote or a character that cannot be printed in a word: put such a user name in double quotes",
		"elton pull a\n\uFEFFelton all": "line 2: a quote or a character that cannot be printed in a word: put such a user name in double quotes",
		"# \xff":                        "line 1: not UTF-8 text",
		"\xff\xfee\x00\n\x00":           "line 1: not UTF-8 text",
	} {
		_, err := Parse(text)
		assert.EqualError(t, err, want, "%q", text)
		var parseError *ParseError
		assert.ErrorAs(t, err, &parseError)
	}
}

func TestSubject(t *testing.T) {
	for name, want := range map[string]Subject{
		"elton":        "elton",
		"a#b=c'd\\e":   "a#b=c'd\\e",
		"*":            `"*"`,
		"**":           "**",
		"@dev":         `"@dev"`,
		"#x":           `"#x"`,
		`"`:            `"\""`,
		"el ton":       `"el ton"`,
		"el\u3000ton":  `"el\u3000ton"`,
		"a\tb\x00\xff": `"a\tb\x00\xff"`,
		"日本":           "日本",
	} {
		s := User(name)
		assert.Equal(t, want, s)
		got, ok := s.UserName()
		assert.True(t, ok)
		assert.Equal(t, name, got)

		f := parse(t, string(s)+" pull a\n@g = x "+string(s))
		assert.Equal(t, s, slices.Collect(f.All())[0].Subject)
		assert.Equal(t, []int{1, 2}, f.Mentions(name))
	}
	assert.Equal(t, User("elton"), slices.Collect(parse(t, `"elton" pull a`).All())[0].Subject, "quotes that are not needed")

	for arg, want := range map[string]Subject{"*": Everyone, "@users": Users, "@dev": "@dev", "elton": "elton", "el ton": `"el ton"`} {
		s, err := ParseSubject(arg)
		require.NoError(t, err)
		assert.Equal(t, want, s)
	}
	for _, arg := range []string{"", "@", "@a b", "@a=b", `@"a"`, "@\xff"} {
		_, err := ParseSubject(arg)
		assert.Error(t, err, "%q", arg)
	}
	for _, s := range []Subject{Everyone, Users, "@dev"} {
		_, ok := s.UserName()
		assert.False(t, ok)
	}
}

func TestProblems(t *testing.T) {
	f := parse(t, `@dev = elton gone
@dve push labs/**
gone pull a
"el ton" pull a Labs labs/ Host:5000/Labs **/Host:5000/labs
@users pull ** 
* pull a
`)
	exists := func(user string) bool { return user == "elton" || user == "el ton" }
	matchesNothing := func(p string) string {
		return `"` + p + `" matches no name that a registry accepts: expected lower-case letters and digits, separated by / . _ __ or -, as in labs/app`
	}
	assert.Equal(t, []Problem{
		{1, "gone", "the user does not exist"},
		{2, "", "the group is not defined"},
		{3, "gone", "the user does not exist"},
		{4, "", matchesNothing("Labs")},
		{4, "", matchesNothing("labs/")},
		{4, "", matchesNothing("Host:5000/Labs")},
	}, f.Problems(exists))
}

func FuzzParse(f *testing.F) {
	f.Add(example, "elton", "el ton")
	f.Add("\uFEFF\"@a\" pull a\r\n@b = \"@a\"\"b\" c # d\r\n", "@a", "c")
	f.Add("elton pull a\n@dev = elton elton", "elton", "*")
	f.Fuzz(func(t *testing.T, text, user, other string) {
		file, err := Parse(text)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		assert.Equal(t, text, file.String())
		for g := range file.All() {
			if name, ok := g.Subject.UserName(); ok {
				assert.Equal(t, g.Subject, User(name))
			}
		}
		if user == "" || other == "" {
			return
		}
		mentioned := len(file.Mentions(user)) > 0
		before := file.Rights()

		renamed := parse(t, text)
		renamed.RenameUser(user, other)
		assert.Equal(t, mentioned && user != other, renamed.Changed() && user != other)
		// What the new name may do is what either could.
		after := parse(t, renamed.String()).Rights()
		for _, repository := range []string{"a", "labs/app", "public/x"} {
			for _, action := range actions[:3] {
				either := before.Find(user, action, repository) != nil || before.Find(other, action, repository) != nil
				assert.Equal(t, either, after.Find(other, action, repository) != nil, "%q %s %s", other, action, repository)
			}
		}

		removed := parse(t, text)
		removed.RemoveUsers([]string{user})
		assert.Empty(t, parse(t, removed.String()).Mentions(user))
		assert.Equal(t, mentioned, removed.Changed())
	})
}
