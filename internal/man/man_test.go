package man

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/testserver"
)

// manPages writes the pages of this day and returns the text of each, by its name.
func manPages(t *testing.T) map[string]string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1780000000")
	dir := t.TempDir()
	require.NoError(t, Write(dir, cli.Commands()))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	pages := make(map[string]string)
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		defer f.Close()
		r, err := gzip.NewReader(f)
		require.NoError(t, err)
		assert.True(t, r.ModTime.IsZero(), "a time would make each build another one")
		page, err := io.ReadAll(r)
		require.NoError(t, err)
		pages[filepath.Base(file)] = string(page)
	}
	return pages
}

func TestEveryCommandHasAManPage(t *testing.T) {
	pages := manPages(t)
	commands := everyCommand(cli.Commands())
	assert.Len(t, pages, len(commands))
	for _, cmd := range commands {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		page := pages[name+".1.gz"]
		assert.Contains(t, page, " 2026-05-28 ")
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"} {
			assert.Regexp(t, `(?m)^\.SH "`+section+`"\n[^.\s]|^\.SH "`+section+`"\n\.(nf|PD|SS|TP)`, page, name)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			assert.Contains(t, page, `\fB`+strings.ReplaceAll("--"+f.Name, "-", `\-`)+`\fR`, name)
		})
	}
}

// A page refers to pages that there are, and to that of Apache's program.
func TestManPagesReferToEachOther(t *testing.T) {
	pages := manPages(t)
	reference := regexp.MustCompile(`\\fB(\S+)\\fR\(1\)`)
	for name, page := range pages {
		found := reference.FindAllStringSubmatch(page, -1)
		assert.NotEmpty(t, found, name)
		for _, m := range found {
			other := strings.ReplaceAll(m[1], `\-`, "-")
			assert.True(t, other == "htpasswd" || pages[other+".1.gz"] != "", "%s refers to %s", name, other)
		}
	}
}

// The two programs that show man pages find nothing wrong with these.
func TestManPagesAreClean(t *testing.T) {
	testserver.Need(t, "man", "mandoc")
	for name, page := range manPages(t) {
		file := filepath.Join(t.TempDir(), strings.TrimSuffix(name, ".gz"))
		require.NoError(t, os.WriteFile(file, []byte(page), 0o600))

		man := exec.Command("man", "--warnings=w", "--local-file", file)
		man.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80")
		var shown, warnings bytes.Buffer
		man.Stdout, man.Stderr = &shown, &warnings
		require.NoError(t, man.Run(), name)
		assert.Empty(t, warnings.String(), name)
		assert.NotContains(t, shown.String(), `\f`, name)

		lint, _ := exec.Command("mandoc", "-T", "lint", file).Output() // its exit status says what the lines say
		lines := slices.DeleteFunc(strings.Split(string(lint), "\n"), func(line string) bool {
			return line == "" || strings.Contains(line, ": STYLE: ") // a paragraph is one line
		})
		assert.Empty(t, lines, name)
	}
}
