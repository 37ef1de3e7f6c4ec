package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// A victim is an edit that is to survive what befalls it.
type victim struct {
	name     string
	args     []string
	old, new string // old is "" where the edit creates the file
	modified time.Time
	steps    []string // the calls whose order matters
	torn     bool     // a crash may leave half of it, as --in-place says
}

func (v victim) inPlace() bool { return slices.Contains(v.args, "--in-place") }

// Steps are a call's class, or name, and what it is on. A new file gets its owner
// and mode before it holds any text, its text is on the disk before the file's
// name points to it, and its name before the edit says that it is done.
var (
	creating = []string{
		"flock lock", "open temporary", "chmod temporary", "write temporary", "sync temporary",
		"rename temporary", "sync folder", "flock lock",
	}
	replacing = slices.Insert(slices.Clone(creating), 2, "chown temporary")
	appending = []string{"flock lock", "flock file", "write file", "time file", "sync file", "flock file", "flock lock"}
	rewriting = slices.Insert(slices.Clone(appending), 2, "write file") // and cut off
)

var victims = []victim{
	{
		name: "remove",
		args: []string{"user", "remove", "elton"},
		old:  "# who may push\n" + line("elton") + line("francis"),
		new:  "# who may push\n" + line("francis"),
		// Long ago, so that a coarse clock makes no run differ from another.
		modified: time.Now().Add(-time.Hour),
		steps:    replacing,
	},
	{
		name: "add",
		args: []string{"user", "add", "gordon", "--hash", hash},
		old:  line("elton"),
		new:  line("elton") + line("gordon"),
		// So the new file has to be made newer.
		modified: time.Now().Add(time.Hour),
		steps:    slices.Insert(slices.Clone(replacing), 5, "time temporary"),
	},
	{
		name:  "create",
		args:  []string{"user", "add", "elton", "--hash", hash, "--mode", "0660"},
		new:   line("elton"),
		steps: creating,
	},
	{
		name:     "add in place",
		args:     []string{"user", "add", "gordon", "--hash", hash, "--in-place"},
		old:      line("elton"),
		new:      line("elton") + line("gordon"),
		modified: time.Now().Add(-time.Hour),
		steps:    appending,
	},
	{
		name:     "remove in place",
		args:     []string{"user", "remove", "elton", "--in-place"},
		old:      line("elton") + line("francis"),
		new:      line("francis"),
		modified: time.Now().Add(time.Hour),
		steps:    rewriting,
		torn:     true,
	},
}

// mode is one that the temporary file does not have from the start, and owner
// neither.
const (
	mode  = 0o640
	owner = 65534
)

// A scene is a victim with its file, traced by strace.
type scene struct {
	victim
	file   string
	log    string   // strace's, elsewhere
	calls  []call   // of a run that nothing befalls
	paths  []string // that they name, as they do
	commit int      // which of them makes the file the new one
}

// A call is a system call on the file's folder or something in it. All others
// leave the folder as it is: to die at one of them is to die at the next of these.
type call struct {
	name string
	on   string // path
	text string
	nth  int // of all calls with that name, on whatever file

	unknown bool // its path is random
}

// temporary is the part of a name that is random.
var temporary = regexp.MustCompile(`[a-z2-7]{26}\.registryctl-tmp`)

// class is what a call does, whichever of the system's calls for it the program
// uses.
func (c call) class() string {
	for class, pattern := range classes {
		if pattern.MatchString(c.name) {
			return class
		}
	}
	return c.name
}

// onlyLooks says whether the call changes nothing: to die at it is to die at the
// next one that does.
func (c call) onlyLooks() bool {
	return looks.MatchString(c.name) || c.class() == "open" && !strings.Contains(c.text, "O_CREAT")
}

var looks = regexp.MustCompile(`^(read|pread64|close|fcntl|f?statx?|newfstatat|fstatfs|lseek|getdents64|readlinkat|f(get|list)xattr|epoll_ctl)$`)

