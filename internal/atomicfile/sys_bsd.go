//go:build darwin || freebsd

package atomicfile

import (
	"io/fs"
	"os"
	"syscall"
)

// setAccessList does nothing: x/sys has no access lists for these systems.
func setAccessList(*os.File, string, fs.FileInfo) error { return nil }

func sameChangeTime(a, b fs.FileInfo) bool {
	return a.Sys().(*syscall.Stat_t).Ctimespec == b.Sys().(*syscall.Stat_t).Ctimespec
}
