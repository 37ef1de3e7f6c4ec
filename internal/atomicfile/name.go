package atomicfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// trueName returns the name of a file as its directory lists it. In some directories a
// file can be opened by other names: with another case, another Unicode form, or a short
// name. All of them must lead to the same lock.
func trueName(ctx context.Context, dir *os.Root, name string) (string, error) {
	for range maxLost {
		info, err := lstat(ctx, dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", &fs.PathError{Op: "open", Path: (&target{dir: dir}).beside(name), Err: cause(err)}
		}
		names, err := list(dir)
		if err != nil {
			return "", &fs.PathError{Op: "read", Path: dir.Name(), Err: cause(err)}
		}
		if slices.Contains(names, name) {
			return name, nil
		}
		names = slices.DeleteFunc(names, func(n string) bool {
			other, err := dir.Lstat(n)
			return err != nil || !os.SameFile(info, other)
		})
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
			return names[i], nil
		}
		if len(names) > 0 {
			return slices.Min(names), nil
		}
		// It may have been replaced meanwhile.
		now, err := lstat(ctx, dir, name)
		if err == nil && os.SameFile(info, now) {
			return name, nil
		}
	}
	return "", &fs.PathError{Op: "open", Path: (&target{dir: dir}).beside(name), Err: ErrConflict}
}

// newTarget returns the file with that name in dir. It closes dir if it fails.
func newTarget(ctx context.Context, path string, dir *os.Root, name string) (*target, error) {
	name, err := trueName(ctx, dir, name)
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return &target{path: path, dir: dir, name: name}, nil
}

func lstat(ctx context.Context, dir *os.Root, name string) (info fs.FileInfo, err error) {
	err = retry(ctx, func() error {
		info, err = dir.Lstat(name)
		return err
	})
	return info, err
}

// IsDevice reports whether Windows takes the name for that of a device, such as NUL,
// in every directory. Older versions of it do so even if an extension follows.
func IsDevice(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	name = strings.TrimRight(name, " ")
	return name != "" && !filepath.IsLocal(name)
}
