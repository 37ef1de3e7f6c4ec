package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// notRun are the lines of the README that no test runs, by what they begin with.
var notRun = map[string]string{
	"cosign ":    "needs a release",
	"docker ":    "needs an engine: see TestFirstMinute, TestReadmeCompose and TestReadmeTokens",
	"gh ":        "needs a release",
	"go ":        "builds what is built already, or asks the network",
	"kubectl ":   "needs a cluster; those of the plugin are in its own tests",
	"oc ":        "needs a cluster",
	"scoop ":     "installs, on Windows",
	"sha256sum ": "needs a release",
}

// A block is some lines of the README that are typed one after the other.
type block struct {
	language string
	lines    []string
}

// readmeBlocks are the blocks of code, and each span of code that is a command.
func readmeBlocks(text string) (blocks []block) {
	fenced := false
	var paragraph []string
	for _, line := range append(strings.Split(text, "\n"), "") {
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && !fenced:
			fenced = true
			blocks = append(blocks, block{language: language})
		case isFence:
			fenced = false
		case fenced:
			last := &blocks[len(blocks)-1]
			last.lines = append(last.lines, line)
		case strings.HasPrefix(line, "    "):
			paragraph = append(paragraph, line[4:])
			continue
		default:
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				command := strings.ReplaceAll(span[1], `\|`, "|")
				if strings.Contains(command, "registryctl ") && !placeholder.MatchString(command) {
					blocks = append(blocks, block{lines: []string{command}})
				}
			}
		}
		if paragraph != nil {
			blocks = append(blocks, block{lines: paragraph})
			paragraph = nil
		}
	}
	return blocks
}

var (
	codeSpan    = regexp.MustCompile("`([^`]+)`")
	placeholder = regexp.MustCompile(`\b(COMMAND|SHELL|VERSION|NAME|FILE|vVERSION)\b|^[a-z-]+ [a-z]+$|\.\.\.|…`)
	powerShell  = regexp.MustCompile(`\$env:|\$LASTEXITCODE|ConvertFrom-Json|Get-Credential`)
	ours        = regexp.MustCompile(`\bregistryctl( [^|>;"#]*)`)
	flag        = regexp.MustCompile(`--[a-z][a-z-]*`)
	exits       = regexp.MustCompile(`exits? (?:status )?([0-9])`)
	bcryptHash  = regexp.MustCompile(`\$+2[aby]\$+[0-9]{2}\$+[./A-Za-z0-9]*`)
	link        = regexp.MustCompile(`\]\(([^):#]+)\)`)
)

// TestReadme does what the README says, each block in a folder of its own that has
// the files which are named there, with a terminal on which the password is typed.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	testserver.Need(t, "bash", "go")
	program := testserver.Build(t)

	for _, b := range readmeBlocks(string(text)) {
		t.Run(strings.Join(b.lines, "\n"), func(t *testing.T) {
			switch b.language {
			case "go":
				vet(t, b)
			case "yaml":
				assertEscaped(t, b)
			case "text":
				assertAccess(t, program, b)
			case "powershell":
				typeInPowerShell(t, program, b)
			default:
				typeLines(t, program, b)
			}
		})
	}
}

// typeLines runs the lines in a shell.
func typeLines(t *testing.T, program string, b block) {
	t.Helper()
	dir := readerFolder(t, strings.Join(b.lines, "\n"))
	for _, line := range strings.Split(strings.ReplaceAll(strings.Join(b.lines, "\n"), "\\\n", ""), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if powerShell.MatchString(line) {
			assertKnown(t, program, block{lines: []string{line}})
			continue
		}
		if isNotRun(line) {
			continue
		}
		if strings.HasPrefix(line, "openssl ") {
			testserver.Need(t, "openssl")
		}
		line = strings.ReplaceAll(line, "localhost:5000", startLoginServer(t))
		status, seen := typeLine(t, program, dir, line)
		want := []int{0}
		if m := exits.FindStringSubmatch(line); m != nil {
			want = append(want, int(m[1][0]-'0'))
		}
		if strings.Contains(line, "--for nginx") {
			want = []int{7} // only root may read the file, which is what the line is for
		}
		assert.Contains(t, want, status, "%s\n%s", line, seen)
	}
}

