//go:build unix

package cli

import (
	"io/fs"
	"syscall"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

func checkMode(info fs.FileInfo, server lint.Server) []lint.Finding {
	return lint.CheckMode(info.Mode(), info.Sys().(*syscall.Stat_t).Uid == 0, server)
}
