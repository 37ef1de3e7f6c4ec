package access

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/stretchr/testify/assert"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, matches, other string
	}{
		{"a/b", "a/b", "a a/b/c ab a/bb"},
		{"*", "a abc", "a/b"},
		{"**", "a a/b a/b/c", ""},
		{"**/**", "a a/b a/b/c", ""},
		{"labs/**", "labs/a labs/a/b", "labs labsx/a a/labs/b"},
		{"a/**/b", "a/b a/x/b a/x/y/b a/b/b", "a b a/b/c xa/b"},
		{"**/b", "b a/b a/b/b", "a b/a ab"},
		{"*/*", "a/b", "a a/b/c"},
		{"*/**", "a/b a/b/c", "a"},
		{"a*", "a ab a-b", "b a/b"},
		{"*a*b", "ab xaxb aabb", "ba abx"},
		{"**/a/**/a/*", "a/a/a a/x/a/b x/a/a/a", "a/b a/a"},
	} {
		p := newPattern(tt.pattern)
		for _, name := range strings.Fields(tt.matches) {
			assert.True(t, p.match(strings.Split(name, "/")), "%s %s", tt.pattern, name)
		}
		for _, name := range strings.Fields(tt.other) {
			assert.False(t, p.match(strings.Split(name, "/")), "%s %s", tt.pattern, name)
		}
	}
}

// A pattern and a name of the greatest length take no time that a client could use.
func TestMatchIsBounded(t *testing.T) {
	text := "a pull " + strings.Repeat("**/*a*a*a*a/", 2000) + "b\n"
	r := parse(t, strings.Repeat(text, 10)).Rights()
	name := strings.Repeat("a/", 100) + strings.Repeat("a", 50)
	assert.Nil(t, r.Find("a", Pull, name))
}

// The registry's own package says the same of every name.
func FuzzValidName(f *testing.F) {
	for _, s := range []string{
		"a", "a/b", "labs/a.b_c__d--e", "a..b", "a___b", "-a", "a-", "A", "A/b", "localhost:5000/a", "[::1]:5000/a/b", "a:b/c",
		"a.B.c/d", "a//b", "/a", "a/", "", "ü", "a\n", "x-.y/a", strings.Repeat("a", 255), strings.Repeat("a", 256), "h/" + strings.Repeat("a", 254),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := reference.WithName(s)
		if len(s) > maxNameBytes { // Distribution 3 does not count the host
			err = reference.ErrNameTooLong
		}
		assert.Equal(t, err == nil, ValidName(s), "%q: %v", s, err)
		if !strings.Contains(s, "*") {
			assert.Equal(t, err == nil, CheckPattern(s) == nil, "%q", s)
		}
	})
}

// A pattern matches what the regular expression says that one would write for it.
func FuzzMatch(f *testing.F) {
	f.Add("labs/**", "labs/a/b")
	f.Add("a/**/b", "a/b")
	f.Add("**/a*b/**/*", "x/ab/a/b")
	f.Add("**/Host:5000/a", "Host:5000/a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if checkPattern(pattern) != nil || !ValidName(name) || needsQuotes("x"+pattern) || len(pattern) > 200 {
			return
		}
		got := newPattern(pattern).match(strings.Split(name, "/"))
		assert.Equal(t, expression(t, pattern).MatchString(name), got, "%q %q", pattern, name)
		if got {
			assert.NoError(t, CheckPattern(pattern))
		}
	})
}
