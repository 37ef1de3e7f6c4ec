package htpasswd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// TestMain lets the test binary be run again as another process that edits.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_ADD_USERS") != "" {
		if err := addUsers(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func addUsers(path string, users []string) error {
	h, err := ParseHash(dockerHash)
	if err != nil {
		return err
	}
	for _, user := range users {
		store := FileStore{Path: path, Create: true}
		if _, err := store.Update(context.Background(), func(f *File) error { return f.Add(user, h) }); err != nil {
			return err
		}
	}
	return nil
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// litter returns what stands beside the file, its lock apart.
func litter(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(path) && e.Name() != "."+filepath.Base(path)+".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestUpdateCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	h := parseHash(t, dockerHash)
	add := func(f *File) error { return f.Add("elton", h) }

	_, err := FileStore{Path: path}.Update(t.Context(), add)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = FileStore{Path: path}.Read(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, _ := os.ReadDir(filepath.Dir(path))
	require.Empty(t, entries, "a mistyped path leaves nothing")

	changed, err := FileStore{Path: path, Create: true}.Update(t.Context(), add)
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, "elton:"+dockerHash+"\n", contents(t, path))
	assert.Empty(t, litter(t, path))

	f, err := FileStore{Path: path}.Read(t.Context())
	require.NoError(t, err)
	_, ok := f.Lookup("elton")
	assert.True(t, ok)
}

func TestUpdateMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead")
	}
	modeOf := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode()
	}
	for mode, lock := range map[fs.FileMode]fs.FileMode{0: 0o600, 0o600: 0o600, 0o640: 0o600, 0o660: 0o660, 0o666: 0o666} {
		path := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, addTo(t, FileStore{Path: path, Create: true, Mode: mode}, "elton"))
		assert.Equal(t, cmp.Or(mode, 0o600), modeOf(path), "whatever the umask")
		assert.Equal(t, lock, modeOf(filepath.Join(filepath.Dir(path), ".htpasswd.lock")), "who can only read the file cannot lock it")

		require.NoError(t, os.Chmod(path, 0o604))
		require.NoError(t, addTo(t, FileStore{Path: path, Mode: mode}, "francis"))
		assert.Equal(t, fs.FileMode(0o604), modeOf(path), "the mode of a file stays")
	}
}

// SetMode is a part of the edit, and all of it if the text stays.
func TestUpdateSetsTheMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead")
	}
	for _, inPlace := range []bool{false, true} {
		path := write(t, "elton:x\n")
		store := FileStore{Path: path, Mode: 0o640, SetMode: true, InPlace: inPlace}
		for _, tt := range []struct {
			user string // to add, if any
			text string
		}{{"", "elton:x\n"}, {"francis", "elton:x\nfrancis:" + dockerHash + "\n"}} {
			require.NoError(t, os.Chmod(path, 0o600))
			before, err := os.Stat(path)
			require.NoError(t, err)
			h := parseHash(t, dockerHash)
			edit := func(f *File) error {
				if tt.user == "" {
					return nil
				}
				return f.Add(tt.user, h)
			}
			changed, err := store.Update(t.Context(), edit)
			require.NoError(t, err)
			assert.True(t, changed)
			after, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o640), after.Mode())
			assert.Equal(t, tt.text, contents(t, path))
			assert.True(t, after.ModTime().After(before.ModTime()))
			assert.Equal(t, inPlace, os.SameFile(before, after))
		}
		changed, err := store.Update(t.Context(), func(*File) error { return nil })
		require.NoError(t, err)
		assert.False(t, changed)
	}
}

func addTo(t *testing.T, s FileStore, user string) error {
	t.Helper()
	h := parseHash(t, dockerHash)
	_, err := s.Update(t.Context(), func(f *File) error { return f.Add(user, h) })
	return err
}

func TestUpdateThatChangesNothing(t *testing.T) {
	path := write(t, "elton:"+dockerHash+"\n")
	before, err := os.Stat(path)
	require.NoError(t, err)
	h := parseHash(t, dockerHash)
	for _, edit := range []func(*File) error{
		func(*File) error { return nil },
		func(f *File) error { return f.Set("elton", h) },
		func(f *File) error { return errors.Join(f.Add("a", h), f.Remove("a")) },
	} {
		changed, err := FileStore{Path: path}.Update(t.Context(), edit)
		require.NoError(t, err)
		assert.False(t, changed)
		after, err := os.Stat(path)
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after))
		assert.Equal(t, before.ModTime(), after.ModTime())
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	path := write(t, "elton:x\n")
	failure := errors.New("no")
	changed, err := FileStore{Path: path}.Update(t.Context(), func(f *File) error {
		_ = f.Remove("elton")
		return failure
	})
	require.ErrorIs(t, err, failure)
	assert.False(t, changed)
	assert.Equal(t, "elton:x\n", contents(t, path))
	assert.Empty(t, litter(t, path))
}

