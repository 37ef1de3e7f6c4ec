package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

const (
	fileVariable = "REGISTRY_AUTH_HTPASSWD_PATH" // the registry's own
	defaultFile  = "auth/registry.htpasswd"      // as in the tutorials
)

// A Store is where an htpasswd text is kept. Update decides how an edit becomes
// durable, and may call it more than once: the edit depends on nothing but its
// argument, and passwords are hashed before. Rewrite is an Update for a repair,
// of a text that no File can edit.
type Store interface {
	Read(context.Context) (*htpasswd.File, error)
	Update(context.Context, func(*htpasswd.File) error) (changed bool, err error)
	Rewrite(context.Context, func(text []byte) []byte) (changed bool, err error)
}

// A target is a store with its name in messages.
type target struct {
	Store
	name     string
	path     string // of the file, if it is one
	isStream bool   // an edit writes the text to standard output
}

// open returns the store that the flags and the environment name. An edit of it
// fails where there is no file.
func (a *app) open() target {
	if a.file == "-" {
		return target{Store: &stream{in: a.in, out: a.out}, name: "the input", isStream: true}
	}
	store := a.fileStore()
	return target{Store: store, name: store.Path, path: store.Path}
}

// openOrCreate is open for an edit that may create the file, with this mode.
func (a *app) openOrCreate(mode fs.FileMode) target {
	if a.file == "-" {
		return a.open()
	}
	store := a.fileStore()
	store.Create, store.Mode = true, mode
	return target{Store: store, name: store.Path, path: store.Path}
}

func (a *app) fileStore() fileStore {
	s := fileStore{timeout: a.lockTimeout}
	s.InPlace = a.inPlace
	switch {
	case a.file != "":
		s.Path = a.file
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
	makeFolder bool // of the default path only: a mistyped one has to fail
}

// Read tells a file that is to be made from one that cannot be, as its folder is
// missing: before a password is asked for.
func (s fileStore) Read(ctx context.Context) (*htpasswd.File, error) {
	f, err := s.FileStore.Read(ctx)
	if s.Create && !s.makeFolder && errors.Is(err, fs.ErrNotExist) {
		if _, noFolder := os.Stat(filepath.Dir(s.Path)); noFolder != nil {
			return nil, fail(exitIO, "check the path, or make the folder first", "no folder for %s", s.Path)
		}
	}
	return f, err
}

func (s fileStore) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	if s.makeFolder && s.Create {
		if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
			return false, err
		}
	}
	return s.locked(ctx, func(ctx context.Context) (bool, error) { return s.FileStore.Update(ctx, edit) })
}

func (s fileStore) Rewrite(ctx context.Context, fix func([]byte) []byte) (bool, error) {
	return s.locked(ctx, func(ctx context.Context) (bool, error) { return s.FileStore.Rewrite(ctx, fix) })
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

func (s *stream) Read(context.Context) (*htpasswd.File, error) {
	if !s.read {
		s.text, s.err = io.ReadAll(s.in)
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
	f, err := s.Read(ctx)
	if err != nil {
		return false, err
	}
	if err := edit(f); err != nil {
		return false, err
	}
	var text bytes.Buffer
	if _, err := f.WriteTo(&text); err != nil {
		return false, err
	}
	return s.write(text.Bytes())
}

func (s *stream) Rewrite(ctx context.Context, fix func([]byte) []byte) (bool, error) {
	if _, err := s.Read(ctx); s.err != nil {
		return false, err
	}
	text := fix(s.text)
	if _, err := htpasswd.Parse(text); err != nil {
		return false, fmt.Errorf("standard input: %w", err)
	}
	return s.write(text)
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

// readOrEmpty reads a store that an edit may create.
func (t target) readOrEmpty(ctx context.Context) (f *htpasswd.File, missing bool, err error) {
	f, err = t.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return new(htpasswd.File), true, nil
	}
	return f, false, err
}

// modeFlag is --mode, in octal.
type modeFlag fs.FileMode

func (m *modeFlag) String() string { return fmt.Sprintf("%04o", uint32(*m)) }
func (m *modeFlag) Type() string   { return "octal" }

func (m *modeFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n&^0o777 != 0 || n&0o600 != 0o600 {
		return flagProblem("takes an octal mode that lets the owner read and write, such as 0640")
	}
	*m = modeFlag(n)
	return nil
}

func (m *modeFlag) perm() fs.FileMode { return fs.FileMode(*m) }

func (m *modeFlag) register(cmd *cobra.Command) {
	*m = 0o600
	cmd.Flags().Var(m, "mode", "mode of a file that is created; 0640 for a server that reads it as another user of its group")
}

// check refuses the flag where a mode means nothing.
func (m *modeFlag) check(cmd *cobra.Command, a *app) error {
	switch {
	case !cmd.Flags().Changed("mode"):
	case runtime.GOOS == "windows":
		return fail(exitUsage, "the file takes the access list of its folder", "--mode does not work on Windows")
	case a.file == "-":
		return fail(exitUsage, "", "--mode needs a file, not standard input")
	}
	return nil
}
