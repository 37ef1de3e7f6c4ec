package access

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

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
