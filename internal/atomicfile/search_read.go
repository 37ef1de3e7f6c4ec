//go:build netbsd || openbsd

package atomicfile

import "golang.org/x/sys/unix"

// searchOnly is a right to read where the system has no other way to open a
// directory.
const searchOnly = unix.O_RDONLY
