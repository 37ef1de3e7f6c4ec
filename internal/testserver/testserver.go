// Package testserver gives tests the real programs that an htpasswd file is for: a
// registry, its clients, and registryctl itself as a person would run it.
package testserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Need skips the test, naming what is missing, unless every program is on PATH. With
// REQUIRE_PEERS=1 it fails the test instead, so that a run that is meant to prove
// everything cannot pass by skipping; only pwsh, which Debian does not have, may be
// missing then. With -short it always skips: such a test has nothing for the race
// detector to see.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("-short: %s not asked", strings.Join(programs, ", "))
	}
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	switch {
	case len(missing) == 0:
	case os.Getenv("REQUIRE_PEERS") == "1" && !slices.Equal(missing, []string{"pwsh"}):
		t.Fatalf("missing on PATH: %s", strings.Join(missing, ", "))
	default:
		t.Skipf("missing on PATH: %s", strings.Join(missing, ", "))
	}
}

// Symlink makes a symbolic link, or skips the test where that cannot be: Windows
// asks for a privilege, and wine 8 makes none but says it did.
func Symlink(t testing.TB, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip(err)
	}
	if _, err := os.Lstat(name); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

var build = sync.OnceValues(func() (path string, err error) {
	// Beside the test binary: go test removes that folder when the run is
	// over, which no Cleanup of a single test could do in time.
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(self), "peer-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "registryctl")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	// Without VCS information, which fails in a checkout that belongs to
	// somebody else.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/registryctl/registryctl/cmd/registryctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as a release is built, and for an image from scratch
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Build builds cmd/registryctl, once for each test binary, and returns the
// program's path. Where there is no Go, as under wine, TEST_REGISTRYCTL names a
// program that is built already.
func Build(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TEST_REGISTRYCTL"); path != "" {
		return path
	}
	Need(t, "go")
	path, err := build()
	require.NoError(t, err)
	return path
}

// FreePort returns a port of the loopback interface that nobody listens on, for a
// server that cannot be asked which one it has taken. It is none that the system gives
// to others meanwhile: those begin at 32768.
func FreePort(t testing.TB) string {
	t.Helper()
	for {
		port := fmt.Sprint(20000 + rand.IntN(12000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
}

// AwaitOK returns when the server of the URL answers 200.
func AwaitOK(t testing.TB, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, err := http.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond)
}
