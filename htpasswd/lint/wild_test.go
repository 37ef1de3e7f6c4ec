package lint_test

import (
	"flag"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
	"github.com/registryctl/registryctl/testdata/wild"
)

var update = flag.Bool("update", false, "write what the servers answer to testdata/wild/verdicts.tsv")

// servers are the programs that are asked, in the order of their rows.
var servers = [...]server{
	{"docker-registry", "distribution", "--version"},
	{"registry", "distribution", "--version"},
	{"nginx", "nginx", "-v"},
	{"apache2", "apache", "-v"},
	{"lighttpd", "lighttpd", "-v"},
}

// A server is a program that is asked.
type server struct {
	program, name string // name: that in the table
	versionFlag   string
}

var version = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)

func (s server) versionOf(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(s.program, s.versionFlag).CombinedOutput()
	require.NoError(t, err)
	return string(version.Find(out))
}

func needServers(t *testing.T) {
	t.Helper()
	for _, s := range servers {
		testserver.Need(t, s.program)
	}
}

// A question is a line to log in with, by a file.
type question struct{ file, user, password string }

// questions are those of the table, each once.
func questions() (list []question) {
	seen := make(map[question]bool)
	for v := range wild.Verdicts() {
		if q := (question{v.File, v.User, v.Password}); !seen[q] {
			seen[q] = true
			list = append(list, q)
		}
	}
	return list
}

func readWild(t testing.TB, file string) string {
	t.Helper()
	text, err := wild.Files.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// Every file has an origin and is asked for a user that it does not list, and every
// row of the table is about a file.
func TestWildTable(t *testing.T) {
	asked := map[string][]string{}
	for v := range wild.Verdicts() {
		asked[v.File] = append(asked[v.File], v.User)
	}
	origins := maps.Collect(wild.Origins())
	files, err := wild.Files.ReadDir(".")
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, asked[file.Name()], "absent", file)
		assert.NotEmpty(t, origins[file.Name()], file)
		delete(asked, file.Name())
	}
	assert.Empty(t, asked, "in the table only")
	assert.Len(t, origins, len(files))
}

// The real servers still answer what the table says.
func TestWild(t *testing.T) {
	needServers(t)
	file := newSharedFile(t)
	login := startServers(t, file.path)
	known := make(map[wild.Verdict]bool)
	others := "" // rows of servers that are not asked here
	for v := range wild.Verdicts() {
		known[v] = true
		if !slices.ContainsFunc(servers[:], func(s server) bool { return s.name == v.Server }) {
			others += row(v)
		}
	}
	var versions [len(servers)]string
	for i, s := range servers {
		versions[i] = s.versionOf(t)
	}
	table := "file\tserver\tversion\tuser\tpassword\tverdict\n"
	for _, q := range questions() {
		// Anew for each question: a registry that has refused a file once goes
		// on with what it knew before, until the mtime changes.
		file.write(t, readWild(t, q.file), 0o644)
		for i, s := range servers {
			v := wild.Verdict{
				File: q.file, Server: s.name, Version: versions[i], User: q.user, Password: q.password,
				In: login[i](t, q.user, q.password) == http.StatusOK,
			}
			table += row(v)
			opposite := v
			opposite.In = !v.In
			assert.False(t, !*update && known[opposite], "%s: %s lets %q in with %q: %t", q.file, s.name, q.user, q.password, v.In)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile("../../testdata/wild/verdicts.tsv", []byte(table+others), 0o644))
	}
}

func row(v wild.Verdict) string {
	verdict := map[bool]string{true: "in", false: "out"}[v.In]
	return strings.Join([]string{v.File, v.Server, v.Version, wild.Encode(v.User), wild.Encode(v.Password), verdict}, "\t") + "\n"
}

// What the servers make of a file that is right and that they cannot read. They
// run as root here, but the workers of nginx and of Apache httpd do not.
func TestUnreadable(t *testing.T) {
	needServers(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, so that a worker is another user")
	}
	file := newSharedFile(t)
	login := startServers(t, file.path)
	text := readWild(t, "bcrypt-2y.htpasswd")

	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T)
		want  [len(servers)]int
	}{
		{"as it should be", func(*testing.T) {}, [...]int{200, 200, 200, 200, 200}},
		{"mode 0600", func(t *testing.T) { file.write(t, text, 0o600) }, [...]int{200, 200, 500, 500, 401}},
		{"mode 0640, the group another one", func(t *testing.T) { file.write(t, text, 0o640) }, [...]int{200, 200, 500, 500, 401}},
		{"folder 0700", func(t *testing.T) {
			dir := filepath.Dir(file.path)
			require.NoError(t, os.Chmod(dir, 0o700))
			t.Cleanup(func() { assert.NoError(t, os.Chmod(dir, 0o755)) })
		}, [...]int{200, 200, 500, 500, 401}},
		{"missing", func(t *testing.T) { require.NoError(t, os.Remove(file.path)) }, [...]int{400, 400, 403, 500, 401}},
		{"a folder", func(t *testing.T) { // as Docker makes where a file to be mounted is missing
			require.NoError(t, os.Remove(file.path))
			require.NoError(t, os.Mkdir(file.path, 0o755))
			t.Cleanup(func() { assert.NoError(t, os.Remove(file.path)) })
		}, [...]int{400, 400, 500, 500, 401}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file.write(t, text, 0o644)
			for j := range servers { // who have read it
				require.Equal(t, http.StatusOK, login[j](t, "elton", "d0cker"), servers[j].program)
			}
			tt.spoil(t)
			for j, server := range servers {
				assert.Equal(t, tt.want[j], login[j](t, "elton", "d0cker"), server.program)
			}
		})
	}
}

// startServers starts them all with one file, and returns how to log in to
// each, in the order of servers.
func startServers(t *testing.T, file string) (login [len(servers)]func(t testing.TB, user, password string) int) {
	t.Helper()
	for i, s := range servers {
		switch s.program {
		case "nginx":
			login[i] = testserver.StartNginx(t, file).Login
		case "apache2":
			login[i] = testserver.StartApache(t, file).Login
		case "lighttpd":
			login[i] = testserver.StartLighttpd(t, file).Login
		default:
			login[i] = testserver.StartRegistry(t, s.program, testserver.RegistryConfig{Htpasswd: file}).Login
		}
	}
	return login
}

// A sharedFile is one that every server can read, and whose mtime is newer each
// time that it is written.
type sharedFile struct {
	path  string
	mtime time.Time
}

func newSharedFile(t *testing.T) *sharedFile {
	t.Helper()
	f := &sharedFile{path: filepath.Join(testserver.WorkerDir(t), "htpasswd"), mtime: time.Now()}
	f.write(t, "", 0o644)
	return f
}

// write replaces the file.
func (f *sharedFile) write(t *testing.T, text string, mode os.FileMode) {
	t.Helper()
	temp := f.path + ".new"
	require.NoError(t, os.WriteFile(temp, []byte(text), mode))
	require.NoError(t, os.Chmod(temp, mode)) // whatever the umask is
	f.mtime = f.mtime.Add(time.Second)
	require.NoError(t, os.Chtimes(temp, time.Time{}, f.mtime))
	require.NoError(t, os.Rename(temp, f.path))
}
