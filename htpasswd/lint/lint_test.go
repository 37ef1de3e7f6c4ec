package lint_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

// What the registry makes of a text: the kinds of its findings, in order, but for
// the cost of the hashes, which is low here.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []lint.Kind
	}{
		"empty":                        {"", []lint.Kind{lint.NoUsers}},
		"comments only":                {"# a:A⏎⏎", []lint.Kind{lint.NoUsers}},
		"a mark only":                  {"\ufeff", []lint.Kind{lint.NoUsers, lint.NoColon, lint.NoNewline}},
		"private key":                  {"-----begin private key-----⏎MI4TMQ⏎", []lint.Kind{lint.NotHtpasswd}},
		"YAML":                         {"users:⏎  elton: secret⏎", []lint.Kind{lint.NotHtpasswd}},
		"ASCII behind UTF-16":          {"\xff\xfea\x00:\x00x\x00⏎\x00b:B⏎", []lint.Kind{lint.MixedUTF16, lint.BadName, lint.PlainText, lint.BadName}},
		"plain text":                   {"a:secret⏎", []lint.Kind{lint.PlainText}},
		"disabled":                     {"a:!A⏎b:A⏎c:!⏎", nil},
		"disabled, listed twice":       {"a:A⏎a:!A⏎", []lint.Kind{lint.NoUsers, lint.Duplicate}},
		"disabled, all of them":        {"a:!A⏎c:!⏎", []lint.Kind{lint.NoUsers}},
		"a password that begins so":    {"a:!secret⏎", []lint.Kind{lint.UnknownHash}},
		"glued to one disabled":        {"a:!Ab:B⏎", []lint.Kind{lint.GluedLines}},
		"compose":                      {"a:D⏎", []lint.Kind{lint.DoubledDollars}},
		"script":                       {"a:E⏎", []lint.Kind{lint.DoubledDollars}},
		"quotes":                       {"a:\"A\"⏎", []lint.Kind{lint.Quoted}},
		"expanded by bash":             {"a:ybash4.nqgXJbxWx3⏎", []lint.Kind{lint.ShellExpanded}},
		"expanded by sh, cost 10":      {"a:y0/F⏎", []lint.Kind{lint.ShellExpanded}},
		"without its prefix":           {"a:F⏎", []lint.Kind{lint.ShellExpanded}},
		"MD5 in hex":                   {"a:5f4dcc3b5aa765d61d8327deb882cf99⏎", []lint.Kind{lint.UnknownHash}},
		"a name with a blank, alone":   {"elton :A⏎", []lint.Kind{lint.MangledName}},
		"a name with a blank, another": {"elton:A⏎elton :B⏎", []lint.Kind{lint.MangledName}},
		"invisible ends":               {"a:A⏎a\u200b:B⏎a\ufeff:C⏎", []lint.Kind{lint.BadName, lint.BadName}},
		"token":                        {"<token>:A⏎", []lint.Kind{lint.MangledName}},
		"control character":            {"a\tb:A⏎", []lint.Kind{lint.BadName}},
		"a user of a registry":         {"docker:$2a$10$F⏎", []lint.Kind{lint.DockerUser}},
		"another docker":               {"docker:A⏎", nil},
		"twins in case":                {"Lutz:A⏎lutz:B⏎", []lint.Kind{lint.Twin}},
		"twins, both not folded":       {"LUTZ:A⏎Lutz:B⏎", []lint.Kind{lint.Twin}},
		"twins in normalisation":       {"jos\u00e9:A⏎jose\u0301:B⏎", []lint.Kind{lint.Twin}},
		"mark before a name":           {"\ufeffelton:A⏎", []lint.Kind{lint.BOM}},
		"mark before a comment":        {"\ufeff# a: b⏎elton:A⏎", []lint.Kind{lint.BOMBeforeComment}},
		"behind a CR":                  {"a:A␍b:B⏎", []lint.Kind{lint.LoneCR}},
		"behind a CR, again":           {"b:A⏎a:A␍b:B⏎", []lint.Kind{lint.IgnoredRecord}},
		"behind a CR, in a comment":    {"b:A⏎# old␍b:B⏎", []lint.Kind{lint.IgnoredRecord}},
		"glued, again":                 {"b:A⏎a:Ab:B⏎", []lint.Kind{lint.IgnoredRecord}},
		"glued to the user's own":      {"b:Ab:B⏎", []lint.Kind{lint.IgnoredRecord}},
		"twice":                        {"b:A⏎b:B⏎", []lint.Kind{lint.Duplicate}},
		"only the registry's":          {"b:$2z$04$F⏎", []lint.Kind{lint.OddBcrypt}},
		"hash for a name":              {"elton A:⏎b:B⏎", []lint.Kind{lint.BadName, lint.EmptyHash}},
	} {
		t.Run(name, func(t *testing.T) {
			text := short.Replace(c.text)
			var kinds []lint.Kind
			for _, f := range check(t, text, lint.Registry) {
				assert.NotContains(t, fmt.Sprint(f), hashA[29:])
				if f.Kind != lint.LowCost {
					kinds = append(kinds, f.Kind)
				}
			}
			assert.Equal(t, c.want, kinds)
			fixed, _, err := lint.Fix(t.Context(), text)
			for _, f := range check(t, fixed, lint.Registry) {
				assert.True(t, err != nil || f.Remedy != lint.RemedyFix, "a finding that Fix should have fixed: %+v", f)
			}
		})
	}
}

