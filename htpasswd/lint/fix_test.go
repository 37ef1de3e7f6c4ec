package lint_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/testserver"
	"github.com/registryctl/registryctl/testdata/wild"
)

// Hashes of the passwords "a", "b" and "c", as A, B and C in the texts of this test.
const (
	hashA = "$2y$04$nqgXJbxWx3BLfgdqva9c2uIJ6shG6Bg8r44Hvx9v3Hq9wiT2Bt0wC"
	hashB = "$2y$04$VQv2x9Mu.Z/5wjFHTZV6a.8OfTJf8hC7f.iAFWm0Z7/4dRkNzoplK"
	hashC = "$2y$04$.0Btea8lm6H1Wk4PUfATTuRrdiviX1iyLAjwnWPfqPkM72rQiCXqS"
	apr1  = "$apr1$r31...1$HqJZimcKQFAMYayBlzkrA/"
)

// short writes the hashes for A, B, C and P, so that a case fits a line. D and E
// are A with escaped dollar signs, and F its salt and digest.
var short = strings.NewReplacer("A", hashA, "B", hashB, "C", hashC, "P", apr1, "⏎", "\n", "␍", "\r",
	"D", strings.ReplaceAll(hashA, "$", "$$"), "E", strings.ReplaceAll(hashA, "$", `\$`), "F", hashA[7:])

