package htpasswd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A FileStore is an htpasswd file on disk. The zero values of its fields ask for
// an existing file, replaced as a whole.
type FileStore struct {
	// Path of the file. Where it is a symbolic link, the link stays and its
	// target is read and edited.
	Path string
	// Create makes Update start from an empty text where there is no file.
	Create bool
	// Mode of a file that Update creates, whatever the umask; 0600 if zero. On
	// Windows the file takes the access list of its folder instead.
	Mode fs.FileMode
	// InPlace writes through the file's inode instead of putting a new file in
	// its place: for a single file that is mounted into a container, where a new
	// one would not be seen, or not be allowed. A user is added by one write; any
	// other edit can be seen half-way, and a crash can leave it so.
	InPlace bool
}

// Read reads the file, without waiting for a lock: it sees the text before or
// after an Update, never one in between. A missing file is fs.ErrNotExist; of a
// text that the registry would refuse both the File and a [*ParseError] are
// returned, as by [Parse].
func (s FileStore) Read(context.Context) (*File, error) {
	text, err := atomicfile.Read(s.Path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Path, err)
	}
	return f, err
}

// maxAttempts bounds how often Update starts again because a program that takes
// no lock changed the file meanwhile.
const maxAttempts = 10

// Update reads the file, applies edit and replaces the file by the result, all
// under a lock that every other Update of the file waits for. It reports whether
// the file was changed; where edit leaves the text as it was, nothing is written.
//
// The edit may be called more than once, each time with the text as it is then:
// it must depend on nothing but its argument, and hash passwords before. An
// error of it is returned as it is, and the file stays as it was.
//
// The context ends the wait for the lock, with its error. A missing file is
// fs.ErrNotExist, unless Create is set; one that the registry would refuse a
// [*ParseError]. On any error but [ErrNotDurable] the file is as it was; with
// InPlace, as far as that can be had.
func (s FileStore) Update(ctx context.Context, edit func(*File) error) (changed bool, err error) {
	return s.update(ctx, func(text []byte) (*revision, error) {
		f, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		if err := edit(f); err != nil || !f.edited() {
			return nil, err
		}
		now := &revision{text: f}
		if s.InPlace {
			now.appended, _ = f.appended()
		}
		return now, nil
	})
}

// Rewrite is [FileStore.Update] for a repair: fix gets the text of the file, also
// one that the registry would refuse, and returns it mended. A text that is
// still refused is not written, and the error is its [*ParseError].
func (s FileStore) Rewrite(ctx context.Context, fix func(text []byte) []byte) (changed bool, err error) {
	return s.update(ctx, func(text []byte) (*revision, error) {
		fixed := fix(text)
		if bytes.Equal(fixed, text) {
			return nil, nil
		}
		f, err := Parse(fixed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		return &revision{text: f}, nil
	})
}

// A revision is what is to be written.
type revision struct {
	text     io.WriterTo
	appended []byte // if that is all there is to it
}

// update does for any change what Update promises. The change gets the text and
// returns nil where nothing is to be written.
func (s FileStore) update(ctx context.Context, change func(text []byte) (*revision, error)) (changed bool, err error) {
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
		changed, err = s.updateLocked(path, perm, change)
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

func (s FileStore) updateLocked(path string, perm fs.FileMode, change func([]byte) (*revision, error)) (changed bool, err error) {
	text, old, err := atomicfile.ReadForEdit(path)
	if err != nil && (!s.Create || !errors.Is(err, fs.ErrNotExist)) {
		return false, err
	}
	now, err := change(text)
	if err != nil || now == nil {
		return false, err
	}
	switch {
	case !s.InPlace || old == nil:
		err = atomicfile.Replace(path, old, perm, now.text)
	case now.appended != nil:
		err = atomicfile.Append(path, old, now.appended)
	default:
		err = atomicfile.Overwrite(path, old, text, now.text)
	}
	return err == nil || errors.Is(err, atomicfile.ErrNotDurable), err
}
