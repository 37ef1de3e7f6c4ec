// Package atomicfile edits a file so that at any moment, also after a crash or a
// power cut, it is the old file or the new one, and so that edits which are made
// at the same time do not undo each other.
//
// # How an edit is made
//
// The directory of the file is opened once, as an [os.Root], and every later call
// is relative to it. The edit is first made without a lock. If it changes nothing,
// nothing is written. Otherwise the lock is taken, which is a file beside the data
// file, and the edit is made again if the file has changed. The new text is written
// to a temporary file, which gets the attributes of the old one and is renamed.
//
// # What makes it safe
//
// A lock is valid only while its name leads to it. A process that takes the lock
// first removes all other temporary files. So a process whose lock file was deleted
// has either renamed its temporary file before, and then its result is read, or it
// cannot rename the file any more, and starts again.
package atomicfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

var (
	// ErrConflict is returned if other programs, which take no lock, changed the
	// file during each of ten attempts to edit it. Nothing was changed.
	ErrConflict = errors.New("other programs keep changing the file")
	// ErrNotDurable is returned if the new text is in place, but a power cut may
	// bring the old one back.
	ErrNotDurable = errors.New("in place, but may not survive a power cut")
	// ErrAttributes is returned if the new file could not be given the owner, the
	// mode, the access list or the other attributes of the old one. Nothing was
	// changed.
	ErrAttributes = errors.New("cannot keep the file's owner, mode or access list")
	// ErrNotRegular is returned for anything but a regular file: a directory, a
	// device, a pipe, a file that was deleted.
	ErrNotRegular = errors.New("not a regular file")
	// ErrReadOnly is returned on Windows for a file that is marked as read-only.
	ErrReadOnly = errors.New("the file is marked as read-only")
	// ErrLockName is returned, in an [fs.PathError], if something other than a regular
	// file has the name of the lock file.
	ErrLockName = errors.New("it stands where the lock file belongs, and is not a regular file; remove it")
	// ErrNested is returned if the edit of an Update calls Update.
	ErrNested = errors.New("an edit must not update a file itself")
)

// A LinkError is returned for a symbolic link on the way to the file that belongs
// neither to root nor to the user who edits. It is not followed.
type LinkError struct {
	Link  string // the path of the link
	Owner string // the name of the user to whom it belongs
}

// Error names the link and its owner.
func (e *LinkError) Error() string {
	return "the symbolic link " + e.Link + " belongs to " + e.Owner + ", so it is not followed"
}

// Options say how Update edits a file. The zero value asks for an existing file,
// which is replaced.
type Options struct {
	// Create starts with an empty text if the file is missing. Its directory must
	// exist.
	Create bool
	// Mode is the mode of a file that is created, whatever the umask is; 0 is 0600.
	// It has no meaning on Windows.
	Mode fs.FileMode
	// SetMode gives Mode to a file that exists, too, also if its text stays.
	SetMode bool
	// InPlace writes into the existing file instead of replacing it. An edit that only
	// adds to the end makes one write. Of any other edit a reader can see a part, and
	// a crash can leave a part. Anyone who can read the file can block such an edit,
	// because it also locks the file itself.
	InPlace bool
}

const (
	maxConflicts = 10
	maxLost      = 1000 // each time somebody must have deleted the lock file
)

var (
	errChanged = errors.New("the file is not the one that was read")
	errLost    = errors.New("the lock was deleted")
)

