package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be run again as another process: one that edits,
// or another user.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Getenv("TEST_UPDATE") != "" {
		path := os.Args[1]
		o := Options{Create: true, InPlace: os.Getenv("TEST_UPDATE") == "in place"}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, line := range os.Args[3:] {
			if _, err := Update(ctx, path, o, addLine(line)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// addLine is an edit that fails if the line is there.
func addLine(line string) func(string) (io.WriterTo, error) {
	return func(text string) (io.WriterTo, error) {
		if slices.Contains(strings.Split(text, "\n"), line) {
			return nil, errors.New("already in")
		}
		return strings.NewReader(text + line + "\n"), nil
	}
}

// nobody is an ordinary user, and stranger another one.
const (
	nobody   = 65534
	stranger = 12345
)

// process is an edit by another process, which adds the lines.
func process(t *testing.T, as int, kind, path string, lines ...string) *exec.Cmd {
	t.Helper()
	cmd := testProgram(t, as, append([]string{path, "-"}, lines...)...)
	cmd.Env = append(os.Environ(), "TEST_UPDATE="+kind)
	return cmd
}

// testProgram is the program of these tests, run by a user.
func testProgram(t *testing.T, as int, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if as == os.Geteuid() {
		return exec.Command(self, args...)
	}
	// The directories that go test makes are root's alone.
	copied := filepath.Join(openDir(t, 0o755), "test")
	text, err := os.ReadFile(self)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(copied, text, 0o755))
	cmd := exec.Command(copied, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(as), Gid: uint32(as), NoSetGroups: false}}
	return cmd
}

// What holds for root holds for an ordinary user.
func TestAsOrdinaryUser(t *testing.T) {
	needRoot(t)
	cmd := testProgram(t, nobody, "-test.v")
	cmd.Dir = openDir(t, 0o777)
	cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- SKIP: TestAsOrdinaryUser")
	assert.Contains(t, string(out), "--- PASS: TestLockThatIsDeleted")
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// openDir is a directory that others can reach.
func openDir(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "atomicfile-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, mode))
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A link counts only if it belongs to root or to the user who edits, wherever it
// stands on the way to the file.
func TestLinkOfAnotherUser(t *testing.T) {
	needRoot(t)
	for _, tt := range []struct {
		name       string
		link, file string // in the test's directory
		target     string
	}{
		{"the file", "a/b/file", "victim", "../../victim"},
		{"the file, absolute", "a/b/file", "victim", "/victim"},
		{"dangling", "a/b/file", "victim", "../../missing"},
		{"the directory", "a/b", "secret/file", "../secret"},
		{"a directory above", "a", "secret/b/file", "secret"},
	} {
		for _, as := range []int{0, nobody} {
			for owner, trusted := range map[int]bool{0: true, as: true, stranger: false} {
				t.Run(fmt.Sprintf("%s/of %d for %d", tt.name, owner, as), func(t *testing.T) {
					root := openDir(t, 0o777)
					for _, dir := range []string{filepath.Dir(filepath.Join(root, tt.link)), filepath.Dir(filepath.Join(root, tt.file))} {
						require.NoError(t, os.MkdirAll(dir, 0o777))
						require.NoError(t, os.Chown(dir, as, as))
					}
					file, link := filepath.Join(root, tt.file), filepath.Join(root, tt.link)
					write(t, file, "old\n")
					require.NoError(t, os.Chown(file, as, as))
					target := tt.target
					if filepath.IsAbs(target) {
						target = root + target
					}
					require.NoError(t, os.Symlink(target, link))
					require.NoError(t, os.Lchown(link, owner, owner))

					out, err := process(t, as, "replace", filepath.Join(root, "a/b/file"), "new").CombinedOutput()
					if trusted {
						assert.NoError(t, err, string(out))
						return
					}
					assert.Error(t, err)
					assert.Contains(t, string(out), "the symbolic link "+link+" belongs to user 12345, so it is not followed")
					assert.Equal(t, "old\n", contents(t, file))
					assert.NoFileExists(t, filepath.Join(root, "missing"))
				})
			}
		}
	}
}

// A directory that is renamed or whose link is switched during an edit: the edit
// is that of the directory that it was begun in, and leaves nothing elsewhere.
func TestDirectoryThatIsSwitchedDuringAnEdit(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		root := t.TempDir()
		for _, dir := range []string{"one", "two"} {
			require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o700))
			write(t, filepath.Join(root, dir, "file"), dir)
		}
		link := filepath.Join(root, "link")
		require.NoError(t, os.Symlink("one", link))
		changed, err := Update(t.Context(), filepath.Join(link, "file"), Options{InPlace: inPlace}, func(text string) (io.WriterTo, error) {
			_ = os.Remove(link)
			if err := os.Symlink("two", link); err != nil {
				return nil, err
			}
			if _, err := os.Lstat(filepath.Join(root, "one")); err == nil {
				return strings.NewReader(text + " edited"), os.Rename(filepath.Join(root, "one"), filepath.Join(root, "old"))
			}
			return strings.NewReader(text + " edited"), nil
		})
		require.NoError(t, err)
		assert.True(t, changed)
		assert.Equal(t, "one edited", contents(t, filepath.Join(root, "old/file")))
		assert.Equal(t, "two", contents(t, filepath.Join(root, "two/file")))
		assert.Equal(t, []string{".file.lock", "file"}, names(t, filepath.Join(root, "old")))
		assert.Equal(t, []string{"file"}, names(t, filepath.Join(root, "two")))
	}
}

