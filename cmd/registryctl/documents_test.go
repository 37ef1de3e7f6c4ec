package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// goFiles returns the Go files of the repository, by their slash-separated paths in it.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	for _, dir := range []string{"cmd", "htpasswd", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) == ".go" {
				path, err = filepath.Rel(root, path)
				files = append(files, filepath.ToSlash(path))
			}
			return err
		}))
	}
	return files
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".github", name))
	require.NoError(t, err)
	return string(text)
}

// Every package has a row in the table of CONTRIBUTING.md, and every row a package.
func TestContributingListsThePackages(t *testing.T) {
	// Packages that are about to be added or removed.
	changing := []string{}
	var packages, rows []string
	for _, file := range goFiles(t) {
		packages = append(packages, file[:strings.LastIndex(file, "/")])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:cmd|htpasswd|internal)[^`]*)` \\|").FindAllStringSubmatch(document(t, "CONTRIBUTING.md"), -1) {
		rows = append(rows, m[1])
	}
	for _, list := range []*[]string{&packages, &rows} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(dir string) bool { return slices.Contains(changing, dir) })
	}
	assert.Equal(t, packages, rows)
}

// Every test that SECURITY.md or CONTRIBUTING.md names exists.
func TestDocumentsNameTests(t *testing.T) {
	var tests strings.Builder
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			text, err := os.ReadFile(filepath.Join(root, file))
			require.NoError(t, err)
			tests.Write(text)
		}
	}
	for _, name := range []string{"SECURITY.md", "CONTRIBUTING.md"} {
		named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(document(t, name), -1)
		require.NotEmpty(t, named, name)
		for _, m := range named {
			assert.True(t, strings.Contains(tests.String(), "func "+m[1]+"("), "%s: %s", name, m[1])
		}
	}
}

// Whatever the threat model calls impossible is shown by a test or a script.
func TestThreatModelIsTested(t *testing.T) {
	named := regexp.MustCompile("`(?:Test|Fuzz)[A-Za-z]+(?:/([a-z_]+))?`")
	rows := regexp.MustCompile(`(?m)^\| (.+) \| (.+) \| (.+) \|$`).FindAllStringSubmatch(document(t, "SECURITY.md"), -1)
	require.NotEmpty(t, rows)
	for _, row := range rows[1:] {
		for cannot := range strings.SplitSeq(row[3], "; ") {
			names := named.FindAllStringSubmatch(cannot, -1)
			assert.NotEmpty(t, names, cannot)
			for _, m := range names {
				if m[1] != "" {
					assert.FileExists(t, filepath.Join(root, "testdata/script", m[1]+".txtar"))
				}
			}
		}
	}
}

// No workflow that a pull request starts has a secret, and those that have one wait
// for a reviewer.
func TestPullRequestsReachNoSecret(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "pull_request_target", file)
		assert.NotContains(t, string(text), "workflow_run", file)
		if strings.Contains(string(text), "secrets.") {
			assert.Contains(t, string(text), "environment: release", file)
			assert.NotContains(t, string(text), "pull_request", file)
		}
	}
}
