//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

// endingSignals are those that end a run as Ctrl-C does, with the terminal as it was
// before. Under nohup SIGHUP is not one of them.
func endingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// isBrokenPipe reports whether the reader of the output is gone.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }

func checkMode(info fs.FileInfo, server lint.Server) []lint.Finding {
	return lint.CheckMode(info.Mode(), isOfRoot(info), server)
}

// cannotUse reports whether the user may not search a directory or, for an edit, not
// write to it.
func cannotUse(dir string, edit bool) bool {
	mode := uint32(unix.X_OK)
	if edit {
		mode |= unix.W_OK
	}
	return unix.Access(dir, mode) != nil
}

// ownerOf returns the name of the user to whom a file belongs.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	id := strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}

// quote quotes a word for a shell if necessary. Single quotes mean the same to PowerShell.
// Characters that a message cannot show are written in octal, for bash, zsh and POSIX
// shells of 2024.
func quote(word string) string {
	if isPlain(word, "._/:@%+=,-") {
		return word
	}
	if oneLine(word) == word {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var escaped strings.Builder
	for _, b := range []byte(word) {
		if b < ' ' || b > '~' || b == '\'' || b == '\\' {
			fmt.Fprintf(&escaped, `\%03o`, b)
		} else {
			escaped.WriteByte(b)
		}
	}
	return "$'" + escaped.String() + "'"
}

// systemPath returns a path in the form of the system.
func systemPath(path string) (string, error) { return path, nil }

func (s *passwordSource) blankHint([]byte) string { return "" }

func isReadOnly(fs.FileInfo) bool { return false }

func keepWindow() {}

func isOwn(info fs.FileInfo) bool { return int(info.Sys().(*syscall.Stat_t).Uid) == os.Geteuid() }

func isOfRoot(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Uid == 0 }

// disableCoreDumps prevents a crash from writing passwords in memory to a file.
func disableCoreDumps() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
}