// A link in the place of the temporary file, once that is written, gets nothing
// of what is meant for it.
func TestTemporaryFileThatIsSwitched(t *testing.T) {
	dir, bait := t.TempDir(), filepath.Join(t.TempDir(), "bait")
	write(t, bait, "bait")
	long := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(bait, long, long))
	before, err := os.Stat(bait)
	require.NoError(t, err)
	path := filepath.Join(dir, "file")
	write(t, path, "old")
	future := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(path, future, future)) // so that a time has to be set
	_, err = Update(t.Context(), path, Options{}, func(string) (io.WriterTo, error) {
		return writerTo(func(w io.Writer) (int64, error) {
			for _, name := range names(t, dir) {
				if strings.HasSuffix(name, temporarySuffix) {
					require.NoError(t, os.Remove(filepath.Join(dir, name)))
					require.NoError(t, os.Symlink(bait, filepath.Join(dir, name)))
				}
			}
			n, err := io.WriteString(w, "new")
			return int64(n), err
		}), nil
	})
	_ = err // what the link leads to is what matters
	after, err := os.Stat(bait)
	require.NoError(t, err)
	assert.True(t, SameState(before, after))
	assert.Equal(t, "bait", contents(t, bait))
}

type writerTo func(io.Writer) (int64, error)

func (f writerTo) WriteTo(w io.Writer) (int64, error) { return f(w) }

// An edit whose lock is deleted is lost to nobody.
func TestLockThatIsDeleted(t *testing.T) {
	const writers = 64
	for _, kind := range []string{"replace", "in place"} {
		t.Run(kind, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			head := strings.Repeat("a line that is there from the beginning\n", 1000)
			write(t, path, head)
			done := make(chan struct{})
			var others, editors sync.WaitGroup
			others.Go(func() {
				deleted := 0
				for {
					select {
					case <-done:
						t.Logf("deleted the lock %d times", deleted)
						return
					case <-time.After(20 * time.Millisecond):
						if os.Remove(filepath.Join(filepath.Dir(path), ".file.lock")) == nil {
							deleted++
						}
					}
				}
			})
			if kind == "replace" {
				for range 2 {
					others.Go(func() {
						for seen := 0; ; {
							text, err := Read(path)
							if !assert.NoError(t, err) || !assert.True(t, strings.HasPrefix(text, head) && strings.HasSuffix(text, "\n")) ||
								!assert.GreaterOrEqual(t, len(text), seen, "a user who was in is out") {
								return
							}
							seen = len(text)
							select {
							case <-done:
								return
							default:
								time.Sleep(time.Millisecond)
							}
						}
					})
				}
			}
			var added sync.Map
			for i := range writers {
				user := fmt.Sprintf("user%02d", i)
				editors.Go(func() {
					out, err := process(t, os.Geteuid(), kind, path, user).CombinedOutput()
					if err == nil {
						added.Store(user, true)
					} else { // where an edit takes longer than the lock stands, it says that it gave up
						assert.Contains(t, string(out), context.DeadlineExceeded.Error())
					}
				})
			}
			editors.Wait()
			var want []string
			added.Range(func(user, _ any) bool {
				want = append(want, user.(string))
				return true
			})
			slices.Sort(want)
			t.Logf("%d of %d users were added", len(want), writers)
			assert.NotEmpty(t, want)
			close(done)
			others.Wait()
			lines := strings.Fields(strings.TrimPrefix(contents(t, path), head))
			slices.Sort(lines)
			assert.Equal(t, want, lines)
			assert.Subset(t, []string{".file.lock", "file"}, names(t, filepath.Dir(path)))
		})
	}
}

