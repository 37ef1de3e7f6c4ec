// Package atomicfile replaces a file so that at any moment, also after a crash
// or a power cut, it is the old file or the new one; and keeps those who do so
// from undoing each other's work.
//
// An edit takes the lock, reads with ReadForEdit, and replaces what it read.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

var (
	// ErrChanged is returned when the file is not the one that was read any more: a
	// program that takes no lock has edited it.
	ErrChanged = errors.New("the file was changed by another program meanwhile")
	// ErrNotDurable is returned when the new text is in place but could not be
	// made to stay, mostly as the folder could not be synced: a power cut may
	// bring the old one back.
	ErrNotDurable = errors.New("not made durable")
	// ErrAttributes is returned when the new file could not be given the owner, the
	// mode or the access list of the old one. Nothing was changed.
	ErrAttributes = errors.New("owner, mode or access list refused")
)

// Replace makes path hold what text writes. Old is the file that was read, nil
// if there was none; its owner, group, mode and access list stay. A new file
// gets the mode perm, whatever the umask. The modification time is strictly
// newer than that of the old file, on any file system.
//
// The caller holds the lock of path. On any error but ErrNotDurable the old file
// is untouched, and nothing is left beside it.
func Replace(path string, old fs.FileInfo, perm fs.FileMode, text io.WriterTo) (err error) {
	dir, err := openDir(folder(path))
	if err != nil {
		return err // better than after the rename
	}
	defer dir.close()
	// Under the lock no other run is alive that could own this name: what stands
	// there was left by one that was killed.
	tmp := sibling(path, ".registryctl-tmp")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = f.Close() // a second time, mostly
			_ = os.Remove(tmp)
		}
	}()

	// Before the text, so that nobody can read it whom the old file keeps out.
	if err := setAttributes(f, path, old, perm); err != nil {
		return fmt.Errorf("%w: %w", ErrAttributes, err)
	}
	if err := writeAll(f, text); err != nil {
		return err
	}
	if old != nil {
		if err := makeNewer(f, old.ModTime()); err != nil {
			return err
		}
	}
	// The text must be on disk before its name points to it.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := unchanged(path, old); err != nil {
		return err
	}
	if err := rename(tmp, path); err != nil {
		return err
	}
	renamed = true
	if err := dir.sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

func writeAll(f *os.File, text io.WriterTo) error {
	// Large pieces pass by the buffer, small ones are gathered in it.
	w := bufio.NewWriterSize(f, 64<<10)
	if _, err := text.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}

// makeNewer sees to it that f is strictly newer than the old time. A server that
// knows a file by its time would else go on with the old text, where two edits
// fall into one tick of a coarse clock, or the old time lies in the future.
func makeNewer(f *os.File, old time.Time) error {
	if err := settleTime(f); err != nil {
		return err
	}
	// A file system rounds to its own step, at most the two seconds of FAT.
	for _, step := range []time.Duration{0, 1, time.Microsecond, time.Millisecond, 10 * time.Millisecond, time.Second, 2 * time.Second} {
		if step > 0 {
			if err := setTime(f, old, step); err != nil {
				return err
			}
		}
		now, err := f.Stat()
		if err != nil {
			return err
		}
		if now.ModTime().After(old) {
			return nil
		}
	}
	return &fs.PathError{Op: "chtimes", Path: f.Name(), Err: errors.New("cannot be made newer than the old file")}
}

// unchanged reports whether path is still the file that was read.
func unchanged(path string, old fs.FileInfo) error {
	now, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && old == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) || err == nil && !same(old, now):
		return ErrChanged
	}
	return err
}

func same(old, now fs.FileInfo) bool {
	return old != nil && os.SameFile(old, now) && old.Size() == now.Size() &&
		old.ModTime().Equal(now.ModTime()) && sameChangeTime(old, now)
}

// sibling names a file of ours beside path.
func sibling(path, suffix string) string {
	dir, name := filepath.Split(path)
	return dir + "." + name + suffix
}
