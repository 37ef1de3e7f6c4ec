package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"github.com/registryctl/registryctl/internal/crypt"
)

// print writes what was asked for to standard output.
func (p *Program) print(data []byte) error {
	_, err := output{p.Stdout}.Write(data)
	return err
}

// An output is standard output, whose errors are errOutput.
type output struct{ io.Writer }

func (o output) Write(data []byte) (int, error) {
	n, err := o.Writer.Write(data)
	if err != nil {
		err = fmt.Errorf("%w: %w", errOutput, err)
	}
	return n, err
}

// printable shows a name from a file so that it can neither move the cursor,
// break a line nor hide a blank: quoted and escaped if there is anything of that
// kind.
func printable(name string) string {
	name = crypt.Redact(name)
	if isVisibleASCII(name) {
		return name
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
	const (
		gap = 2
		// A name may be as long as a line of the file, and no other row is padded to
		// that: what is wider only moves the rest of its own row.
		widest = 40
	)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], min(columns(cell), widest)+gap)
		}
	}
	out := bufio.NewWriter(w)
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", max(gap, widths[i]-columns(cell)))
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	return out.Flush()
}

// columns is how many columns of a terminal a text takes: two for a wide character,
// as Chinese has them, none for what is put on the one before: an accent, or the
// vowel and the last consonant of a Korean syllable that is written in its parts.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me), r >= '\u1160' && r <= '\u11FF':
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
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

// foldName returns what is the same for names that differ only in case or Unicode
// normalisation.
func foldName(name string) string { return strings.ToLower(strings.ToUpper(norm.NFC.String(name))) }
