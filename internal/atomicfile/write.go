package atomicfile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// temporarySuffix ends the names of our temporary files.
const temporarySuffix = ".registryctl-tmp"

// replace puts a new file with the text of r in the place of the old one.
func (u *update) replace(ctx context.Context, r *revision, lock *fileLock) (err error) {
	dir, err := openToSync(u.dir)
	if err != nil {
		return &fs.PathError{Op: "open", Path: u.dir.Name(), Err: cause(err)} // better than after the rename
	}
	defer dir.Close()
	name := u.sibling("." + strings.ToLower(rand.Text()) + temporarySuffix)
	f, err := u.createFile(ctx, name)
	if err != nil {
		return &fs.PathError{Op: "create a file in", Path: u.dir.Name(), Err: cause(err)}
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = f.Close() // has no effect if it is closed already
			_ = retry(ctx, func() error { return remove(u.dir, name) })
		}
	}()

	// Before the text is written, so that only those can read it who could read the old file.
	if err := u.setAttributes(ctx, f, r.from); err != nil {
		if errors.Is(err, errChanged) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrAttributes, u.fail("edit", err))
	}
	if err := writeAll(f, r.text); err != nil {
		return u.fail("write", err)
	}
	if r.from.info != nil {
		if err := makeNewer(f, r.from.info.ModTime()); err != nil {
			return u.fail("write", err)
		}
	}
	// The text must be on the disk before the name of the file leads to it.
	if err := f.Sync(); err != nil {
		return u.fail("write", err)
	}
	if err := f.Close(); err != nil {
		return u.fail("write", err)
	}
	if err := u.mayWrite(ctx, r, lock); err != nil {
		return err
	}
	switch err := retry(ctx, func() error { return rename(u.dir, name, u.name) }); {
	case errors.Is(err, fs.ErrNotExist):
		return errLost // somebody else has the lock, and has removed the temporary file
	case err != nil:
		return u.fail("replace", err)
	}
	renamed = true
	if err := syncRename(u.dir, dir, u.name); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, u.fail("sync the directory of", err))
	}
	return nil
}

// createFile creates a file of ours beside the data file.
func (u *update) createFile(ctx context.Context, name string) (f *os.File, err error) {
	err = retry(ctx, func() error {
		f, err = u.dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return f, err
}

// setAttributes gives the new file f the attributes of the old one.
func (u *update) setAttributes(ctx context.Context, f *os.File, from *snapshot) error {
	mode := u.Mode
	var old *os.File
	if from.info != nil {
		var err error
		if old, err = u.openData(ctx, os.O_RDONLY); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = errChanged
			}
			return err
		}
		defer old.Close()
		if !u.SetMode {
			mode = from.info.Mode().Perm()
		}
	}
	return copyAttributes(f, old, mode)
}

// mayWrite makes the last checks before the file is changed.
func (u *update) mayWrite(ctx context.Context, r *revision, lock *fileLock) error {
	if err := u.unchanged(ctx, r.from); err != nil {
		return err
	}
	if err := lock.holds(); err != nil {
		return err
	}
	return canceled(ctx)
}

// removeTemporaries removes the temporary files of other processes, which have ended or
// have lost the lock.
func (t *target) removeTemporaries() error {
	names, err := list(t.dir)
	if err != nil {
		return &fs.PathError{Op: "read", Path: t.dir.Name(), Err: cause(err)}
	}
	prefix := t.sibling(".")
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, temporarySuffix) {
			continue
		}
		if info, err := t.dir.Lstat(name); err == nil && info.Mode().IsRegular() {
			_ = remove(t.dir, name)
		}
	}
	return nil
}

func list(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func writeAll(f *os.File, text io.WriterTo) error {
	// Large pieces pass by the buffer, small ones are gathered in it.
	w := bufio.NewWriterSize(f, 64<<10)
	if _, err := text.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}

// overwrite writes the text of r into the file that is there, which is locked. A
// text that is only added to is appended by one call. After an error the old text
// is written back as far as that is possible.
//
// The modification time is set last, newer than that of the old file and than any
// that a reader can have seen meanwhile.
func (u *update) overwrite(ctx context.Context, r *revision, lock *fileLock) error {
	old := r.from
	var whole bytes.Buffer
	if _, err := r.text.WriteTo(&whole); err != nil {
		return err
	}
	added, onlyAdds := bytes.CutPrefix(whole.Bytes(), []byte(old.text))
	flag := os.O_WRONLY
	if onlyAdds {
		flag |= os.O_APPEND
	}
	f, err := u.openData(ctx, flag)
	if err != nil {
		if errors.Is(err, errChanged) {
			return err
		}
		return u.fail("write", err)
	}
	// Sync has reported any error that Close could report.
	defer f.Close()
	if u.SetMode {
		if err := setOwnerAndMode(f, old.info, nil, u.Mode); err != nil {
			return fmt.Errorf("%w: %w", ErrAttributes, u.fail("edit", err))
		}
		info, err := f.Stat() // setting the mode has changed the time of the last change
		if err != nil {
			return u.fail("write", err)
		}
		old = &snapshot{old.text, info, true}
	}
	if err := u.mayWrite(ctx, &revision{from: old}, lock); err != nil {
		return err
	}
	if onlyAdds {
		if _, err = f.Write(added); err != nil {
			// If the disk is full, a part may have been written.
			err = errors.Join(err, f.Truncate(old.info.Size()))
		}
	} else if err = writeOver(f, whole.Bytes()); err != nil {
		err = errors.Join(err, writeOver(f, []byte(old.text)))
	}
	if err != nil {
		_ = makeNewerThanSeen(f, old.info) // so that those who have read a part of it read it again
		return u.fail("write", err)
	}
	err = makeNewerThanSeen(f, old.info)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, u.fail("sync", err))
	}
	return nil
}

func writeOver(f *os.File, text []byte) error {
	if _, err := f.WriteAt(text, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

// makeNewerThanSeen makes f newer than the old file, and newer than it is now, because a
// reader may have seen a part of the text with the current time.
func makeNewerThanSeen(f *os.File, old fs.FileInfo) error {
	written, err := f.Stat()
	if err != nil {
		return err
	}
	return makeNewer(f, slices.MaxFunc([]time.Time{old.ModTime(), written.ModTime()}, time.Time.Compare))
}

// makeNewer makes f newer than the old time. Otherwise a server that looks only at the
// time would keep the old text if two edits are made within one tick of a coarse clock,
// or if the old time is in the future.
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
	return errors.New("its time cannot be made newer than that of the old file")
}