func TestUpdateRefusesWhatTheRegistryRefuses(t *testing.T) {
	path := write(t, "elton:x\nno entry\n")
	changed, err := FileStore{Path: path}.Update(t.Context(), func(f *File) error { return f.Remove("elton") })
	var perr *ParseError
	require.ErrorAs(t, err, &perr)
	assert.Equal(t, 2, perr.Line)
	assert.False(t, changed)
	assert.Equal(t, "elton:x\nno entry\n", contents(t, path))
	f, err := FileStore{Path: path}.Read(t.Context())
	require.ErrorAs(t, err, &perr)
	_, ok := f.Lookup("elton")
	assert.True(t, ok, "what is there can be read")

	changed, err = FileStore{Path: path}.Update(t.Context(), func(f *File) error { return f.Reset("elton:x\n# no entry\n") })
	require.NoError(t, err)
	assert.True(t, changed, "a repair is an edit like any other")
	assert.Equal(t, "elton:x\n# no entry\n", contents(t, path))
}

func TestUpdateLeavesAStrictlyNewerTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, addTo(t, FileStore{Path: path, Create: true}, "first"))
	for i := range 50 {
		before, err := os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, addTo(t, FileStore{Path: path}, fmt.Sprint("user", i)))
		after, err := os.Stat(path)
		require.NoError(t, err)
		require.True(t, after.ModTime().After(before.ModTime()))
	}
	future := time.Now().Add(time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(path, future, future))
	require.NoError(t, addTo(t, FileStore{Path: path}, "late"))
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.True(t, after.ModTime().After(future))
}

func TestUpdateKeepsALink(t *testing.T) {
	target := write(t, "elton:x\n")
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	testserver.Symlink(t, target, first)
	testserver.Symlink(t, "first", second)
	require.NoError(t, addTo(t, FileStore{Path: second}, "francis"))
	assert.Equal(t, "elton:x\nfrancis:"+dockerHash+"\n", contents(t, target))
	for _, link := range []string{first, second} {
		info, err := os.Lstat(link)
		require.NoError(t, err)
		assert.NotZero(t, info.Mode()&fs.ModeSymlink)
	}

	loop := filepath.Join(dir, "loop")
	testserver.Symlink(t, "loop", loop)
	require.Error(t, addTo(t, FileStore{Path: loop, Create: true}, "francis"))
}

func TestUpdateEditsOnlyRegularFiles(t *testing.T) {
	require.ErrorContains(t, addTo(t, FileStore{Path: t.TempDir(), Create: true}, "elton"), "not a regular file")
}

// A lock that is held makes an Update wait until the context ends, and no reader.
// The end of its time ends the waits of an edit, but not an edit that has its lock.
func TestUpdateEndsWhatItHasBegun(t *testing.T) {
	path := write(t, "elton:x\n")
	hash := parseHash(t, dockerHash)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	changed, err := FileStore{Path: path}.Update(ctx, func(f *File) error {
		<-ctx.Done()
		return f.Add("francis", hash)
	})
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, "elton:x\nfrancis:"+dockerHash+"\n", contents(t, path))
}

// Where names that differ in case or in their Unicode form lead to one file, they
// lead to its one lock.
func TestUpdateByOtherNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Éltons.htpasswd")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	want := ""
	for _, name := range []string{"éltons.HTPASSWD", "E\u0301ltons.htpasswd"} {
		other := filepath.Join(filepath.Dir(path), name)
		if _, err := os.Stat(other); err == nil {
			require.NoError(t, addTo(t, FileStore{Path: other}, name))
			want += name + ":" + dockerHash + "\n"
		}
	}
	if want == "" {
		t.Skip("a file has one name here")
	}
	assert.Equal(t, want, contents(t, path))
	assert.Empty(t, litter(t, path))
}

func TestUpdateWaitsForTheLock(t *testing.T) {
	path := write(t, "")
	h := parseHash(t, dockerHash)
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		calls := 0
		_, err := FileStore{Path: path}.Update(t.Context(), func(f *File) error {
			if calls++; calls == 1 {
				// Not under the lock yet: made again under it, as the file is another one.
				return errors.Join(os.WriteFile(path, []byte("other:y\n"), 0o600), f.Add("first", h))
			}
			close(holding)
			<-release
			return f.Add("first", h)
		})
		assert.NoError(t, err)
	})
	<-holding
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := FileStore{Path: path}.Update(ctx, func(f *File) error { return f.Add("elton", h) })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, "other:y\n", contents(t, path))

	_, err = FileStore{Path: path}.Read(t.Context())
	require.NoError(t, err, "a reader does not wait")
	close(release)
	wg.Wait()
	require.NoError(t, addTo(t, FileStore{Path: path}, "elton"))
}

