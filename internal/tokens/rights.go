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

// Rights are those of an access file as it is now. If the file was removed, cannot be read
// or is malformed, they are those of its last good text. They may be used by several
// goroutines at once.
type Rights struct {
	path     string
	onChange func(error)

	mu     sync.Mutex
	rights *access.Rights
	err    error
	file   fs.FileInfo // the file that was read last; nil if there is none
	readAt time.Time
	found  bool // the file was there once
}

// OpenRights reads the access file. As long as there is none, everyone who has logged in
// may do everything. onChange is called with nil when a changed file is in use, and with
// the error, once, when a changed file cannot be used.
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
	if now, err := os.Stat(r.path); err == nil && atomicfile.IsCurrent(r.file, r.readAt, now) {
		return r.rights
	}
	last := r.err
	changed := r.read()
	if r.onChange != nil && (changed && r.err == nil || fmt.Sprint(r.err) != fmt.Sprint(last)) {
		r.onChange(r.err)
	}
	return r.rights
}

// read reads the file, and reports whether it has changed.
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
	same := atomicfile.SameState(r.file, file)
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
