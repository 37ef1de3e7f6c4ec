package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/testserver"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	_, err := Read(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, size := range []int{0, 1, 32 << 10, 5_000_001} {
		want := strings.Repeat("1234567", size/7+1)[:size]
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		text, err := Read(path)
		require.NoError(t, err)
		assert.True(t, want == text, "%d bytes", size)
	}
}

func TestSameState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("one"), 0o600))
	_, read, err := ReadToWatch(path)
	require.NoError(t, err)
	for _, tt := range []struct {
		name   string
		change func() error
	}{
		{"longer", func() error { return os.WriteFile(path, []byte("three"), 0o600) }},
		{"another time", func() error { return os.Chtimes(path, time.Time{}, read.ModTime().Add(time.Hour)) }},
		{"an older time", func() error { return os.Chtimes(path, time.Time{}, read.ModTime().Add(-time.Hour)) }},
		{"another file of the same size and time", func() error {
			if err := os.WriteFile(path+".new", []byte("two"), 0o600); err != nil {
				return err
			}
			if err := os.Chtimes(path+".new", time.Time{}, read.ModTime()); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, read, err = ReadToWatch(path)
			require.NoError(t, err)
			now, err := os.Stat(path)
			require.NoError(t, err)
			require.True(t, SameState(read, now))
			require.NoError(t, tt.change())
			now, err = os.Stat(path)
			require.NoError(t, err)
			assert.False(t, SameState(read, now))
		})
	}
}

func TestReadToWatch(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	_, _, err := ReadToWatch(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = ReadToWatch(dir)
	require.ErrorIs(t, err, ErrNotRegular)

	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	testserver.Symlink(t, "file", link)
	text, info, err := ReadToWatch(link)
	require.NoError(t, err)
	assert.Equal(t, "text", text)
	now, err := os.Stat(path)
	require.NoError(t, err)
	assert.True(t, SameState(info, now), "of the file and not of the link")
}

// A file that grows while it is read is not taken for whole.
func TestReadToWatchNoticesAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600)) // takes its time to read
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer f.Close()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if _, err := f.Write([]byte("x")); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range 1000 { // one or two do
		if _, _, err = ReadToWatch(path); err != nil {
			break
		}
	}
	close(stop)
	require.NoError(t, <-stopped)
	assert.ErrorIs(t, err, ErrConflict)
}

// A file that is replaced while it is read does no harm, though it changes by losing
// its name.
func TestReadToWatchWhileItIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	texts := []string{strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<20)} // take their time to read
	replace := func(text string) error {
		_, err := Update(t.Context(), path, Options{Create: true}, func(string) (io.WriterTo, error) {
			return strings.NewReader(text), nil
		})
		return err
	}
	require.NoError(t, replace(texts[0]))
	replaced := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 100 && err == nil; i++ {
			err = replace(texts[i%2])
		}
		replaced <- err
	}()
	for {
		text, _, err := ReadToWatch(path)
		require.NoError(t, err)
		require.True(t, slices.Contains(texts, text), "a mixture")
		select {
		case err := <-replaced:
			require.NoError(t, err)
			return
		default:
		}
	}
}