// An edit in place by another name of the file, as through a mount, has another
// lock file. It waits all the same, as the file itself is locked, too.
func TestInPlaceByAnotherName(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "file")
	write(t, path, "old\n")
	require.NoError(t, os.Link(path, other))
	_, err := Update(t.Context(), path, Options{InPlace: true}, func(text string) (io.WriterTo, error) {
		return writerTo(func(w io.Writer) (int64, error) { // under the lock
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := Update(ctx, other, Options{InPlace: true}, to("new\n"))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			n, err := io.WriteString(w, text+"mine\n")
			return int64(n), err
		}), nil
	})
	require.NoError(t, err)
	assert.Equal(t, "old\nmine\n", contents(t, path))
}

// What dead runs left behind is removed, and nothing else.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "old")
	left := "." + "file." + strings.Repeat("a", 26) + temporarySuffix
	other := "." + "file2." + strings.Repeat("a", 26) + temporarySuffix
	write(t, filepath.Join(dir, left), "")
	write(t, filepath.Join(dir, other), "")
	_, err := Update(t.Context(), path, Options{}, to("new"))
	require.NoError(t, err)
	assert.Equal(t, []string{".file.lock", other, "file"}, names(t, dir))
}

// Who can only read the file cannot keep others from editing it.
func TestReaderCannotHoldTheLock(t *testing.T) {
	needRoot(t)
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Skip(err)
	}
	flock, err = filepath.EvalSymlinks(flock) // the link may be in a directory of root's alone
	require.NoError(t, err)
	path := filepath.Join(openDir(t, 0o755), "file")
	write(t, path, "old\n")
	require.NoError(t, os.Chown(path, 0, nobody))
	require.NoError(t, os.Chmod(path, 0o640))
	lock := filepath.Join(filepath.Dir(path), ".file.lock")
	write(t, lock, "")
	require.NoError(t, os.Chmod(lock, 0o644)) // as an older one may be
	_, err = Update(t.Context(), path, Options{}, to("new\n"))
	require.NoError(t, err)
	for _, name := range []string{lock, path} {
		cmd := exec.Command(flock, "--nonblock", name, "sh", "-c", "echo held; exec sleep 5")
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, _ = stdout.Read(make([]byte, len("held"))) // or the end, if it may not lock the file
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err = Update(ctx, path, Options{}, to(name))
		cancel()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		require.NoError(t, err)
	}
}

// A lock that its user could not give to the owner of the file is removed soon, and
// waited for.
func TestLockOfAnotherUser(t *testing.T) {
	needRoot(t)
	path := filepath.Join(openDir(t, 0o777), "file")
	write(t, path, "old\n")
	require.NoError(t, os.Chmod(path, 0o666))
	lock := filepath.Join(filepath.Dir(path), ".file.lock")
	write(t, lock, "")
	require.NoError(t, os.Chown(lock, stranger, stranger))
	time.AfterFunc(300*time.Millisecond, func() { _ = os.Remove(lock) })
	out, err := process(t, nobody, "in place", path, "new").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "old\nnew\n", contents(t, path))
	assert.NoFileExists(t, lock)
	// One that stays does not hang who cannot open it.
	write(t, lock, "")
	out, err = process(t, nobody, "in place", path, "newer").CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "permission denied")
}

// In a directory like /tmp nobody may open an existing file of another user with
// O_CREAT, not even root.
func TestStickyDirectory(t *testing.T) {
	needRoot(t)
	const setting = "/proc/sys/fs/protected_regular"
	was, err := os.ReadFile(setting)
	require.NoError(t, err)
	if err := os.WriteFile(setting, []byte("2"), 0); err != nil {
		t.Skip("fs.protected_regular cannot be set: ", err)
	}
	t.Cleanup(func() { _ = os.WriteFile(setting, was, 0) })
	dir := openDir(t, 0o777|fs.ModeSticky)
	path := filepath.Join(dir, "file")
	write(t, path, "old\n")
	require.NoError(t, os.Chown(path, nobody, nobody))
	out, err := process(t, nobody, "replace", path, "one").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = process(t, 0, "replace", path, "two").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "old\none\ntwo\n", contents(t, path))
}

