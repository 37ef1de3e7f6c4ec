package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runFor bounds every run: one that hangs has failed.
const runFor = 5 * time.Minute

// plugin runs the program by itself, as kubectl does.
func plugin(t testing.TB, kubeconfig string, args ...string) (status int, stderr string) {
	t.Helper()
	status, _, stderr = pluginOut(t, kubeconfig, args...)
	return status, stderr
}

func pluginOut(t testing.TB, kubeconfig string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl-registryctl", append([]string{"--kubeconfig", kubeconfig, "--secret", "registry-auth"}, args...)...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%q hangs", args)
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	assert.NotContains(t, said.String(), "$2y$")
	assert.NotRegexp(t, klogLine, said.String())
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

// registryAuth makes a Secret as a registry has it, which somebody else owns and
// has things of their own in, and returns how to see what became of it.
func (c *cluster) registryAuth(t *testing.T, namespace, text string) (users func() []string, rest func() string) {
	t.Helper()
	c.kubectl(t, "create", "secret", "generic", "registry-auth", "-n", namespace, "--from-literal=haSharedSecret=other", "--from-literal=htpasswd="+text)
	c.kubectl(t, "label", "secret", "registry-auth", "-n", namespace, "app=registry", "heritage=Helm")
	c.kubectl(t, "patch", "secret", "registry-auth", "-n", namespace, "-p", `{"metadata":{"annotations":{"note":"ours"},"finalizers":["example.com/ours"],`+
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"registry","uid":"0"}]}}`)
	get := func() (object map[string]any) {
		require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, "get", "secret", "registry-auth", "-n", namespace, "-o", "json")), &object))
		data := object["data"].(map[string]any)
		delete(data, "htpasswd")
		metadata := object["metadata"].(map[string]any)
		delete(metadata, "resourceVersion")
		delete(metadata["annotations"].(map[string]any), "touched")
		return object
	}
	users = func() []string { return c.users(t, namespace) }
	rest = func() string {
		object := get()
		text, err := json.Marshal(object)
		require.NoError(t, err)
		return string(text)
	}
	return users, rest
}

// users returns who is in the Secret.
func (c *cluster) users(t *testing.T, namespace string) (names []string) {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(c.kubectl(t, "get", "secret", "registry-auth", "-n", namespace, "-o", "jsonpath={.data.htpasswd}"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		assert.Equal(t, hash+"\n", rest)
		names = append(names, name)
	}
	return names
}

// crowd adds users by so many processes, each of its own, which start in a row with a
// pause between.
func crowd(t *testing.T, kubeconfig, prefix string, processes int, pause time.Duration, flags ...string) (want []string) {
	t.Helper()
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		slowest time.Duration
	)
	for p := range processes {
		user := fmt.Sprint(prefix, p)
		want = append(want, user)
		workers.Go(func() {
			time.Sleep(time.Duration(p) * pause)
			begun := time.Now()
			status, stderr := plugin(t, kubeconfig, append([]string{"add", user, "--hash", hash, "--retry-timeout", "10m"}, flags...)...)
			mu.Lock()
			slowest = max(slowest, time.Since(begun))
			mu.Unlock()
			assert.Zero(t, status, stderr)
		})
	}
	workers.Wait()
	t.Logf("the slowest of them took %s", slowest.Round(time.Second/10))
	slices.Sort(want)
	return want
}

// Of the edits that many processes make of one Secret none is lost and none is
// made twice, whatever comes between, and nothing else in it changes.
func TestCrowd(t *testing.T) {
	c := startCluster(t)
	t.Run("others edit it, and answers are lost", func(t *testing.T) {
		namespace := c.newNamespace(t)
		users, rest := c.registryAuth(t, namespace, "")
		before := rest()
		var puts, conflicts, lost atomic.Int64
		address := c.proxy(t, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			assert.Regexp(t, `^kubectl-registryctl/[^ ]+ \([a-z]+/[a-z0-9]+\)$`, r.UserAgent())
			if r.Method != http.MethodPut {
				next.ServeHTTP(w, r)
				return
			}
			put := puts.Add(1)
			switch put % 8 {
			case 0:
				assert.NoError(t, c.touch(namespace, put))
			case 4:
				assert.NoError(t, c.replace(namespace))
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			if answer.Code == http.StatusConflict {
				conflicts.Add(1)
			}
			if put%3 == 0 {
				lost.Add(1)
				panic(http.ErrAbortHandler)
			}
			copyAnswer(w, answer)
		})
		begun := time.Now()
		want := crowd(t, c.kubeconfig(t, address, adminToken, namespace), "user", 50, 0)
		t.Logf("%d users in %s; %d writes, %d too late, %d without an answer", len(want), time.Since(begun).Round(time.Second/10), puts.Load(), conflicts.Load(), lost.Load())
		got := users()
		slices.Sort(got)
		assert.Equal(t, want, got)
		assert.Equal(t, before, rest())
		assert.NotZero(t, conflicts.Load())
		assert.NotZero(t, lost.Load())
	})

	t.Run("all create it", func(t *testing.T) {
		namespace := c.newNamespace(t)
		want := crowd(t, c.kubeconfig(t, c.url, adminToken, namespace), "user", 12, 0, "--create")
		got := c.users(t, namespace)
		slices.Sort(got)
		assert.Equal(t, want, got)
	})

	t.Run("the API server is killed", func(t *testing.T) {
		namespace := c.newNamespace(t)
		users, rest := c.registryAuth(t, namespace, "")
		before := rest()
		config := c.robot(t, namespace) // whose Role the server has to know again, too
		var want []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			want = crowd(t, config, "user", 50, 0)
		}()
		require.Eventually(t, func() bool { return len(users()) >= 10 }, runFor, 10*time.Millisecond)
		c.api.kill()
		var late []string // the first that they see of the server is that it knows no Role
		lateDone := make(chan struct{})
		go func() {
			defer close(lateDone)
			assert.Eventually(t, func() bool { return listens(c.url) }, runFor, 10*time.Millisecond)
			late = crowd(t, config, "late", 12, 50*time.Millisecond)
		}()
		c.api.start(t)
		<-done
		<-lateDone
		want = append(late, want...)
		got := users()
		slices.Sort(got)
		assert.Equal(t, want, got)
		assert.Equal(t, before, rest())
	})
}

// listens reports whether there is a server.
func listens(address string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "https://"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// touch makes another edit of the Secret, of an annotation.
func (c *cluster) touch(namespace string, n int64) error {
	return c.send(http.MethodPatch, namespace, strings.NewReader(fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, n)))
}

// replace puts the Secret back as it is, as an editor does that has changed nothing
// of the text. It fails in silence if it comes too late.
func (c *cluster) replace(namespace string) error {
	req, err := http.NewRequest(http.MethodGet, c.secretURL(namespace), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := (&http.Client{Transport: insecure}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var object map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&object); err != nil {
		return err
	}
	object["metadata"].(map[string]any)["annotations"].(map[string]any)["touched"] = resp.Header.Get("Date")
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return c.send(http.MethodPut, namespace, bytes.NewReader(text))
}

func (c *cluster) secretURL(namespace string) string {
	return c.url + "/api/v1/namespaces/" + namespace + "/secrets/registry-auth"
}

func (c *cluster) send(method, namespace string, body io.Reader) error {
	req, err := http.NewRequest(method, c.secretURL(namespace), body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := (&http.Client{Transport: insecure}).Do(req)
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// Killed at any moment, an edit was made or it was not, and the next one works.
func TestKill(t *testing.T) {
	c := startCluster(t)
	namespace := c.newNamespace(t)
	users, rest := c.registryAuth(t, namespace, "")
	config := c.kubeconfig(t, c.url, adminToken, namespace)
	before := rest()

	begun := time.Now()
	status, stderr := plugin(t, config, "add", "first", "--hash", hash)
	require.Zero(t, status, stderr)
	took := time.Since(begun)

	const runs = 24
	had := users()
	made := 0
	for i := range runs {
		user := fmt.Sprint("user", i)
		cmd := exec.CommandContext(t.Context(), "kubectl-registryctl", "--kubeconfig", config, "--secret", "registry-auth", "add", user, "--hash", hash)
		require.NoError(t, cmd.Start())
		time.Sleep(took * time.Duration(i) / runs * 3 / 2) // the moment
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		require.NoError(t, c.touch(namespace, int64(i))) // what is still under way comes too late now

		now := users()
		if len(now) > len(had) {
			made++
			had = append(had, user)
		}
		require.Equal(t, had, now)
		require.Equal(t, before, rest())
	}
	t.Logf("%d of %d were killed after the write", made, runs)
	assert.NotZero(t, made)
	assert.NotEqual(t, runs, made)
	status, stderr = plugin(t, config, "add", "last", "--hash", hash)
	require.Zero(t, status, stderr)
}
