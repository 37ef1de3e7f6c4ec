package userlist

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exportLists writes the same users in every form that PowerShell has for them.
const exportLists = `
$ErrorActionPreference = 'Stop'
$users = @(
	[pscustomobject]@{Name = 'élan'; Password = 'd0cker-é'; Mail = 'e@example.com'},
	[pscustomobject]@{Name = 'fran,cis'; Password = "r3g;L4b"; Mail = 'f@example.com'})
$map = [ordered]@{'élan' = 'd0cker-é'; 'fran,cis' = "r3g;L4b"}
foreach ($encoding in 'utf8', 'utf8BOM', 'unicode', 'bigendianunicode') {
	foreach ($delimiter in ',', ';', [char]9) {
		$name = "$([int][char]$delimiter)-$encoding"
		$users | Export-Csv "$name.csv" -Delimiter $delimiter -Encoding $encoding
		$users | Export-Csv "$name.txt" -Delimiter $delimiter -Encoding $encoding -IncludeTypeInformation
	}
	$users | ConvertTo-Json | Out-File "objects-$encoding.json" -Encoding $encoding
	$users | ForEach-Object { ConvertTo-Json $_ -Compress } | Out-File "lines-$encoding" -Encoding $encoding
	$map | ConvertTo-Json | Out-File "map-$encoding.json" -Encoding $encoding
}`

// What PowerShell exports is read, in each encoding.
func TestPowerShell(t *testing.T) {
	pwsh, err := exec.LookPath("pwsh")
	if err != nil || testing.Short() {
		t.Skip("pwsh is not on PATH, or -short")
	}
	dir := t.TempDir()
	script := filepath.Join(t.TempDir(), "export.ps1")
	require.NoError(t, os.WriteFile(script, []byte("\ufeff"+exportLists), 0o600))
	cmd := exec.CommandContext(t.Context(), pwsh, "-NoProfile", "-NonInteractive", "-File", script)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))

	lists, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, lists, 4*(3*2+3))
	for _, list := range lists {
		text, err := os.ReadFile(filepath.Join(dir, list.Name()))
		require.NoError(t, err)
		users, err := Parse(string(text), Options{Name: list.Name()})
		if assert.NoError(t, err, list.Name()) && assert.Len(t, users, 2, list.Name()) {
			assert.Equal(t, []string{"élan", "fran,cis"}, []string{users[0].Name, users[1].Name}, list.Name())
			assert.Equal(t, []string{"d0cker-é", "r3g;L4b"}, []string{string(users[0].Password), string(users[1].Password)}, list.Name())
		}
	}
}
