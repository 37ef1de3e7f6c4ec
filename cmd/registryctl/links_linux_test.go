package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

// Links that lead to the file stay, and the file behind them is edited, with the
// lock beside it.
func TestLinks(t *testing.T) {
	program := testserver.Build(t)
	for _, tt := range []struct {
		name  string
		links map[string]string
		path  string // what is edited
		file  string // where that leads to
	}{
		{"a link", map[string]string{"auth/htpasswd": "users"}, "auth/htpasswd", "auth/users"},
		{"a chain", map[string]string{"auth/htpasswd": "b", "auth/b": "c", "auth/c": "users"}, "auth/htpasswd", "auth/users"},
		{"to another folder", map[string]string{"auth/htpasswd": "../data/users"}, "auth/htpasswd", "data/users"},
		{"absolute", map[string]string{"auth/htpasswd": "/data/users"}, "auth/htpasswd", "data/users"},
		{"a chain through folders", map[string]string{"auth/htpasswd": "../etc/users", "etc/users": "../data/users"}, "auth/htpasswd", "data/users"},
		{"a linked folder", map[string]string{"auth": "data"}, "auth/users", "data/users"},
		{"a link in a linked folder", map[string]string{"auth": "data/live", "data/live/htpasswd": "../users"}, "auth/htpasswd", "data/users"},
		{"up from a linked folder", map[string]string{"etc/auth": "../data/live"}, "etc/auth/../users", "data/users"},
		{"as Kubernetes mounts", map[string]string{"auth/htpasswd": "..data/htpasswd", "auth/..data": "..2026"}, "auth/htpasswd", "auth/..2026/htpasswd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name := range edits {
				root, err := filepath.EvalSymlinks(t.TempDir())
				require.NoError(t, err)
				for _, folder := range []string{"data/live", "auth/..2026", "etc"} {
					if _, linked := tt.links[filepath.Dir(folder)]; !linked {
						require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o700))
					}
				}
				for link, target := range tt.links {
					if filepath.IsAbs(target) {
						target = root + target
					}
					require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
				}
				file := filepath.Join(root, tt.file)
				require.NoError(t, os.WriteFile(file, []byte(editable), 0o600))
				before := tree(t, root)

				registryctl(t, append([]string{"-f", root + "/" + tt.path}, edits[name]...)...)
				assert.Equal(t, edited[name], contents(t, file), name)
				before[lockOf(file)] = ""
				assert.Equal(t, before, tree(t, root), name)
			}
		})
	}

	t.Run("dangling", func(t *testing.T) {
		file := create(t, "")
		require.NoError(t, os.Remove(file))
		link := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, os.Symlink(file, link))
		o := run(t, program, "user", "remove", "elton", "-f", link)
		assertFailed(t, o, "remove")
		assert.Empty(t, litter(t, link))
		assert.NoFileExists(t, lockOf(file))

		registryctl(t, "user", "add", "elton", "--hash", hash, "-f", link)
		target, err := os.Readlink(link)
		require.NoError(t, err)
		assert.Equal(t, file, target)
		assert.Equal(t, line("elton"), contents(t, file))
		assert.Empty(t, litter(t, file))
	})

	t.Run("dangling, and no folder", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, os.Symlink("missing/users", link))
		before := tree(t, filepath.Dir(link))
		assertFailed(t, run(t, program, "user", "add", "elton", "--hash", hash, "-f", link), "add")
		assert.Equal(t, before, tree(t, filepath.Dir(link)))
	})

	t.Run("a circle", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, os.Symlink("b", link))
		require.NoError(t, os.Symlink("htpasswd", filepath.Join(filepath.Dir(link), "b")))
		before := tree(t, filepath.Dir(link))
		for name, args := range edits {
			assertFailed(t, run(t, append([]string{program, "-f", link}, args...)...), name)
		}
		assert.Equal(t, before, tree(t, filepath.Dir(link)))
	})
}

