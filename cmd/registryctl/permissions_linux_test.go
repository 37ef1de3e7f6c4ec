package main

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/registryctl/registryctl/internal/testserver"
)

// ordinary runs the program as a user whom the system refuses what it refuses
// everybody but root.
func ordinary(t *testing.T) (program []string) {
	t.Helper()
	return asNobody(t, testserver.Build(t))
}

// asNobody is a command line that runs a program as an ordinary user.
func asNobody(t *testing.T, program string) []string {
	t.Helper()
	needRoot(t)
	testserver.Need(t, "setpriv")
	// The folders that go test makes are root's alone.
	path := filepath.Join(openFolder(t, 0o755), filepath.Base(program))
	from, err := os.Open(program)
	require.NoError(t, err)
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", path}
}

// openFolder is one of root that others can reach.
func openFolder(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "registryctl-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, mode))
	return folder
}

// What others plant does an ordinary user as little harm as it does root.
func TestAttacksOnAnOrdinaryUser(t *testing.T) {
	program := ordinary(t)
	self, err := os.Executable()
	require.NoError(t, err)
	argv := append(asNobody(t, self), "-test.v", "-test.run=^(TestPlanted|TestLinks)$")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = openFolder(t, 0o777)
	cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir, "TEST_REGISTRYCTL="+program[len(program)-1], "REQUIRE_PEERS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestPlanted")
}

// What a user may not do fails, and changes nothing.
func TestOrdinaryUser(t *testing.T) {
	program := ordinary(t)
	inPlace := append(program[:len(program):len(program)], "--in-place")
	const nobody = 65534

	for _, tt := range []struct {
		name           string
		folder         fs.FileMode // root's
		uid, gid       int         // of the file
		mode           fs.FileMode // of the file
		locked         bool        // root has edited the file before
		replace, write bool        // what works: an edit, and one in place
	}{
		{"own file", 0o777, nobody, nobody, 0o600, false, true, true},
		{"own file, root's edit before", 0o777, nobody, nobody, 0o600, true, true, true},
		{"own file, in a group the user is not in", 0o777, nobody, 0, 0o640, false, false, true},
		{"another user's file", 0o777, 0, 0, 0o644, false, false, false},
		{"another user's file, locked", 0o777, 0, 0, 0o644, true, false, false},
		{"another user's secret file", 0o777, 0, 0, 0o600, false, false, false},
		{"another user's secret file, locked", 0o777, 0, 0, 0o600, true, false, false},
		{"another user's file that may be written", 0o777, 0, nobody, 0o660, false, false, true},
		{"folder without write permission", 0o755, nobody, nobody, 0o600, false, false, false},
		{"folder without write permission, locked", 0o755, nobody, nobody, 0o600, true, false, true},
		{"folder without search permission", 0o700, nobody, nobody, 0o600, true, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setUp := func() (file string, before fs.FileInfo) {
				file = filepath.Join(openFolder(t, tt.folder), "htpasswd")
				require.NoError(t, os.WriteFile(file, []byte(editable), 0o600))
				require.NoError(t, os.Chown(file, tt.uid, tt.gid))
				require.NoError(t, os.Chmod(file, tt.mode))
				if tt.locked {
					registryctl(t, "user", "add", "gordon", "--hash", hash, "-f", file)
					registryctl(t, "user", "remove", "gordon", "-f", file)
				}
				before, err := os.Stat(file)
				require.NoError(t, err)
				return file, before
			}
			for _, way := range []struct {
				program []string
				works   bool
			}{{program, tt.replace}, {inPlace, tt.write}} {
				if !way.works {
					file, before := setUp()
					assertRefused(t, file, way.program...)
					assertSamePermissions(t, before, file)
					continue
				}
				for name := range edits {
					file, before := setUp()
					assertEdited(t, name, file, way.program...)
					assertSamePermissions(t, before, file)
				}
			}

			// Whatever the user did, root can edit.
			file, before := setUp()
			run(t, append(program, "user", "remove", "nobody", "-f", file)...)
			assertEdited(t, "add", file, testserver.Build(t))
			assertSamePermissions(t, before, file)
			assertLockOfWriters(t, before, file)
		})
	}

	t.Run("owner", func(t *testing.T) {
		file := filepath.Join(openFolder(t, 0o777), "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(editable), 0o644))
		require.NoError(t, os.Chown(file, 1000, 1000))
		o := run(t, append(program, "user", "remove", "elton", "-f", file)...)
		assert.Regexp(t, `^registryctl: cannot remove "elton": `+file+`: cannot keep the file's owner, mode or access list\n`+
			`  hint: run the (command as the owner of the file|container with --user 1000:1000)\n$`, withoutWarnings(o).stderr) // wherever the tests run
		// What has failed does not keep the owner out.
		before, err := os.Stat(file)
		require.NoError(t, err)
		assertEdited(t, "add", file, "setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", program[len(program)-1])
		assertSamePermissions(t, before, file)
		assertLockOfWriters(t, before, file)
	})

	t.Run("create", func(t *testing.T) {
		file := filepath.Join(openFolder(t, 0o755), "htpasswd")
		assertFailed(t, run(t, append(program, "user", "add", "elton", "--hash", hash, "-f", file)...), "create")
		assert.NoFileExists(t, file)
		assert.NoFileExists(t, lockOf(file))
		assert.Empty(t, litter(t, file))
	})
}

