package tokens

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/registryctl/registryctl/internal/access"
	"github.com/registryctl/registryctl/internal/atomicfile"
)

// Rights are those of an access file as it is now. While the file is missing that was
// there before, cannot be read or is malformed, they are those of its last good text.
// They may be used by any number of goroutines at once.
type Rights struct {
	path     string
	onChange func(error)

	mu     sync.Mutex
	rights *access.Rights
	err    error
	file   fs.FileInfo // what was read last; nil: nothing could be
	readAt time.Time
	found  bool // the file was there once
}

// settle is after how long a file that has just been changed is read again: two
// changes within one tick of a file system's clock leave the same time, and FAT has
// the coarsest, of 2 seconds.
const settle = 2 * time.Second

// OpenRights reads the access file. Without one, everyone who has logged in may do
// everything until there is one. onChange is called with nil after another text of
// the file was taken, and with the error, once, when it cannot be.
func OpenRights(path string, onChange func(error)) (*Rights, error) {
	r := &Rights{path: path, rights: access.Unrestricted()}
	r.Now()
	r.onChange = onChange
	return r, r.err
}

// Now looks at the file and returns the rights.
func (r *Rights) Now() *access.Rights {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, err := os.Stat(r.path); err == nil && r.file != nil && atomicfile.SameState(r.file, now) {
		if age := r.readAt.Sub(now.ModTime()); age < 0 || age > settle || time.Since(now.ModTime()) < settle {
			return r.rights
		}
	}
	last := r.err
	changed := r.read()
	if r.onChange != nil && (changed && r.err == nil || message(r.err) != message(last)) {
		r.onChange(r.err)
	}
	return r.rights
}

// read reads the file, and reports whether it is another one than before.
func (r *Rights) read() bool {
	r.readAt = time.Now()
	text, file, err := atomicfile.ReadToWatch(r.path)
	if err != nil {
		r.file, r.err = nil, err
		if errors.Is(err, fs.ErrNotExist) && !r.found {
			r.err = nil
		}
		return false
	}
	same := r.file != nil && atomicfile.SameState(r.file, file)
	r.file, r.found = file, true
	parsed, err := access.Parse(text)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", r.path, err)
		return true
	}
	r.rights, r.err = parsed.Rights(), nil
	return !same
}

// Err returns why the rights are not those of the file.
func (r *Rights) Err() error {
	r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Found reports whether there was an access file, now or before.
func (r *Rights) Found() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
