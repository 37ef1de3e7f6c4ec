package atomicfile

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// Lock waits until nobody else holds the lock of path, and takes it; the system
// frees it when the process ends, however it does. The error is the context's
// where that ended the wait.
//
// The lock is a file of its own beside path, as path itself is replaced: who
// waits for a lock on the old file would get one that guards nothing. For the
// same reason it is never removed. Its owner, group and mode are those of path,
// or perm where there is none yet, so that whoever can edit one can lock the other.
func Lock(ctx context.Context, path string, perm fs.FileMode) (unlock func(), err error) {
	name := sibling(path, ".lock")
	if err := prepareLock(name, path, perm); err != nil {
		return nil, err
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY|noFollow))
	free, err := lock.TryLock() // also where there is no time to wait
	if err == nil && !free {
		_, err = lock.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("lock %s: %w", name, err)
		}
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// prepareLock makes the lock file where it is missing. It is never opened
// through a link, which someone may have planted to have another file created
// or its owner changed.
func prepareLock(name, path string, perm fs.FileMode) error {
	data, err := os.Lstat(path)
	if err == nil {
		perm = data.Mode().Perm()
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "lock", Path: name, Err: ErrNotRegular}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|noFollow, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "lock", Path: name, Err: ErrNotRegular}
	}
	// Not through a second name, which may have been given to a file that matters.
	if !isShared(info) {
		// Whoever cannot do this has opened the file, which is all a lock needs.
		_ = setOwnerAndMode(f, info, data, perm)
	}
	return nil
}
