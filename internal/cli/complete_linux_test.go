package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// hostileNames are of users and of files: commands, for a shell that evaluates one.
var hostileNames = []string{
	"x$(touch PWN)1", "x$(touch PWN)2", "x`touch PWN`", "x;touch PWN", "x' ; touch PWN '", `x"$(touch PWN)"`, "x|touch PWN", "x (touch PWN)",
	"x&touch PWN", "~", "x$(New-Item PWN)1", "x$(New-Item PWN)2", "x\ntouch PWN",
}

// hostileDirectory is one with such files, a file with such users, and the
// completion script.
func hostileDirectory(t *testing.T, shell string) string {
	t.Helper()
	dir := t.TempDir()
	var users strings.Builder
	users.WriteString("xenia:x\n")
	for _, name := range hostileNames {
		users.WriteString(strings.ReplaceAll(name, "\n", "\r") + ":x\n")
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "htpasswd"), []byte(users.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "script"), []byte(runMain(t, "completion", shell)), 0o600))
	return dir
}

// Only plain names are offered, and none is run: by shells that can be asked for
// the completions of a line.
func TestCompletionRunsNothing(t *testing.T) {
	for shell, tt := range map[string]struct {
		program string
		args    func(script string) []string
		ask     string // of a line in single quotes
		hostile string // a line that names a hostile file, as the shell completes it
	}{
		"fish": {
			"fish", func(script string) []string { return []string{"--no-config", "-c", script} },
			"source script; complete -C 'LINE'", `registryctl check -f x\\$\\(touch\\ PWN\\)1 --f`,
		},
		"powershell": {
			"pwsh", func(script string) []string { return []string{"-NoProfile", "-Command", script} },
			". ./script; $line = 'LINE'; (TabExpansion2 -inputScript $line -cursorColumn $line.Length).CompletionMatches.CompletionText",
			"registryctl check -f ''x$(New-Item PWN)1'' --f",
		},
	} {
		t.Run(shell, func(t *testing.T) {
			testserver.Need(t, tt.program)
			dir := hostileDirectory(t, shell)
			for line, want := range map[string]string{"registryctl user remove -f htpasswd x": "xenia", tt.hostile: "--fix"} {
				if shell == "powershell" {
					_ = os.Rename(filepath.Join(dir, "script"), filepath.Join(dir, "script.ps1"))
				}
				ask := strings.NewReplacer("LINE", line, ". ./script;", ". ./script.ps1;").Replace(tt.ask)
				cmd := exec.Command(tt.program, tt.args(ask)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "HOME="+dir, fileVariable+"=")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				assert.Contains(t, string(out), want, line)
				assert.NotContains(t, strings.ReplaceAll(string(out), line, ""), "PWN", line)
				assert.NoFileExists(t, filepath.Join(dir, "PWN"), line)
			}
		})
	}
}

// The same for shells that complete only at a terminal.
func TestCompletionAtATerminal(t *testing.T) {
	for shell, tt := range map[string]struct {
		args  []string
		setUp string
	}{
		"bash": {[]string{"--noprofile", "--norc", "-i"}, ". /usr/share/bash-completion/bash_completion; . ./script"},
		"zsh":  {[]string{"-f", "-i"}, "autoload -Uz compinit; compinit -u -D; . ./script; compdef _registryctl registryctl"},
	} {
		t.Run(shell, func(t *testing.T) {
			testserver.Need(t, shell)
			if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); shell == "bash" && err != nil {
				t.Skip("bash-completion is missing")
			}
			dir := hostileDirectory(t, shell)
			cmd := exec.Command(shell, tt.args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=dumb", "PS1=ready>", fileVariable+"=")
			tty, err := pty.Start(cmd)
			require.NoError(t, err)
			defer tty.Close()
			defer func() { _ = cmd.Process.Kill() }()
			shown := make(chan []byte, 1000)
			go func() {
				for {
					b := make([]byte, 4096)
					n, err := tty.Read(b)
					shown <- b[:n]
					if err != nil {
						return
					}
				}
			}()
			var screen bytes.Buffer
			await := func(text string) string {
				t.Helper()
				defer screen.Reset()
				for end := time.After(20 * time.Second); !strings.Contains(screen.String(), text); {
					select {
					case b := <-shown:
						screen.Write(b)
					case <-end:
						t.Fatalf("%q is not on the screen:\n%s", text, screen.String())
					}
				}
				return screen.String()
			}
			send := func(text string) {
				_, err := tty.WriteString(text)
				require.NoError(t, err)
			}
			await("ready>")
			send(tt.setUp + "; echo set'up'\n")
			await("setup\r\n")
			send("registryctl user remove -f htpasswd x\t\t")
			send("\x01echo offered: \x05 ;\n") // what a person would run
			assert.NotContains(t, await("\r\noffered: registryctl user remove -f htpasswd xenia"), "PWN")
			send("registryctl check -f x\t\t\t")
			await("touch")
			send("\x15echo do'ne'\n")
			await("done\r\n")
			assert.NoFileExists(t, filepath.Join(dir, "PWN"))
		})
	}
}
