//go:build darwin || freebsd || netbsd

package atomicfile

import (
	"io/fs"
	"syscall"
)

func sameChangeTime(a, b fs.FileInfo) bool {
	return a.Sys().(*syscall.Stat_t).Ctimespec == b.Sys().(*syscall.Stat_t).Ctimespec
}
