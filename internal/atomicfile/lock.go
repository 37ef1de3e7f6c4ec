package atomicfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// maxName is the length of a file's name, in bytes, that file systems take.
const maxName = 255

// sibling names a file of ours beside the data file.
func (t *target) sibling(suffix string) string {
	name := t.name
	if len(name) > maxName-len(temporarySuffix)-40 { // with the random part
		sum := sha256.Sum256([]byte(name))
		n := maxName - len(temporarySuffix) - 60
		for !utf8.RuneStart(name[n]) {
			n--
		}
		name = name[:n] + "-" + hex.EncodeToString(sum[:8])
	}
	return "." + name + suffix
}

// A fileLock is an exclusive lock of an open file. The system frees it when the
// process ends, however it does.
type fileLock struct {
	t    *target
	name string
	f    *os.File
	own  bool // others cannot use it
}

func (l *fileLock) release() {
	if l == nil {
		return
	}
	if l.own && l.holds() == nil {
		_ = l.t.dir.Remove(l.name)
	}
	_ = unlock(l.f)
	_ = l.f.Close()
}

// holds returns errLost unless the name still leads to the locked file.
func (l *fileLock) holds() error {
	mine, err := l.f.Stat()
	if err != nil {
		return err
	}
	now, err := l.t.dir.Lstat(l.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, now) {
		return errLost
	}
	return err
}

// lock takes the lock of the file, which is a file of its own: the data file is
// replaced, so who waits for a lock on it would get one that guards nothing. It is
// not removed, as others would have to begin again, unless it cannot be made theirs:
// it would keep the owner of the data file out.
func (u *update) lock(ctx context.Context) (*fileLock, error) {
	l, err := u.take(ctx, u.sibling(".lock"), u.openLock)
	if err == nil {
		l.own = u.share(ctx, l.f) != nil
	}
	return l, err
}

// share gives the lock the owner and the mode that let others use it. A file with a
// second name stays as it is: it may be one that matters.
func (u *update) share(ctx context.Context, f *os.File) error {
	info, err := f.Stat()
	if err != nil || isShared(info) {
		return nil
	}
	data, err := lstat(ctx, u.dir, u.name)
	mode := u.Mode
	if err == nil {
		mode = data.Mode().Perm()
	}
	return setOwnerAndMode(f, info, data, lockMode(mode))
}

// lockData locks the data file itself, for edits in place through different names
// of it. It returns nil if there is none yet.
func (u *update) lockData(ctx context.Context) (*fileLock, error) {
	l, err := u.take(ctx, u.name, func(ctx context.Context, _ string) (*os.File, error) {
		f, err := u.openData(ctx, os.O_RDWR)
		if errors.Is(err, errChanged) {
			return nil, errLost
		}
		return f, err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return l, err
}

// take opens the file with that name and waits for its lock. Open returns errLost
// if it should be called again.
func (u *update) take(ctx context.Context, name string, open func(ctx context.Context, name string) (*os.File, error)) (*fileLock, error) {
	for range maxLost {
		f, err := open(ctx, name)
		if errors.Is(err, errLost) {
			continue
		}
		if err != nil {
			return nil, lockError(u.target, err)
		}
		l := &fileLock{t: u.target, name: name, f: f}
		if err := wait(ctx, f); err != nil {
			_ = f.Close()
			if ctx.Err() != nil {
				return nil, fmt.Errorf("wait for another edit of %s: %w", u.path, err)
			}
			return nil, lockError(u.target, err)
		}
		err = l.holds()
		if err == nil {
			return l, nil
		}
		l.release()
		if !errors.Is(err, errLost) {
			return nil, lockError(u.target, err)
		}
	}
	return nil, u.fail("edit", ErrConflict)
}

// lockError blames what a person knows: the data file, whose permissions the
// lock file has, unless the error names what it is about.
func lockError(t *target, err error) error {
	var named *namedError
	if errors.As(err, &named) {
		return &fs.PathError{Op: named.op, Path: named.path, Err: cause(named.err)}
	}
	return t.fail("edit", err)
}

// A namedError is about another file than the data file.
type namedError struct {
	op, path string
	err      error
}

func (e *namedError) Error() string { return e.op + " " + e.path + ": " + e.err.Error() }
func (e *namedError) Unwrap() error { return e.err }

// wait takes the lock of f as soon as it is free. The end of ctx ends the wait.
func wait(ctx context.Context, f *os.File) error {
	for {
		free, err := tryLock(f)
		if free || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// handover bounds the wait for a lock that cannot be opened, as it is not yet the
// owner's of the data file, or as it cannot be and is removed after the edit.
const handover = time.Second

// openLock opens the lock file, or makes it. It is opened for writing, so that
// who can only read the data file cannot lock it; it is never opened through a
// link; and it is opened without O_CREATE if it is there, which in a directory
// like /tmp fails for a file of somebody else.
func (u *update) openLock(ctx context.Context, name string) (f *os.File, err error) {
	was, err := lstat(ctx, u.dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return u.createLock(ctx, name)
	case err != nil:
		return nil, err
	case !was.Mode().IsRegular():
		return nil, &namedError{"lock", u.beside(name), ErrLockName}
	}
	for end := time.Now().Add(handover); ; time.Sleep(lockPoll) {
		err = retry(ctx, func() (err error) {
			f, err = u.dir.OpenFile(name, os.O_RDWR|noWait, 0)
			return err
		})
		if !errors.Is(err, fs.ErrPermission) || ctx.Err() != nil || time.Now().After(end) || !u.mayWriteData(ctx) {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errLost
	}
	if errors.Is(err, fs.ErrPermission) && u.mayWriteData(ctx) {
		return nil, &namedError{"open", u.beside(name), err}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(was, info) {
		err = errLost
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// mayWriteData reports whether the user may write the data file, and so use its lock.
func (u *update) mayWriteData(ctx context.Context) bool {
	f, err := u.openData(ctx, os.O_WRONLY)
	if err == nil {
		_ = f.Close()
	}
	return err == nil
}

func (u *update) createLock(ctx context.Context, name string) (*os.File, error) {
	f, err := u.createFile(ctx, name)
	if errors.Is(err, fs.ErrExist) {
		return nil, errLost
	}
	if err != nil {
		return nil, &namedError{"create a file in", u.dir.Name(), err}
	}
	hide(f)
	if err := u.shareWithList(ctx, f); err != nil {
		_ = remove(u.dir, name)
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// shareWithList gives a new lock the access list of the data file, if there is one.
func (u *update) shareWithList(ctx context.Context, f *os.File) error {
	data, err := u.openData(ctx, os.O_RDONLY)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errChanged):
		return errLost
	case err != nil:
		return err
	}
	defer data.Close()
	return copyAccessList(f, data)
}

// lockMode lets those use the lock who may write the data file.
func lockMode(data fs.FileMode) fs.FileMode {
	write := data & 0o222
	return 0o600 | write | write<<1
}

// beside is the path of a file in the directory of the target, for errors.
func (t *target) beside(name string) string {
	dir := t.dir.Name()
	if !strings.HasSuffix(dir, string(os.PathSeparator)) {
		dir += string(os.PathSeparator)
	}
	return strings.TrimPrefix(dir+name, "."+string(os.PathSeparator))
}