// File names up to the limit of the system work.
func TestLongNames(t *testing.T) {
	for _, n := range []int{190, 200, 210, 220, 239, 240, 247, 248, 249, 250, 251, 255} {
		for _, letter := range []string{"x", "é"} {
			dir := t.TempDir()
			name := strings.Repeat(letter, n/len(letter))
			path := filepath.Join(dir, name)
			for _, line := range []string{"one", "two"} {
				_, err := Update(t.Context(), path, Options{Create: true}, addLine(line))
				require.NoError(t, err, "%d bytes", len(name))
			}
			assert.Equal(t, "one\ntwo\n", contents(t, path))
			assert.Len(t, names(t, dir), 2)
			// Another name with the same beginning has another lock.
			other := (&target{name: name[:len(name)-len(letter)] + "z"}).sibling(".lock")
			assert.NotContains(t, names(t, dir), other)
		}
	}
}

// An edit that changes nothing makes nothing, not even a lock.
func TestNothingToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "text")
	before, err := os.Stat(path)
	require.NoError(t, err)
	changed, err := Update(t.Context(), path, Options{}, func(string) (io.WriterTo, error) { return nil, nil })
	require.NoError(t, err)
	assert.False(t, changed)
	failure := errors.New("no")
	_, err = Update(t.Context(), path, Options{}, func(string) (io.WriterTo, error) { return nil, failure })
	require.ErrorIs(t, err, failure)
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.True(t, SameState(before, after))
	assert.Equal(t, []string{"file"}, names(t, filepath.Dir(path)))
}

// What others have attached to the file stays; what would let others act as its
// owner does not.
func TestAttributes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	require.NoError(t, os.Chmod(path, 0o640|fs.ModeSetuid|fs.ModeSetgid))
	if err := unix.Setxattr(path, "user.comment", []byte("kept"), 0); err != nil {
		t.Skip("no user attributes here: ", err)
	}
	_, err := Update(t.Context(), path, Options{}, to("new"))
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode())
	value := make([]byte, 100)
	n, err := unix.Getxattr(path, "user.comment", value)
	require.NoError(t, err)
	assert.Equal(t, "kept", string(value[:n]))
}

// A file that was deleted has no name that an edit could go to, and a pipe no end.
func TestDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	descriptor := fmt.Sprintf("/dev/fd/%d", f.Fd())
	_, err = Update(t.Context(), descriptor, Options{}, to("new"))
	require.NoError(t, err)
	assert.Equal(t, "new", contents(t, path))
	_, err = Update(t.Context(), descriptor, Options{Create: true}, to("newer"))
	require.ErrorIs(t, err, ErrNotRegular, "it was replaced")
	assert.Equal(t, "new", contents(t, path))

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, err = Update(t.Context(), fmt.Sprintf("/dev/fd/%d", r.Fd()), Options{Create: true}, to("x"))
	require.ErrorIs(t, err, ErrNotRegular)
}

func TestUpdateInsideUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	_, err := Update(t.Context(), path, Options{}, func(string) (io.WriterTo, error) {
		_, err := Update(t.Context(), path, Options{}, to("inner"))
		return nil, err
	})
	require.ErrorIs(t, err, ErrNested)
	assert.Equal(t, "old", contents(t, path))
}

func TestConflict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "")
	calls := 0
	_, err := Update(t.Context(), path, Options{}, func(string) (io.WriterTo, error) {
		calls++
		write(t, path, strings.Repeat("x", calls))
		return strings.NewReader("mine"), nil
	})
	require.ErrorIs(t, err, ErrConflict)
	assert.Equal(t, maxConflicts+1, calls, "once without the lock")
	assert.Equal(t, []string{".file.lock", "file"}, names(t, filepath.Dir(path)))
}

func TestContextThatHasEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Update(ctx, path, Options{}, func(string) (io.WriterTo, error) {
		cancel()
		return strings.NewReader("new"), nil
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = Update(ctx, path, Options{}, func(string) (io.WriterTo, error) {
		t.Error("edited")
		return nil, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "old", contents(t, path))
}