// The user of the first line is named the same in every finding, whatever stands
// before the name.
func TestCheckNamesTheMarkedUser(t *testing.T) {
	for _, server := range lint.Servers() {
		findings := check(t, short.Replace("\ufeffelton:A⏎b:B⏎"), server)
		assert.Equal(t, lint.BOM, findings[0].Kind, server)
		assert.Equal(t, "elton", findings[0].User, server)
	}
}

// A finding that says the same of two servers is the same but for the server.
func TestFindingsCanBeCompared(t *testing.T) {
	seen := make(map[lint.Finding]int)
	for _, server := range lint.Servers() {
		for _, f := range check(t, short.Replace("\ufeffelton:A⏎b:\"B\"⏎c: C"), server) {
			f.Server = ""
			seen[f]++
		}
	}
	for f, n := range seen {
		assert.Equal(t, len(lint.Servers()), n, "%+v", f)
	}
}

// What is a comment elsewhere lets in at zot, by another name, if it holds a hash that
// zot accepts.
func TestCheckForZot(t *testing.T) {
	findings := check(t, short.Replace("#elton:A⏎# a note: x⏎# old:$apr1$r31...1$HqJZimcKQFAMYayBlzkrA/⏎francis:B⏎"), lint.Zot)
	findings = slices.DeleteFunc(findings, func(f lint.Finding) bool { return f.Kind == lint.LowCost })
	require.Len(t, findings, 1)
	assert.Equal(t, lint.CommentedUser, findings[0].Kind)
	assert.Equal(t, lint.SeverityError, findings[0].Severity)
	assert.Equal(t, "#elton", findings[0].User)
	assert.Equal(t, 1, findings[0].Line)
}

// A second colon anywhere keeps Traefik from reading the file at all.
func TestCheckForTraefik(t *testing.T) {
	findings := check(t, short.Replace("elton:A⏎# a:b:c⏎francis:B:Francis⏎"), lint.Traefik)
	findings = slices.DeleteFunc(findings, func(f lint.Finding) bool { return f.Kind == lint.LowCost })
	require.Len(t, findings, 1)
	assert.Equal(t, lint.ThirdField, findings[0].Kind)
	assert.Equal(t, lint.SeverityError, findings[0].Severity)
	assert.Equal(t, 3, findings[0].Line)
}

func TestCheckForApache(t *testing.T) {
	findings := check(t, strings.Repeat("n", 195)+":"+hashA+"\n"+strings.Repeat("m", 194)+":"+hashA+"\n", lint.Apache)
	kinds := make(map[lint.Kind]int)
	for _, f := range findings {
		kinds[f.Kind]++
	}
	assert.Equal(t, map[lint.Kind]int{lint.LongName: 1, lint.LowCost: 2}, kinds)
}

// Many lines that backslashes join are read in one pass.
func TestCheckOfJoinedLines(t *testing.T) {
	text := strings.Repeat("\\\n", 1<<20) + strings.Repeat("x\\\n", 1<<20)
	start := time.Now()
	_ = check(t, text, lint.Apache)
	assert.Less(t, time.Since(start), 20*time.Second)
}

func TestCheckErrors(t *testing.T) {
	_, err := lint.Check(t.Context(), "", "iis")
	require.Error(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lint.Check(ended, "", lint.Registry)
	require.ErrorIs(t, err, context.Canceled)
}

// Check of a large file needs at most three times its size in memory, with the
// text itself, and ends with its context.
func TestCheckOfALargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a file of 64 MB")
	}
	var lines strings.Builder
	lines.Grow(64<<20 + 200)
	for n := 0; lines.Len() < 64<<20; n++ {
		fmt.Fprintf(&lines, "user-%07d:$2y$10%s\n", n, hashA[6:])
	}
	text := lines.String()
	before := liveHeap()
	done := make(chan struct{})
	peak := make(chan uint64)
	go func() { // samples, as the heap only grows up to the next collection
		highest := uint64(0)
		for {
			select {
			case <-done:
				peak <- highest
				return
			case <-time.After(20 * time.Millisecond):
				highest = max(highest, heap())
			}
		}
	}()
	findings, err := lint.Check(t.Context(), text, lint.Registry)
	close(done)
	require.NoError(t, err)
	assert.Empty(t, findings)
	used := float64(<-peak-before+uint64(len(text))) / float64(len(text))
	t.Logf("%.2f times the size of the file", used)
	assert.LessOrEqual(t, used, 3.0)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = lint.Check(ctx, text, lint.Registry)
	require.ErrorIs(t, err, context.Canceled)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func liveHeap() uint64 {
	runtime.GC()
	return heap()
}