// A link that another user could have planted is not followed. The hint says how it
// is accepted.
func TestLinkOfAStranger(t *testing.T) {
	const nobody, stranger = 65534, 12345
	for me, program := range map[string][]string{"root": {testserver.Build(t)}, "nobody": ordinary(t)} {
		folder := openFolder(t, 0o777)
		file, link := filepath.Join(folder, "users"), filepath.Join(folder, "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(editable), 0o600))
		require.NoError(t, os.Symlink("users", link))
		require.NoError(t, os.Lchown(link, stranger, stranger))
		if me == "nobody" {
			require.NoError(t, os.Chown(file, nobody, nobody))
		}
		for name, args := range edits {
			o := run(t, slices.Concat(program, args, []string{"-f", link})...)
			assertFailed(t, o, name)
			hint := fmt.Sprintf("chown -h %s %s", me, link)
			assert.NotContains(t, o.stderr, `""`, name)
			assert.Contains(t, o.stderr, "the symbolic link "+link+" belongs to user 12345, so it is not followed\n  hint: look where it leads, and if that is right, take its ownership: sudo "+hint+"\n", name)
		}
		assert.Equal(t, editable, contents(t, file))
		require.NoError(t, exec.Command("chown", "-h", me, link).Run())
		o := run(t, slices.Concat(program, edits["add"], []string{"-f", link})...)
		assert.Zero(t, o.status, o.stderr)
		assert.Equal(t, edited["add"], contents(t, file))
	}
}

// tree is what is in a folder and those in it: each path, with its target if it
// is a link.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSymlink != 0 {
			found[path], err = os.Readlink(path)
		} else {
			found[path] = ""
		}
		return err
	}))
	return found
}

// Others may have put something where the lock or the temporary file belongs, for
// the edit to open it, to write to it, or to give it to somebody else.
func TestPlanted(t *testing.T) {
	program := testserver.Build(t)
	for _, tt := range []struct {
		name  string
		plant func(path, bait string) error
		locks bool // does no harm as a lock
	}{
		{name: "link", plant: func(path, bait string) error { return os.Symlink(bait, path) }},
		{name: "dangling link", plant: func(path, bait string) error { return os.Symlink(bait+"-missing", path) }},
		{name: "link to the file", plant: func(path, _ string) error { return os.Symlink("htpasswd", path) }},
		{name: "link to itself", plant: func(path, _ string) error { return os.Symlink(filepath.Base(path), path) }},
		{name: "hard link", plant: func(path, bait string) error { return os.Link(bait, path) }, locks: true},
		{name: "pipe", plant: func(path, _ string) error { return syscall.Mkfifo(path, 0o666) }},
		{name: "socket", plant: func(path, _ string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o666, 0) }},
		{name: "folder", plant: func(path, _ string) error { return os.Mkdir(path, 0o777) }},
		{name: "full folder", plant: func(path, _ string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o777) }},
	} {
		setUp := func(t *testing.T, planted func(file string) string) (file string, untouched func(after string)) {
			t.Helper()
			file, bait := create(t, editable), create(t, "bait")
			// Not those of the bait, to which the lock's would be set.
			require.NoError(t, os.Chmod(file, mode))
			if os.Geteuid() == 0 {
				require.NoError(t, os.Chown(file, owner, owner))
			}
			require.NoError(t, tt.plant(planted(file), bait))
			before, err := os.Stat(bait)
			require.NoError(t, err)
			return file, func(edit string) {
				t.Helper()
				after, err := os.Stat(bait)
				require.NoError(t, err)
				assert.Equal(t, "bait", contents(t, bait), edit)
				assert.Equal(t, before.Mode(), after.Mode(), edit)
				assert.Equal(t, before.ModTime(), after.ModTime(), edit)
				assert.Equal(t, uid(before), uid(after), edit)
				assert.NoFileExists(t, bait+"-missing", edit)
			}
		}

		t.Run(tt.name+" for a lock", func(t *testing.T) {
			file, untouched := setUp(t, lockOf)
			if tt.locks {
				run(t, slices.Concat([]string{program}, edits["add"], []string{"-f", file})...)
			} else {
				assertRefused(t, file, program)
				assertRefused(t, file, program, "--in-place")
				o := run(t, slices.Concat([]string{program}, edits["add"], []string{"-f", file})...)
				assert.Contains(t, o.stderr, lockOf(file)+": it stands where the lock file belongs", "what to remove")
			}
			untouched("the lock")
		})

		t.Run(tt.name+" for a temporary file", func(t *testing.T) {
			for name := range edits {
				file, untouched := setUp(t, temporaryOf)
				o := run(t, slices.Concat([]string{program}, edits[name], []string{"-f", file})...)
				assert.Zero(t, o.status, o.stderr)
				assert.Equal(t, edited[name], contents(t, file), name)
				untouched(name)
			}
		})
	}
}

func uid(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
