package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/registryctl/registryctl/internal/testserver"
)

// privateMounts gives the test mounts that nobody else sees, nor any other test,
// and that end with it. Processes that it starts see them, goroutines do not.
func privateMounts(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread() // for ever, so that the thread ends with the test
	err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
	if errors.Is(err, unix.EPERM) { // as root in a container
		lack(t, "a root who may mount")
	}
	require.NoError(t, err)
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
}

// mount mounts until the test ends.
func mount(t *testing.T, source, target, fstype string, flags uintptr, data string) {
	t.Helper()
	require.NoError(t, unix.Mount(source, target, fstype, flags, data), "mount %s %s", target, data)
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

// fill leaves no room on the file system that the folder is on.
func fill(t *testing.T, folder string) (free func()) {
	t.Helper()
	full := filepath.Join(folder, "full")
	f, err := os.Create(full)
	require.NoError(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	return func() { require.NoError(t, os.Remove(full)) }
}

// On a full disk an edit fails, and works as soon as there is room.
func TestFullDisk(t *testing.T) {
	program := testserver.Build(t)
	works := func(t *testing.T, file, text string) {
		t.Helper()
		registryctl(t, "user", "add", "gordon", "--hash", hash, "-f", file)
		assert.Equal(t, text+line("gordon"), contents(t, file))
		assert.Empty(t, litter(t, file))
	}
	onDisk := func(t *testing.T, text, options string) (file string) {
		t.Helper()
		folder := t.TempDir()
		mount(t, "tmpfs", folder, "tmpfs", 0, options)
		file = filepath.Join(folder, "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}

	t.Run("no block", func(t *testing.T) {
		privateMounts(t)
		file := onDisk(t, editable, "size=64k")
		free := fill(t, filepath.Dir(file))
		assertRefused(t, file, program)
		free()
		works(t, file, editable)
	})

	// The new file has room to begin with, but not to its end.
	t.Run("too few blocks", func(t *testing.T) {
		privateMounts(t)
		text := editable + strings.Repeat("# "+strings.Repeat("-", 97)+"\n", 350)
		file := onDisk(t, text, "size=64k")
		assertRefused(t, file, program)
		file = onDisk(t, text, "size=128k")
		works(t, file, text)
	})

	t.Run("no inode", func(t *testing.T) {
		privateMounts(t)
		file := onDisk(t, editable, "nr_inodes=2") // the folder and the file
		assertRefused(t, file, program)
		require.NoError(t, unix.Mount("tmpfs", filepath.Dir(file), "tmpfs", unix.MS_REMOUNT, "nr_inodes=3"))
		assertRefused(t, file, program) // now the lock has one
		require.NoError(t, unix.Mount("tmpfs", filepath.Dir(file), "tmpfs", unix.MS_REMOUNT, "nr_inodes=4"))
		works(t, file, editable)
	})

	t.Run("in place", func(t *testing.T) {
		privateMounts(t)
		// Half of the new line would have room.
		text := editable + "#" + strings.Repeat("-", 4096-len(editable)-len(line("gordon"))/2) + "\n"
		file := onDisk(t, text, "size=64k")
		free := fill(t, filepath.Dir(file))
		for _, args := range [][]string{
			{"user", "add", "gordon", "--hash", hash},
			{"user", "rename", "elton", strings.Repeat("e", 200)},
		} {
			o := run(t, append([]string{program, "--in-place", "-f", file}, args...)...)
			assertFailed(t, o, args[1])
			assert.Equal(t, text, contents(t, file))
		}
		free()
		works(t, file, text)
	})
}

// In a folder that is read-only an edit fails, with a lock from before and
// without one. To read it needs neither.
func TestReadOnlyFolder(t *testing.T) {
	privateMounts(t)
	program := testserver.Build(t)
	for _, locked := range []bool{false, true} {
		t.Log("a lock stands there: ", locked)
		file := create(t, editable)
		if locked {
			registryctl(t, "user", "add", "gordon", "--hash", hash, "-f", file)
			registryctl(t, "user", "remove", "gordon", "-f", file)
		}
		folder := t.TempDir()
		mount(t, filepath.Dir(file), folder, "", unix.MS_BIND, "")
		require.NoError(t, unix.Mount("", folder, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		file = filepath.Join(folder, filepath.Base(file))

		assertRefused(t, file, program)
		assertRefused(t, file, program, "--in-place")
		o := run(t, program, "user", "list", "-o", "name", "-f", file)
		assert.Equal(t, outcome{stdout: "elton\nfrancis\n"}, o)
	}
}

// A single file that is mounted, as into a container, is bound to its inode.
func TestMountedFile(t *testing.T) {
	program := testserver.Build(t)
	mounted := func(t *testing.T) (outside, inside string) {
		t.Helper()
		outside, inside = create(t, editable), create(t, "")
		mount(t, outside, inside, "", unix.MS_BIND, "")
		return outside, inside
	}

	t.Run("replaced", func(t *testing.T) {
		privateMounts(t)
		outside, inside := mounted(t)
		assertRefused(t, inside, program)
		assert.Equal(t, editable, contents(t, outside))
		o := run(t, program, "user", "remove", "elton", "-f", inside)
		assert.Regexp(t, `\n  hint: mount its directory instead, or use --in-place`, o.stderr)
	})

	// An edit that changes nothing needs no right to write.
	t.Run("unchanged", func(t *testing.T) {
		privateMounts(t)
		_, inside := mounted(t)
		for _, args := range [][]string{nil, {"--in-place"}} {
			for _, edit := range [][]string{{"remove", "nobody", "--if-exists"}, {"enable", "elton"}} {
				o := run(t, slices.Concat([]string{program, "user"}, edit, []string{"-f", inside}, args)...)
				assert.Zero(t, o.status, "%q: %s", edit, o.stderr)
			}
			require.NoError(t, unix.Mount("", inside, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			for _, edit := range [][]string{{"remove", "nobody", "--if-exists"}, {"enable", "elton"}} {
				o := run(t, slices.Concat([]string{program, "user"}, edit, []string{"-f", inside}, args)...)
				assert.Zero(t, o.status, "%q, read-only: %s", edit, o.stderr)
			}
		}
	})

	// Nobody has to type a password first. Nor does a link hide where it leads, or a
	// name that is escaped in mountinfo.
	t.Run("before a password", func(t *testing.T) {
		privateMounts(t)
		outside, inside := mounted(t)
		odd := filepath.Join(t.TempDir(), "a \"b\\'c\té")
		require.NoError(t, os.Mkdir(odd, 0o700))
		odd = filepath.Join(odd, "htpasswd")
		require.NoError(t, os.WriteFile(odd, nil, 0o600))
		mount(t, outside, odd, "", unix.MS_BIND, "")
		dir := t.TempDir()
		linked, inLinked := filepath.Join(dir, "file"), filepath.Join(dir, "directory")
		require.NoError(t, os.Symlink(inside, linked))
		require.NoError(t, os.Symlink(filepath.Dir(inside), inLinked))
		for _, file := range []string{inside, odd, linked, filepath.Join(inLinked, filepath.Base(inside))} {
			for action, args := range map[string][]string{
				`add "gordon"`:                {"user", "add", "gordon", "--update"},
				`add "francis2"`:              {"user", "add", "francis2"},
				`set the password of "elton"`: {"user", "passwd", "elton"},
			} {
				o := run(t, append([]string{program, "-f", file}, args...)...)
				assert.Equal(t, outcome{1, "", "registryctl: cannot " + action + ": " + strings.ReplaceAll(file, "\t", "?") + " is mounted as a single file, which cannot be replaced\n" +
					"  hint: mount its directory instead, or use --in-place\n"}, o)
			}
			o := run(t, program, "htpasswd", "-B", file, "elton")
			assert.Equal(t, outcome{1, "", "htpasswd: cannot replace file " + strings.ReplaceAll(file, "\t", "?") + ": device or resource busy\n" +
				"  hint: if the file itself is mounted into a container, mount its directory instead, or see registryctl user add --in-place\n"}, o)
		}
	})

	t.Run("in place", func(t *testing.T) {
		privateMounts(t)
		for name := range edits {
			outside, inside := mounted(t)
			before, err := os.Stat(outside)
			require.NoError(t, err)
			assertEdited(t, name, inside, program, "--in-place")
			for _, file := range []string{outside, inside} {
				assert.Equal(t, edited[name], contents(t, file), name)
				assert.Empty(t, litter(t, file), name)
				after, err := os.Stat(file)
				require.NoError(t, err)
				assert.True(t, os.SameFile(before, after), name)
				assert.True(t, after.ModTime().After(before.ModTime()), name)
			}
		}
	})
}
