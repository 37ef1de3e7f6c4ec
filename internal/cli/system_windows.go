package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/inconshreveable/mousetrap"
	"golang.org/x/sys/windows"

	"github.com/registryctl/registryctl/htpasswd/lint"
	"github.com/registryctl/registryctl/internal/term"
)

// endingSignals are those that end a run as Ctrl-C does.
func endingSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// isBrokenPipe reports whether the reader of the output is gone.
func isBrokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_NO_DATA) || errors.Is(err, windows.ERROR_BROKEN_PIPE)
}

// ignoreBrokenPipe does nothing: Windows has no such signal.
func ignoreBrokenPipe() {}

// checkMode finds nothing: Windows has access lists instead of modes.
func checkMode(fs.FileInfo, lint.Server) []lint.Finding { return nil }

// cannotUse always returns false: Windows has access lists.
func cannotUse(string, bool) bool { return false }

func ownerOf(string) string  { return "" }
func currentUser() string    { return "" }
func isOwn(fs.FileInfo) bool { return true }

func isOfRoot(fs.FileInfo) bool { return false }

func disableCoreDumps() {}

// isReadOnly reports whether a file is marked as read-only, which no edit changes.
func isReadOnly(info fs.FileInfo) bool { return info.Mode().Perm()&0o200 == 0 }

// quote quotes a word if necessary. cmd.exe has only double quotes, in which PowerShell
// expands some characters.
func quote(word string) string {
	switch {
	case isPlain(word, `._/:@%+=,-\`) && !strings.HasPrefix(word, `\\`):
		return word
	case strings.ContainsAny(word, "\"$`"):
		return "'" + strings.ReplaceAll(word, "'", "''") + "'"
	}
	return `"` + word + `"`
}

// systemPath returns a path in the form of Windows. A path with a quotation mark, which
// "C:\my files\" ends with, contains the arguments after it.
func systemPath(path string) (string, error) {
	if strings.Contains(path, `"`) {
		return "", quotedPath
	}
	return filepath.Clean(path), nil
}

// blankHint returns the hint for a password that ends with a space, which cmd.exe adds.
func (s *passwordSource) blankHint(password []byte) string {
	switch {
	case !bytes.HasSuffix(password, []byte(" ")):
		return ""
	case s.stdin:
		return "in cmd.exe, the space before | is sent, too: type echo PASSWORD|"
	case s.env.name != "":
		return `in cmd.exe, the space before & is part of the value: type set "` + s.env.name + `=PASSWORD"&`
	}
	return ""
}

// keepWindow keeps the window of a double click open until a key is pressed.
func keepWindow() {
	if !mousetrap.StartedByExplorer() {
		return
	}
	if t, err := term.Open(); err == nil {
		defer t.Close()
		t.AwaitKey("\nType this in a terminal, such as PowerShell. Press any key to close the window . . . ")
	}
}