// Update edits the file at path and reports whether it changed it. Symbolic links
// stay, and the file that they lead to is edited.
//
// Edit gets the text of the file and returns the new one, whose WriteTo is called at
// most once, or nil to change nothing. It may be called more than once, each time with
// the current text. If it returns an error, so does Update, and the file stays as it was.
//
// The end of the context ends the wait for the lock and for programs that have the
// file open. After a cancellation nothing is written.
// After any error but [ErrNotDurable] the file is as it was, and nothing is left
// beside it but the lock file. Where the system has no lock, an edit that would
// change the file returns [errors.ErrUnsupported].
//
// Update may be called from several goroutines at once, but not by edit.
func Update(ctx context.Context, path string, o Options, edit func(text string) (io.WriterTo, error)) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if isNested() {
		return false, &fs.PathError{Op: "edit", Path: path, Err: ErrNested}
	}
	t, err := open(ctx, path)
	if err != nil {
		return false, err
	}
	defer t.dir.Close()
	u := &update{target: t, Options: o, edit: edit}
	if u.Mode = u.Mode.Perm(); u.Mode == 0 {
		u.Mode = 0o600
	}
	first, err := u.revise(ctx)
	if err != nil && first == nil {
		return false, err
	}
	// With InPlace the text may be a part of another edit.
	if !o.InPlace && first.from.whole && (err != nil || first.text == nil) {
		return false, err
	}
	for conflicts, lost := 0, 0; conflicts < maxConflicts && lost < maxLost; {
		changed, err := u.locked(ctx, first)
		switch {
		case errors.Is(err, errChanged):
			conflicts++
		case errors.Is(err, errLost):
			lost++
		default:
			return changed, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		first = &revision{from: &snapshot{}} // its text may have been written, and can be written only once
	}
	return false, u.fail("edit", ErrConflict)
}

// A target is the file of an edit: a name in an open directory.
type target struct {
	path string   // as the caller gave it
	dir  *os.Root // its name is that of the directory
	name string   // without a directory, and as the directory has it
}

// fail returns an error with the path that the caller knows.
func (t *target) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: t.path, Err: cause(err)}
}

// cause returns the error of a system call, without the names of the call and the file.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &call):
		return call.Err
	}
	return err
}

type update struct {
	*target
	Options
	edit func(string) (io.WriterTo, error)
}

// A revision is the result of an edit.
type revision struct {
	from *snapshot
	text io.WriterTo // nil if nothing is to be changed
	err  error       // what edit returned
}

// revise reads the file and makes the edit. If the edit fails, it returns both a revision
// and the error.
func (u *update) revise(ctx context.Context) (*revision, error) {
	from, err := u.read(ctx, u.Create)
	if err != nil {
		return nil, err
	}
	r := &revision{from: from}
	r.text, r.err = callEdit(u.edit, from.text)
	if r.err == nil && r.text == nil && u.SetMode && from.info != nil && modeDiffers(from.info, u.Mode) {
		r.text = strings.NewReader(from.text)
	}
	return r, r.err
}

// locked makes the edit under the lock. First is the result without the lock, which it
// uses if the file has not changed. If the edit has to start again, the error is
// errChanged or errLost.
func (u *update) locked(ctx context.Context, first *revision) (changed bool, err error) {
	nothingToDo := first.from.whole && first.err == nil && first.text == nil
	lock, err := u.lock(ctx)
	if err != nil {
		if nothingToDo && ctx.Err() == nil {
			return false, nil // on a read-only file system
		}
		return false, err
	}
	defer lock.release()
	if err := u.removeTemporaries(); err != nil {
		return false, err
	}
	if u.InPlace {
		own, err := u.lockData(ctx)
		if err != nil {
			if nothingToDo && ctx.Err() == nil {
				return false, nil // on a file that is mounted read-only
			}
			return false, err
		}
		defer own.release()
	}
	r := first
	if r.err != nil || !r.from.whole || u.unchanged(ctx, r.from) != nil {
		if r, err = u.revise(ctx); err != nil {
			return false, err
		}
	}
	if !r.from.whole {
		return false, errChanged
	}
	if r.text == nil {
		return false, nil
	}
	if err := canceled(ctx); err != nil {
		return false, err
	}
	if u.InPlace && r.from.info != nil {
		err = u.overwrite(ctx, r, lock)
	} else {
		err = u.replace(ctx, r, lock)
	}
	return err == nil || errors.Is(err, ErrNotDurable), err
}

// canceled returns the error of a context that was canceled. A deadline ends only the
// waits of an edit, and not the edit itself.
func canceled(ctx context.Context) error {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// callEdit calls edit. isNested looks for it on the stack.
func callEdit(edit func(string) (io.WriterTo, error), text string) (io.WriterTo, error) {
	return edit(text)
}

// isNested reports whether an edit calls Update, which would wait for itself.
func isNested() bool {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "internal/atomicfile.callEdit") {
			return true
		}
		if !more {
			return false
		}
	}
}