func assertSamePermissions(t *testing.T, want fs.FileInfo, file string) {
	t.Helper()
	is, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), is.Mode(), file)
	assert.Equal(t, uid(want), uid(is), file)
	assert.Equal(t, want.Sys().(*syscall.Stat_t).Gid, is.Sys().(*syscall.Stat_t).Gid, file)
}

// assertLockOfWriters says whether those can use the lock who may write the file,
// and nobody else.
func assertLockOfWriters(t *testing.T, data fs.FileInfo, file string) {
	t.Helper()
	lock, err := os.Stat(lockOf(file))
	require.NoError(t, err)
	write := data.Mode() & 0o222
	assert.Equal(t, 0o600|write|write<<1, lock.Mode(), file)
	assert.Equal(t, uid(data), uid(lock), file)
	assert.Equal(t, data.Sys().(*syscall.Stat_t).Gid, lock.Sys().(*syscall.Stat_t).Gid, file)
}

// Owner, group and mode of a file stay, and its lock belongs to the same user.
func TestOwnerAndModeStay(t *testing.T) {
	program := testserver.Build(t)
	for _, ids := range [][2]int{{-1, -1}, {owner, owner}, {0, owner}, {owner, 0}} {
		if ids[0] >= 0 && os.Geteuid() != 0 {
			continue // nothing that an ordinary user could have made
		}
		for _, mode := range []fs.FileMode{0o600, 0o640, 0o644, 0o666} {
			for name := range edits {
				file := create(t, editable)
				require.NoError(t, os.Chown(file, ids[0], ids[1]))
				require.NoError(t, os.Chmod(file, mode))
				before, err := os.Stat(file)
				require.NoError(t, err)
				assertEdited(t, name, file, "sh", "-c", `umask 0002; exec "$0" "$@"`, program)
				assertSamePermissions(t, before, file)
				assertLockOfWriters(t, before, file)
			}
		}
	}
}

// Whoever may write the file by its access list can use its lock.
func TestAccessListOfLock(t *testing.T) {
	testserver.Need(t, "setfacl")
	program := ordinary(t)
	file := filepath.Join(openFolder(t, 0o777), "htpasswd")
	require.NoError(t, os.WriteFile(file, []byte(editable), 0o600))
	out, err := exec.Command("setfacl", "-m", "user:65534:rw", file).CombinedOutput()
	require.NoError(t, err, string(out))
	registryctl(t, "user", "add", "gordon", "--hash", hash, "-f", file)
	o := run(t, append(program, "user", "remove", "gordon", "--in-place", "-f", file)...)
	assert.Zero(t, o.status, o.stderr)

	// A lock that is in the way is named.
	require.NoError(t, os.Remove(lockOf(file)))
	require.NoError(t, os.WriteFile(lockOf(file), nil, 0o600))
	o = run(t, append(program, "user", "remove", "elton", "--in-place", "-f", file)...)
	assert.Equal(t, 1, o.status)
	assert.Contains(t, o.stderr, "permission denied: "+lockOf(file)+" belongs to root")
}

