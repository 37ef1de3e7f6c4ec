package man

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/testserver"
)

// TestWrite writes the pages of registryctl and shows them with man.
func TestWrite(t *testing.T) {
	testserver.Need(t, "man")
	t.Setenv("SOURCE_DATE_EPOCH", "1780000000")
	dir := t.TempDir()
	require.NoError(t, Write(cli.Commands(), dir))
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	require.NoError(t, err)
	assert.Greater(t, len(pages), 10)
	for _, page := range pages {
		cmd := exec.Command("man", "--warnings=w", "--local-file", page)
		cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80")
		shown, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", shown)
		text := string(shown)
		assert.NotContains(t, text, "warning:", page)
		assert.NotContains(t, text, `\`+"f", page)
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"} {
			assert.Contains(t, text, "\n"+section+"\n", page)
		}
		source, err := os.ReadFile(page)
		require.NoError(t, err)
		assert.Contains(t, string(source), `"May 2026"`, page)
		name := strings.TrimSuffix(filepath.Base(page), ".1")
		assert.Contains(t, text, name, page)
	}
}

func TestMarkdown(t *testing.T) {
	assert.Equal(t, "Exit status:\n\n    0  done\n    1  file\n\nA \\<token\\> \\*.\n",
		markdown("Exit status:\n  0  done\n  1  file\nA <token> *.\n"))
}
