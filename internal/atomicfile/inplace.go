package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Append writes text behind the end of the file at path, in one call, so that
// no reader sees a part of it. For the rest see Overwrite.
func Append(path string, old fs.FileInfo, text []byte) error {
	return inPlace(path, old, os.O_APPEND, func(f *os.File) error {
		_, err := f.Write(text)
		if err != nil {
			// A full disk may have taken a part.
			err = errors.Join(err, f.Truncate(old.Size()))
		}
		return err
	})
}

// Overwrite writes the text through the inode that the file at path has, for a file
// that is mounted into a container by itself, and so known by its inode. Was is
// what the file holds, and old identifies it.
//
// A reader may see any mixture of the old text and the new one, and after a
// crash the file may hold one. After an error the old text is written back as
// far as that is possible.
//
// The modification time is set last, strictly newer than that of the old file
// and than any that a reader can have seen meanwhile.
func Overwrite(path string, old fs.FileInfo, was []byte, text io.WriterTo) error {
	var whole bytes.Buffer
	if _, err := text.WriteTo(&whole); err != nil {
		return err
	}
	return inPlace(path, old, 0, func(f *os.File) error {
		err := overwrite(f, whole.Bytes())
		if err != nil {
			err = errors.Join(err, overwrite(f, was))
		}
		return err
	})
}

func overwrite(f *os.File, text []byte) error {
	if _, err := f.WriteAt(text, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

func inPlace(path string, old fs.FileInfo, flag int, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|noFollow|flag, 0)
	if err != nil {
		return err
	}
	// What its Close could report, Sync has.
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if !same(old, now) {
		return ErrChanged
	}
	if err := write(f); err != nil {
		_ = makeNewerThanSeen(f, old) // who has read it half-way has to read it again
		return err
	}
	err = makeNewerThanSeen(f, old)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// makeNewerThanSeen makes f newer than the old file and than the time that the
// writing has left, at which a reader may have seen a part of it.
func makeNewerThanSeen(f *os.File, old fs.FileInfo) error {
	written, err := f.Stat()
	if err != nil {
		return err
	}
	newest := old.ModTime()
	if written.ModTime().After(newest) {
		newest = written.ModTime()
	}
	return makeNewer(f, newest)
}