// Nobody is told to become who they are.
func TestOwnDirectory(t *testing.T) {
	program := ordinary(t)
	dir := openFolder(t, 0o500)
	require.NoError(t, os.Chown(dir, 65534, 65534))
	o := run(t, append(program, "user", "add", "elton", "--hash", hash, "-f", filepath.Join(dir, "htpasswd"))...)
	assert.Equal(t, outcome{1, "", "registryctl: cannot add \"elton\": permission denied: " + dir + "\n  hint: chmod 0700 " + dir + "\n"}, o)
}

// The access list of a file stays, and so does its label; one that its folder has
// for new files is not added.
func TestAccessList(t *testing.T) {
	testserver.Need(t, "setfacl")
	setfacl := func(t *testing.T, args ...string) {
		t.Helper()
		out, err := exec.Command("setfacl", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	programs := map[string][]string{"as this user": {testserver.Build(t)}}
	if os.Geteuid() == 0 {
		programs["as an ordinary user"] = ordinary(t)
	}
	for as, program := range programs {
		for _, tt := range []struct {
			name         string
			folder, file string // setfacl's -m, if any
		}{
			{"the folder's", "default:user:1234:rwx,default:group:1234:rwx", ""},
			{"the folder's that only masks", "default:user::rwx,default:group::rwx,default:mask::rwx", ""},
			{"the file's", "", "user:1234:r,group:1234:rw"},
			{"both", "default:user:1234:rwx", "user:5678:r"},
		} {
			t.Run(as+"/"+tt.name, func(t *testing.T) {
				for name := range edits {
					folder := openFolder(t, 0o700)
					file := filepath.Join(folder, "htpasswd")
					require.NoError(t, os.WriteFile(file, []byte(editable), 0o640))
					if os.Geteuid() == 0 {
						require.NoError(t, os.Chown(folder, owner, owner))
						require.NoError(t, os.Chown(file, owner, owner))
						// Without a security module that knows it, a label is any text.
						err := unix.Setxattr(file, "security.selinux", []byte("label"), 0)
						if err != nil {
							t.Log("a label cannot be set:", err)
						}
					}
					if tt.file != "" {
						setfacl(t, "-m", tt.file, file)
					}
					if tt.folder != "" {
						setfacl(t, "-m", tt.folder, folder)
					}
					list, label := xattr(t, file, "system.posix_acl_access"), xattr(t, file, "security.selinux")
					before, err := os.Stat(file)
					require.NoError(t, err)

					assertEdited(t, name, file, program...)
					assertSamePermissions(t, before, file)
					assert.Equal(t, list, xattr(t, file, "system.posix_acl_access"), name)
					if as == "as this user" {
						assert.Equal(t, label, xattr(t, file, "security.selinux"), name)
					}
				}

				// Of a file that is created there is none to stay.
				folder := openFolder(t, 0o700)
				if os.Geteuid() == 0 {
					require.NoError(t, os.Chown(folder, owner, owner))
				}
				if tt.folder != "" {
					setfacl(t, "-m", tt.folder, folder)
				}
				file := filepath.Join(folder, "htpasswd")
				o := run(t, append(program, "user", "add", "elton", "--hash", hash, "--mode", "0640", "-f", file)...)
				require.Zero(t, o.status, o.stderr)
				assert.Empty(t, xattr(t, file, "system.posix_acl_access"))
				info, err := os.Stat(file)
				require.NoError(t, err)
				assert.Equal(t, fs.FileMode(0o640), info.Mode())
			})
		}
	}
}

// xattr is in hexadecimal, and "" if the file has none by that name.
func xattr(t *testing.T, file, name string) string {
	t.Helper()
	value := make([]byte, 1<<10)
	n, err := unix.Getxattr(file, name, value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return ""
	}
	require.NoError(t, err)
	return hex.EncodeToString(value[:n])
}
