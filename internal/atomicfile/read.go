package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/registryctl/registryctl/internal/hugepages"
)

// ErrNotRegular is returned for a file that an edit could not replace: a folder,
// a device, a pipe.
var ErrNotRegular = errors.New("not a regular file")

// maxLinks is how many symbolic links Linux follows in a row.
const maxLinks = 40

// Resolve follows the symbolic links that path ends in, so that an edit replaces
// the file that they lead to and they stay. What they lead to need not exist.
func Resolve(path string) (string, error) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			// Not a link, or nothing is there: both are for the caller to see.
			return path, nil
		}
		if !filepath.IsAbs(target) {
			// As the system does: relative to the folder that the link is really in.
			// "x/.." is not dropped, since x may be a link itself.
			dir, err := filepath.EvalSymlinks(folder(path))
			if err != nil {
				return "", err
			}
			target = dir + string(filepath.Separator) + target
		}
		path = target
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many levels of symbolic links")}
}

// folder is the folder of path, as the system understands it: unlike
// filepath.Dir it leaves "x/.." in it alone.
func folder(path string) string {
	dir, _ := filepath.Split(path)
	if dir == "" {
		return "."
	}
	return dir
}

// Read returns what path holds, be it a regular file or not.
func Read(path string) ([]byte, error) {
	f, err := openToRead(path, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, _, err := readAll(f)
	return text, err
}

// ReadForEdit returns what path holds and which file that was, for Replace. Only
// a regular file can be edited.
func ReadForEdit(path string) ([]byte, fs.FileInfo, error) {
	if err := Editable(path); err != nil {
		return nil, nil, err
	}
	f, err := openToRead(path, noFollow)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(f *os.File) ([]byte, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	// One more than its size, so that the end is seen without growing.
	text := make([]byte, info.Size(), info.Size()+1)
	hugepages.Prefer(text)
	n, err := fill(f, text)
	if err != nil {
		return nil, nil, err
	}
	text = text[:n]
	if n > 0 {
		if _, err := f.Seek(int64(n), io.SeekStart); err != nil {
			return nil, nil, err
		}
	}
	for {
		n, err := f.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if errors.Is(err, io.EOF) {
			return text, info, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
	}
}

// fill reads the beginning of a large file into text, on every core, and returns
// how much of text that is: less than all where the file is shorter. What takes
// long is memory that is touched for the first time, and each core has its own.
func fill(f io.ReaderAt, text []byte) (int, error) {
	const worthIt = 1 << 20 // bytes; for fewer nothing is read
	parts := slices.Collect(slices.Chunk(text, max(worthIt, 1+len(text)/runtime.GOMAXPROCS(0))))
	if len(parts) < 2 {
		return 0, nil
	}
	lengths, errs := make([]int, len(parts)), make([]error, len(parts))
	var group sync.WaitGroup
	from := int64(0)
	for i, part := range parts {
		at := from
		from += int64(len(part))
		group.Go(func() { lengths[i], errs[i] = f.ReadAt(part, at) })
	}
	group.Wait()
	n := 0
	for i, err := range errs {
		n += lengths[i]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// Editable returns nil for a regular file. It looks before the file is opened:
// opening a pipe waits for its other end.
func Editable(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "edit", Path: path, Err: ErrNotRegular}
	}
	return nil
}
