package basicauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A sighting is what a look at the file has brought.
type sighting struct {
	at      time.Time   // when it began
	users   *users      // those to go by; nil if no text was good so far
	err     error       // why they are not those of the file
	file    fs.FileInfo // what was read, good or not; nil if nothing could be
	settled bool        // the file was older than settle when it was read
}

// settle is after how long a file that has just been changed is read once more.
// Two changes within one tick of a file system's clock leave the same time (FAT
// has the coarsest, of 2 seconds), and a write sets the time before it is done.
const settle = 2 * time.Second

// calm is how long a file must have been left alone that is written in place, to be
// read: who does so empties it first.
const calm = 20 * time.Millisecond

var errNothingLoaded = errors.New("no htpasswd text was loaded so far")

// due reports whether the file has to be looked at for what begins now.
func (a *Authenticator) due(s *sighting, now time.Time) bool {
	interval := a.CheckInterval
	if interval == 0 {
		interval = time.Second
	}
	return now.Sub(s.at) >= interval
}

// sight returns the latest sighting, after a new look if that is due. Only one
// goroutine looks; those for which it is due as well wait for it, until their
// context ends.
func (a *Authenticator) sight(ctx context.Context, due func(*sighting, time.Time) bool) (*sighting, error) {
	a.once.Do(a.init)
	s, now := a.latest.Load(), time.Now()
	if a.Path == "" || !due(s, now) {
		return s, nil
	}
	select {
	case a.looking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-a.looking }()
	s = a.latest.Load()
	if !due(s, now) { // another goroutine has looked meanwhile
		return s, nil
	}
	next := a.look(ctx, s)
	a.latest.Store(next)
	if a.OnReload != nil && (next.users != s.users || message(next.err) != message(s.err)) {
		a.OnReload(next.err)
	}
	return next, nil
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// look reads the file unless it is as it was when it was read last.
func (a *Authenticator) look(ctx context.Context, last *sighting) *sighting {
	next := *last
	next.at = time.Now()
	age := func(file fs.FileInfo) time.Duration { return next.at.Sub(file.ModTime()) }
	if last.file != nil {
		now, err := os.Stat(a.Path)
		if err == nil && atomicfile.SameState(last.file, now) && (last.settled || age(now) < settle) {
			return &next
		}
		if err == nil && os.SameFile(last.file, now) && age(now) >= 0 && age(now) < calm {
			select {
			case <-time.After(calm - age(now)):
			case <-ctx.Done(): // what there is has to do
			}
		}
	}
	next.users, next.file, next.err = a.read(last.users)
	next.settled = next.file != nil && age(next.file) >= settle
	return &next
}

// read returns the users of the file, or the last ones and the error. The file is
// nil if it could not be read, and has to be tried again.
func (a *Authenticator) read(last *users) (*users, fs.FileInfo, error) {
	read, file, err := atomicfile.ReadToWatch(a.Path)
	if err != nil {
		return last, nil, err
	}
	text := []byte(read)
	if last != nil && bytes.Equal(text, last.text) {
		return last, file, nil
	}
	now, err := newUsers(text, a.which)
	if err != nil {
		return last, file, fmt.Errorf("%s: %w", a.Path, err)
	}
	return now, file, nil
}

// Reload looks at the file now, whenever that was done last, and returns why the
// users that Verify goes by are not those of the file: it is missing or cannot be
// read, or a [*htpasswd.ParseError]. Call it when the server starts, on SIGHUP, or
// for a health check: else only a login would show the error. The context ends the
// wait for another look that is under way.
func (a *Authenticator) Reload(ctx context.Context) error {
	s, err := a.sight(ctx, func(*sighting, time.Time) bool { return true })
	if err != nil {
		return err
	}
	return s.err
}

// Load takes the text to go by from r. It is for an Authenticator without a Path,
// whose text comes from another store; call it again when the text is another
// one. The error is that of r or a [*htpasswd.ParseError], and the last good text
// stays in use.
func (a *Authenticator) Load(r io.Reader) error {
	a.once.Do(a.init)
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	now, err := newUsers(text, a.which)
	if err != nil {
		return err
	}
	a.latest.Store(&sighting{users: now})
	return nil
}
