package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// TestInCmd types at the prompt of cmd.exe: its pipes and redirections, its line
// ends, names with blanks and letters of all scripts.
func TestInCmd(t *testing.T) {
	program := testserver.Build(t)
	dir := filepath.Join(t.TempDir(), "my files")
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Setenv("PATH", filepath.Dir(program)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("REGISTRY_AUTH_HTPASSWD_PATH", "")
	typed := func(line string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "cmd.exe")
		cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, out)
		return string(out)
	}

	assert.Contains(t, typed(`echo d0cker| registryctl user add elton --cost 4 --password-stdin`),
		"\ncreated auth/registry.htpasswd\nadded \"elton\" to auth/registry.htpasswd\n")
	typed(`echo d0cker| registryctl user verify elton --password-stdin -f auth\registry.htpasswd`)
	typed(`set "PW=r3gL4b"&& registryctl user add francis --cost 4 --password-env PW -f "用户 é.htpasswd"`)
	typed(`echo r3gL4b| registryctl user verify francis --password-stdin -f ".\用户 é.htpasswd"`)

	// As a filter, not a byte is added or taken away.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "crlf"), []byte("# users\r\nelton:x\r\n"), 0o600))
	typed(`type crlf | registryctl user rename elton gordon -f - >renamed`)
	assert.Equal(t, "# users\r\ngordon:x\r\n", contents(t, filepath.Join(dir, "renamed")))
	assert.Equal(t, "gordon\n", typed(`registryctl user list -o name -f - <renamed`))
}

// What TestCrowd does with so many that they keep each other out under wine.
func TestSmallCrowd(t *testing.T) {
	program := testserver.Build(t)
	file := filepath.Join(t.TempDir(), "htpasswd")
	var want []string
	var editors sync.WaitGroup
	for i := range 12 {
		user := fmt.Sprint("user", i)
		want = append(want, line(user))
		editors.Go(func() {
			o := run(t, program, "user", "add", user, "--hash", hash, "-f", file, "--lock-timeout", "60s")
			assert.Zero(t, o.status, o.stderr)
		})
	}
	editors.Wait()
	assert.ElementsMatch(t, want, slices.Collect(strings.Lines(contents(t, file))))
	assert.Empty(t, litter(t, file))
}

// A file that somebody has open, as a registry has while it reads it, is
// replaced when they are done; if they never are, it stays and that is said.
func TestOpenFile(t *testing.T) {
	program := testserver.Build(t)
	file := create(t, editable)
	add := append([]string{program, "-f", file}, edits["add"]...)

	reader, err := os.Open(file)
	require.NoError(t, err)
	defer reader.Close()
	o := run(t, add...)
	assertFailed(t, o, "held open")
	assert.Contains(t, o.stderr, "open in another program")
	assert.Equal(t, editable, contents(t, file))
	assert.Empty(t, litter(t, file))

	time.AfterFunc(500*time.Millisecond, func() { _ = reader.Close() })
	o = run(t, add...)
	assert.Zero(t, o.status, o.stderr)
	assert.Equal(t, edited["add"], contents(t, file))
	assert.Empty(t, litter(t, file))
}

// A device is no file to edit.
func TestDevice(t *testing.T) {
	o := run(t, append([]string{testserver.Build(t), "-f", "NUL"}, edits["remove"]...)...)
	assertFailed(t, o, "NUL")
	assert.Contains(t, o.stderr, "not a regular file")
}

// Who reads no further, such as Select-Object -First 1, needs no message.
func TestClosedPipe(t *testing.T) {
	file := create(t, strings.Repeat(editable, 10_000)) // more than a pipe holds
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), testserver.Build(t), "user", "list", "-f", file)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = stdout.Read(make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, stdout.Close())
	_ = cmd.Wait()
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Empty(t, stderr.String())
}

// What killed the last run does not keep the next one from its work.
func TestKilledWhileItHoldsTheLock(t *testing.T) {
	file := create(t, editable)
	reader, err := os.Open(file) // so that it waits, and has the lock meanwhile
	require.NoError(t, err)
	defer reader.Close()
	program := testserver.Build(t)
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-f", file}, edits["add"]...)...)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		temporary, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".htpasswd.*.registryctl-tmp"))
		return len(temporary) == 1
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.NoError(t, reader.Close())

	assert.Equal(t, editable, contents(t, file))
	assertEdited(t, "add", file, program)
}
