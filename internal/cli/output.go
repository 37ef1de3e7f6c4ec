package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// errOutput is in the errors of print: what was asked for could not be written.
var errOutput = errors.New("cannot write to standard output")

// print writes what was asked for to standard output.
func (a *app) print(data []byte) error {
	if _, err := a.out.Write(data); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

// printable shows a name from a file so that it can neither move the cursor,
// break a line nor hide a blank: quoted and escaped if there is anything of that
// kind.
func printable(name string) string {
	if name == "" || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}