func TestFix(t *testing.T) {
	half := strings.Repeat("x", htpasswd.MaxLineBytes/2)
	for name, c := range map[string]struct {
		before, after string
		kinds         []lint.Kind
	}{
		"nothing":                 {"", "", nil},
		"nothing wrong":           {"# c␍⏎␍⏎a:A␍⏎", "# c␍⏎␍⏎a:A␍⏎", nil},
		"not for it to fix":       {"a:P⏎b:⏎:A⏎c:x⏎", "a:P⏎b:⏎:A⏎c:x⏎", nil},
		"no hash, nothing to do":  {"a:x⏎", "a:x⏎", nil},
		"UTF-16":                  {wide("a:A␍⏎", "\xff\xfe"), "a:A␍⏎", []lint.Kind{lint.UTF16}},
		"UTF-16 and what follows": {wide("\ufeffa: A␍b:B", "\xff\xfe"), "a:A⏎b:B⏎", []lint.Kind{lint.UTF16, lint.BOM, lint.LoneCR, lint.BlankBeforeHash, lint.LoneCR, lint.NoNewline}},
		"UTF-16 without a mark":   {wide("a:A", ""), "a:A⏎", []lint.Kind{lint.UTF16, lint.NoNewline}},

		// Byte order marks, and names that only look like having one.
		"byte order mark":                   {"\ufeffa:A⏎", "a:A⏎", []lint.Kind{lint.BOM}},
		"two byte order marks":              {"\ufeff\ufeffa:A⏎", "a:A⏎", []lint.Kind{lint.BOM}},
		"byte order mark before a comment":  {"\ufeff# a:B⏎a:A⏎", "# a:B⏎a:A⏎", []lint.Kind{lint.BOM}},
		"byte order mark, user again":       {"\ufeffa:A⏎a:B⏎", "a:B⏎", []lint.Kind{lint.BOM, lint.Duplicate}},
		"mark inside":                       {"a:A⏎\ufeffb:B⏎", "a:A⏎\ufeffb:B⏎", nil},
		"mark inside that would come first": {"a:A⏎\ufeffb:B⏎a:C⏎", "#⏎\ufeffb:B⏎a:C⏎", []lint.Kind{lint.Duplicate}},
		"names that end in marks":           {"a:A⏎a\ufeff:B⏎a\u200b:C⏎", "a:A⏎a\ufeff:B⏎a\u200b:C⏎", nil},
		"names that end in a blank":         {"a:A⏎a :B⏎", "a:A⏎a :B⏎", nil},
		"a name that ends in a blank":       {"a :A⏎", "a :A⏎", nil},

		// Lone carriage returns.
		"lone CR":                            {"a:A␍b:B␍", "a:A⏎b:B⏎", []lint.Kind{lint.LoneCR, lint.LoneCR, lint.LoneCR}},
		"lone CR at the end":                 {"a:A␍⏎b:B␍", "a:A␍⏎b:B␍⏎", []lint.Kind{lint.LoneCR}},
		"lone CR among CRLF":                 {"a:A␍b:B␍⏎c:C␍⏎", "a:A␍⏎b:B␍⏎c:C␍⏎", []lint.Kind{lint.LoneCR, lint.LoneCR}},
		"retired behind a CR":                {"g:A⏎f:B␍g:C⏎", "g:A⏎f:B⏎# g:C⏎", []lint.Kind{lint.LoneCR, lint.IgnoredRecord}},
		"retired on the same line":           {"al:A␍al:B⏎", "al:A⏎# al:B⏎", []lint.Kind{lint.LoneCR, lint.IgnoredRecord}},
		"retired behind a comment":           {"g:A⏎# old note␍g:C⏎", "g:A⏎# old note⏎# g:C⏎", []lint.Kind{lint.LoneCR, lint.IgnoredRecord}},
		"only behind a comment":              {"g:A⏎#former: x␍francis:B⏎", "g:A⏎#former: x⏎# francis:B⏎", []lint.Kind{lint.LoneCR, lint.IgnoredRecord}},
		"comment behind a CR":                {"g:A␍# old␍h:B⏎", "g:A⏎# old⏎h:B⏎", []lint.Kind{lint.LoneCR, lint.LoneCR}},
		"no colon before the CR":             {"b:B⏎a␍b:A⏎", "b:B⏎a␍b:A⏎", nil}, // the user "a\rb" can log in
		"no colon and no bcrypt":             {"b:B⏎a␍b:P⏎", "b:B⏎# a⏎# b:P⏎", []lint.Kind{lint.LoneCR, lint.NoColon, lint.IgnoredRecord}},
		"twice behind CRs":                   {"f:A␍g:B␍g:C⏎", "f:A⏎g:C⏎", []lint.Kind{lint.LoneCR, lint.LoneCR, lint.LoneCR, lint.Duplicate}},
		"effective without a bcrypt hash":    {"g:P⏎f:A␍g:B⏎", "g:P⏎f:A⏎# g:B⏎", []lint.Kind{lint.LoneCR, lint.IgnoredRecord}},
		"CR behind the colon":                {"g:␍e:B⏎", "g:⏎e:B⏎", []lint.Kind{lint.LoneCR, lint.LoneCR}},
		"the registry refuses the text also": {"x⏎elton:A⏎# disabled␍elton:B⏎", "# x⏎elton:A⏎# disabled⏎# elton:B⏎", []lint.Kind{lint.NoColon, lint.LoneCR, lint.IgnoredRecord}},

		// Records without a line ending between them.
		"glued":                     {"a:Ab:B⏎", "a:A⏎b:B⏎", []lint.Kind{lint.GluedLines}},
		"three glued":               {"a:Ab:Bc:C", "a:A⏎b:B⏎c:C⏎", []lint.Kind{lint.GluedLines, lint.GluedLines, lint.NoNewline}},
		"retired and glued":         {"g:A⏎f:Bg:C⏎", "g:A⏎f:B⏎# g:C⏎", []lint.Kind{lint.IgnoredRecord}},
		"glued to the user's own":   {"elton:Aelton:B⏎", "elton:A⏎# elton:B⏎", []lint.Kind{lint.IgnoredRecord}},
		"glued, blanks before both": {"elton: Afrancis: B⏎", "elton:A⏎francis:B⏎", []lint.Kind{lint.BlankBeforeHash, lint.BlankBeforeHash, lint.GluedLines}},
		"text behind a hash":        {"a:A # note⏎", "a:A # note⏎", nil},

		"blank before the hash":   {"a: \u00a0A⏎", "a:A⏎", []lint.Kind{lint.BlankBeforeHash}},
		"quotes":                  {"a:\"A\"⏎b:'B'⏎", "a:A⏎b:B⏎", []lint.Kind{lint.Quoted, lint.Quoted}},
		"dollars of a compose":    {"a:D⏎", "a:A⏎", []lint.Kind{lint.DoubledDollars}},
		"dollars of a script":     {"a: \"E\"⏎", "a:A⏎", []lint.Kind{lint.BlankBeforeHash, lint.DoubledDollars}},
		"twice":                   {"a:A⏎b:B⏎a:C⏎", "b:B⏎a:C⏎", []lint.Kind{lint.Duplicate}},
		"thrice, one of it glued": {"a:A⏎a:Ab:B⏎a:C⏎", "b:B⏎a:C⏎", []lint.Kind{lint.GluedLines, lint.Duplicate, lint.Duplicate}},
		"no newline":              {"a:A", "a:A⏎", []lint.Kind{lint.NoNewline}},
		"no colon":                {"a:A⏎New password: ⏎elton⏎", "a:A⏎New password: ⏎# elton⏎", []lint.Kind{lint.NoColon}},

		"no newline of a long line":   {"a:A␍⏎b:" + half + half[1:], "a:A␍⏎b:" + half + half[1:] + "⏎", []lint.Kind{lint.NoNewline}},
		"a line that is too long":     {"a:A⏎" + half + half + "xx", "a:A⏎# " + half + "⏎# " + half + "⏎# xx⏎", []lint.Kind{lint.NoColon, lint.LineTooLong}},
		"an entry that is too long":   {"a:A⏎a:B" + half + half + "⏎", "a:B⏎# " + half + "⏎# " + half + "⏎", []lint.Kind{lint.LineTooLong, lint.Duplicate}},
		"a long entry without a hash": {"a:A⏎a:" + half + half + "⏎", "# a:" + half[2:] + "⏎# " + half + "⏎# xx⏎", []lint.Kind{lint.LineTooLong, lint.Duplicate}},
		"too long for its CR":         {"a:A⏎b:" + half + half[1:] + "␍⏎", "a:A⏎b:" + half + half[1:] + "⏎", []lint.Kind{lint.LineTooLong}},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.before
			if !strings.HasPrefix(name, "UTF-16") {
				before = short.Replace(before)
			}
			fixed, changes, err := lint.Fix(t.Context(), before)
			require.NoError(t, err)
			assert.Equal(t, short.Replace(c.after), fixed)
			var kinds []lint.Kind
			for _, change := range changes {
				kinds = append(kinds, change.Kind)
				assert.NotContains(t, change.Done, "$2y$")
			}
			assert.ElementsMatch(t, c.kinds, kinds)
			checkFix(t, before, name)
		})
	}
}

