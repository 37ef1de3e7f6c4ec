package htpasswd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A FileStore is an htpasswd file on disk. With the zero values of its fields
// the file must exist, and an edit reads it once
// and replaces it by a new one. That needs about as much memory as the file is large, with
// InPlace about three times as much.
//
// Owner, group and mode stay; on Linux also the access list and the extended
// attributes, on Windows the access list. A symbolic link to the file stays. The
// modification time grows with each edit, which is how the registry notices it.
//
// The lock is a file of its own, ".NAME.lock" in the same directory, so it keeps
// out only programs that use it. If another program changes the file after it was
// read, Update notices and edits the new text; a change in the last microseconds
// before the rename is lost. Whether a lock holds among several machines depends
// on the network file system. Another hard link to the file keeps the old text,
// and so does a container into which the single file was mounted and not its
// directory.
type FileStore struct {
	// Path of the file. If it is a symbolic link, the link stays and its target is
	// read and edited. Update follows only links that belong to root or to the user
	// who edits, in every directory on the way.
	Path string
	// Create makes Update create the file if it is missing. Its directory must
	// exist.
	Create bool
	// Mode is the mode of a file that Update creates, whatever the umask is; 0 is
	// 0600. On Windows the file gets the access list of its directory instead.
	Mode fs.FileMode
	// SetMode makes Update give Mode to a file that exists, too, even if its text
	// stays as it is.
	SetMode bool
	// InPlace writes into the existing file instead of replacing it. It is for a
	// single file that is mounted into a container, which would not see a new one.
	// Users are added by one write. A reader can see a part of any other edit, and
	// a crash can leave a part of it. Anyone who can read the file can block the edit.
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
	f, err := parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Path, err)
	}
	return f, err
}

// Update reads the file, calls edit, and replaces the file by the result, under a
// lock that every other Update of the file waits for. It reports whether the
// file was changed. If the edit leaves the text as it was, nothing is written and
// no lock is needed.
//
// Edit may be called more than once, each time with the text as it is then. It
// must depend on nothing but its argument, so passwords are hashed before, and
// it must not call Update. If edit returns an error, Update returns it and the
// file stays as it was. If the registry would refuse the file, every edit but
// [File.Reset] fails with a [*ParseError].
//
// The end of ctx ends the wait for the lock; the error is that of ctx. A missing
// file is fs.ErrNotExist, unless Create is set. If other programs keep changing
// the file, the error is [ErrConflict]. Where the system has no lock it is
// [errors.ErrUnsupported]. After any error but [ErrNotDurable] the file is as it
// was, or with InPlace as close to that as possible.
func (s FileStore) Update(ctx context.Context, edit func(*File) error) (changed bool, err error) {
	options := atomicfile.Options{Create: s.Create, Mode: s.Mode, SetMode: s.SetMode, InPlace: s.InPlace}
	return atomicfile.Update(ctx, s.Path, options, func(text string) (io.WriterTo, error) {
		f, refused := parse(text)
		err := edit(f)
		if refused != nil && errors.Is(err, refused) {
			err = fmt.Errorf("%s: %w", s.Path, err)
		}
		if err != nil || !f.Changed() {
			return nil, err
		}
		return f, nil
	})
}
