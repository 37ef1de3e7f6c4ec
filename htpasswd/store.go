package htpasswd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A FileStore is an htpasswd file on disk. With the zero values of its fields
// the file must exist, and an edit replaces it by a new one.
type FileStore struct {
	// Path of the file. If it is a symbolic link, the link stays and its target is
	// read and edited.
	Path string
	// Create makes Update create the file if it is missing. Its directory must
	// exist.
	Create bool
	// Mode is the mode of a file that Update creates, whatever the umask is; 0 is
	// 0600. On Windows the file gets the access list of its directory instead.
	Mode fs.FileMode
	// InPlace writes into the existing file instead of replacing it. It is for a
	// single file that is mounted into a container, which would not see a new one.
	// Users are added by one write. A reader can see a part of any other edit, and
	// a crash can leave a part of it.
	InPlace bool
}

// Read reads the file. It waits for no lock: it sees the text before or after an
// Update. If the file is missing, the error is fs.ErrNotExist. If the registry
// would refuse the text, Read returns both a File and a [*ParseError], as
// [Parse] does.
func (s FileStore) Read(context.Context) (*File, error) {
	text, err := atomicfile.Read(s.Path)
	if err != nil {
		return nil, err
	}
	f, err := parse(string(text))
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Path, err)
	}
	return f, err
}

// maxAttempts is how often Update starts again because another program, which
// takes no lock, changed the file meanwhile.
const maxAttempts = 10

// Update reads the file, calls edit, and replaces the file by the result, under a
// lock that every other Update of the file waits for. It reports whether the
// file was changed. If the edit leaves the text as it was, nothing is written.
//
// Edit may be called more than once, each time with the text as it is then. It
// must depend on nothing but its argument, so passwords are hashed before. If
// edit returns an error, Update returns it and the file stays as it was. If the
// registry would refuse the file, every edit but [File.Reset] fails with a
// [*ParseError].
//
// The end of ctx ends the wait for the lock; the error is that of ctx. A missing
// file is fs.ErrNotExist, unless Create is set. After any error but
// [ErrNotDurable] the file is as it was, or with InPlace as close to that as
// possible.
func (s FileStore) Update(ctx context.Context, edit func(*File) error) (changed bool, err error) {
	path, err := atomicfile.Resolve(s.Path)
	if err != nil {
		return false, err
	}
	// Known before the lock file is made: a mistyped path leaves no litter.
	perm := s.Mode.Perm()
	if perm == 0 {
		perm = 0o600
	}
	if err := atomicfile.Editable(path); err != nil && (!s.Create || !errors.Is(err, fs.ErrNotExist)) {
		return false, err
	}
	unlock, err := atomicfile.Lock(ctx, path, perm)
	if err != nil {
		return false, err
	}
	defer unlock()

	for range maxAttempts {
		changed, err = s.updateLocked(path, perm, edit)
		if !errors.Is(err, atomicfile.ErrChanged) {
			break
		}
	}
	switch {
	case errors.Is(err, atomicfile.ErrNotDurable):
		err = fmt.Errorf("%w: %w", ErrNotDurable, err)
	case errors.Is(err, atomicfile.ErrAttributes):
		err = fmt.Errorf("%w: %w", ErrAttributes, err)
	}
	return changed, err
}

func (s FileStore) updateLocked(path string, perm fs.FileMode, edit func(*File) error) (changed bool, err error) {
	text, old, err := atomicfile.ReadForEdit(path)
	if err != nil && (!s.Create || !errors.Is(err, fs.ErrNotExist)) {
		return false, err
	}
	f, refused := parse(string(text))
	err = edit(f)
	if refused != nil && errors.Is(err, refused) {
		err = fmt.Errorf("%s: %w", s.Path, err)
	}
	if err != nil || !f.Changed() {
		return false, err
	}
	appended, onlyAppends := bytes.CutPrefix(f.Bytes(), text)
	switch {
	case !s.InPlace || old == nil:
		err = atomicfile.Replace(path, old, perm, f)
	case onlyAppends:
		err = atomicfile.Append(path, old, appended)
	default:
		err = atomicfile.Overwrite(path, old, text, f)
	}
	return err == nil || errors.Is(err, atomicfile.ErrNotDurable), err
}