// wide writes a case as UTF-16.
func wide(text, mark string) string {
	for _, r := range short.Replace(text) {
		mark += string([]byte{byte(r), byte(r >> 8)})
	}
	return mark
}

// What Fix refuses, and for which no finding proposes it.
func TestFixRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"cut UTF-16":             wide("a:A⏎", "\xff\xfe") + "x",
		"UTF-32":                 "\xff\xfe\x00\x00a\x00\x00\x00:\x00\x00\x00",
		"ASCII behind UTF-16":    wide("a:A␍⏎", "\xff\xfe") + short.Replace("bb:B⏎"),
		"ASCII, even length":     wide("a:A␍⏎", "\xff\xfe") + short.Replace("b:B⏎c:C⏎x"),
		"ASCII, no mark":         wide("a:A␍⏎", "") + short.Replace("b:B⏎"),
		"ASCII with a mark":      "\xff\xfe" + short.Replace("b:B⏎b"),
		"private key":            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n-----END PRIVATE KEY-----\n",
		"YAML":                   "users:\n  - name: elton\n    password: d0cker\n---\n",
		"YAML, colons only":      "services:\n  registry:\n    image: registry:2\n",
		"plain text, unended":    "elton:d0cker",
		"document":               short.Replace("elton:A⏎" + strings.Repeat("a sentence⏎", 11)),
		"document in UTF-16":     wide("elton:A⏎"+strings.Repeat("a sentence⏎", 11), "\xff\xfe"),
		"UTF-16 without a hash":  wide("apple", "\xff\xfe"),
		"marked name twice":      short.Replace("\ufeffa:A⏎b:B⏎\ufeffa:C⏎"),
		"marked name and hidden": short.Replace("\ufeffa:A⏎b:B␍\ufeffa:C⏎"),
	} {
		t.Run(name, func(t *testing.T) {
			fixed, changes, err := lint.Fix(t.Context(), text)
			require.ErrorIs(t, err, lint.ErrUnfixable)
			assert.Empty(t, fixed)
			assert.Empty(t, changes)
			for _, server := range lint.Servers() {
				if strings.HasPrefix(name, "marked") {
					continue // too rare for a finding of its own
				}
				findings := check(t, text, server)
				assert.NotEmpty(t, findings)
				for _, f := range findings {
					assert.NotEqual(t, lint.RemedyFix, f.Remedy, "%+v", f)
				}
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := lint.Fix(ended, hashA+"\n")
	require.ErrorIs(t, err, context.Canceled)
}

// On every wild file: the fixed text is one that the registry reads, needs no
// further fix, and lets nobody in otherwise than before.
func TestFixWild(t *testing.T) {
	for file := range wild.Origins() {
		checkFix(t, readWild(t, file), file)
	}
}

// checkFix fixes a text, and holds the result against what the registry makes of
// it before and after.
func checkFix(t *testing.T, text string, name string) {
	t.Helper()
	fixed, changes, err := lint.Fix(t.Context(), text)
	if err != nil {
		require.ErrorIs(t, err, lint.ErrUnfixable, name)
		require.Empty(t, fixed, name)
		return
	}
	if len(changes) == 0 {
		require.Equal(t, text, fixed, name)
		return
	}
	again, none, err := lint.Fix(t.Context(), fixed)
	require.NoError(t, err, name)
	require.Equal(t, fixed, again, name)
	require.Empty(t, none, name)

	after, ok := testserver.RegistryLogins(fixed)
	require.True(t, ok, name)
	before, _ := testserver.RegistryLogins(text)
	marked := ""
	for user, hash := range before {
		if strings.HasPrefix(user, "\ufeff") && strings.HasPrefix(strings.TrimSpace(text), user+":") {
			marked = user // the mark is of the text, and goes
			continue
		}
		require.Equal(t, hash, after[user], "%s: user %q", name, user)
	}
	for user, hash := range after {
		if before[user] == hash || marked != "" && strings.HasSuffix(marked, user) {
			continue
		}
		require.Empty(t, before[user], "%s: user %q", name, user)
		require.True(t, isListedOutsideComments(text, user), "%s: user %q", name, user)
	}
}

// isListedOutsideComments reports whether a user stands on a line that the
// registry does not take for a comment, and not behind "#".
func isListedOutsideComments(text, user string) bool {
	if strings.Contains(text, "\x00") {
		text = strings.ReplaceAll(strings.TrimPrefix(text, "\xff\xfe"), "\x00", "") // ASCII in UTF-16
	}
	for line := range strings.SplitSeq(strings.TrimLeft(text, "\ufeff"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for part := range strings.SplitSeq(line, "\r") {
			if !strings.HasPrefix(strings.TrimSpace(part), "#") && strings.Contains(part, user+":") {
				return true
			}
		}
	}
	return false
}

func FuzzFix(f *testing.F) {
	for _, s := range []string{
		"a:Ab:B", "\ufeffa :A␍a: B⏎b⏎", "a:A⏎a:B", "g:A⏎f:B␍g:C⏎", "g:A⏎# x␍g:C⏎", "b:B⏎a␍b:A⏎", "a:A⏎\ufeffb:B⏎a:C", "x:A⏎elton: Afrancis:B",
		"a:'A'⏎a\u200b:B", "elton :A⏎elton:B", "g:␍e:B⏎", "a:P␍b:B:c:C", "a:A␍␍⏎", "␍a:A", "a:!Ab:B", "a:!⏎",
	} {
		f.Add(short.Replace(s))
	}
	f.Add(wide("a:A", "\xff\xfe"))
	f.Add("a\x00:\x00x\x00\n" + hashA)
	f.Fuzz(func(t *testing.T, text string) {
		checkFix(t, text, "")
		for _, server := range lint.Servers() {
			for _, finding := range check(t, text, server) {
				require.NotEmpty(t, finding.Message)
				require.NotContains(t, finding.Message, "%!")
			}
		}
	})
}

func check(t testing.TB, text string, server lint.Server) []lint.Finding {
	t.Helper()
	findings, err := lint.Check(t.Context(), text, server)
	require.NoError(t, err)
	return findings
}
