//go:build darwin || freebsd

package atomicfile

import "golang.org/x/sys/unix"

// searchOnly opens a directory to look up names in it, which is all that there is
// a right to in many.
const searchOnly = unix.O_SEARCH
