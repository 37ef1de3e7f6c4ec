// Package compare measures htpasswd/basicauth beside the Go libraries that servers
// use, and fails where it does not keep what the README says. Run it on cores that
// do nothing else: go test -bench . -benchtime 3x
package compare

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	auth "github.com/abbot/go-http-auth"
	peer "github.com/tg123/go-htpasswd"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/basicauth"
)

const password = "d0cker"

type login func(user, password string) bool

// The libraries, ours first. Each opens a file and reads it.
var libraries = []struct {
	name string
	open func(tb testing.TB, path string) login
}{
	{"basicauth", func(tb testing.TB, path string) login {
		a := &basicauth.Authenticator{Path: path, CacheTTL: time.Hour}
		must(tb, a.Reload(tb.Context()))
		return func(user, password string) bool { return a.Verify(tb.Context(), user, password) == nil }
	}},
	{"go-htpasswd", func(tb testing.TB, path string) login {
		f, err := peer.New(path, peer.DefaultSystems, nil)
		must(tb, err)
		return f.Match
	}},
	{"go-http-auth", func(tb testing.TB, path string) login {
		a := &auth.BasicAuth{Secrets: auth.HtpasswdFileProvider(path)}
		a.Secrets("", "") // reads the file
		return func(user, password string) bool {
			r := &http.Request{Header: http.Header{}}
			r.SetBasicAuth(user, password)
			return a.CheckAuth(r) != ""
		}
	}},
}

func must(tb testing.TB, err error) {
	if err != nil {
		tb.Fatal(err)
	}
}

// A user's first login, and the next ones, at cost 10. The libraries take turns.
func BenchmarkLogins(b *testing.B) {
	times := make([][2][]time.Duration, len(libraries)) // of first and repeated logins
	for b.Loop() {
		var logins []login
		path := file(b, 20, 10)
		for _, lib := range libraries {
			logins = append(logins, lib.open(b, path))
		}
		for n := range 20 {
			for lib := range libraries {
				again := []int{5000, 1, 1}[lib] // ours are too short for one reading of the clock
				name, right := fmt.Sprintf("user%07d", n), true
				first := clock(func() { right = logins[lib](name, password) })
				all := clock(func() {
					for range again {
						right = right && logins[lib](name, password)
					}
				})
				if !right {
					b.Fatal("a user is refused")
				}
				times[lib][0] = append(times[lib][0], first)
				times[lib][1] = append(times[lib][1], all/time.Duration(again))
			}
		}
	}
	for i, what := range []string{"first", "again"} {
		for lib := range libraries {
			b.ReportMetric(quantile(times[lib][i], 10)*1e3, libraries[lib].name+"-"+what+"-ms")
		}
		ratio := min(quantile(times[1][i], 10), quantile(times[2][i], 10)) / quantile(times[0][i], 10)
		atLeast(b, "times-the-speed-"+what, ratio, []float64{0.95, 10_000}[i])
	}
}

// Reading a million users, and what of the heap is in use then.
func BenchmarkLoad(b *testing.B) {
	path := file(b, 1_000_000, 5)
	var times [3][]time.Duration
	var used [3]float64
	for b.Loop() {
		for i, lib := range libraries {
			before, l := heap(), login(nil)
			times[i] = append(times[i], clock(func() { l = lib.open(b, path) }))
			used[i] = (heap() - before) / 1e6
			runtime.KeepAlive(l)
		}
	}
	for i, lib := range libraries {
		b.ReportMetric(quantile(times[i], 0), lib.name+"-s")
		b.ReportMetric(used[i], lib.name+"-MB")
	}
	atLeast(b, "times-the-speed", min(quantile(times[1], 0), quantile(times[2], 0))/quantile(times[0], 0), 1)
	atLeast(b, "times-less-memory", min(used[1], used[2])/used[0], 1)
}

// The time to refuse an unknown user, and a wrong password, at cost 4, by turns.
func BenchmarkRefused(b *testing.B) {
	l := libraries[0].open(b, file(b, 1000, 4))
	times := map[string][]time.Duration{}
	for b.Loop() {
		for i := range 6000 {
			for _, user := range []string{"user", "none"} {
				name, wrong := fmt.Sprintf("%s%07d", user, i%1000), fmt.Sprint("wrong", i)
				times[user] = append(times[user], clock(func() { l(name, wrong) }))
			}
		}
	}
	for _, q := range []int{10, 25, 50, 75, 90} {
		wrong, unknown := quantile(times["user"], q), quantile(times["none"], q)
		b.ReportMetric(wrong*1e3, fmt.Sprintf("wrong-p%d-ms", q))
		b.ReportMetric(unknown*1e3, fmt.Sprintf("unknown-p%d-ms", q))
		if ratio := unknown / wrong; q <= 50 && (ratio < 0.98 || ratio > 1.02) {
			b.Errorf("p%d of an unknown user is %.3f times that of a wrong password", q, ratio)
		}
	}
}

// What becomes of a user when a line is added, and when the user is removed.
func TestChangedFile(t *testing.T) {
	for change, want := range map[string]string{"oops": "[in in panic]", "": "[out in out]"} {
		var got []string
		for _, lib := range libraries {
			path := file(t, 2, 4)
			must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
			l := lib.open(t, path)
			text, err := os.ReadFile(path)
			must(t, err)
			text = text[:len(text)/(2-len(change)/4)] // the user is in the second half
			must(t, os.WriteFile(path, append(text, change...), 0o600))
			time.Sleep(1100 * time.Millisecond)
			got = append(got, outcome(l))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q is added: %v, not %s", change, got, want)
		}
	}
}

func outcome(l login) (in string) {
	in = "panic"
	defer func() { _ = recover() }()
	return map[bool]string{true: "in", false: "out"}[l("user0000001", password)]
}

// file writes a file of so many users, whose password is the same.
func file(tb testing.TB, users, cost int) (path string) {
	h, err := htpasswd.HashPassword([]byte(password), cost)
	must(tb, err)
	var text []byte
	for i := range users {
		text = fmt.Appendf(text, "user%07d:%s\n", i, h.Encoded())
	}
	path = filepath.Join(tb.TempDir(), "htpasswd")
	must(tb, os.WriteFile(path, text, 0o600))
	return path
}

func clock(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

func quantile(times []time.Duration, percent int) (seconds float64) {
	return slices.Sorted(slices.Values(times))[(len(times)-1)*percent/100].Seconds()
}

func heap() (bytes float64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func atLeast(b *testing.B, what string, got, limit float64) {
	if b.ReportMetric(got, what); got < limit {
		b.Errorf("%s: %.2f, not %.2f", what, got, limit)
	}
}