var classes = map[string]*regexp.Regexp{
	"open":   regexp.MustCompile(`^(open|openat|openat2|creat)$`),
	"write":  regexp.MustCompile(`^(p?writev?(64)?|sendfile|copy_file_range|f?truncate|fallocate)$`),
	"sync":   regexp.MustCompile(`^f(data)?sync$`),
	"chmod":  regexp.MustCompile(`^f?chmod(at2?)?$`),
	"chown":  regexp.MustCompile(`^[fl]?chown(at)?$`),
	"time":   regexp.MustCompile(`^(utimensat|futimesat|utimes?)$`),
	"rename": regexp.MustCompile(`^rename(at2?)?$`),
}

func newScene(t *testing.T, v victim) *scene {
	t.Helper()
	testserver.Need(t, "strace")
	testserver.Build(t)
	s := &scene{victim: v, file: create(t, ""), log: filepath.Join(t.TempDir(), "trace")}
	s.setUp(t)
	o, calls, _ := s.trace(t)
	require.Zero(t, o.status, o.stderr)
	require.Equal(t, s.new, contents(t, s.file))
	require.NotEmpty(t, calls)
	s.calls = calls
	s.commit = slices.IndexFunc(calls, func(c call) bool {
		return c.class() == "rename" || c.class() == "write" && c.on == s.file
	})
	require.Positive(t, s.commit, calls)
	return s
}

// setUp makes the folder what it is before the edit.
func (s *scene) setUp(t *testing.T) {
	t.Helper()
	for _, name := range append(litter(t, s.file), filepath.Base(s.file), filepath.Base(lockOf(s.file))) {
		require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(s.file), name)))
	}
	if s.old == "" {
		return
	}
	require.NoError(t, os.WriteFile(s.file, []byte(s.old), 0o600))
	require.NoError(t, os.Chmod(s.file, mode))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(s.file, owner, owner))
	}
	require.NoError(t, os.Chtimes(s.file, time.Time{}, s.modified))
}

