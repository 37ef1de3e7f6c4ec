package lint_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

const (
	wild        = "../../testdata/wild"
	answersFile = wild + "/answers.tsv"
)

var update = flag.Bool("update", false, "write what the servers answer to "+answersFile)

// servers are the programs that answered, in the order of their columns.
var servers = [...]string{"docker-registry", "registry", "nginx", "apache2"}

// An answer is a line of answers.tsv, which says itself what it holds.
type answer struct {
	file, user, password string
	status               [len(servers)]int
}

// readAnswers also returns the lines that it found the answers on.
func readAnswers(t testing.TB) (answers []answer, lines []string) {
	t.Helper()
	text, err := os.ReadFile(answersFile)
	require.NoError(t, err)
	lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := fmt.Sprintf("%s:%d", answersFile, i+1)
		f := strings.Split(line, "\t")
		require.Len(t, f, 3+len(servers), at)
		a := answer{file: f[0], user: unquote(t, f[1]), password: unquote(t, f[2])}
		for j, s := range f[3:] {
			a.status[j], err = strconv.Atoi(s)
			require.NoError(t, err, at)
		}
		answers = append(answers, a)
	}
	return answers, lines
}

func unquote(t testing.TB, s string) string {
	t.Helper()
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	u, err := strconv.Unquote(s)
	require.NoError(t, err, s)
	return u
}

func readWild(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(wild, file))
	require.NoError(t, err)
	return text
}

// Every file is in the table, under a comment that says where such a file comes
// from, and is asked for a user that it does not list.
func TestWildTable(t *testing.T) {
	answers, lines := readAnswers(t)
	asked := map[string][]string{}
	for _, a := range answers {
		assert.True(t, utf8.ValidString(a.file))
		asked[a.file] = append(asked[a.file], a.user)
	}
	files, err := filepath.Glob(wild + "/*.htpasswd")
	require.NoError(t, err)
	for _, path := range files {
		file := filepath.Base(path)
		assert.Contains(t, asked[file], "absent", file)
		assert.True(t, slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "# "+file+": ")
		}), "no comment about %s", file)
		delete(asked, file)
	}
	assert.Empty(t, asked, "in the table only")
}

// The real servers still answer what the table says.
func TestWild(t *testing.T) {
	testserver.Need(t, servers[:]...)
	file := newSharedFile(t)
	login := startServers(t, file.path)
	answers, lines := readAnswers(t)

	got := make([][len(servers)]int, len(answers))
	for i, a := range answers {
		// Anew for each question: a registry that has refused a file once goes
		// on with what it knew before, until the mtime changes.
		file.write(t, readWild(t, a.file), 0o644)
		for j := range servers {
			got[i][j] = login[j](t, a.user, a.password)
		}
		if !*update {
			for j, server := range servers {
				assert.Equal(t, a.status[j], got[i][j], "%s: %s lets %q in with %q", a.file, server, a.user, a.password)
			}
		}
	}
	if !*update {
		return
	}
	for i, line := range lines {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")[:3]
		for _, status := range got[0] {
			f = append(f, strconv.Itoa(status))
		}
		lines[i] = strings.Join(f, "\t")
		got = got[1:]
	}
	require.NoError(t, os.WriteFile(answersFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// What the servers make of a file that is right and that they cannot read. They
// run as root here, but the workers of nginx and of Apache httpd do not.
func TestUnreadable(t *testing.T) {
	testserver.Need(t, servers[:]...)
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
		{"as it should be", func(*testing.T) {}, [...]int{200, 200, 200, 200}},
		{"mode 0600", func(t *testing.T) { file.write(t, text, 0o600) }, [...]int{200, 200, 500, 500}},
		{"mode 0640, the group another one", func(t *testing.T) { file.write(t, text, 0o640) }, [...]int{200, 200, 500, 500}},
		{"folder 0700", func(t *testing.T) {
			dir := filepath.Dir(file.path)
			require.NoError(t, os.Chmod(dir, 0o700))
			t.Cleanup(func() { assert.NoError(t, os.Chmod(dir, 0o755)) })
		}, [...]int{200, 200, 500, 500}},
		{"missing", func(t *testing.T) { require.NoError(t, os.Remove(file.path)) }, [...]int{400, 400, 403, 500}},
		{"a folder", func(t *testing.T) { // as Docker makes where a file to be mounted is missing
			require.NoError(t, os.Remove(file.path))
			require.NoError(t, os.Mkdir(file.path, 0o755))
			t.Cleanup(func() { assert.NoError(t, os.Remove(file.path)) })
		}, [...]int{400, 400, 500, 500}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file.write(t, text, 0o644)
			for j := range servers { // who have read it
				require.Equal(t, http.StatusOK, login[j](t, "elton", "d0cker"), servers[j])
			}
			tt.spoil(t)
			for j, server := range servers {
				assert.Equal(t, tt.want[j], login[j](t, "elton", "d0cker"), server)
			}
		})
	}
}

// startServers starts them all with one file, and returns how to log in to
// each, in the order of servers.
func startServers(t *testing.T, file string) (login [len(servers)]func(t testing.TB, user, password string) int) {
	t.Helper()
	for i, program := range servers {
		switch program {
		case "nginx":
			login[i] = testserver.StartNginx(t, file).Login
		case "apache2":
			login[i] = testserver.StartApache(t, file).Login
		default:
			login[i] = testserver.StartRegistry(t, program, testserver.RegistryConfig{Htpasswd: file}).Login
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
	f.write(t, nil, 0o644)
	return f
}

// write replaces the file.
func (f *sharedFile) write(t *testing.T, text []byte, mode os.FileMode) {
	t.Helper()
	temp := f.path + ".new"
	require.NoError(t, os.WriteFile(temp, text, mode))
	require.NoError(t, os.Chmod(temp, mode)) // whatever the umask is
	f.mtime = f.mtime.Add(time.Second)
	require.NoError(t, os.Chtimes(temp, time.Time{}, f.mtime))
	require.NoError(t, os.Rename(temp, f.path))
}
