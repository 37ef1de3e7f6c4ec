package basicauth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/atomicfile"
	"github.com/registryctl/registryctl/internal/testserver"
)

// text is a file of these users, who have the passwords that letsIn knows.
func text(t testing.TB, names ...string) string {
	s := "# users\n"
	for _, name := range names {
		s += name + ":" + hashed(t, "of "+name) + "\n"
	}
	return s
}

func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// letsIn returns which of the users can log in.
func letsIn(t testing.TB, a *Authenticator, names ...string) (in []string) {
	t.Helper()
	for _, name := range names {
		err := a.Verify(t.Context(), name, "of "+name)
		if err == nil {
			in = append(in, name)
		} else {
			require.Equal(t, ErrUnauthorized, err)
		}
	}
	return in
}

// An edit is seen by the first Verify after the interval, and the file is not
// looked at before.
func TestEditIsSeenWithinTheInterval(t *testing.T) {
	for _, tt := range []struct{ set, interval time.Duration }{{0, time.Second}, {time.Minute, time.Minute}, {1, 1}, {-1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "htpasswd")
			write(t, path, text(t, "elton"))
			a := &Authenticator{Path: path, CheckInterval: tt.set}
			require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
			for range 3 {
				write(t, path, text(t, "francis"))
				if tt.interval > 0 {
					time.Sleep(tt.interval - 1)
					require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"), "nobody has looked")
					time.Sleep(time.Nanosecond)
				}
				require.Equal(t, []string{"francis"}, letsIn(t, a, "elton", "francis"))
				write(t, path, text(t, "elton"))
				require.NoError(t, a.Reload(t.Context()))
				require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"), "Reload does not wait")
			}
		})
	}
}

// The last good text stays in use while the file is malformed, gone, or no file;
// OnReload hears of each change once, and Reload tells of the state.
func TestLastGoodTextIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "htpasswd")
		var heard []error
		a := &Authenticator{Path: path, OnReload: func(err error) { heard = append(heard, err) }}
		later := func() { time.Sleep(time.Second) }

		require.ErrorIs(t, a.Verify(t.Context(), "elton", "of elton"), fs.ErrNotExist)
		later()
		require.ErrorIs(t, a.Verify(t.Context(), "elton", "of elton"), fs.ErrNotExist)
		require.Len(t, heard, 1)
		require.ErrorIs(t, heard[0], fs.ErrNotExist)

		good := text(t, "elton")
		write(t, path, good)
		later()
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
		require.Len(t, heard, 2)
		require.NoError(t, heard[1])

		var malformed *htpasswd.ParseError
		for _, tt := range []struct {
			name string
			bad  func()
			is   func(error) bool
		}{
			{"malformed", func() { write(t, path, good+"secret") }, func(err error) bool { return errors.As(err, &malformed) && malformed.Line == 3 }},
			{"UTF-16", func() { write(t, path, "\xff\xfee\x00:\x00") }, func(err error) bool { return errors.Is(err, htpasswd.ErrUTF16) }},
			{"gone", func() { require.NoError(t, os.Remove(path)) }, func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
			{"a folder", func() {
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.Mkdir(path, 0o700))
			}, func(err error) bool { return errors.Is(err, atomicfile.ErrNotRegular) }},
		} {
			tt.bad()
			heard = nil
			for range 5 {
				later()
				require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
				err := a.Reload(t.Context())
				require.True(t, tt.is(err), "%s: %v", tt.name, err)
				require.Contains(t, err.Error(), path)
				require.NotContains(t, err.Error(), "secret")
			}
			require.Len(t, heard, 1, tt.name)
			require.True(t, tt.is(heard[0]))

			_ = os.Remove(path)
			write(t, path, good)
			later()
			require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
			require.NoError(t, a.Reload(t.Context()))
			require.Contains(t, heard, error(nil), tt.name)
			require.NoError(t, heard[len(heard)-1], tt.name)
		}
	})
}

// A file that is moved away and back, with no text in between, is good again.
func TestFileIsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	write(t, path, text(t, "elton"))
	a := &Authenticator{Path: path}
	require.NoError(t, a.Reload(t.Context()))
	require.NoError(t, os.Rename(path, path+".away"))
	require.ErrorIs(t, a.Reload(t.Context()), fs.ErrNotExist)
	require.NoError(t, os.Rename(path+".away", path))
	require.NoError(t, a.Reload(t.Context()))
}

// Each sign of a change is enough.
func TestAnyChangeIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	elton, franz := text(t, "elton"), text(t, "franz") // of one length
	long := time.Now().Add(-time.Hour)
	old := func() {
		write(t, path, elton)
		require.NoError(t, os.Chtimes(path, long, long))
	}
	for name, edit := range map[string]func(){
		"time": func() { require.NoError(t, os.WriteFile(path, []byte(franz), 0o600)) },
		"older time": func() {
			require.NoError(t, os.WriteFile(path, []byte(franz), 0o600))
			require.NoError(t, os.Chtimes(path, long, long.Add(-time.Hour)))
		},
		"size": func() {
			require.NoError(t, os.WriteFile(path, []byte(franz+"#\n"), 0o600))
			require.NoError(t, os.Chtimes(path, long, long))
		},
		"inode": func() {
			require.NoError(t, os.WriteFile(path+".new", []byte(franz), 0o600))
			require.NoError(t, os.Chtimes(path+".new", long, long))
			require.NoError(t, os.Rename(path+".new", path))
		},
		"change time": func() {
			if runtime.GOOS == "windows" {
				write(t, path, franz)
				return
			}
			require.NoError(t, os.WriteFile(path, []byte(franz), 0o600))
			require.NoError(t, os.Chtimes(path, long, long))
		},
	} {
		old()
		a := &Authenticator{Path: path, CheckInterval: -1}
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "franz"))
		edit()
		assert.Equal(t, []string{"franz"}, letsIn(t, a, "elton", "franz"), name)
	}
}