var (
	callLine     = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumedLine  = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>`)
	injectedLine = regexp.MustCompile(`\(INJECTED\)$`)
)

// onPaths has strace look only at calls on the paths of the edit. It does not know
// that of the temporary file.
const onPaths = "on paths"

// trace runs the edit and returns its calls, and which of them were made to
// fail (-1: a message of the program), with inject, strace's options for that.
func (s *scene) trace(t *testing.T, inject ...string) (o outcome, calls []call, injected []int) {
	t.Helper()
	argv := []string{"strace", "-f", "-y", "-e", "quiet=all", "-o", s.log}
	filtered := slices.Contains(inject, onPaths)
	if filtered {
		inject = slices.DeleteFunc(inject, func(arg string) bool { return arg == onPaths })
		for _, path := range s.paths {
			argv = append(argv, "-P", path)
		}
	}
	argv = append(argv, inject...)
	// With idle processors Go leaves the goroutine on its thread.
	argv = append(argv, "env", "GOMAXPROCS=8", testserver.Build(t), "-f", s.file)
	o = run(t, append(argv, s.args...)...)

	// A path, or an open directory with a name in it.
	ours := regexp.MustCompile(`["<](` + regexp.QuoteMeta(filepath.Dir(s.file)) + `(?:/[^">]*)?)[">](?:, "([^"]+)")?`)
	last := make(map[string]int) // of each thread
	nth := make(map[string]int)  // of each name
	for text := range strings.Lines(contents(t, s.log)) {
		text = temporary.ReplaceAllString(strings.TrimSuffix(text, "\n"), strings.Repeat("a", 26)+".registryctl-tmp")
		var thread string
		if m := callLine.FindStringSubmatch(text); m != nil {
			thread = m[1]
			last[thread] = -1
			nth[m[2]]++
			arguments, _, _ := strings.Cut(m[3], ") = ")
			if path := ours.FindStringSubmatch(arguments); path != nil && m[2] != "execve" {
				if !slices.Contains(s.paths, path[1]) {
					s.paths = append(s.paths, path[1])
				}
				on := filepath.Clean(path[1])
				if on == filepath.Dir(s.file) {
					on = filepath.Join(on, path[2])
				}
				calls = append(calls, call{
					name: m[2], on: on, text: text, nth: nth[m[2]],
					unknown: strings.HasSuffix(path[1], ".registryctl-tmp"),
				})
				last[thread] = len(calls) - 1
			} else if m[2] != "write" {
				continue
			}
		} else if m := resumedLine.FindStringSubmatch(text); m != nil {
			thread = m[1]
		}
		if injectedLine.MatchString(text) {
			injected = append(injected, last[thread])
		}
	}
	if filtered {
		calls, injected = s.withUnknown(calls, injected)
	}
	return o, calls, injected
}

// withUnknown adds the calls to a filtered trace that it does not have.
func (s *scene) withUnknown(filtered []call, injected []int) (calls []call, at []int) {
	for i, c := range filtered {
		for len(calls) < len(s.calls) && s.calls[len(calls)].unknown {
			calls = append(calls, s.calls[len(calls)])
		}
		if slices.Contains(injected, i) {
			at = append(at, len(calls))
		}
		calls = append(calls, c)
	}
	if slices.Contains(injected, -1) {
		at = append(at, -1)
	}
	return calls, at
}

// until says whether the run went as the one that nothing befell, up to its
// call number n.
func (s *scene) until(n int, calls []call) bool {
	return n >= 0 && n < len(calls) && n < len(s.calls) && slices.EqualFunc(s.calls[:n+1], calls[:n+1], func(a, b call) bool {
		return a.name == b.name && a.on == b.on
	})
}

// attempts bounds how often a run is made again for a fault to happen where it
// should. Strace counts the calls of each thread of its own, and Go moves a
// goroutine to another thread when it likes.
const attempts = 150

// inject are strace's options for the fault to happen at call number n.
func (s *scene) inject(n, attempt int, fault string) []string {
	count, options := 0, []string{}
	if s.calls[n].unknown {
		count = s.calls[n].nth
	} else {
		options = append(options, onPaths)
		for _, c := range s.calls[:n+1] {
			if c.name == s.calls[n].name && !c.unknown {
				count++
			}
		}
	}
	count -= attempt / 4 % count // less, if the first calls are made by another thread
	return append(options, "-e", fmt.Sprintf("inject=%s:%s:when=%d", s.calls[n].name, fault, count))
}

// wholeFile says whether the file is, byte for byte, the one it should be.
func (s *scene) wholeFile(t *testing.T, want, after string) bool {
	t.Helper()
	if want == "" {
		return assert.NoFileExists(t, s.file, after)
	}
	return assert.Equal(t, want, contents(t, s.file), after)
}

// nextWorks says whether the next edit works, and leaves nothing but what
// belongs there.
func (s *scene) nextWorks(t *testing.T, after string) bool {
	t.Helper()
	is := contents(t, s.file)
	o := run(t, testserver.Build(t), "user", "add", "next", "--hash", hash, "-f", s.file)
	return assert.Zero(t, o.status, "the edit after %s: %s", after, o.stderr) &&
		assert.Equal(t, is+line("next"), contents(t, s.file), "the edit after %s", after) &&
		assert.Empty(t, litter(t, s.file), "after the edit after %s", after) &&
		s.keepsOwner(t, after)
}

func (s *scene) keepsOwner(t *testing.T, after string) bool {
	t.Helper()
	if s.old == "" {
		return true
	}
	info, err := os.Stat(s.file)
	require.NoError(t, err)
	ok := assert.Equal(t, fs.FileMode(mode), info.Mode(), after)
	if os.Geteuid() == 0 {
		ok = assert.Equal(t, uint32(owner), uid(info), after) && ok
	}
	return ok
}

// Killed at any moment, an edit has been made or not, and the next one works.
func TestKill(t *testing.T) {
	for _, v := range victims {
		if v.torn {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, v)
			hit := make([]bool, len(s.calls))
			runs := 0
			killed := 0
			for n, c := range s.calls {
				if c.onlyLooks() {
					continue
				}
				killed++
				for attempt := 0; !hit[n]; attempt++ {
					require.Less(t, attempt, attempts, "never killed at call %d, %s", n, c.text)
					s.setUp(t)
					o, calls, _ := s.trace(t, s.inject(n, attempt, "signal=KILL")...)
					runs++
					if at := len(calls) - 1; o.status == -1 && s.until(at, calls) {
						hit[at] = true
						s.survivesKill(t, at)
					}
				}
			}
			t.Logf("killed at each of %d system calls that change something, in %d runs", killed, runs)
		})
	}
}

func (s *scene) survivesKill(t *testing.T, at int) {
	t.Helper()
	want := s.old
	if at > s.commit {
		want = s.new
	}
	during := fmt.Sprintf("kill at call %d, %s", at, s.calls[at].text)
	require.True(t, s.wholeFile(t, want, during) && s.nextWorks(t, during))
}

// An edit that the system refuses a call has not been made, and says so; or, if
// that is how it is, that it has but may not last.
func TestRefusedCall(t *testing.T) {
	type fault struct {
		call  int
		errno string
	}
	errnos := []string{"ENOSPC", "EIO", "EACCES", "EROFS"} // in turn, as each takes time
	for _, v := range victims {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, v)
			var faults []fault
			for n, c := range s.calls {
				errno := "EIO"
				if c.mustNotFail() {
					errno = errnos[n%len(errnos)]
				}
				faults = append(faults, fault{n, errno})
			}
			hit := make(map[fault]bool)
			runs := 0
			for _, f := range faults {
				c := s.calls[f.call]
				for attempt := 0; !hit[f]; attempt++ {
					require.Less(t, attempt, attempts, "no %s at call %d, %s", f.errno, f.call, c.text)
					s.setUp(t)
					o, calls, injected := s.trace(t, s.inject(f.call, attempt, "error="+f.errno)...)
					runs++
					if len(injected) == 1 && s.until(injected[0], calls) {
						hit[fault{injected[0], f.errno}] = true
						s.survivesError(t, injected[0], f.errno, o)
					}
				}
			}
			t.Logf("%d errors at %d system calls, in %d runs", len(faults), len(s.calls), runs)
		})
	}
}

// mustNotFail says whether an edit cannot be made without the call. It can if
// the lock belongs to somebody else, as long as it can be opened.
func (c call) mustNotFail() bool {
	switch c.class() {
	case "open", "write", "sync", "rename":
		return !strings.Contains(c.text, ".access\"") // only read, after the edit
	case "chmod", "chown":
		return !strings.HasSuffix(c.on, ".lock")
	}
	return false
}

// notDurable is what an edit says that is made but may not last: first what it
// did. In a container it also warns of a file that is on no mount.
var notDurable = regexp.MustCompile(`\A((created|added|removed) [^\n]+\n)+` + `(registryctl: warning: [^\n]+\n)*` +
	`registryctl: in place, but may not survive a power cut: [^\n]+\n(  hint: [^\n]+\n)?\z`)

func (s *scene) survivesError(t *testing.T, at int, errno string, o outcome) {
	t.Helper()
	c := s.calls[at]
	during := fmt.Sprintf("%s at call %d, %s", errno, at, c.text)
	undone := s.inPlace() && contents(t, s.file) == s.old
	var ok bool
	switch {
	case o.status == 0 && !c.mustNotFail():
		ok = s.wholeFile(t, s.new, during) && s.keepsOwner(t, during)
	case at > s.commit && !undone:
		ok = assert.Equal(t, 1, o.status, during) &&
			assert.Regexp(t, notDurable, o.stderr, during) &&
			s.wholeFile(t, s.new, during)
	default:
		ok = assertFailed(t, o, during) && s.wholeFile(t, s.old, during)
	}
	require.True(t, ok && assert.Empty(t, litter(t, s.file), during) && s.nextWorks(t, during), during)
}

// Every command says what it did before it says that it may not last.
func TestNotDurable(t *testing.T) {
	testserver.Need(t, "strace")
	for _, tt := range []struct{ command, said string }{
		{"user add francis --hash HASH -f FILE", `added "francis" to FILE`},
		{"user passwd elton --hash HASH -f FILE", `set the password of "elton" in FILE`},
		{"user remove elton -f FILE", `removed "elton" from FILE`},
		{"user rename elton francis -f FILE", `renamed "elton" to "francis" in FILE`},
		{"check --fix -f FILE", "FILE: every listed user can log in; 1 warning"},
		{"htpasswd -bC4 FILE elton secret", "Updating password for user elton"},
		{"htpasswd -cbC4 FILE elton secret", "Adding password for user elton"},
		{"htpasswd -D FILE elton", "Deleting password for user elton"},
	} {
		t.Run(tt.command, func(t *testing.T) {
			old := strings.TrimSpace(line("elton")) // for check to mend
			file := create(t, old)
			args := strings.Fields(strings.NewReplacer("FILE", file, "HASH", hashNumber(1)).Replace(tt.command))
			traced := []string{"strace", "-f", "-P", filepath.Dir(file), "-e", "inject=fsync:error=EIO", "-o", os.DevNull, testserver.Build(t)}
			o := run(t, append(traced, args...)...)
			assert.Equal(t, 1, o.status)
			said, why, _ := strings.Cut(o.stderr, "\n")
			assert.Equal(t, strings.ReplaceAll(tt.said, "FILE", file), said)
			assert.Regexp(t, `\A(registryctl: warning: [^\n]+\n)*(registryctl|htpasswd): in place, but may not survive a power cut: [^\n]+\n\z`, why)
			assert.NotEqual(t, old, contents(t, file))
		})
	}
}

// An edit makes no more system calls than it needs, in an order in which a power
// cut loses nothing.
func TestSystemCalls(t *testing.T) {
	for _, v := range victims {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, v)
			names := map[string]string{filepath.Dir(s.file): "folder", s.file: "file", lockOf(s.file): "lock", temporaryOf(s.file): "temporary"}
			var steps []string
			opened := 0
			for _, c := range s.calls {
				step := c.class() + " " + names[c.on]
				switch {
				case step == "open file" && strings.Contains(c.text, "O_RDONLY"):
					opened++
				case step == "open file" && strings.Contains(c.text, "O_WRONLY"): // else to lock it
					assert.True(t, s.inPlace(), c.text)
					assert.Equal(t, !s.torn, strings.Contains(c.text, "O_APPEND"), c.text)
				case step == "open temporary":
					assert.Contains(t, c.text, "O_EXCL")
				}
				switch c.class() {
				case "write", "sync", "chmod", "chown", "rename", "time", "flock":
					if c.on != lockOf(s.file) || c.name == "flock" {
						steps = append(steps, step)
					}
				case "open":
					if c.on == temporaryOf(s.file) {
						steps = append(steps, step)
					}
				}
			}
			want := slices.DeleteFunc(slices.Clone(s.steps), func(step string) bool {
				return strings.HasPrefix(step, "chown") && os.Geteuid() != 0
			})
			assert.Equal(t, want, steps)
			// Before a password is asked for, for the edit, and for its attributes.
			assert.LessOrEqual(t, opened, 3)
			t.Logf("%d system calls on the folder and what is in it; the file opened %d times to be read", len(s.calls), opened)
		})
	}
}

// The folder that is synced is the one that the file is in, also where its path
// leads up from a folder that is a link.
func TestSyncOfTheRightFolder(t *testing.T) {
	testserver.Need(t, "strace")
	root := filepath.Dir(create(t, ""))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "data/live"), 0o700))
	require.NoError(t, os.Symlink("data/live", filepath.Join(root, "auth")))
	require.NoError(t, os.Symlink("auth/../users", filepath.Join(root, "link")))
	for _, path := range []string{"data/users", "auth/../users", "link"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, "data/users"), []byte(editable), 0o600))
		log := filepath.Join(t.TempDir(), "trace")
		traced := []string{"strace", "-f", "-y", "-e", "trace=fsync", "-o", log, testserver.Build(t)}
		o := run(t, slices.Concat(traced, edits["remove"], []string{"-f", root + "/" + path})...)
		require.Zero(t, o.status, o.stderr)
		assert.Equal(t, edited["remove"], contents(t, filepath.Join(root, "data/users")))
		assert.Contains(t, contents(t, log), "<"+root+"/data>", path)
		assert.NotContains(t, contents(t, log), "<"+root+">", path)
	}
}
