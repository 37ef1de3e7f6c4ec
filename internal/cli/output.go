package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
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
	if isVisibleASCII(name) {
		return name // soon said of most, for a list of a million
	}
	if name == "" || strings.Contains(name, `"`) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}

// isVisibleASCII reports whether name is visible ASCII characters without quotes.
func isVisibleASCII(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7F || c == '"' {
			return false
		}
	}
	return name != ""
}

// writeColumns writes rows as aligned columns, without blanks at the end of a line.
func writeColumns(w io.Writer, rows [][]string) error {
	var padded bytes.Buffer
	table := tabwriter.NewWriter(&padded, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(padded.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes v as a machine reads it and a person can.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	// What is not ASCII can only stand within a string. It could take over a
	// terminal, and Windows PowerShell reads it in a character set of its own.
	var safe []byte
	for _, r := range text.String() {
		switch {
		case r == '\n' || r >= ' ' && r < 0x7F:
			safe = utf8.AppendRune(safe, r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				safe = fmt.Appendf(safe, `\u%04x`, unit)
			}
		}
	}
	_, err := w.Write(safe)
	return err
}
