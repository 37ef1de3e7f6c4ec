package atomicfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// Read returns what the file at path holds, be it a regular file or not. It
// follows symbolic links and waits for no lock: it sees the text before or after
// an Update that replaces the file, never a part of it.
func Read(path string) (string, error) {
	f, err := openToRead(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s, err := readAll(f)
	if err != nil {
		return "", err
	}
	return s.text, nil
}

// ReadToWatch returns what the file at path holds, and which file in which state
// that was, for [SameState] to tell whether it is worth reading again. Only a
// regular file can be watched; symbolic links are followed.
//
// The error is [ErrConflict] if the file was written to while it was read, so that
// the text may be incomplete or a mixture. If a new file takes its place meanwhile,
// that one is read.
func ReadToWatch(path string) (string, fs.FileInfo, error) {
	for range maxConflicts {
		s, err := readToWatch(path)
		if err != nil {
			return "", nil, err
		}
		if s.whole {
			return s.text, s.info, nil
		}
	}
	return "", nil, &fs.PathError{Op: "read", Path: path, Err: ErrConflict}
}

// readToWatch reads the file once. The snapshot is not whole if another file took its
// place meanwhile.
func readToWatch(path string) (*snapshot, error) {
	// Before it is opened: to open a pipe waits for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	f, err := openToRead(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := readAll(f)
	if err != nil || s.whole {
		return s, err
	}
	// A file that is replaced changes as well, a moment before its path leads to the new
	// one: but not its size and time. It is still open, so that the new one cannot have got
	// its inode.
	now, err := os.Stat(path)
	if err == nil && os.SameFile(s.info, now) && (now.Size() != s.info.Size() || !now.ModTime().Equal(s.info.ModTime())) {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrConflict}
	}
	return s, nil
}

// SameState reports whether now is the file that was read, and has not been
// written to or changed otherwise since: identity, size, modification time and,
// where the system has it, the time of the last change of any kind are the same.
func SameState(read, now fs.FileInfo) bool {
	return read != nil && now != nil && os.SameFile(read, now) && read.Size() == now.Size() &&
		read.ModTime().Equal(now.ModTime()) && sameChangeTime(read, now)
}

// clockTick is the coarsest that the clock of a file system has, which is that of FAT:
// two changes within one tick leave the same time.
const clockTick = 2 * time.Second

// IsCurrent reports whether a text that was read from the file at readAt is still its
// text, as [SameState] tells. A file that was changed less than a tick of its clock before
// it was read has to be read once more, when its time can tell.
func IsCurrent(read fs.FileInfo, readAt time.Time, now fs.FileInfo) bool {
	return SameState(read, now) && (readAt.Sub(now.ModTime()) >= clockTick || time.Since(now.ModTime()) < clockTick)
}

// A snapshot is what a file held when it was read.
type snapshot struct {
	text  string
	info  fs.FileInfo // nil if there was no file
	whole bool        // nobody wrote to it meanwhile
}

func readAll(f *os.File) (*snapshot, error) {
	before, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if before.IsDir() { // Windows would speak of a function
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: syscall.EISDIR}
	}
	var text strings.Builder
	if before.Mode().IsRegular() {
		text.Grow(int(before.Size()))
	}
	if _, err := io.Copy(&text, f); err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	whole := SameState(before, after) && int64(text.Len()) == after.Size()
	return &snapshot{text.String(), before, whole}, nil
}

// read reads the file of an edit. If it is missing and may be, the snapshot is
// that of an empty one.
func (t *target) read(ctx context.Context, mayBeMissing bool) (*snapshot, error) {
	f, err := t.openData(ctx, os.O_RDONLY)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mayBeMissing:
		return &snapshot{whole: true}, nil
	case errors.Is(err, errChanged):
		return &snapshot{}, nil
	case err != nil:
		return nil, t.fail("open", err)
	}
	defer f.Close()
	s, err := readAll(f)
	if err != nil {
		return nil, t.fail("read", err)
	}
	return s, nil
}

// openData opens the file of an edit. The error is errChanged if its name led to
// another file meanwhile.
func (t *target) openData(ctx context.Context, flag int) (*os.File, error) {
	info, err := lstat(ctx, t.dir, t.name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	var f *os.File
	err = retry(ctx, func() (err error) {
		f, err = t.dir.OpenFile(t.name, flag|noWait, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		_ = f.Close()
		if err == nil {
			err = errChanged
		}
		return nil, err
	}
	return f, nil
}

// unchanged returns errChanged unless the file is still the one of the snapshot.
func (t *target) unchanged(ctx context.Context, s *snapshot) error {
	now, err := lstat(ctx, t.dir, t.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.info == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) || err == nil && !SameState(s.info, now):
		return errChanged
	case err != nil:
		return t.fail("open", err)
	}
	return nil
}
