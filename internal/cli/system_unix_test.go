//go:build unix

package cli

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestNoCoreDumps(t *testing.T) {
	var before, after unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &before))
	if before.Max == 0 {
		t.Skip("core dumps are disabled here")
	}
	before.Cur = before.Max
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_CORE, &before))
	runMain(t, "version")
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &after))
	assert.Zero(t, after.Cur)
}

// A name that a message cannot show is quoted so that a shell still gets that name.
func TestQuoteForShell(t *testing.T) {
	for _, word := range []string{"elton", "el ton", "O'Hara", "$PW", "Jean\u00a0Paul", "n\vx", "n\v1'\\$(x)", "a\xff", "ünï"} {
		quoted := quote(word)
		assert.Equal(t, quoted, oneLine(quoted), "a message repeats it as it is")
		out, err := exec.Command("bash", "-c", "printf %s "+quoted).Output()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("no bash")
		}
		require.NoError(t, err)
		assert.Equal(t, word, string(out))
	}
}

// What is not a regular file is not waited for.
func TestPipeInPlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "htpasswd"), filepath.Join(dir, "pipe")
	require.NoError(t, os.WriteFile(file, []byte("elton:$2y$04$abcdefghijklmnopqrstuuJ8yVwAGIrYNqA8ecCBzR3z3dCPEV0eq\n"), 0o600))
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	for _, args := range [][]string{
		{"access", "list", "--access", pipe},
		{"access", "grant", "elton", "pull", "labs/app", "--access", pipe},
		{"user", "remove", "elton", "--grants", "--access", pipe},
		{"serve", "--listen", "127.0.0.1:0", "--key", pipe},
		{"user", "passwd", "elton", "--generate", "--docker-config", pipe, "--registry", "localhost:5000"},
	} {
		var stderr strings.Builder
		status := Main(append(append([]string{program}, args...), "-f", file), strings.NewReader(""), io.Discard, &stderr)
		assert.Equal(t, int(exitIO), status, args)
		assert.Contains(t, stderr.String(), "not a regular file", args)
	}
}
