package htpasswd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// accessList is the access list of the file as text, with the flags that say
// whether it inherits.
func accessList(t *testing.T, path string) (text string, protected bool) {
	t.Helper()
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	require.NoError(t, err)
	control, _, err := sd.Control()
	require.NoError(t, err)
	return sd.String(), control&windows.SE_DACL_PROTECTED != 0
}

// An edit keeps who may do what with the file: an access list that takes nothing
// from the folder stays so, and one that does keeps what was added to it.
func TestUpdateKeepsTheAccessList(t *testing.T) {
	if underWine() {
		t.Skip("wine ignores access lists")
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		list      string
		kind      windows.SECURITY_INFORMATION
		protected bool
	}{
		// All that I and the system can do; guests may read.
		"of its own": {"D:P(A;;FA;;;%s)(A;;FA;;;SY)(A;;FR;;;BG)", windows.PROTECTED_DACL_SECURITY_INFORMATION, true},
		// To what the folder gives is added what I can do, and that guests may read.
		"inherited too": {"D:(A;;FA;;;%s)(A;;FR;;;BG)", windows.UNPROTECTED_DACL_SECURITY_INFORMATION, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "elton:x\n")
			fresh, _ := accessList(t, path)
			sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf(c.list, me.User.Sid))
			require.NoError(t, err)
			dacl, _, err := sd.DACL()
			require.NoError(t, err)
			require.NoError(t, windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|c.kind, nil, nil, dacl, nil))
			before, protected := accessList(t, path)
			require.Equal(t, c.protected, protected)
			require.NotEqual(t, fresh, before)
			require.Contains(t, before, ";;;BG)")

			old, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, addTo(t, FileStore{Path: path}, "francis"))
			now, err := os.Stat(path)
			require.NoError(t, err)
			require.False(t, os.SameFile(old, now), "it was replaced")
			after, protected := accessList(t, path)
			assert.Equal(t, before, after)
			assert.Equal(t, c.protected, protected)
			assert.Empty(t, litter(t, path))
		})
	}
}

// openAs opens the file and lets others do so as the share mode says.
func openAs(t *testing.T, path string, access, share uint32) (closeFile func()) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	require.NoError(t, err)
	h, err := windows.CreateFile(name, access, share, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	require.NoError(t, err)
	closeFile = sync.OnceFunc(func() { _ = windows.CloseHandle(h) })
	t.Cleanup(closeFile)
	return closeFile
}

// A file that somebody has open for a moment is replaced when they are done.
func TestUpdateWaitsForReaders(t *testing.T) {
	for name, share := range map[string]uint32{
		"who lets others read and write": windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE,
		"who lets others read":           windows.FILE_SHARE_READ,
		"who lets nobody in":             0,
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "elton:x\n")
			closeFile := openAs(t, path, windows.GENERIC_READ, share)
			time.AfterFunc(300*time.Millisecond, closeFile)
			require.NoError(t, addTo(t, FileStore{Path: path}, "francis"))
			assert.Equal(t, "elton:x\nfrancis:"+dockerHash+"\n", contents(t, path))
			assert.Empty(t, litter(t, path))
		})
	}
}

// Who reads and lets the file be replaced, as Read does, is not waited for, and
// reads on in the old one.
func TestUpdateUnderASharingReader(t *testing.T) {
	if underWine() {
		t.Skip("wine 8 replaces no file that is open")
	}
	path := write(t, "elton:x\n")
	openAs(t, path, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE)
	begun := time.Now()
	require.NoError(t, addTo(t, FileStore{Path: path}, "francis"))
	assert.Less(t, time.Since(begun), 3*time.Second)
	assert.Equal(t, "elton:x\nfrancis:"+dockerHash+"\n", contents(t, path))
	assert.Empty(t, litter(t, path))
}

