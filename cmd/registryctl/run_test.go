package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// hash is one of "secret", as cheap as bcrypt gets.
const hash = "$2y$04$S.3MoMrmoS0e9Qu9EPuZGe9DWg3ImZkflqdb5sWGt8lDtVW7q0UkS"

// line is that of a user with this hash.
func line(user string) string { return user + ":" + hash + "\n" }

// hashNumber gives hashes that differ, of passwords that nobody knows.
func hashNumber(n int) string {
	return fmt.Sprintf("%s%04d%s", hash[:len(hash)-5], n, hash[len(hash)-1:])
}

// An outcome is what a person sees of a run.
type outcome struct {
	status         int // -1 if a signal ended it
	stdout, stderr string
}

// lowCost is the warning of hashes that are cheap for the sake of the tests.
var lowCost = regexp.MustCompile(`(?m)^registryctl: warning: a hash of cost 4 [^\n]*\n`)

// runFor bounds every run: one that hangs has failed.
const runFor = 2 * time.Minute

// run runs a command line, in a folder that has nothing to do with the file and
// an environment that does not name one.
func run(t testing.TB, argv ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = os.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REGISTRY_") })
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%q hangs", argv)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), lowCost.ReplaceAllString(stderr.String(), "")}
}

// registryctl runs the program. It has to succeed.
func registryctl(t testing.TB, args ...string) {
	t.Helper()
	o := run(t, append([]string{testserver.Build(t)}, args...)...)
	require.Zero(t, o.status, "registryctl %q: %s", args, o.stderr)
}

var (
	errorLines = regexp.MustCompile(`\Aregistryctl: [^\n]+\n(  hint: [^\n]+\n)?\z`)
	hintFirst  = regexp.MustCompile(`\A  hint: `)
)

// assertFailed says whether the run failed as every failed run does: exit
// status 1, one line, perhaps a hint, and no hash in either.
func assertFailed(t testing.TB, o outcome, during string) bool {
	t.Helper()
	return assert.Equal(t, 1, o.status, "%s: exit status\n%s", during, o.stderr) &&
		assert.Regexp(t, errorLines, o.stderr, during) &&
		assert.NotRegexp(t, hintFirst, o.stderr, during) &&
		assert.NotContains(t, o.stderr, "$2y$", during) &&
		assert.Empty(t, o.stdout, during)
}

// create makes the file htpasswd in a folder of its own.
func create(t testing.TB, text string) (file string) {
	t.Helper()
	// Without links, so that a trace names the file as we do.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file = filepath.Join(dir, "htpasswd")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func lockOf(file string) string {
	return filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".lock")
}

// temporaryOf is a name that an edit could give to the new file. No two edits use
// the same.
func temporaryOf(file string) string {
	return filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"."+strings.Repeat("a", 26)+".registryctl-tmp")
}

// contents is the text of the file, and "" if there is none.
func contents(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(text)
}

// litter names what stands in the file's folder besides the file and its lock.
func litter(t testing.TB, file string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != filepath.Base(file) && e.Name() != filepath.Base(lockOf(file)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// needRoot skips the test unless root runs it.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lack(t, "root")
	}
}

// lack skips the test as there is no such thing here, or fails it with
// REQUIRE_PEERS=1, as testserver.Need does for programs.
func lack(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_PEERS") == "1" {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("needs %s", what)
}

// edits are one of each kind, for a file that holds editable, and edited is what
// it holds then. They append a line, change one, take one away, and make the
// others move.
var (
	editable = line("elton") + line("francis")
	edits    = map[string][]string{
		"add":    {"user", "add", "gordon", "--hash", hash},
		"passwd": {"user", "passwd", "elton", "--hash", hashNumber(1)},
		"remove": {"user", "remove", "elton"},
		"rename": {"user", "rename", "elton", "elton.stoneman"},
	}
	edited = map[string]string{
		"add":    editable + line("gordon"),
		"passwd": "elton:" + hashNumber(1) + "\n" + line("francis"),
		"remove": line("francis"),
		"rename": line("elton.stoneman") + line("francis"),
	}
)

// assertRefused makes each edit of a file, by the program with these arguments,
// and says whether it failed and left everything as it was.
func assertRefused(t testing.TB, file string, program ...string) {
	t.Helper()
	before, text := litter(t, file), contents(t, file)
	for name, args := range edits {
		o := run(t, slices.Concat(program, args, []string{"-f", file})...)
		assertFailed(t, o, name)
		assert.Equal(t, text, contents(t, file), name)
		assert.Equal(t, before, litter(t, file), name)
	}
}

// assertEdited makes an edit, by its name, of a file that holds editable, and
// says whether it worked and left nothing beside the file.
func assertEdited(t testing.TB, name, file string, program ...string) {
	t.Helper()
	o := run(t, slices.Concat(program, edits[name], []string{"-f", file})...)
	assert.Zero(t, o.status, "%s: %s", name, o.stderr)
	assert.Equal(t, edited[name], contents(t, file), name)
	assert.Empty(t, litter(t, file), name)
}
