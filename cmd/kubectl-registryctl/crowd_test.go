package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
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
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl-registryctl", append([]string{"--kubeconfig", kubeconfig, "--secret", "registry-auth"}, args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%q hangs", args)
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	assert.NotContains(t, said.String(), "$2y$")
	return cmd.ProcessState.ExitCode(), said.String()
}

// registryAuth makes a Secret as a registry has it, which somebody else owns and
// has things of their own in, and returns how to see what became of it.
func (c *cluster) registryAuth(t *testing.T, namespace, text string) (users func() []string, rest func() string) {
	t.Helper()
	c.kubectl(t, "create", "secret", "generic", "registry-auth", "-n", namespace, "--from-literal=haSharedSecret=other", "--from-literal=htpasswd="+text)
	c.kubectl(t, "label", "secret", "registry-auth", "-n", namespace, "app=registry", "heritage=Helm")
	c.kubectl(t, "patch", "secret", "registry-auth", "-n", namespace, "-p", `{"metadata":{"annotations":{"note":"ours"},"finalizers":["example.com/ours"],`+
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"registry","uid":"0"}]}}`)
	get := func() (object map[string]any, text string) {
		require.NoError(t, json.Unmarshal([]byte(c.kubectl(t, "get", "secret", "registry-auth", "-n", namespace, "-o", "json")), &object))
		data := object["data"].(map[string]any)
		decoded, err := base64.StdEncoding.DecodeString(data["htpasswd"].(string))
		require.NoError(t, err)
		delete(data, "htpasswd")
		metadata := object["metadata"].(map[string]any)
		delete(metadata, "resourceVersion")
		delete(metadata["annotations"].(map[string]any), "touched")
		return object, string(decoded)
	}
	users = func() (names []string) {
		_, text := get()
		for line := range strings.Lines(text) {
			name, rest, _ := strings.Cut(line, ":")
			assert.Equal(t, hash+"\n", rest)
			names = append(names, name)
		}
		return names
	}
	rest = func() string {
		object, _ := get()
		text, err := json.Marshal(object)
		require.NoError(t, err)
		return string(text)
	}
	return users, rest
}

// crowd adds users by so many processes at once, and again where one has met the
// API server when it was not there, or had not learnt of any Role yet.
func crowd(t *testing.T, kubeconfig string, processes, each int) (want []string) {
	t.Helper()
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		slowest time.Duration
	)
	for p := range processes {
		var users []string
		for i := range each {
			users = append(users, fmt.Sprintf("user%d-%d", p, i))
		}
		want = append(want, users...)
		workers.Go(func() {
			for _, user := range users {
				for end := time.Now().Add(runFor); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					begun := time.Now()
					status, stderr := plugin(t, kubeconfig, "add", user, "--hash", hash, "--retry-timeout", "10m")
					mu.Lock()
					slowest = max(slowest, time.Since(begun))
					mu.Unlock()
					if status != 1 || !notReady.MatchString(stderr) {
						assert.Zero(t, status, stderr)
						break
					}
				}
			}
		})
	}
	workers.Wait()
	t.Logf("the slowest of them took %s", slowest.Round(time.Second/10))
	slices.Sort(want)
	return want
}

var notReady = regexp.MustCompile(`cannot add "[^"]+": (cannot reach the cluster|you are not allowed to (get|update)|the cluster does not take your credentials)`)

// Of the edits that many processes make of one Secret none is lost and none is
// made twice, whatever comes between, and nothing else in it changes.
func TestCrowd(t *testing.T) {
	c := startCluster(t)
	for _, tt := range []struct {
		name   string
		each   int
		before func(c *cluster, namespace string, put int64) error // a PUT reaches the server
		after  func(put int64) error
	}{
		{name: "as they come", each: 10},
		{name: "every fourth write is too late", each: 10, before: func(c *cluster, namespace string, put int64) error {
			if put%4 > 0 {
				return nil
			}
			return c.touch(namespace, put)
		}},
		{name: "every third answer is lost", each: 3, after: func(put int64) error {
			if put%3 == 0 {
				return errors.New("lost")
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			namespace := c.newNamespace(t)
			users, rest := c.registryAuth(t, namespace, "")
			before := rest()
			address := c.url
			var puts, conflicts, lost atomic.Int64
			if tt.before != nil || tt.after != nil {
				address = c.proxy(t, func(r *http.Request) (int64, error) {
					put := puts.Add(1)
					if tt.before == nil {
						return put, nil
					}
					return put, tt.before(c, namespace, put)
				}, func(put int64, resp *http.Response) error {
					if resp.StatusCode == http.StatusConflict {
						conflicts.Add(1)
					}
					if tt.after == nil {
						return nil
					}
					err := tt.after(put)
					if err != nil {
						lost.Add(1)
					}
					return err
				})
			}
			begun := time.Now()
			want := crowd(t, c.kubeconfig(t, address, adminToken, namespace), 32, tt.each)
			t.Logf("%d users in %s; %d writes, %d too late, %d without an answer", len(want), time.Since(begun).Round(time.Second/10), puts.Load(), conflicts.Load(), lost.Load())
			got := users()
			slices.Sort(got)
			assert.Equal(t, want, got)
			assert.Equal(t, before, rest())
			if tt.before != nil {
				assert.Greater(t, conflicts.Load(), int64(len(want)/4))
			}
			if tt.after != nil {
				assert.NotZero(t, lost.Load())
			}
		})
	}

	t.Run("the API server is killed twice", func(t *testing.T) {
		namespace := c.newNamespace(t)
		users, rest := c.registryAuth(t, namespace, "")
		before := rest()
		config := c.robot(t, namespace) // whose Role the server has to know again, too
		var want []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			want = crowd(t, config, 32, 6)
		}()
		for _, n := range []int{10, 80} {
			require.Eventually(t, func() bool { return len(users()) >= n }, runFor, 50*time.Millisecond)
			c.api.kill()
			c.api.start(t)
		}
		<-done
		got := users()
		slices.Sort(got)
		assert.Equal(t, want, got)
		assert.Equal(t, before, rest())
	})
}

// proxy stands before the API server; it is asked before each PUT, and after it
// whether the answer gets through.
func (c *cluster) proxy(t *testing.T, before func(*http.Request) (int64, error), after func(int64, *http.Response) error) (address string) {
	t.Helper()
	target, err := url.Parse(c.url)
	require.NoError(t, err)
	type number struct{}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{
		Transport: insecure,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if r.Out.Method == http.MethodPut {
				put, err := before(r.In)
				assert.NoError(t, err)
				r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), number{}, put))
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			if put, ok := resp.Request.Context().Value(number{}).(int64); ok {
				return after(put, resp)
			}
			return nil
		},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// touch makes another edit of the Secret, of an annotation.
func (c *cluster) touch(namespace string, n int64) error {
	body := fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, n)
	req, err := http.NewRequest(http.MethodPatch, c.url+"/api/v1/namespaces/"+namespace+"/secrets/registry-auth", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/merge-patch+json")
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

	const runs = 60
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
