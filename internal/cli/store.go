package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/registryctl/registryctl/htpasswd"
)

const (
	fileVariable = "REGISTRY_AUTH_HTPASSWD_PATH" // the registry's own
	defaultFile  = "auth/registry.htpasswd"      // as in the tutorials
)

// A Store is where an htpasswd text is kept. Update decides how an edit becomes
// durable, and may call it more than once: the edit depends on nothing but its
// argument, and passwords are hashed before.
type Store interface {
	Read(context.Context) (*htpasswd.File, error)
	Update(context.Context, func(*htpasswd.File) error) (changed bool, err error)
}

// A target is a store with its name in messages.
type target struct {
	Store
	name     string
	path     string // of the file, if it is one
	isStream bool   // an edit writes the text to standard output
	unnamed  bool   // nobody has said which: it need not be there
}

// open returns the store that the flags and the environment name, to be read.
func (a *app) open() target { return a.target(ToRead, 0) }

// openForEdit is open for an edit, which fails where there is no file.
func (a *app) openForEdit() target { return a.target(ToEdit, 0) }

// openOrCreate is open for an edit that may create the file, with this mode.
func (a *app) openOrCreate(mode fs.FileMode) target { return a.target(ToCreate, mode) }

// openToPlan is open for saying what such an edit would do.
func (a *app) openToPlan() target { return a.target(ToPlan, 0) }

func (a *app) target(access Access, mode fs.FileMode) target {
	switch {
	case a.other != nil:
		s, name := a.other.Open(access)
		return target{Store: s, name: name, unnamed: name == ""}
	case a.file == "-":
		return target{Store: &stream{in: a.in, out: a.out}, name: "the input", isStream: true}
	}
	s := a.fileStore()
	s.forEdit, s.Create, s.Mode = access != ToRead, access == ToCreate || access == ToPlan, mode
	return target{Store: s, name: s.Path, path: s.Path, unnamed: s.makeFolder}
}

func (a *app) fileStore() fileStore {
	s := fileStore{timeout: time.Duration(a.lockTimeout)}
	s.InPlace = a.inPlace
	switch {
	case a.file != "":
		s.Path = string(a.file)
	case os.Getenv(fileVariable) != "":
		s.Path = os.Getenv(fileVariable)
	default:
		s.Path, s.makeFolder = defaultFile, true
	}
	return s
}

// A fileStore is a file, whose lock is waited for only so long.
type fileStore struct {
	htpasswd.FileStore
	timeout    time.Duration
	makeFolder bool // of the default path only, which nobody has named: a mistyped one has to fail
	forEdit    bool
}

// Read fails for a file that could not be edited, if that is what it is read for:
// before a password is asked for.
func (s fileStore) Read(ctx context.Context) (*htpasswd.File, error) {
	if _, err := s.look(); s.forEdit && err != nil {
		return nil, err
	}
	// It may be a pipe.
	return await(ctx, func() (*htpasswd.File, error) { return s.FileStore.Read(ctx) })
}

// look says, without reading it, whether the file is missing, and why it could
// not be edited.
func (s fileStore) look() (missing bool, err error) {
	info, err := os.Stat(s.Path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return false, fail(exitIO, "", "%s is not a regular file", s.Path)
	case errors.Is(err, fs.ErrNotExist) && s.Create && !s.makeFolder:
		folder, _ := filepath.Split(s.Path)
		if _, err := os.Stat(cmp.Or(folder, ".")); err != nil {
			return true, fail(exitIO, "check the path, or make the folder first", "no folder for %s", s.Path)
		}
	}
	return errors.Is(err, fs.ErrNotExist), nil // another error is for the read to tell
}

func (s fileStore) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	if s.makeFolder && s.Create {
		if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
			return false, err
		}
	}
	return s.locked(ctx, func(ctx context.Context) (bool, error) { return s.FileStore.Update(ctx, edit) })
}

// locked bounds how long an edit waits for its lock.
func (s fileStore) locked(ctx context.Context, edit func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	changed, err := edit(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fail(exitIO, "another process is editing it; --lock-timeout waits longer", "%s was still locked after %s", s.Path, s.timeout)
	}
	return changed, err
}

// A stream makes a command a filter: what is read from in goes, edited, to out.
type stream struct {
	in   io.Reader
	out  io.Writer
	text []byte
	err  error
	read bool
}

func (s *stream) Read(ctx context.Context) (*htpasswd.File, error) {
	if !s.read {
		s.text, s.err = readAll(ctx, s.in)
		s.read = true
	}
	if s.err != nil {
		return nil, s.err
	}
	f, err := htpasswd.Parse(s.text)
	if err != nil {
		err = fmt.Errorf("standard input: %w", err)
	}
	return f, err
}

// Update writes the text also where the edit changes nothing: that is what a
// filter is for.
func (s *stream) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	f, refused := s.Read(ctx)
	if f == nil {
		return false, refused
	}
	if err := edit(f); err != nil {
		if refused != nil && errors.Is(refused, err) {
			err = refused
		}
		return false, err
	}
	var text bytes.Buffer
	if _, err := f.WriteTo(&text); err != nil {
		return false, err
	}
	return s.write(text.Bytes())
}

func (s *stream) write(text []byte) (changed bool, err error) {
	if _, err := s.out.Write(text); err != nil {
		return false, fmt.Errorf("%w: %w", errOutput, err)
	}
	return !bytes.Equal(text, s.text), nil
}

// text reads a store as it is, also one that the registry would refuse.
func (t target) text(ctx context.Context) ([]byte, error) {
	f, err := t.Read(ctx)
	if f == nil {
		return nil, err
	}
	var text bytes.Buffer
	_, err = f.WriteTo(&text)
	return text.Bytes(), err
}

// readAll reads all of a stream, which may be a pipe that nothing comes from.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		size := bytes.MinRead
		if file, ok := r.(*os.File); ok {
			// As large as it has to be: growing would copy a long list over and over.
			if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() < math.MaxInt32 {
				size += int(info.Size())
			}
		}
		room := make([]byte, 0, size)
		text := bytes.NewBuffer(room)
		_, err := text.ReadFrom(r)
		return text.Bytes(), err
	})
}

// made reports whether an edit was made: also one that may not survive a power
// cut. Who has asked for it is told what was done, and then that.
func made(err error) bool { return err == nil || errors.Is(err, htpasswd.ErrNotDurable) }

// keep is an Update that changes nothing. A file need not even be locked then; a
// filter still writes its text.
func (t target) keep(ctx context.Context) error {
	if !t.isStream {
		return nil
	}
	_, err := t.Update(ctx, func(*htpasswd.File) error { return nil })
	return err
}

// readOrEmpty reads a store that an edit may create.
func (t target) readOrEmpty(ctx context.Context) (f *htpasswd.File, missing bool, err error) {
	f, err = t.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return new(htpasswd.File), true, nil
	}
	return f, false, err
}

// isMissing is readOrEmpty where the text is of no interest yet: a file is not
// read for it.
func (t target) isMissing(ctx context.Context) (missing bool, err error) {
	if s, ok := t.Store.(fileStore); ok {
		return s.look()
	}
	_, missing, err = t.readOrEmpty(ctx)
	return missing, err
}
