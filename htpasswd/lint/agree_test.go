package lint_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/testdata/wild"
)

// serverOf returns who gave a verdict. Of two versions of the registry the newer one
// counts; they differ in none.
func serverOf(v wild.Verdict) lint.Server {
	if v.Server == "distribution" {
		return lint.Registry
	}
	return lint.Server(v.Server)
}

// What Check says of each user in each file, and what the real servers did with
// them, is the same: a user who is listed, and of whom there is no error, gets in
// with one of the passwords; any other user does not.
func TestCheckAgreesWithTheServers(t *testing.T) {
	type question struct {
		file, user string
		server     lint.Server
	}
	let := make(map[question]bool)
	for v := range wild.Verdicts() {
		q := question{v.File, v.User, serverOf(v)}
		let[q] = let[q] || v.In
	}
	compared := 0
	for q, got := range let {
		text := readWild(t, q.file)
		lines, isListed := lint.Listed(text)[q.user]
		if !isListed && got {
			continue // by a name that nobody would type
		}
		if q.file == "plain-looks-like-des.htpasswd" && q.user == "francis" && q.server != lint.Registry {
			continue // nobody can tell 13 letters from a DES hash; there is a warning
		}
		findings, err := lint.Check(t.Context(), text, q.server)
		require.NoError(t, err)
		if slices.ContainsFunc(findings, func(f lint.Finding) bool {
			return f.Kind == lint.InexactHash && f.Severity == lint.SeverityWarning && f.User == q.user
		}) {
			continue // the server accepts most of these
		}
		compared++
		assert.Equal(t, got, isListed && letIn(findings, q.user, lines), "%s: user %q at %s: %+v", q.file, q.user, q.server, findings)
	}
	t.Logf("%d users in files compared", compared)
}

// ofTheFile are the kinds for which a server lets nobody in.
var ofTheFile = []lint.Kind{lint.NotHtpasswd, lint.UTF16, lint.NoColon, lint.LineTooLong}

// letIn says by the findings whether a user who is listed on these lines gets in.
func letIn(findings []lint.Finding, user string, lines []int) bool {
	failed := make(map[int]bool) // by line
	for _, f := range findings {
		switch {
		case f.Severity == lint.SeverityError && f.User == user && f.Line > 0 && f.Kind != lint.LineTooLong:
			failed[f.Line] = true
		case f.Severity == lint.SeverityError && f.User == "" && (f.Server == lint.Apache || f.Server == lint.Zot) && f.Kind == lint.LineTooLong:
			for _, line := range lines {
				failed[line] = failed[line] || line >= f.Line
			}
		case f.Severity == lint.SeverityError && (slices.Contains(ofTheFile, f.Kind) || f.Kind == lint.ThirdField):
			return false
		case f.Kind == lint.Duplicate && f.User == user:
			failed[f.Line] = true // the other line decides
		}
	}
	return slices.ContainsFunc(lines, func(line int) bool { return !failed[line] })
}
