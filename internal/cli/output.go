package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/registryctl/registryctl/internal/crypt"
)

// Print writes what was asked for to standard output.
func (p *Program) Print(data []byte) error {
	_, err := output{p.Stdout}.Write(data)
	return err
}

// An output is standard output. It wraps errors in errOutput.
type output struct{ io.Writer }

func (o output) Write(data []byte) (int, error) {
	n, err := o.Writer.Write(data)
	if err != nil {
		err = fmt.Errorf("%w: %w", errOutput, err)
	}
	return n, err
}

// printable returns a name from a file for the terminal. It quotes and escapes a name
// that could move the cursor, break a line or hide whitespace.
func printable(name string) string {
	name = crypt.Redact(name)
	if name == "" || strings.Contains(name, `"`) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}

// tableText returns rows as aligned columns, without blanks at the end of a line.
func tableText(rows [][]string) []byte {
	const (
		gap = 2
		// Names may be as long as a line of the file. A cell that is wider than this only
		// shifts the rest of its own row.
		widest = 40
	)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], min(columns(cell), widest)+gap)
		}
	}
	var out bytes.Buffer
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", max(gap, widths[i]-columns(cell)))
		}
		fmt.Fprintln(&out, strings.TrimRight(line, " "))
	}
	return out.Bytes()
}

// columns returns the number of columns that a text takes on a terminal: two for a wide
// character, such as a Chinese one, and none for one that combines with the character
// before it, such as an accent or the second part of a Korean syllable.
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

// jsonText returns v as indented JSON in ASCII.
func jsonText(v any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // of strings and numbers, to a buffer: no error
	// Other characters can only be in strings, and are escaped: some control a terminal,
	// and Windows PowerShell does not read UTF-8.
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
	return safe
}