// So it is with the lock and the temporary file, which others look at as well.
func TestUpdateWaitsForReadersOfItsOwnFiles(t *testing.T) {
	path := write(t, "elton:x\n")
	require.NoError(t, addTo(t, FileStore{Path: path}, "first"))
	closeLock := openAs(t, filepath.Join(filepath.Dir(path), ".htpasswd.lock"), windows.GENERIC_READ, 0)
	time.AfterFunc(300*time.Millisecond, closeLock)
	require.NoError(t, addTo(t, FileStore{Path: path}, "second"))

	closeFile := openAs(t, path, windows.GENERIC_READ, windows.FILE_SHARE_READ)
	added := make(chan error)
	go func() { added <- addTo(t, FileStore{Path: path}, "third") }()
	var temporary []string
	require.Eventually(t, func() bool { temporary = litter(t, path); return len(temporary) == 1 }, 10*time.Second, time.Millisecond)
	name, err := windows.UTF16PtrFromString(filepath.Join(filepath.Dir(path), temporary[0]))
	require.NoError(t, err)
	var h windows.Handle
	require.Eventually(t, func() bool { // as soon as it is written
		h, err = windows.CreateFile(name, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	closeFile()
	time.AfterFunc(300*time.Millisecond, func() { _ = windows.CloseHandle(h) })
	require.NoError(t, <-added)
	assert.Contains(t, contents(t, path), "\nsecond:"+dockerHash+"\nthird:"+dockerHash+"\n")
	assert.Empty(t, litter(t, path))
}

// An edit keeps the attributes that say what a file is, and hides its lock.
func TestUpdateKeepsAttributes(t *testing.T) {
	attributes := func(path string) uint32 {
		name, err := windows.UTF16PtrFromString(path)
		require.NoError(t, err)
		is, err := windows.GetFileAttributes(name)
		require.NoError(t, err)
		return is
	}
	for _, attribute := range []uint32{
		windows.FILE_ATTRIBUTE_HIDDEN, windows.FILE_ATTRIBUTE_SYSTEM, windows.FILE_ATTRIBUTE_ARCHIVE, windows.FILE_ATTRIBUTE_NOT_CONTENT_INDEXED,
	} {
		path := write(t, "elton:x\n")
		name, err := windows.UTF16PtrFromString(path)
		require.NoError(t, err)
		require.NoError(t, windows.SetFileAttributes(name, attribute))
		before := attributes(path)
		require.NoError(t, addTo(t, FileStore{Path: path}, "francis"))
		assert.Equal(t, before, attributes(path)&^(windows.FILE_ATTRIBUTE_ARCHIVE&^before), "%#x", attribute)
		assert.NotZero(t, attributes(filepath.Join(filepath.Dir(path), ".htpasswd.lock"))&windows.FILE_ATTRIBUTE_HIDDEN)
	}
}

// One that stays open is left as it is.
func TestUpdateGivesUpOnAReaderWhoStays(t *testing.T) {
	path := write(t, "elton:x\n")
	openAs(t, path, windows.GENERIC_READ, windows.FILE_SHARE_READ)
	begun := time.Now()
	require.Error(t, addTo(t, FileStore{Path: path}, "francis"))
	assert.Less(t, time.Since(begun), 30*time.Second)
	assert.Equal(t, "elton:x\n", contents(t, path))
	assert.Empty(t, litter(t, path))
}

// Nobody is made to wait for a file that is marked as one not to write to.
func TestUpdateRefusesAReadOnlyFile(t *testing.T) {
	path := write(t, "elton:x\n")
	require.NoError(t, os.Chmod(path, 0o400))
	begun := time.Now()
	require.ErrorContains(t, addTo(t, FileStore{Path: path}, "francis"), "read-only")
	assert.Less(t, time.Since(begun), time.Second)
	assert.Equal(t, "elton:x\n", contents(t, path))
	assert.Empty(t, litter(t, path))
}

// A file has many names on Windows, all of which lead to it and to its one lock:
// with backslashes or slashes, without the drive, in any case; and blanks and
// letters of all scripts in them.
func TestUpdateByEveryName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my files", "用户 éß")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	path := filepath.Join(dir, "Registry.htpasswd")
	require.NoError(t, addTo(t, FileStore{Path: path, Create: true}, "first"))
	t.Chdir(dir)
	names := []string{
		path,
		filepath.ToSlash(path),
		`\\?\` + path,
		path[len(filepath.VolumeName(path)):],
		"Registry.htpasswd",
		`.\REGISTRY.HTPASSWD`,
	}
	want := "first:" + dockerHash + "\n"
	for i, name := range names {
		require.NoError(t, addTo(t, FileStore{Path: name}, fmt.Sprint("user", i)), name)
		want += fmt.Sprintf("user%d:%s\n", i, dockerHash)
		assert.Equal(t, want, contents(t, path), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the file and its lock")
}

// The directory of a file may be a junction, which everybody can make: ours is
// followed, and that of somebody else is not.
func TestUpdateThroughAJunction(t *testing.T) {
	if underWine() {
		t.Skip("wine 8 makes no junction but says it did")
	}
	path := write(t, "elton:x\n")
	junction := filepath.Join(t.TempDir(), "auth")
	command := func(name string, args ...string) {
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v: %s", name, err, out)
		}
	}
	command("cmd.exe", "/c", "mklink", "/J", junction, filepath.Dir(path))
	through := FileStore{Path: filepath.Join(junction, "htpasswd")}
	require.NoError(t, addTo(t, through, "ours"))
	assert.Contains(t, contents(t, path), "\nours:")

	const guests = "*S-1-5-32-546"
	command("icacls.exe", junction, "/setowner", guests, "/L")
	require.ErrorContains(t, addTo(t, through, "theirs"), "so it is not followed")
	assert.NotContains(t, contents(t, path), "theirs")
	assert.Empty(t, litter(t, path))
}

// A stream of a file is none that could be replaced.
func TestUpdateRefusesAStream(t *testing.T) {
	path := write(t, "elton:x\n")
	require.Error(t, addTo(t, FileStore{Path: path + ":users", Create: true}, "francis"))
	assert.Equal(t, "elton:x\n", contents(t, path))
	assert.Empty(t, litter(t, path))
}

// A path may be longer than the 260 characters that were the limit once.
func TestUpdateInALongPath(t *testing.T) {
	if underWine() {
		t.Skip("wine 8 is a Windows that has the limit")
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("a", 100), strings.Repeat("b", 100), strings.Repeat("c", 100))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	store := FileStore{Path: filepath.Join(dir, "htpasswd"), Create: true}
	require.NoError(t, addTo(t, store, "elton"))
	require.NoError(t, addTo(t, store, "francis"))
	assert.Equal(t, "elton:"+dockerHash+"\nfrancis:"+dockerHash+"\n", contents(t, store.Path))
	assert.Empty(t, litter(t, store.Path))
}
