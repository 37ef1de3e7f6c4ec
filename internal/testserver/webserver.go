package testserver

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// workerUser is who the workers of a web server run as where the test runs as
// root, by the name that Debian gives them. Else they run as the test does.
const workerUser = "www-data"

// asRoot reports whether the workers run as workerUser.
func asRoot() bool { return os.Geteuid() == 0 }

// WorkerDir makes a folder that goes with the test and that the workers of
// nginx and others can enter, which t.TempDir does not let them. What is
// in it has to be readable for them too.
func WorkerDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// WebServer is an nginx, an Apache httpd or a lighttpd that runs until the test ends. It
// has one page, /v2/, as that is where a registry is asked who one is, and lets
// those see it whom its htpasswd file lists.
type WebServer struct {
	Addr   string       // host:port, on the loopback interface
	URL    string       // http://Addr
	Client *http.Client // sends no credentials of its own
}

// Login asks as docker login does, GET /v2/ with the user and the password,
// and returns the status: 200 if they are let in, 401 if not, 500 if the
// server cannot read its file.
func (s *WebServer) Login(t testing.TB, user, password string) int {
	t.Helper()
	return login(t, s.Client, s.URL, user, password)
}

// documentRoot makes the one page.
func documentRoot(t testing.TB) string {
	t.Helper()
	root := WorkerDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(root, "v2"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "v2", "index.html"), []byte("{}\n"), 0o644))
	return root
}

// startWebServer runs program with these arguments, once configure has written
// what they name for this address, and returns when it logs what ready matches.
//
// Neither server can be told to take any free port and to say which, so that
// one is asked for beforehand; if somebody else is faster, it starts again.
func startWebServer(t testing.TB, program string, ready *regexp.Regexp, configure func(addr string), args ...string) *WebServer {
	t.Helper()
	Need(t, program)
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := l.Addr().String()
		require.NoError(t, l.Close())
		configure(addr)

		// Ended by the signal that lets it end its workers first.
		ctx, stop := context.WithCancel(context.Background())
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 10 * time.Second
		log := &readyLog{pattern: ready, ready: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = log, log
		require.NoError(t, cmd.Start())
		exited := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(exited)
		}()
		t.Cleanup(func() {
			stop()
			<-exited
			if t.Failed() {
				t.Logf("%s logged:\n%s", program, log)
			}
		})

		select {
		case <-log.ready:
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			return &WebServer{
				Addr:   addr,
				URL:    "http://" + addr,
				Client: &http.Client{Transport: transport, Timeout: 30 * time.Second},
			}
		case <-exited:
			if try == 5 || !strings.Contains(log.String(), "Address already in use") {
				require.FailNow(t, program+" ended before it listened")
			}
		case <-time.After(30 * time.Second):
			require.FailNow(t, program+" does not listen")
		}
	}
}

// readyLog keeps what a server logs, and closes ready once it matches pattern.
type readyLog struct {
	pattern *regexp.Regexp
	ready   chan struct{}

	mu    sync.Mutex
	text  bytes.Buffer
	found bool
}

func (l *readyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if !l.found && l.pattern.Match(l.text.Bytes()) {
		l.found = true
		close(l.ready)
	}
	return len(p), nil
}

func (l *readyLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
