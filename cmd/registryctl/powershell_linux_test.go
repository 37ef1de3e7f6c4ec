package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// powerShellScript runs a script in PowerShell, in dir, and returns the exit status and what
// it printed. The first error of PowerShell itself ends the script.
func powerShellScript(t *testing.T, dir, script string) (status int, seen string) {
	t.Helper()
	testserver.Need(t, "pwsh")
	file := filepath.Join(t.TempDir(), "script.ps1")
	require.NoError(t, os.WriteFile(file, []byte("$ErrorActionPreference = 'Stop'\n"+script), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pwsh", "-NoLogo", "-NoProfile", "-NonInteractive", "-File", file)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "PATH="+filepath.Dir(testserver.Build(t))+":"+os.Getenv("PATH"),
		"REGISTRY_AUTH_HTPASSWD_PATH=", "HASH="+hash)
	out, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "%s", out)
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// readUsers is the file that is the default one in dir.
func readUsers(t *testing.T, dir string) *htpasswd.File {
	t.Helper()
	f, err := htpasswd.FileStore{Path: filepath.Join(dir, "auth", "registry.htpasswd")}.Read(t.Context())
	require.NoError(t, err)
	return f
}

func TestPowerShellExitStatus(t *testing.T) {
	status, seen := powerShellScript(t, readerFolder(t, ""), `
registryctl user add elton --hash $env:HASH 2>$null
"add: $LASTEXITCODE"
registryctl check *>$null
"check: $LASTEXITCODE"
$PSNativeCommandUseErrorActionPreference = $true
try { registryctl user remove nobody 2>$null } catch { "thrown: $($_.Exception.GetType().Name) $LASTEXITCODE" }
registryctl user remove nobody
"not reached"
`)
	assert.NotZero(t, status)
	assert.Contains(t, seen, "add: 6\ncheck: 0\nthrown: NativeCommandExitException 6\n")
	assert.NotContains(t, seen, "not reached")
}

func TestPowerShellObjects(t *testing.T) {
	dir := readerFolder(t, "")
	status, seen := powerShellScript(t, dir, `
$PSNativeCommandUseErrorActionPreference = $true
$users = registryctl user list -o json | ConvertFrom-Json
"users: $($users.user -join ' ')"
"costs: $($users.cost -join ' ')"
$made = registryctl user add made --generate -o json --cost 4 2>$null | ConvertFrom-Json
[Net.NetworkCredential]::new('', $made.password).Password | registryctl user verify $made.user --password-stdin
$list = @([pscustomobject]@{ name = 'élan'; password = 'a"b,$c; ñ' }, [pscustomobject]@{ name = 'spaced out'; password = 'inner  spaces' })
foreach ($encoding in 'utf8', 'utf8BOM', 'unicode', 'bigendianunicode') {
	foreach ($delimiter in ',', ';', "`+"`t"+`") {
		$list | Export-Csv list.csv -Encoding $encoding -Delimiter $delimiter
		registryctl user import list.csv --cost 4 -q -f "auth/$encoding-$([int][char]$delimiter)"
	}
}
Import-Csv list.csv -Delimiter "`+"`t"+`" | ConvertTo-Csv | registryctl user import --cost 4 -q -f auth/csv
$list | ConvertTo-Json | registryctl user import --cost 4 -q -f auth/json
@{ 'élan' = $list[0].password; 'spaced out' = $list[1].password } | ConvertTo-Json | registryctl user import --cost 4 -q -f auth/hashtable
`)
	require.Zero(t, status, seen)
	assert.Contains(t, seen, "users: elton francis gordon\ncosts: 4 4 4\n")
	entries, err := os.ReadDir(filepath.Join(dir, "auth"))
	require.NoError(t, err)
	files := 0
	for _, entry := range entries {
		if name := entry.Name(); name == "registry.htpasswd" || name == "htpasswd" || strings.HasPrefix(name, ".") {
			continue
		}
		files++
		f, err := htpasswd.FileStore{Path: filepath.Join(dir, "auth", entry.Name())}.Read(t.Context())
		require.NoError(t, err)
		assert.NoError(t, f.Verify("élan", []byte("a\"b,$c; ñ")), entry.Name())
		assert.NoError(t, f.Verify("spaced out", []byte("inner  spaces")), entry.Name())
	}
	assert.Equal(t, 4*3+3, files)
}

// TestPowerShellOutputEncoding begins with what Windows PowerShell 5.1 has, and goes on
// with the line of the README for that.
func TestPowerShellOutputEncoding(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	set := regexp.MustCompile("`(\\$OutputEncoding = [^`]+)`").FindStringSubmatch(string(readme))
	require.NotNil(t, set)
	dir := t.TempDir()
	status, seen := powerShellScript(t, dir, `
$PSNativeCommandUseErrorActionPreference = $true
$OutputEncoding = [Text.ASCIIEncoding]::new()
'd0cker-é' | registryctl user add before --password-stdin --cost 4
`+set[1]+`
'd0cker-é' | registryctl user add after --password-stdin --cost 4
`)
	require.Zero(t, status, seen)
	f := readUsers(t, dir)
	assert.NoError(t, f.Verify("before", []byte("d0cker-?")))
	assert.NoError(t, f.Verify("after", []byte("d0cker-é")))
}

func TestPowerShellParallel(t *testing.T) {
	const users = 24
	dir := t.TempDir()
	status, seen := powerShellScript(t, dir, fmt.Sprintf(`
1..%d | ForEach-Object -ThrottleLimit %[1]d -Parallel {
	registryctl user add "user$_" --hash $env:HASH --lock-timeout 60s -q
	if ($LASTEXITCODE -ne 0) { throw "user$_ $LASTEXITCODE" }
}
`, users))
	require.Zero(t, status, seen)
	var want []string
	for i := range users {
		want = append(want, fmt.Sprint("user", i+1))
	}
	slices.Sort(want)
	assert.Equal(t, want, slices.Sorted(readUsers(t, dir).Users()))
}

// hostileNames would run a command, or break a line, where a shell took them as they are.
var hostileNames = []string{
	"$(New-Item ran1)a", "$(New-Item ran2)b", "`$(New-Item ran3)", "a;New-Item ran4", "b|New-Item ran5", "'c'", `d"e`, "f g", "h`i", "{j}", "k,l", "@(New-Item ran6)",
	"m&New-Item ran7", "-n", "$env:HOME", "o\u2019p", "q\u201cr",
}

// TestPowerShellCompletion presses Tab where names and files want to be run. Nothing
// runs, no completion fails, and the names without such letters are offered.
func TestPowerShellCompletion(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "auth"), 0o700))
	text := line("elton") + line("elton.stoneman") + line("francis@example.com")
	for _, name := range hostileNames {
		text += strings.ReplaceAll(line("x"), "x:", name+":")
		require.NoError(t, os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "_")), nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "auth", "registry.htpasswd"), []byte(text), 0o600))
	inPath := filepath.Join(dir, "$(New-Item ran8)")
	require.NoError(t, os.Mkdir(inPath, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(inPath, "f"), []byte(text), 0o600))
	before, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)

	status, seen := powerShellScript(t, dir, `
registryctl completion powershell | Out-String | Invoke-Expression
$lines = 'registryctl user remove ', 'registryctl user remove e', 'registryctl user verify f', 'registryctl user verify d',
	'registryctl user import ', 'registryctl user list -f ', 'registryctl check ', 'registryctl user add x --password-file ', 'registryctl user r', 'registryctl comp',
	'registryctl user list -f ''./$(New-Item ran8)/f'' '
$all = foreach ($mode in 'Complete', 'MenuComplete', 'TabCompleteNext') {
	Import-Module PSReadLine
	Set-PSReadLineKeyHandler -Key Tab -Function $mode
	foreach ($line in $lines) {
		$problem = ''
		$found = $null
		try { $found = TabExpansion2 -inputScript $line -cursorColumn $line.Length } catch { $problem = "$_" }
		[pscustomobject]@{ mode = $mode; line = $line; problem = $problem; texts = @($found.CompletionMatches | ForEach-Object CompletionText) }
	}
}
# What stands in the line after Tab, and is run by Enter: as an argument of a command that prints it.
$ran = foreach ($row in $all) {
	foreach ($text in $row.texts) {
		try { [scriptblock]::Create("Write-Output -InputObject $text").Invoke() | Out-Null } catch { }
	}
}
$all | ConvertTo-Json -Depth 4 -Compress
`)
	require.Zero(t, status, seen)
	after, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Equal(t, before, after, "something was run")
	var rows []struct {
		Mode, Line, Problem string
		Texts               []string
	}
	seen = seen[max(0, strings.Index(seen, "[{")):]
	require.NoError(t, json.Unmarshal([]byte(seen), &rows), seen)
	require.Len(t, rows, 3*11)
	want := map[string][]string{
		"registryctl user remove ":                         {"elton", "elton.stoneman", "francis@example.com"},
		"registryctl user remove e":                        {"elton", "elton.stoneman"},
		"registryctl user verify f":                        {"francis@example.com"},
		"registryctl user verify d":                        {""}, // also no files
		"registryctl comp":                                 {"completion"},
		"registryctl user list -f './$(New-Item ran8)/f' ": {"elton", "elton.stoneman", "francis@example.com"},
	}
	for _, row := range rows {
		texts := make([]string, len(row.Texts))
		for i, text := range row.Texts {
			texts[i] = strings.TrimSpace(strings.ReplaceAll(text, "`", ""))
		}
		if names, ok := want[row.Line]; ok {
			assert.Equal(t, names, texts, "%s: %s", row.Mode, row.Line)
		} else {
			assert.NotEmpty(t, texts, "%s: %s", row.Mode, row.Line)
		}
		if texts[0] != "" {
			assert.Empty(t, row.Problem, "%s: %s", row.Mode, row.Line)
		}
	}
}
