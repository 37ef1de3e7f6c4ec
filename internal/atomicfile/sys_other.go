//go:build !(linux || darwin || freebsd || netbsd || openbsd || windows)

package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// These systems have no lock that the standard library or x/sys offers on all of
// them, so Update fails where it would change the file.

const (
	noWait   = 0
	lockPoll = 0
)

func open(ctx context.Context, path string) (*target, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		real = path
	}
	dir, name := filepath.Split(real)
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return newTarget(ctx, path, root, name)
}

func tryLock(*os.File) (bool, error)                                        { return false, errors.ErrUnsupported }
func unlock(*os.File) error                                                 { return nil }
func retry(_ context.Context, op func() error) error                        { return op() }
func openToRead(path string) (*os.File, error)                              { return os.Open(path) }
func rename(*os.Root, string, string) error                                 { return errors.ErrUnsupported }
func remove(*os.Root, string) error                                         { return errors.ErrUnsupported }
func openToSync(dir *os.Root) (*os.File, error)                             { return dir.Open(".") }
func syncRename(*os.Root, *os.File, string) error                           { return nil }
func hide(*os.File)                                                         {}
func isShared(fs.FileInfo) bool                                             { return true }
func settleTime(*os.File) error                                             { return nil }
func setTime(*os.File, time.Time, time.Duration) error                      { return errors.ErrUnsupported }
func copyAttributes(*os.File, *os.File, fs.FileMode) error                  { return errors.ErrUnsupported }
func copyAccessList(*os.File, *os.File) error                               { return nil }
func modeDiffers(fs.FileInfo, fs.FileMode) bool                             { return false }
func sameChangeTime(fs.FileInfo, fs.FileInfo) bool                          { return true }
func setOwnerAndMode(*os.File, fs.FileInfo, fs.FileInfo, fs.FileMode) error { return nil }