func isNotRun(line string) bool {
	for begin := range notRun {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

// readerFolder has what a reader of the lines has: lists of users, and a file with
// those users who are not added in these lines.
func readerFolder(t *testing.T, lines string) string {
	t.Helper()
	users := ""
	known := []string{"elton", "francis", "gordon"}
	if strings.Contains(lines, "remove docker") {
		known = append(known, "docker")
	}
	for _, user := range known {
		if !strings.Contains(lines, "user add "+user) || strings.Contains(lines, "--update") {
			users += line(user)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"auth/registry.htpasswd": users,
		"auth/htpasswd":          users,
		"users.csv":              "name,password\nelton,secret\nfrancis,secret\n",
		"users.txt":              "elton:secret\nfrancis:secret\n",
		"users.json":             `[{"name": "elton", "password": "secret"}]`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// startLoginServer answers as a registry does to a login, and takes everybody.
func startLoginServer(t *testing.T) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="Registry Realm"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// typeLine runs one line, whose program asks for the password on a terminal, and
// returns the exit status and what was said.
func typeLine(t *testing.T, program, dir, line string) (status int, seen string) {
	t.Helper()
	return atTerminal(t, program, dir, "bash", "-c", "set -o pipefail; "+line)
}

// typeInPowerShell runs the lines in PowerShell, where each error ends them, and
// sees that elton and francis have the passwords that were typed or are in the list.
func typeInPowerShell(t *testing.T, program string, b block) {
	t.Helper()
	testserver.Need(t, "pwsh")
	text := strings.Join(b.lines, "\n")
	dir := readerFolder(t, text)
	script := filepath.Join(t.TempDir(), "readme.ps1")
	stop := "$ErrorActionPreference = 'Stop'\n$PSNativeCommandUseErrorActionPreference = $true\nRemove-Item Env:PW\n"
	require.NoError(t, os.WriteFile(script, []byte(stop+text+"\n'the end'\n"), 0o600))
	status, seen := atTerminal(t, program, dir, "pwsh", "-NoLogo", "-NoProfile", "-File", script)
	require.Zero(t, status, seen)
	assert.Contains(t, seen, "the end")
	assert.Contains(t, seen, "Password: ")
	f, err := htpasswd.FileStore{Path: filepath.Join(dir, "auth", "registry.htpasswd")}.Read(t.Context())
	require.NoError(t, err)
	for _, user := range []string{"elton", "francis"} {
		assert.NoError(t, f.Verify(user, []byte("secret")), user)
	}
}

// escapes are what a program sends to a terminal besides the text.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[=>])`)

// atTerminal runs a program in dir, with a terminal at which somebody types the
// password whenever a question ends in ": ". It returns what stands on the terminal.
func atTerminal(t *testing.T, program, dir string, argv ...string) (status int, seen string) {
	t.Helper()
	tty, near, err := pty.Open()
	require.NoError(t, err)
	defer tty.Close()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "TERM=xterm",
		"REGISTRY_AUTH_HTPASSWD_PATH=", "ELTON_PASSWORD=secret", "PW=secret", "PASSWORD=secret", "REGISTRY_USERS=elton:secret")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	near.Close()
	all := make(chan string)
	go func() {
		var shown, line strings.Builder
		buf := make([]byte, 1024)
		for {
			n, err := tty.Read(buf)
			if err != nil { // nobody has the terminal open any more
				all <- shown.String()
				return
			}
			shown.Write(buf[:n])
			line.Write(buf[:n])
			for range bytes.Count(buf[:n], []byte("\x1b[6n")) { // PowerShell asks where the cursor is
				_, _ = io.WriteString(tty, "\x1b[1;1R")
			}
			if strings.HasSuffix(escapes.ReplaceAllString(line.String(), ""), ": ") {
				line.Reset()
				_, _ = io.WriteString(tty, "secret\r")
			}
		}
	}()
	_ = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what a line has left in the background
	return cmd.ProcessState.ExitCode(), escapes.ReplaceAllString(<-all, "")
}

// assertKnown says whether each command of registryctl in lines that no shell here
// runs is one, with its flags.
func assertKnown(t *testing.T, program string, b block) {
	t.Helper()
	for _, line := range b.lines {
		for _, call := range ours.FindAllStringSubmatch(line, -1) {
			words := strings.Fields(call[1])
			command := []string{program, "help"}
			for _, word := range words {
				if o := run(t, append(slices.Clone(command), word)...); o.status != 0 {
					break
				}
				command = append(command, word)
			}
			help := run(t, command...).stdout
			assert.NotContains(t, help, "\nCommands:\n", "%s: a group is no command", line)
			for _, name := range flag.FindAllString(call[1], -1) {
				assert.Contains(t, help, name+" ", line)
			}
		}
	}
}

// assertEscaped says whether the hashes in a YAML file are there as whoever reads
// it needs them: compose takes a $ for a variable, Kubernetes does not.
func assertEscaped(t *testing.T, b block) {
	t.Helper()
	text := strings.Join(b.lines, "\n")
	isCompose := regexp.MustCompile(`(?m)^(services|configs):`).MatchString(text)
	for _, hash := range bcryptHash.FindAllString(text, -1) {
		if isCompose {
			assert.Equal(t, 6, strings.Count(hash, "$"), "%s: doubled for compose", hash)
			hash = strings.ReplaceAll(hash, "$$", "$")
		}
		h, err := htpasswd.ParseHash(hash)
		require.NoError(t, err, hash)
		assert.NoError(t, h.Verify([]byte("d0cker")), hash)
	}
	assert.NotContains(t, text, "\t")
}

// assertAccess says whether the lines are an access file that gives francis a push.
func assertAccess(t *testing.T, program string, b block) {
	t.Helper()
	dir := readerFolder(t, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "auth", "registry.access"), []byte(strings.Join(b.lines, "\n")+"\n"), 0o600))
	status, seen := typeLine(t, program, dir, "registryctl access test francis push labs/app")
	assert.Zero(t, status, seen)
}

// vet compiles a program of the README, in this module.
func vet(t *testing.T, b block) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(b.lines, "\n")), 0o600))
	out, err := exec.Command("go", "vet", file).CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestReadmeLinksToWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, m := range link.FindAllStringSubmatch(string(text), -1) {
		_, err := os.Stat(filepath.Join("../..", m[1]))
		assert.NoError(t, err)
	}
}
