package basicauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// A LoadResult is what came of reading a text.
type LoadResult struct {
	// Err is the reason why the text in use is not the one that was read; nil if it
	// is. The other fields describe the text in use.
	Err error
	// Users is the number of users who can log in.
	Users int
	// Refused are the users who are listed but cannot log in, in the order of their
	// lines.
	Refused []Refusal
}

// A Refusal says why a listed user cannot log in.
type Refusal struct {
	User   string // "[hidden]" if it may be a hash in the wrong place
	Line   int    // the last line of the user, counted from 1
	Reason string // such as "the scheme apr1 is not accepted"; it holds no text of the file
}

// A snapshot is what the latest check of the file found.
type snapshot struct {
	checked time.Time
	users   *users // of the last good text; nil if there was none
	err     error  // why they are not those of the file

	seen   fs.FileInfo // the file at that check; nil if it was missing
	read   fs.FileInfo // the file that was read, good or malformed; nil if it must be read again
	readAt time.Time
}

const (
	// quietPeriod is how long a file that is written in place must not change before
	// it is read. Its writer empties it first; on ext4 the new size can be seen up to
	// 4 ms before the new time.
	quietPeriod = 20 * time.Millisecond

	// maxQuietPeriods is how often the quiet period is waited for in one check.
	maxQuietPeriods = 50

	defaultMaxBytes = 256 << 20
)

var (
	errNothingLoaded = errors.New("no htpasswd text was loaded so far")
	errBeingWritten  = errors.New("the file is being written")
	errTooLarge      = errors.New("the text is larger than MaxBytes")
	errLoadWithPath  = errors.New("basicauth: Load called on an Authenticator with a Path")
)

// look returns the latest snapshot, after another check of the file if one is due
// or now is set. Only one goroutine checks; the others that need it wait until
// their context ends.
func (a *Authenticator) look(ctx context.Context, now bool) (*snapshot, error) {
	s := a.ready()
	if s.err != nil {
		return nil, s.err
	}
	called := time.Now()
	due := func(last *snapshot) bool {
		interval := a.CheckInterval
		if interval == 0 {
			interval = time.Second
		}
		return a.Path != "" && (now || called.Sub(last.checked) >= interval)
	}
	if last := s.latest.Load(); !due(last) {
		return last, nil
	}
	if err := s.reading.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	defer s.reading.Release(1)
	last := s.latest.Load()
	if !due(last) { // another goroutine has checked meanwhile
		return last, nil
	}
	next, err := a.check(ctx, last)
	if err != nil {
		return nil, err
	}
	s.latest.Store(next)
	if next.users != last.users || fmt.Sprint(next.err) != fmt.Sprint(last.err) {
		a.report(next.users, next.err)
	}
	return next, nil
}

func (a *Authenticator) report(u *users, err error) {
	if a.OnReload == nil {
		return
	}
	r := LoadResult{Err: err}
	if u != nil {
		r.Users, r.Refused = len(u.hashes), u.refused
	}
	a.OnReload(r)
}

// check reads the file unless it is as it was when it was read last. The error is
// that of the context.
func (a *Authenticator) check(ctx context.Context, last *snapshot) (*snapshot, error) {
	next := *last
	next.checked = time.Now()
	file, err := os.Stat(a.Path)
	if err == nil && atomicfile.IsCurrent(last.read, last.readAt, file) {
		return &next, nil
	}
	if err == nil && last.seen != nil && os.SameFile(last.seen, file) &&
		(!atomicfile.SameState(last.seen, file) || errors.Is(last.err, errBeingWritten)) {
		file, err = waitForWriter(ctx, a.Path, file)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	next.seen, next.read, next.readAt, next.err = file, nil, next.checked, err
	switch {
	case err != nil:
	case file.Size() > orDefault(a.MaxBytes, defaultMaxBytes):
		next.err = fmt.Errorf("%s: %w", a.Path, errTooLarge)
	default:
		a.readFile(&next)
	}
	return &next, nil
}

// waitForWriter waits until the file, which has changed in place, does not change
// for quietPeriod, and returns what it is then.
func waitForWriter(ctx context.Context, path string, file fs.FileInfo) (fs.FileInfo, error) {
	for range maxQuietPeriods {
		select {
		case <-time.After(quietPeriod):
		case <-ctx.Done():
			return file, context.Cause(ctx)
		}
		now, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if atomicfile.SameState(file, now) || !os.SameFile(file, now) {
			return now, nil
		}
		file = now
	}
	return file, fmt.Errorf("%s: %w", path, errBeingWritten)
}

// readFile reads the file into next. The users stay as they are on an error, and
// if the text is the same.
func (a *Authenticator) readFile(next *snapshot) {
	text, file, err := atomicfile.ReadToWatch(a.Path)
	if err != nil {
		next.err = err
		return
	}
	next.read = file
	if next.users != nil && next.users.text == text {
		return
	}
	users, err := newUsers(text, a.ready().rule)
	if err != nil {
		next.err = fmt.Errorf("%s: %w", a.Path, err)
		return
	}
	next.users = users
}

// Reload checks the file now, and returns the reason if the text in use is not
// that of the file: it is missing or cannot be read, or an [*htpasswd.ParseError].
// Call it when the server starts, on SIGHUP, or for a health check; otherwise only
// a login would show the error. Without a Path it reports whether a text was
// loaded. The context bounds the wait for another check that is under way.
func (a *Authenticator) Reload(ctx context.Context) error {
	snapshot, err := a.look(ctx, true)
	if err != nil {
		return err
	}
	return snapshot.err
}

// Load reads the text to use from r, for an Authenticator without a Path whose
// text comes from another store. Call it again when the text has changed. The
// error is that of r, or an [*htpasswd.ParseError]; the last good text stays in
// use then. It is an error to call Load if Path is set.
func (a *Authenticator) Load(r io.Reader) error {
	s := a.ready()
	if s.err != nil {
		return s.err
	}
	if a.Path != "" {
		return errLoadWithPath
	}
	limit := orDefault(a.MaxBytes, defaultMaxBytes)
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return err
	}
	if int64(len(text)) > limit {
		return errTooLarge
	}
	users, err := newUsers(string(text), s.rule)
	if err != nil {
		return err
	}
	s.latest.Store(&snapshot{users: users})
	a.report(users, nil)
	return nil
}
