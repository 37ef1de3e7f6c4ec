package main_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// TestServe goes on from the lab: a few lines, and francis can pull and not push.
func TestServe(t *testing.T) {
	for _, registry := range testserver.Registries {
		t.Run(registry, func(t *testing.T) {
			testserver.Need(t, registry, "crane")
			l := lab{dir: t.TempDir(), program: testserver.Build(t)}
			l.registryctl(t, "d0cker", "user", "add", "elton", "--password-stdin", "--cost", "4")
			l.registryctl(t, "r3gL4b", "user", "add", "francis", "--password-stdin", "--cost", "4")

			l.registryctl(t, "", "access", "grant", "elton", "all", "**")
			l.registryctl(t, "", "access", "grant", "francis", "pull", "labs/**")
			s := startServe(t, l)
			l.reg = testserver.StartRegistry(t, registry, testserver.RegistryConfig{Env: s.settings})

			crane := func(user, password string, args ...string) (string, error) {
				return l.craneAs(t, user, password, args...)
			}
			image, file := l.reg.Addr+"/labs/hello", filepath.Join(l.dir, "image.tar")
			layer := filepath.Join(l.dir, "layer.tar")
			require.NoError(t, os.WriteFile(layer, make([]byte, 1024), 0o600)) // an empty archive
			out, err := crane("elton", "d0cker", "append", "-f", layer, "-t", image)
			require.NoError(t, err, out)
			out, err = crane("francis", "r3gL4b", "pull", image, file)
			assert.NoError(t, err, out)
			out, err = crane("francis", "r3gL4b", "push", file, image+":denied")
			assert.Error(t, err, out)
			_, err = crane("elton", "d0cker", "digest", image+":denied")
			assert.Error(t, err, "nothing was pushed")

			// What is edited counts for the next token; a bad text does not.
			l.registryctl(t, "", "access", "grant", "francis", "push", "labs/**")
			out, err = crane("francis", "r3gL4b", "push", file, image+":granted")
			assert.NoError(t, err, out)
			access := filepath.Join(l.dir, "auth", "registry.access")
			require.NoError(t, os.WriteFile(access, []byte("* all\n"), 0o600))
			out, err = crane("francis", "r3gL4b", "push", file, image+":still")
			assert.NoError(t, err, out)
			assert.Contains(t, s.log(), "line 1: expected a repository after the action")
			_, err = crane("", "", "pull", image, file)
			assert.Error(t, err)

			if runtime.GOOS != "windows" { // which has no such signal
				require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
				assert.NoError(t, s.cmd.Wait())
				assert.Contains(t, s.log(), "msg=stopped")
			}
			assert.NotContains(t, s.log(), "d0cker")
			assert.NotContains(t, s.log(), "r3gL4b")

			// A server does not start on it.
			cmd := exec.Command(l.program, "serve", "--listen", "127.0.0.1:0")
			cmd.Dir = l.dir
			text, err := cmd.CombinedOutput()
			assert.Error(t, err)
			assert.Equal(t, 7, cmd.ProcessState.ExitCode(), "%s", text)
		})
	}
}

// craneAs runs crane with the user's password, or with none.
func (l lab) craneAs(t *testing.T, user, password string, args ...string) (string, error) {
	t.Helper()
	config := t.TempDir()
	if user != "" {
		auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, l.reg.Addr, auth)
		require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600))
	}
	cmd := exec.Command("crane", args...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A serving is a registryctl serve that runs until the test ends.
type serving struct {
	cmd      *exec.Cmd
	settings []string // for the registry

	mu     sync.Mutex
	logged bytes.Buffer
}

func (s *serving) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.Write(p)
}

func (s *serving) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.String()
}

// startServe starts registryctl serve, and returns when it has printed its settings.
func startServe(t *testing.T, l lab, args ...string) *serving {
	t.Helper()
	s := &serving{cmd: exec.Command(l.program, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.cmd.Dir, s.cmd.Stderr = l.dir, s
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		if t.Failed() {
			t.Log(s.log())
		}
	})
	lines := bufio.NewScanner(stdout)
	for len(s.settings) < 5 && lines.Scan() {
		s.settings = append(s.settings, lines.Text())
	}
	require.Len(t, s.settings, 5, s.log())
	realm := strings.TrimPrefix(s.settings[1], "REGISTRY_AUTH_TOKEN_REALM=")
	testserver.AwaitOK(t, strings.TrimSuffix(realm, "token")+"healthz")
	return s
}