// Who writes in place empties the file first: that is no text to go by.
func TestWriteInPlaceIsNotSeenHalfWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	synctest.Test(t, func(t *testing.T) {
		// The clock of the bubble is not that of the file system.
		overwrite := func(s string) {
			require.NoError(t, os.WriteFile(path, []byte(s), 0o600))
			require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
		}
		overwrite(text(t, "elton"))
		a := &Authenticator{Path: path, CheckInterval: -1}
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
		time.Sleep(time.Minute)
		overwrite("")
		go func() {
			time.Sleep(calm - 1)
			overwrite(text(t, "elton", "francis"))
		}()
		require.Equal(t, []string{"elton", "francis"}, letsIn(t, a, "elton", "francis"))
		// Nobody waits for longer.
		overwrite("")
		require.Empty(t, letsIn(t, a, "elton"))
		// Nor for a new file.
		begun := time.Now()
		write(t, path, text(t, "elton"))
		require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
		require.Zero(t, time.Since(begun))
	})
}

// A file that was just written when it was read is read again when its time can
// tell, as it may have been written once more within one tick of the clock; and
// then not any more.
func TestFreshFileIsReadTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	write(t, path, text(t, "elton"))
	a := &Authenticator{Path: path}
	last := &sighting{}
	// reads looks at the file when it has this age, and reports whether it was read.
	reads := func(age time.Duration) bool {
		t.Helper()
		stamp := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, stamp, stamp))
		before := *last
		if before.file != nil { // as if only time had passed
			var err error
			before.file, err = os.Stat(path)
			require.NoError(t, err)
		}
		last = a.look(t.Context(), &before)
		require.NoError(t, last.err)
		return last.file != before.file
	}
	require.True(t, reads(0), "at first")
	require.False(t, reads(settle/2), "too early to tell more")
	require.True(t, reads(settle+time.Second))
	require.False(t, reads(settle+2*time.Second), "once")

	last = &sighting{}
	require.True(t, reads(time.Hour))
	require.False(t, reads(time.Hour), "an old file is read once")

	last = &sighting{}
	require.True(t, reads(-time.Hour), "a time to come")
	require.False(t, reads(-time.Hour))
}

// The same text in another file keeps the index, and is no news.
func TestTouchedFileIsNoNews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	same := text(t, "elton")
	write(t, path, same)
	heard := 0
	a := &Authenticator{Path: path, OnReload: func(error) { heard++ }}
	require.NoError(t, a.Reload(t.Context()))
	before := a.latest.Load()
	write(t, path, same)
	require.NoError(t, a.Reload(t.Context()))
	after := a.latest.Load()
	require.NotSame(t, before, after)
	assert.Same(t, before.users, after.users)
	assert.Equal(t, 1, heard)
	write(t, path, same+"# another\n")
	require.NoError(t, a.Reload(t.Context()))
	assert.Equal(t, 2, heard)
}

// A symbolic link may be turned to another file, as Kubernetes does.
func TestLinkIsTurned(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "htpasswd")
	for _, name := range []string{"elton", "franz"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		write(t, filepath.Join(dir, name, "htpasswd"), text(t, name))
	}
	testserver.Symlink(t, "elton", filepath.Join(dir, "data"))
	testserver.Symlink(t, filepath.Join("data", "htpasswd"), path)
	a := &Authenticator{Path: path, CheckInterval: -1}
	require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "franz"))
	testserver.Symlink(t, "franz", filepath.Join(dir, "data.new"))
	require.NoError(t, os.Rename(filepath.Join(dir, "data.new"), filepath.Join(dir, "data")))
	require.Equal(t, []string{"franz"}, letsIn(t, a, "elton", "franz"))
}

// Who comes while another reads the new text waits for that, or until its context
// ends; who need not look does not wait.
func TestOneReadsAndTheOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "htpasswd")
		write(t, path, text(t, "elton"))
		a := &Authenticator{Path: path, CacheTTL: time.Hour}
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
		write(t, path, text(t, "francis"))

		a.looking <- struct{}{} // somebody is about to read it
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"), "not due")
		time.Sleep(time.Second)
		const n = 10
		answers := make(chan error, n)
		for range n {
			go func() { answers <- a.Verify(t.Context(), "elton", "of elton") }()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, a.Verify(ctx, "elton", "of elton"))
		require.Empty(t, answers)

		read := a.look(t.Context(), a.latest.Load())
		a.latest.Store(read)
		<-a.looking
		for range n {
			require.Equal(t, ErrUnauthorized, <-answers)
		}
		require.Same(t, read, a.latest.Load(), "nobody has looked again")
	})
}
