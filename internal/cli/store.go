package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A fileStore is a file, with what is needed for helpful messages.
type fileStore struct {
	htpasswd.FileStore
	program   *Program
	origin    string // where the path comes from, for messages
	isDefault bool   // only the default directory is created, as any other may be mistyped
	access    Access
	prompt    bool          // a person is asked for a password between Read and Update
	timeout   time.Duration // for the lock
}

// Read reads the file. If it is opened for an edit that cannot succeed, Read fails, so
// that no password is asked for in vain.
func (s fileStore) Read(ctx context.Context) (*htpasswd.File, error) {
	if s.access != ToRead {
		if err := s.checkEdit(); err != nil {
			return nil, s.explain(err)
		}
	}
	if s.prompt && !s.InPlace && isMountPoint(s.Path) {
		return nil, s.explain(syscall.EBUSY)
	}
	// The file may be a pipe.
	f, err := await(ctx, func() (*htpasswd.File, error) { return s.FileStore.Read(ctx) })
	return f, s.explain(err)
}

// Update bounds the time that an edit waits for its lock.
func (s fileStore) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	if err := s.checkEdit(); err != nil {
		return false, s.explain(err)
	}
	if s.isDefault && s.Create {
		if err := s.prepareDirectory(); err != nil {
			return false, s.explain(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, max(s.timeout, shortestWait))
	defer cancel()
	changed, err := s.FileStore.Update(ctx, edit)
	return changed, s.explain(err)
}

// shortestWait is the time to get a lock that is free.
const shortestWait = 100 * time.Millisecond

// noDirectory is the hint if add would not create the file either.
const noDirectory = "check the path, or create the directory first"

// checkEdit returns the reason if an edit of the file is known to fail.
func (s fileStore) checkEdit() error {
	info, err := os.Stat(s.Path)
	switch {
	case err == nil && info.IsDir():
		return Fail("", "%s is a directory", s.Path)
	case atomicfile.IsDevice(filepath.Base(s.Path)):
		return Fail("", "%s is the name of a device", s.Path)
	case err == nil && !info.Mode().IsRegular():
		return Fail("", "%s is not a regular file", s.Path)
	case err == nil && isReadOnly(info):
		return atomicfile.ErrReadOnly
	case isMissing(err) && s.Create && !s.isDefault:
		if _, err := os.Stat(filepath.Dir(s.Path)); isMissing(err) {
			return Fail(noDirectory, "the directory of %s does not exist (%s)", s.Path, s.origin)
		}
	}
	return nil // the read reports any other error
}

// prepareDirectory creates the default directory, with the permissions that the mode of
// the file requires.
func (s fileStore) prepareDirectory() error {
	dir := filepath.Dir(s.Path)
	mode := directoryMode(cmp.Or(s.Mode, 0o600))
	info, err := os.Stat(dir)
	if isMissing(err) {
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		return os.Chmod(dir, mode)
	}
	if err != nil || s.Mode == 0 || info.Mode().Perm()&mode == mode {
		return err
	}
	mode |= info.Mode().Perm()
	if !isOwn(info) || os.Chmod(dir, mode) != nil {
		s.program.Warn("a server that runs in its group cannot reach %s: chmod %04o %s", s.Path, mode, quote(dir))
		return nil
	}
	s.program.Say("set the mode of %s to %04o", dir, mode)
	return nil
}

// directoryMode returns the mode of a directory that lets everyone reach a file in it
// who may read the file.
func directoryMode(file fs.FileMode) fs.FileMode {
	mode := fs.FileMode(0o700)
	for _, bits := range []fs.FileMode{0o050, 0o005} {
		if file&bits&0o444 != 0 {
			mode |= bits
		}
	}
	return mode
}

// explain adds to an error of the file a hint that says what to do.
func (s fileStore) explain(err error) error {
	if link, ok := errors.AsType[*atomicfile.LinkError](err); ok {
		return Fail(takeLink(link.Link), "%w", link)
	}
	switch {
	case err == nil || errors.As(err, new(*Error)) || errors.Is(err, htpasswd.ErrNotDurable): // the edit is in place
		return err
	case isMissing(err):
		hint := s.program.userCommand("add", "NAME") + " creates it"
		if _, err := os.Stat(filepath.Dir(s.Path)); isMissing(err) && !s.isDefault {
			hint = noDirectory
		}
		return fail(exitIO, hint, "%w", missingFile{s.Path, s.origin})
	case errors.Is(err, atomicfile.ErrReadOnly):
		return Fail("attrib -r "+quote(s.Path), "%s is marked as read-only", s.Path)
	case errors.Is(err, htpasswd.ErrAttributes):
		return Fail(cmp.Or(containerHint(s.Path), "run the command as the owner of the file"), "%s: %w", s.Path, htpasswd.ErrAttributes)
	case errors.Is(err, context.DeadlineExceeded):
		return Fail("another process is editing the file; use --lock-timeout to wait longer", "%s was still locked after %s", s.Path, s.timeout)
	case errors.Is(err, fs.ErrPermission):
		return s.denied(err)
	case errors.Is(err, syscall.EBUSY):
		return Fail("mount its directory instead, or use --in-place", "%s is mounted as a single file, which cannot be replaced", s.Path)
	case errors.Is(err, syscall.EROFS):
		return Fail("mount the directory read-write, or edit the file where it comes from", "%s is on a read-only file system", s.Path)
	}
	return err
}

// takeLink returns the hint for a symbolic link that belongs to another user.
func takeLink(link string) string {
	me := currentUser()
	if me == "" {
		return "name the file that it should lead to"
	}
	return fmt.Sprintf("look where it leads, and if that is right, take its ownership: sudo chown -h %s %s", quote(me), quote(link))
}

// A missingFile is the error of a file that does not exist, or whose directory
// does not.
type missingFile struct{ path, origin string }

func (e missingFile) Error() string        { return fmt.Sprintf("%s does not exist (%s)", e.path, e.origin) }
func (e missingFile) Is(target error) bool { return target == fs.ErrNotExist }

// denied returns the error for missing permissions. It names the file or its directory,
// whichever is the reason, and the owner.
func (s fileStore) denied(err error) error {
	name := s.Path
	dir := filepath.Dir(s.Path)
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Path != s.Path && strings.HasSuffix(at.Path, ".lock") {
		name = at.Path // of a user who may write the file
	} else if cannotUse(dir, s.access != ToRead && !s.InPlace) {
		name = dir
	}
	if info, err := os.Stat(name); err == nil && isOwn(info) && currentUser() != "" {
		return Fail(ownHint(name, info), "permission denied: %s", name)
	}
	owner, me := ownerOf(name), currentUser()
	if runtime.GOOS == "windows" && s.access != ToRead {
		return Fail("close the other program, or edit the file as a user who may", "%s is open in another program, or its access list forbids the edit", s.Path)
	}
	if owner == "" || me == "" {
		return Fail("run the command as the owner of the file", "permission denied: %s (%s)", name, s.origin)
	}
	hint := fmt.Sprintf("run the command with sudo, or take ownership: sudo chown %s %s", quote(me), quote(name))
	return Fail(cmp.Or(containerHint(name), hint), "permission denied: %s belongs to %s", name, owner)
}

// ownHint returns the hint for a file or directory of the user that denies an access.
func ownHint(name string, info fs.FileInfo) string {
	mode := info.Mode().Perm() | 0o600
	if info.IsDir() {
		mode |= 0o700
	}
	if mode != info.Mode().Perm() {
		return fmt.Sprintf("chmod %04o %s", mode, quote(name))
	}
	return "it is yours, so something else forbids it: see lsattr, or the rules of a security module"
}

// A filter is the store of "-f -". It reads the text from in, and an edit writes the new
// text to out, even if nothing has changed.
type filter struct {
	in  io.Reader
	out io.Writer

	read bool
	text []byte
	err  error
}

func (s *filter) Read(ctx context.Context) (*htpasswd.File, error) {
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

func (s *filter) Update(ctx context.Context, edit func(*htpasswd.File) error) (bool, error) {
	f, refused := s.Read(ctx)
	if f == nil {
		return false, refused
	}
	if err := editRead(f, refused, edit); err != nil {
		return false, err
	}
	text := f.Text()
	if _, err := io.WriteString(output{s.out}, text); err != nil {
		return false, err
	}
	return text != string(s.text), nil
}

// editRead edits a text that was read with an error or without one. The error says
// where a text comes from that is refused.
func editRead(f *htpasswd.File, refused error, edit func(*htpasswd.File) error) error {
	err := edit(f)
	if refused != nil && (err == nil && !f.Changed() || errors.As(err, new(*htpasswd.ParseError))) {
		return refused
	}
	return err
}

// readOrEmpty reads a text that an edit may create.
func readOrEmpty(ctx context.Context, s Store) (f *htpasswd.File, missing bool, err error) {
	f, err = s.Read(ctx)
	if isMissing(err) {
		return new(htpasswd.File), true, nil
	}
	return f, false, err
}

// isMissing reports whether an edit has to create the text.
func (t Text) isMissing(ctx context.Context) (bool, error) {
	if t.File != "" {
		_, err := os.Stat(t.File)
		return isMissing(err), nil // the edit reports any other error
	}
	_, missing, err := readOrEmpty(ctx, t)
	return missing, err
}

// openFile opens a file to read. It refuses a directory, which Windows would open, only
// to fail later with an obscure error.
func openFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close()
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	return f, nil
}

// readAll reads r, which may be a pipe that nobody writes to, until ctx ends.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return io.ReadAll(r) })
}

// await runs work that cannot be interrupted, and stops waiting for it when ctx ends.
// The result comes through a channel, because work may still be running by then.
func await[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// interruptible is await for work without a result.
func interruptible(ctx context.Context, work func() error) error {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, work() })
	return err
}

// lostWithContainer returns the warning for a file in a container that is on no mount.
func lostWithContainer(path string) string {
	if !inContainer() {
		return ""
	}
	path = withoutLinks(path)
	if slices.ContainsFunc(mountPoints(), func(mount string) bool { return mount != "/" && isBelow(path, mount) }) {
		return ""
	}
	return path + " is not on a mount: it will be lost with this container"
}

func isMountPoint(path string) bool { return slices.Contains(mountPoints(), withoutLinks(path)) }

// withoutLinks returns the absolute path, with the links in its existing part resolved.
func withoutLinks(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if leads, err := filepath.EvalSymlinks(path); err == nil {
		return leads
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(withoutLinks(dir), filepath.Base(path))
	}
	return path
}

func isBelow(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
