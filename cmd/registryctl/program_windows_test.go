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
	"golang.org/x/sys/windows"

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
	try := func(line string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "cmd.exe")
		cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	typed := func(line string) string {
		t.Helper()
		out, err := try(line)
		require.NoError(t, err, "%s\n%s", line, out)
		return out
	}

	assert.Contains(t, typed(`echo d0cker| registryctl user add elton --cost 4 --password-stdin`),
		"\ncreated auth\\registry.htpasswd\nadded \"elton\" to auth\\registry.htpasswd\n")
	typed(`echo d0cker| registryctl user verify elton --password-stdin -f auth\registry.htpasswd`)
	typed(`set "PW=r3gL4b"&& registryctl user add francis --cost 4 --password-env PW -f "用户 é.htpasswd"`)
	typed(`echo r3gL4b| registryctl user verify francis --password-stdin -f ".\用户 é.htpasswd"`)

	// As a filter, not a byte is added or taken away.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "crlf"), []byte("# users\r\nelton:x\r\n"), 0o600))
	typed(`type crlf | registryctl user rename elton gordon -f - >renamed`)
	assert.Equal(t, "# users\r\ngordon:x\r\n", contents(t, filepath.Join(dir, "renamed")))
	assert.Equal(t, "gordon\n", typed(`registryctl user list -o name -f - <renamed`))

	// What cmd.exe adds where it does no harm, and the help that people ask it for.
	assert.Regexp(t, `(?m)^[A-Z2-7]{26}$`, typed(`registryctl user add generated --cost 4 --generate`))
	typed(`echo ` + hash + ` | registryctl user add hashed --hash -`)
	typed(`set REGISTRY_AUTH_HTPASSWD_PATH=auth\registry.htpasswd & registryctl user verify elton --password-env REGISTRY_AUTH_HTPASSWD_PATH || registryctl user list hashed`)
	assert.Contains(t, typed(`echo "d0cker"| registryctl user add quoted --cost 4 --password-stdin`), "warning: the quotes around the password are part of it\n")
	help := typed(`registryctl /? && registryctl user add /? && registryctl access grant elton /? && registryctl htpasswd /?`)
	for _, usage := range []string{"COMMAND", "user add NAME", "access grant USER", "htpasswd FLAGS"} {
		assert.Contains(t, help, "\nUsage:\n  registryctl "+usage)
	}
	typed(`copy auth\registry.htpasswd fixed`)
	typed(`attrib +r fixed`)

	for line, want := range map[string]string{
		`echo d0cker | registryctl user add bad --password-stdin`:           `type echo PASSWORD|`,
		`echo d0cker | registryctl user verify elton --password-stdin`:      `type echo PASSWORD|`,
		`set PW=d0cker & registryctl user add bad --password-env PW`:        `type set "PW=PASSWORD"&`,
		`registryctl user add bad --password-env %NONE%`:                    `use the name of the variable alone: PW, not $PW, $env:PW or %PW%`,
		`registryctl user add bad --password-env $env:PW`:                   `use the name of the variable alone: PW, not $PW, $env:PW or %PW%`,
		`registryctl user add bad --hash '` + hash + `'`:                    `leave out the single quotes`,
		`registryctl user list -f "C:\my files\" --hash ` + hash:            `leave out the last backslash`,
		`registryctl check "C:\my files\" --hash ` + hash:                   `leave out the last backslash`,
		`registryctl user import "C:\my files\" --hash ` + hash:             `the path of the list must not contain a "`,
		`set REGISTRY_AUTH_HTPASSWD_PATH="x"& registryctl user list`:        `hint: set "REGISTRY_AUTH_HTPASSWD_PATH=PATH"`,
		`registryctl user add bad -f C:\my files\x`:                         `put a path with spaces in quotes`,
		`registryctl user list -f "no file"`:                                `hint: registryctl user add NAME -f "no file" creates it`,
		`registryctl user list -f auth/none`:                                `auth\none does not exist (named by -f)`,
		`registryctl user list -f auth`:                                     `read auth: is a directory`,
		`registryctl user remove elton -f auth`:                             `auth is a directory`,
		`registryctl user import auth`:                                      `cannot read the list auth: is a directory`,
		`registryctl user add bad -f x --password-file auth`:                `the file of --password-file: is a directory`,
		`registryctl user verify elton --registry localhost --ca-file auth`: `read auth: is a directory`,
		`registryctl user add bad --generate >NUL`:                          `nobody would see the generated password`,
		`registryctl user add bad --generate -f fixed`:                      `hint: attrib -r fixed`,
		`registryctl user remove elton --in-place -f fixed`:                 `hint: attrib -r fixed`,
	} {
		out, err := try(line)
		require.Error(t, err, line)
		assert.Contains(t, out, want, line)
		assert.NotContains(t, out, "$2y$04", line)
		assert.NotContains(t, out, "d0cker", line)
		assert.NotContains(t, out, "CreateFile", line)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 6, "nothing of what was refused")
}

// A file has many names on Windows. However those who edit it at once call it, no
// edit is lost. TestCrowd is the same with so many that under wine they keep each
// other out.
func TestCrowdByEveryName(t *testing.T) {
	program := testserver.Build(t)
	file := filepath.Join(t.TempDir(), "registry.htpasswd")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	path, err := windows.UTF16PtrFromString(file)
	require.NoError(t, err)
	var short [windows.MAX_PATH]uint16
	_, err = windows.GetShortPathName(path, &short[0], windows.MAX_PATH)
	require.NoError(t, err)
	names := []string{file, file + ".", file + " ", strings.ToUpper(file), `\\?\` + file, windows.UTF16ToString(short[:])}
	var want []string
	var editors sync.WaitGroup
	for i := range 40 {
		user := fmt.Sprint("user", i)
		want = append(want, line(user))
		editors.Go(func() {
			o := run(t, program, "user", "add", user, "--hash", hash, "-f", names[i%len(names)], "--lock-timeout", "60s")
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
	begun := time.Now()
	o = run(t, append([]string{program, "-f", file, "--lock-timeout", "100ms"}, edits["add"]...)...)
	assertFailed(t, o, "held open")
	assert.Contains(t, o.stderr, "open in another program")
	assert.Less(t, time.Since(begun), 4*time.Second)
	assert.Equal(t, editable, contents(t, file))
	assert.Empty(t, litter(t, file))

	time.AfterFunc(500*time.Millisecond, func() { _ = reader.Close() })
	o = run(t, add...)
	assert.Zero(t, o.status, o.stderr)
	assert.Equal(t, edited["add"], contents(t, file))
	assert.Empty(t, litter(t, file))
}

// The name of a device is refused in every directory, and nothing is created.
func TestDevice(t *testing.T) {
	file := create(t, editable)
	for _, name := range []string{"NUL", "LPT1", "con.ht", "aux ", "com1."} {
		for kind, args := range edits {
			o := run(t, append([]string{testserver.Build(t), "-f", filepath.Join(filepath.Dir(file), name)}, args...)...)
			assertFailed(t, o, name+" "+kind)
			assert.Contains(t, o.stderr, "is the name of a device")
		}
	}
	assert.Empty(t, litter(t, file))
	assert.NoFileExists(t, lockOf(file))
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
