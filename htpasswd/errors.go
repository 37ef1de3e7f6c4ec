package htpasswd

import (
	"errors"
	"fmt"
)

// The errors a caller may want to tell apart, with errors.Is. A missing file is
// reported by an error that is fs.ErrNotExist, a lock that was not free in time
// by one that is the context's error.
var (
	ErrUserExists      = errors.New("user already exists")
	ErrUserNotFound    = errors.New("no such user")
	ErrInvalidUser     = errors.New("invalid user name")
	ErrInvalidPassword = errors.New("invalid password")
	ErrInvalidCost     = fmt.Errorf("cost is not between %d and %d", MinCost, MaxCost)
	ErrMismatch        = errors.New("wrong password")
	ErrUnsupportedHash = errors.New("unsupported hash")

	// The reasons for which the registry refuses a whole file, in a ParseError. An
	// edit that would make a line too long returns ErrLineTooLong as it is.
	ErrNoColon     = errors.New("no colon in the line")
	ErrLineTooLong = fmt.Errorf("line longer than %d bytes", MaxLineBytes)
	ErrUTF16       = errors.New("the file is UTF-16, not UTF-8")

	// ErrNotDurable is returned by [FileStore.Update] when the edit is in place,
	// and seen by every reader, but the folder could not be synced: a power cut
	// may bring the old file back.
	ErrNotDurable = errors.New("in place, but may not survive a power cut")
	// ErrAttributes is returned by [FileStore.Update] when the new file could not
	// be given the owner, group, mode or access list of the old one. Nothing was
	// changed.
	ErrAttributes = errors.New("cannot keep the file's owner, mode or access list")
)

// A ParseError says where a text is not an htpasswd file: the first line for
// which the registry refuses the file, and with it every user.
type ParseError struct {
	Line int   // counted from 1
	Err  error // ErrNoColon, ErrLineTooLong or ErrUTF16
}

// Error names the line and the reason, and never holds text of the file.
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the reason.
func (e *ParseError) Unwrap() error { return e.Err }
