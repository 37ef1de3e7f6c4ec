package access

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	r := parse(t, example+"@users pull shared\nfrancis delete labs/tmp\n\"*\" pull star\nadder delete x\nadder push x\n").Rights()
	for _, tt := range []struct {
		user       string
		action     Action
		repository string
		lines      []int // nil: no
	}{
		{"elton", All, "any/thing", []int{3}},
		{"elton", Delete, "x", []int{3}},
		{"francis", Push, "labs/app", []int{4}},
		{"francis", Pull, "labs/app", []int{4}},
		{"francis", Pull, "labs/a/b/c", []int{4}},
		{"francis", Pull, "labs", nil},
		{"francis", Pull, "labs2/app", nil},
		{"francis", Delete, "labs/app", nil},
		{"francis", All, "labs/app", nil},
		{"francis", All, "labs/tmp", []int{4, 8}},
		{"francis", Pull, "shared", []int{7}},
		{"ci", Push, "labs/app", []int{5}},
		{"ci", Push, "labs/app2", nil},
		{"ci", Push, "tools/x", []int{5}},
		{"ci", Push, "tools/x/y", nil},
		{"adder", Pull, "x", []int{11}},
		{"adder", All, "x", []int{11, 10}},
		{"stranger", Pull, "shared", []int{7}},
		{"stranger", Pull, "public/a", []int{6}},
		{"", Pull, "public/a", []int{6}},
		{"", Push, "public/a", nil},
		{"", Pull, "public", nil},
		{"", Pull, "shared", nil},
		{"*", Pull, "star", []int{9}},
		{"elton", Pull, "Not/Valid", nil},
		{"elton", Pull, "", nil},
		{"@dev", Push, "labs/app", nil},
	} {
		var lines []int
		for _, g := range r.Find(tt.user, tt.action, tt.repository) {
			lines = append(lines, g.Line)
		}
		assert.Equal(t, tt.lines, lines, "%q %s %s", tt.user, tt.action, tt.repository)
	}
	assert.NotNil(t, r.FindCatalog("elton"))
	for _, user := range []string{"", "francis", "ci"} {
		assert.Nil(t, r.FindCatalog(user))
	}
	assert.True(t, r.Any(""))
	assert.False(t, parse(t, "elton pull a").Rights().Any("francis"))
	assert.Nil(t, parse(t, "a all */** **/x\n b push **").Rights().FindCatalog("a"))

	r = Unrestricted()
	assert.NotNil(t, r.Find("elton", All, "a/b"))
	assert.NotNil(t, r.FindCatalog("elton"))
	assert.Nil(t, r.Find("", Pull, "a"))
	assert.Nil(t, r.FindCatalog(""))
}

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

func expression(t *testing.T, pattern string) *regexp.Regexp {
	const anything, something = "\x01", "\x02" // no name has them
	e := regexp.QuoteMeta(strings.NewReplacer("**", anything, "*", something).Replace(pattern))
	for strings.Contains(e, anything+"/") {
		e = strings.ReplaceAll(e, anything+"/", `(?:[^/]+/)`+something)
	}
	e = strings.NewReplacer(`(?:[^/]+/)`+something, `(?:[^/]+/)*`, something, `[^/]*`, anything, `.+`).Replace(e)
	re, err := regexp.Compile("^" + e + "$")
	require.NoError(t, err, "%q", pattern)
	return re
}

func BenchmarkFind(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "user%d push team%d/**\n", i, i)
	}
	text.WriteString("@all = user1\n@users pull x/** y/* **/z\n")
	r := parse(b, text.String()).Rights()
	for b.Loop() {
		r.Find("user9999", Push, "team9999/app/web")
	}
}