func TestLockIsNeverOpenedThroughALink(t *testing.T) {
	path := write(t, "")
	victim := filepath.Join(t.TempDir(), "victim")
	testserver.Symlink(t, victim, filepath.Join(filepath.Dir(path), ".htpasswd.lock"))
	require.Error(t, addTo(t, FileStore{Path: path}, "elton"))
	assert.NoFileExists(t, victim)
	assert.Empty(t, contents(t, path))
}

// An edit that another program makes without the lock, while ours is under way,
// is seen, and ours made again on top of it.
func TestUpdateSeesAnEditWithoutTheLock(t *testing.T) {
	path := write(t, "elton:x\n")
	h := parseHash(t, dockerHash)
	calls := 0
	changed, err := FileStore{Path: path}.Update(t.Context(), func(f *File) error {
		if calls++; calls == 1 {
			require.NoError(t, os.WriteFile(path, []byte("elton:x\nother:y\n"), 0o600))
		}
		return f.Add("francis", h)
	})
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, 2, calls)
	assert.Equal(t, "elton:x\nother:y\nfrancis:"+dockerHash+"\n", contents(t, path))
}

func TestConcurrentUpdates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	store := FileStore{Path: path, Create: true}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { assert.NoError(t, addTo(t, store, fmt.Sprint("user", i))) })
	}
	wg.Wait()
	assert.Equal(t, 16, strings.Count(contents(t, path), "\n"))
	assert.Empty(t, litter(t, path))
}

// Users that several processes add at once are all there, and a reader never
// sees less than a whole file.
func TestConcurrentProcesses(t *testing.T) {
	const processes, users = 8, 5
	path := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, addTo(t, FileStore{Path: path, Create: true}, "first"))

	var editors sync.WaitGroup
	for p := range processes {
		args := []string{path}
		for u := range users {
			args = append(args, fmt.Sprintf("user-%d-%d", p, u))
		}
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "TEST_ADD_USERS=1")
		editors.Go(func() {
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, string(out))
		})
	}
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		seen := 0
		for {
			f, err := FileStore{Path: path}.Read(t.Context())
			if !assert.NoError(t, err) {
				return
			}
			n := 0
			for range f.All() {
				n++
			}
			assert.GreaterOrEqual(t, n, seen)
			seen = n
			select {
			case <-done:
				return
			default:
			}
		}
	})
	editors.Wait()
	close(done)
	reader.Wait()

	f, err := FileStore{Path: path}.Read(t.Context())
	require.NoError(t, err)
	for p := range processes {
		for u := range users {
			_, ok := f.Lookup(fmt.Sprintf("user-%d-%d", p, u))
			assert.True(t, ok)
		}
	}
	assert.Empty(t, litter(t, path))
}

func TestUpdateInPlace(t *testing.T) {
	h := parseHash(t, dockerHash)
	for name, c := range map[string]struct {
		before string
		edit   edit
		after  string
	}{
		"an added line":   {"a:x", add("b"), "a:x\nb:" + dockerHash + "\n"},
		"a longer text":   {"a:x\nb:y\n", set("a"), "a:" + dockerHash + "\nb:y\n"},
		"a shorter text":  {"a:x\nb:y\n", remove("a"), "b:y\n"},
		"nothing is left": {"a:x\n", remove("a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.before)
			before, err := os.Stat(path)
			require.NoError(t, err)
			changed, err := FileStore{Path: path, InPlace: true}.Update(t.Context(), func(f *File) error { return c.edit(f, h) })
			require.NoError(t, err)
			assert.True(t, changed)
			assert.Equal(t, c.after, contents(t, path))
			after, err := os.Stat(path)
			require.NoError(t, err)
			assert.True(t, os.SameFile(before, after))
			assert.True(t, after.ModTime().After(before.ModTime()))
			assert.Empty(t, litter(t, path))
		})
	}

	path := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, addTo(t, FileStore{Path: path, Create: true, InPlace: true}, "elton"))
	assert.Equal(t, "elton:"+dockerHash+"\n", contents(t, path))

	// As for a replacement, an edit without the lock is seen.
	calls := 0
	_, err := FileStore{Path: path, InPlace: true}.Update(t.Context(), func(f *File) error {
		if calls++; calls == 1 {
			require.NoError(t, os.WriteFile(path, []byte("other:y\n"), 0o600))
		}
		return f.Add("francis", h)
	})
	require.NoError(t, err)
	assert.Equal(t, "other:y\nfrancis:"+dockerHash+"\n", contents(t, path))
}
