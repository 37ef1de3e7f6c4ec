package htpasswd

import (
	"errors"
	"fmt"

	"github.com/registryctl/registryctl/internal/atomicfile"
	"github.com/registryctl/registryctl/internal/record"
)

// The errors that a caller may want to tell apart with errors.Is. For a missing
// file the error is fs.ErrNotExist, for a lock that was not free in time it is
// the error of the context.
var (
	ErrUserExists      = errors.New("user already exists")
	ErrUserNotFound    = errors.New("no such user")
	ErrInvalidUser     = errors.New("invalid user name")
	ErrInvalidPassword = errors.New("invalid password")
	ErrInvalidCost     = fmt.Errorf("cost is not between %d and %d", MinCost, MaxCost)
	ErrMismatch        = errors.New("wrong password")
	ErrUnsupportedHash = errors.New("unsupported hash")

	// ErrNoUsers is returned by [File.Reset] for a text that names no user, if
	// the one that it would replace does.
	ErrNoUsers = errors.New("the new text has no users")

	// The reasons why the registry refuses a whole file, in a [ParseError]. An edit
	// that would make a line too long returns ErrLineTooLong itself.
	ErrNoColon     = record.ErrNoColon
	ErrLineTooLong = record.ErrLineTooLong
	ErrUTF16       = record.ErrUTF16

	// ErrNotDurable is returned by [FileStore.Update] if the edit is in place, and
	// every reader sees it, but its directory could not be synced: a power cut may
	// bring the old file back.
	ErrNotDurable = atomicfile.ErrNotDurable
	// ErrAttributes is returned by [FileStore.Update] if the new file could not be
	// given the owner, group, mode, access list or user attributes of the old one.
	// Nothing was changed.
	ErrAttributes = atomicfile.ErrAttributes
	// ErrConflict is returned by [FileStore.Update] if other programs, which take no
	// lock, changed the file during each of ten attempts. Nothing was changed.
	ErrConflict = atomicfile.ErrConflict
	// ErrNotRegular is returned by [FileStore.Update] for anything but a regular
	// file.
	ErrNotRegular = atomicfile.ErrNotRegular
)

// A ParseError is the reason why the registry refuses a whole file, and with it
// every user.
type ParseError struct {
	Line int   // the first such line, counted from 1
	Err  error // ErrNoColon, ErrLineTooLong or ErrUTF16
}

// Error returns the line and the reason. It never holds text of the file.
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the reason.
func (e *ParseError) Unwrap() error { return e.Err }
