package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
)

const (
	hash  = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
	other = "$2y$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK"
)

func TestFix(t *testing.T) {
	long := strings.Repeat("x", htpasswd.MaxLineBytes/2)
	for name, c := range map[string]struct {
		before, after string
		kinds         []lint.Kind
	}{
		"nothing":                   {"", "", nil},
		"nothing wrong":             {"# c\r\n\r\na:" + hash + "\r\n", "# c\r\n\r\na:" + hash + "\r\n", nil},
		"not for it to mend":        {"a:{SHA}x\nb:\n:x\n", "a:{SHA}x\nb:\n:x\n", nil},
		"UTF-16":                    {"\xff\xfea\x00:\x00x\x00\r\x00\n\x00", "a:x\r\n", []lint.Kind{lint.UTF16}},
		"UTF-16 without a mark":     {"a\x00:\x00x\x00", "a:x\n", []lint.Kind{lint.UTF16, lint.NoNewline}},
		"cut UTF-16":                {"\xff\xfea\x00:", "\xff\xfea\x00:", nil},
		"byte order mark":           {"\ufeffa:x\n", "a:x\n", []lint.Kind{lint.BOM}},
		"mark inside":               {"a:x\n\ufeffb:y\n", "a:x\nb:y\n", []lint.Kind{lint.BlankAroundName}},
		"lone CR":                   {"a:" + hash + "\rb:" + other + "\r", "a:" + hash + "\nb:" + other + "\n", []lint.Kind{lint.LoneCR}},
		"lone CR at the end":        {"a:x\r\nb:y\r", "a:x\r\nb:y\r\n", []lint.Kind{lint.LoneCR}},
		"no newline of a long line": {"a:x\r\nb:" + long + long[1:], "a:x\r\nb:" + long + long[1:] + "\n", []lint.Kind{lint.NoNewline}},
		"lone CR among CRLF":        {"a:x\rb:y\r\nc:z\r\n", "a:x\r\nb:y\r\nc:z\r\n", []lint.Kind{lint.LoneCR}},
		"glued":                     {"a:" + hash + "b:" + other + "\n", "a:" + hash + "\nb:" + other + "\n", []lint.Kind{lint.GluedLines}},
		"three glued":               {"a:" + hash + "b:" + other + "c:" + hash, "a:" + hash + "\nb:" + other + "\nc:" + hash + "\n", []lint.Kind{lint.GluedLines, lint.GluedLines, lint.NoNewline}},
		"text behind a hash":        {"a:" + hash + " # note\n", "a:" + hash + " # note\n", nil},
		"blank before the colon":    {"a :x\n", "a:x\n", []lint.Kind{lint.BlankAroundName}},
		"blank before the hash":     {"a: \tx\n", "a:x\n", []lint.Kind{lint.BlankBeforeHash}},
		"which of two is meant":     {"a :x\na:y\n", "a :x\na:y\n", nil},
		"twice":                     {"a:x\nb:y\na:z\n", "b:y\na:z\n", []lint.Kind{lint.Duplicate}},
		"thrice, one of a glued":    {"a:x\na:" + hash + "b:" + other + "\na:z\n", "b:" + other + "\na:z\n", []lint.Kind{lint.GluedLines, lint.Duplicate, lint.Duplicate}},
		"no newline":                {"a:x", "a:x\n", []lint.Kind{lint.NoNewline}},
		"no colon":                  {"a:x\nNew password: \nelton\n", "a:x\nNew password: \n# elton\n", []lint.Kind{lint.NoColon}},
		"a line that is too long":   {long + long + "xx", "# " + long + "\n# " + long + "\n# xx\n", []lint.Kind{lint.LineTooLong}},
	} {
		t.Run(name, func(t *testing.T) {
			fixed, changes := lint.Fix([]byte(c.before))
			assert.Equal(t, c.after, string(fixed))
			var kinds []lint.Kind
			for _, change := range changes {
				kinds = append(kinds, change.Kind)
				assert.NotContains(t, change.Done, "$2y$")
			}
			assert.ElementsMatch(t, c.kinds, kinds)
			again, changes := lint.Fix(fixed)
			assert.Equal(t, string(fixed), string(again))
			assert.Empty(t, changes)
		})
	}
}

// On every wild file: the mended text is one that the registry reads, is mended
// for good, and lets nobody in otherwise than before.
func TestFixWild(t *testing.T) {
	files, err := filepath.Glob(wild + "/*.htpasswd")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		checkFix(t, text, filepath.Base(file))
	}
}

func checkFix(t *testing.T, text []byte, name string) {
	t.Helper()
	fixed, changes := lint.Fix(text)
	again, none := lint.Fix(fixed)
	require.Equal(t, string(fixed), string(again), name)
	require.Empty(t, none, name)
	before, refused := htpasswd.Parse(text)
	after, err := htpasswd.Parse(fixed)
	if len(changes) == 0 {
		require.Equal(t, string(text), string(fixed), name)
		return
	}
	require.NoError(t, err, name)
	if refused != nil {
		return
	}
	for e := range before.All() {
		was, _ := before.Lookup(e.User)
		is, ok := after.Lookup(e.User)
		if ok && was.Hash.Scheme() != "" {
			require.True(t, strings.HasPrefix(was.Hash.Encoded(), is.Hash.Encoded()), "%s: user %q", name, e.User)
		}
		if htpasswd.ValidateUser(e.User) == nil && lint.TrimName(e.User) == e.User {
			require.True(t, ok, "%s: user %q is gone", name, e.User)
		}
	}
}

func FuzzFix(f *testing.F) {
	for _, s := range []string{"a:" + hash + "b:" + other, "\ufeffa :x\ra: y\r\nb\n", "\xff\xfea\x00:\x00", "a\x00:\x00x\x00\n", "a:x\na:y"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkFix(t, text, "")
		for _, server := range lint.Servers() {
			for _, finding := range lint.Check(text, server) {
				require.NotEmpty(t, finding.Message)
				require.NotContains(t, finding.Message, "%!")
			}
		}
	})
}
