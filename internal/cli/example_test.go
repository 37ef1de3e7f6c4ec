//go:build linux || darwin

package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// examplePassword is that of every user in the examples.
const examplePassword = "d0cker"

// powerShell marks a line that is for PowerShell: a comment, so that the line can
// be pasted as it is.
const powerShell = " # PowerShell"

// asShell says in the words of a shell what a line for PowerShell does.
var asShell = strings.NewReplacer(
	"Get-Content", "cat",
	"ConvertFrom-Json", "cat", // which the test has read as JSON
	"Out-String | iex", "cat",
	`C:\`, "",
	`\`, "/",
	"$env:PW", `"$PW"`,
)

// Each example in a help text works, as it stands there, for somebody with a file,
// a list of users and a terminal.
func TestEveryExampleRuns(t *testing.T) {
	testserver.Need(t, "bash")
	registry := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "elton" || password != examplePassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="Registry Realm"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(registry.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: registry.Certificate().Raw})
	der, err := x509.MarshalPKCS8PrivateKey(registry.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	for _, cmd := range everyCommand(Commands()) {
		require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		for _, line := range strings.Split(cmd.Example, "\n") {
			if !strings.Contains(line, program) && strings.HasSuffix(line, powerShell) {
				continue // nothing but PowerShell
			}
			t.Run(strings.TrimSpace(line), func(t *testing.T) {
				line, found := strings.CutPrefix(line, "  ")
				require.True(t, found, "indented as every example")
				line, isPowerShell := strings.CutSuffix(line, powerShell)
				if isPowerShell {
					line = asShell.Replace(line)
				}
				line = strings.ReplaceAll(line, "localhost:5000", registry.Listener.Addr().String())
				if strings.Contains(line, program+" serve") { // until it has said what the registry needs
					line += " --listen 127.0.0.1:0 > out & until [ -s out ]; do sleep 0.05; done; kill $!; wait $!"
				}
				out := runExample(t, line, certificate, key)
				if strings.Contains(line, "json") && strings.Contains(line, " -o ") {
					assert.True(t, json.Valid(out), "%s", out)
				}
			})
		}
	}
}

// runExample runs the line in a folder that has what the examples name, with a
// terminal on which everything that is asked for is answered, and returns what it
// wrote to standard output.
func runExample(t *testing.T, line string, certificate, key []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	users := "elton:" + exampleHash + "\nfrancis:" + exampleHash + "\n"
	for name, text := range map[string]string{
		"auth/registry.htpasswd": users,
		"auth/htpasswd":          users,
		"users.csv":              "name,password\nelton," + examplePassword + "\ngordon,r3gL4b\n",
		"lists/users.csv":        "name,password\nelton," + examplePassword + "\n",
		"users.json":             `[{"name": "elton", "password": "d0cker"}, {"name": "gordon", "password": "r3gL4b"}]`,
		"users.txt":              "elton:d0cker\r\ngordon:r3gL4b\r\n",
		"elton.txt":              examplePassword + "\n",
		"ca.crt":                 string(certificate),
		"server.crt":             string(certificate),
		"server.key":             string(key),
		"auth/registry.access":   "@dev = elton\nfrancis push labs/**\nfrancis pull labs/**\n* pull public/hello\n",
	} {
		if strings.Contains(line, "user add elton") && name == "auth/registry.htpasswd" {
			continue // it makes the file
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640)) // nginx reads it by its group
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".config/fish/completions"), 0o700))

	tty, near, err := pty.Open()
	require.NoError(t, err)
	defer tty.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// fpath is an array of zsh, which counts from 1.
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail; fpath=(. .); "+line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, fileVariable+"=", "PW="+examplePassword, "PASSWORD="+examplePassword)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.ExtraFiles = []*os.File{near}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	require.NoError(t, cmd.Start())
	near.Close()
	go answer(tty)
	_ = cmd.Wait()
	want := exitDone
	if strings.Contains(line, "--exit-code") {
		want = exitPending // as the list has another user
	}
	assert.Equal(t, int(want), cmd.ProcessState.ExitCode(), "%s", errOut.String())
	return out.Bytes()
}

// answer types the password whenever it is asked for.
func answer(tty *os.File) {
	var shown strings.Builder
	asked := 0
	buf := make([]byte, 1024)
	for {
		n, err := tty.Read(buf)
		if err != nil {
			return
		}
		shown.Write(buf[:n])
		for ; asked < strings.Count(shown.String(), ": "); asked++ {
			_, _ = tty.WriteString(examplePassword + "\n")
		}
	}
}
