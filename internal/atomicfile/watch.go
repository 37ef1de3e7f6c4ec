package atomicfile

import (
	"io/fs"
	"os"
)

// ReadToWatch returns what path holds and which file in which state that was,
// for SameState to tell whether it is worth reading again. Only a regular file
// can be watched; a symbolic link is followed.
//
// The error is ErrChanged where the file was written to while it was read, in
// place, so that the text may be cut or a mixture. A new file that takes the
// place of this one meanwhile does no harm.
func ReadToWatch(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	f, err := openToRead(path, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, before, err := readAll(f)
	if err != nil {
		return nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) || int64(len(text)) != after.Size() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: ErrChanged}
	}
	return text, before, nil
}

// SameState reports whether now is the file that was read, not written to or
// changed otherwise since: the inode, the size, the modification time and, where
// the system has it, the time of the last change of any kind are the same.
func SameState(read, now fs.FileInfo) bool { return same(read, now) }
