//go:build linux || darwin || freebsd || netbsd || openbsd

package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links Linux follows in a row.
const maxLinks = 40

// open finds the file at path and opens its directory. It follows the symbolic links in
// every component itself, and only those that can be trusted.
func open(ctx context.Context, path string) (*target, error) {
	for range maxConflicts {
		t, err := walk(ctx, path)
		if !errors.Is(err, errChanged) {
			return t, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: ErrConflict}
}

func walk(ctx context.Context, path string) (*target, error) {
	w := walker{path: path}
	defer w.close()
	if path == "" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if err := w.start(path); err != nil {
		return nil, err
	}
	for links := 0; ; {
		name, rest, more := strings.Cut(w.rest, "/")
		if more && (name == "" || name == ".") {
			w.rest = rest
			continue
		}
		if name == "" || name == "." || name == ".." && !more {
			return nil, w.fail(path, ErrNotRegular)
		}
		next, link, err := w.look(name, more)
		if err != nil {
			return nil, err
		}
		switch {
		case link != nil:
			if links++; links > maxLinks {
				return nil, w.fail(path, unix.ELOOP)
			}
			target := *link
			if more {
				target += "/" + rest
			}
			if err := w.start(target); err != nil {
				return nil, err
			}
		case !more:
			return w.end(ctx, name)
		default:
			w.enter(next, name)
			w.rest = rest
		}
	}
}

// A walker goes from directory to directory. It keeps a directory open only until it has
// opened the next.
type walker struct {
	path string   // of the file, as the caller gave it
	at   *os.File // the current directory
	rest string   // the rest of the path
}

func (w *walker) close() {
	if w.at != nil {
		_ = w.at.Close()
	}
}

func (w *walker) fail(path string, err error) error {
	return &fs.PathError{Op: "open", Path: path, Err: cause(err)}
}

// start goes to the directory where path begins. Path may be the target of a link.
func (w *walker) start(path string) error {
	if path == "" {
		return w.fail(w.path, fs.ErrNotExist)
	}
	w.rest = path
	begin := "/"
	if path[0] != '/' {
		if w.at != nil {
			return nil
		}
		begin = "."
	}
	fd, err := openDirAt(unix.AT_FDCWD, begin)
	if err != nil {
		return w.fail(begin, err)
	}
	w.close()
	w.at = os.NewFile(uintptr(fd), begin)
	return nil
}

func (w *walker) below(name string) string {
	switch dir := w.at.Name(); dir {
	case ".":
		return name
	case "/":
		return "/" + name
	default:
		return dir + "/" + name
	}
}

func (w *walker) enter(fd int, name string) {
	next := os.NewFile(uintptr(fd), w.below(name))
	w.close()
	w.at = next
}

// look returns the directory with that name, opened if isDir is set, or the target of the
// symbolic link. For a missing file and any other file it returns neither.
func (w *walker) look(name string, isDir bool) (next int, target *string, err error) {
	at := int(w.at.Fd())
	var stat unix.Stat_t
	if err := unix.Fstatat(at, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) && !isDir {
			return 0, nil, nil
		}
		if errors.Is(err, unix.EACCES) {
			return 0, nil, w.fail(w.at.Name(), err) // the directory cannot be searched
		}
		return 0, nil, w.fail(w.below(name), err)
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		link, err := w.readLink(name, stat)
		return 0, &link, err
	}
	if !isDir {
		return 0, nil, nil
	}
	if next, err = openDirAt(at, name); err != nil {
		if errors.Is(err, unix.ELOOP) {
			err = errChanged
		}
		return 0, nil, w.fail(w.below(name), err)
	}
	return next, nil, nil
}

// readLink returns the target of a symbolic link that can be trusted.
func (w *walker) readLink(name string, stat unix.Stat_t) (string, error) {
	at := int(w.at.Fd())
	if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return "", &LinkError{Link: w.below(name), Owner: userName(stat.Uid)}
	}
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(at, name, buf)
	if err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			err = errChanged
		}
		return "", w.fail(w.below(name), err)
	}
	var now unix.Stat_t
	err = unix.Fstatat(at, name, &now, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || now.Ino != stat.Ino || now.Dev != stat.Dev || now.Uid != stat.Uid || changeTime(&now) != changeTime(&stat) {
		return "", w.fail(w.below(name), errChanged)
	}
	// The links in /proc to the open files of a process can lead to files that were removed.
	if isProc(at) {
		err := unix.Fstatat(at, name, &now, 0)
		if err == nil && (now.Nlink == 0 || now.Mode&unix.S_IFMT != unix.S_IFREG && now.Mode&unix.S_IFMT != unix.S_IFDIR) {
			err = ErrNotRegular
		}
		if err != nil {
			return "", w.fail(w.path, err)
		}
	}
	return string(buf[:n]), nil
}

// end opens the current directory as an os.Root.
func (w *walker) end(ctx context.Context, name string) (*target, error) {
	dir, err := os.OpenRoot(w.at.Name())
	if err != nil {
		return nil, w.fail(w.at.Name(), err)
	}
	is, err := dir.Stat(".")
	if err == nil {
		var want fs.FileInfo
		want, err = w.at.Stat()
		if err == nil && !os.SameFile(want, is) {
			err = errChanged // its path now leads to another directory
		}
	}
	if err != nil {
		_ = dir.Close()
		return nil, w.fail(w.at.Name(), err)
	}
	return newTarget(ctx, w.path, dir, name)
}

func openDirAt(at int, name string) (int, error) {
	for {
		fd, err := unix.Openat(at, name, searchOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
