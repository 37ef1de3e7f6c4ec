package basicauth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
		a := &Authenticator{Path: path, OnReload: func(r LoadResult) { heard = append(heard, r.Err) }}
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
			{"a directory", func() {
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

// Whoever writes in place empties the file first: that is no text to go by.
func TestWriteInPlaceIsNotSeenHalfWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	hourAgo := time.Now().Add(-time.Hour)
	good, better := text(t, "elton"), text(t, "elton", "francis")
	for name, truncate := range map[string]func(){
		"new time": func() { require.NoError(t, os.WriteFile(path, nil, 0o600)) },
		"old time": func() { // as seen on ext4 for some milliseconds
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.NoError(t, os.Chtimes(path, hourAgo, hourAgo))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				write(t, path, good)
				require.NoError(t, os.Chtimes(path, hourAgo, hourAgo))
				a := &Authenticator{Path: path, CheckInterval: -1}
				require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
				truncate()
				go func() { // in three steps
					for _, n := range []int{10, len(good), len(better)} {
						time.Sleep(quietPeriod - 1)
						assert.NoError(t, os.WriteFile(path, []byte(better[:n]), 0o600))
					}
				}()
				require.Equal(t, []string{"elton", "francis"}, letsIn(t, a, "elton", "francis"))

				// Nobody waits for a new file.
				begun := time.Now()
				write(t, path, good)
				require.Equal(t, []string{"elton"}, letsIn(t, a, "elton", "francis"))
				require.Zero(t, time.Since(begun))

				// Nor for longer than the quiet period if nothing more is written.
				require.NoError(t, os.WriteFile(path, nil, 0o600))
				require.Empty(t, letsIn(t, a, "elton"))
				require.Equal(t, quietPeriod, time.Since(begun))
			})
		})
	}
}

// The last good text stays in use while a file is written without an end.
func TestWriteInPlaceThatDoesNotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	synctest.Test(t, func(t *testing.T) {
		write(t, path, text(t, "elton"))
		a := &Authenticator{Path: path, CheckInterval: -1}
		require.NoError(t, a.Reload(t.Context()))
		done := make(chan struct{})
		go func() {
			for n := range 1000 {
				select {
				case <-done:
					return
				case <-time.After(quietPeriod / 2):
					assert.NoError(t, os.WriteFile(path, make([]byte, n), 0o600))
				}
			}
		}()
		time.Sleep(quietPeriod)
		require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
		require.ErrorIs(t, a.Reload(t.Context()), errBeingWritten)
		ctx, cancel := context.WithTimeout(t.Context(), quietPeriod)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, a.Verify(ctx, "elton", "of elton"))
		close(done)
		synctest.Wait()
		write(t, path, text(t, "francis"))
		require.Equal(t, []string{"francis"}, letsIn(t, a, "elton", "francis"))
	})
}

func TestMaxBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	good := text(t, "elton")
	write(t, path, good)
	a := &Authenticator{Path: path, MaxBytes: int64(len(good))}
	require.NoError(t, a.Reload(t.Context()))
	write(t, path, good+"\n")
	err := a.Reload(t.Context())
	require.ErrorIs(t, err, errTooLarge)
	require.ErrorContains(t, err, path)
	require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
	write(t, path, good)
	require.NoError(t, a.Reload(t.Context()))

	a = &Authenticator{MaxBytes: int64(len(good))}
	load(t, a, good)
	require.ErrorIs(t, a.Load(strings.NewReader(good+"\n")), errTooLarge)
	require.Equal(t, []string{"elton"}, letsIn(t, a, "elton"))
}

func TestLoadWithAPath(t *testing.T) {
	a := &Authenticator{Path: "testdata/registry.htpasswd"}
	require.Equal(t, errLoadWithPath, a.Load(strings.NewReader("")))
	require.NoError(t, a.Verify(t.Context(), "elton", "d0cker"))
}

// OnReload learns how many users can log in, and who cannot, also while the file
// is malformed.
func TestOnReloadCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	var heard []LoadResult
	onReload := func(r LoadResult) { heard = append(heard, r) }
	refused := []Refusal{{"plain", 4, "no hash of a known scheme"}}
	good := text(t, "elton", "francis") + "plain:x\n"

	write(t, path, good)
	a := &Authenticator{Path: path, OnReload: onReload}
	require.NoError(t, a.Reload(t.Context()))
	require.Equal(t, []LoadResult{{Users: 2, Refused: refused}}, heard)
	write(t, path, "no colon")
	err := a.Reload(t.Context())
	require.Equal(t, LoadResult{err, 2, refused}, heard[1])

	heard = nil
	load(t, &Authenticator{OnReload: onReload}, good)
	require.Equal(t, []LoadResult{{Users: 2, Refused: refused}}, heard)
}

// A file that was just written when it was read is read again when its time can
// tell, as it may have been written once more within one tick of the clock; and
// then not any more.
func TestFreshFileIsReadTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	write(t, path, text(t, "elton"))
	a := &Authenticator{Path: path}
	a.ready()
	last := &snapshot{}
	var readAge time.Duration
	// reads checks the file when it has this age, and reports whether it was read.
	reads := func(age time.Duration) bool {
		t.Helper()
		stamp := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, stamp, stamp))
		before := *last
		if before.read != nil { // as if only time had passed
			var err error
			before.read, err = os.Stat(path)
			require.NoError(t, err)
			before.seen, before.readAt = before.read, stamp.Add(readAge)
		}
		var err error
		last, err = a.check(t.Context(), &before)
		require.NoError(t, err)
		require.NoError(t, last.err)
		isRead := last.read != before.read
		if isRead {
			readAge = age
		}
		return isRead
	}
	require.True(t, reads(0), "at first")
	require.False(t, reads(time.Second), "too early to tell more")
	require.True(t, reads(3*time.Second))
	require.False(t, reads(4*time.Second), "once")

	last = &snapshot{}
	require.True(t, reads(time.Hour))
	require.False(t, reads(time.Hour), "an old file is read once")

	last = &snapshot{}
	require.True(t, reads(-time.Hour), "a time in the future")
	require.False(t, reads(-time.Hour))
}

// The same text in another file keeps the index, and is no news.
func TestTouchedFileIsNoNews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	same := text(t, "elton")
	write(t, path, same)
	heard := 0
	a := &Authenticator{Path: path, OnReload: func(LoadResult) { heard++ }}
	require.NoError(t, a.Reload(t.Context()))
	before := a.ready().latest.Load()
	write(t, path, same)
	require.NoError(t, a.Reload(t.Context()))
	after := a.ready().latest.Load()
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

		require.True(t, a.ready().reading.TryAcquire(1)) // somebody is about to read it
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

		read, err := a.check(t.Context(), a.ready().latest.Load())
		require.NoError(t, err)
		a.ready().latest.Store(read)
		a.ready().reading.Release(1)
		for range n {
			require.Equal(t, ErrUnauthorized, <-answers)
		}
		require.Same(t, read, a.ready().latest.Load(), "nobody has looked again")
	})
}
