package userlist

import (
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The titles of the columns of CSV and of the fields of JSON, in any case.
var (
	nameTitles     = []string{"name", "user", "username", "login"}
	passwordTitles = []string{"password"}
	hashTitles     = []string{"hash"}
)

func isOneOf(titles []string, title string) bool {
	return slices.Contains(titles, strings.ToLower(strings.TrimSpace(title)))
}

// A table is CSV whose header has been read.
type table struct {
	rows     *csv.Reader // what follows the header
	header   []string
	above    int  // lines before the text of rows
	declared bool // a line above the header declares that this is CSV
}

var (
	typeLine      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^#TYPE.*(?:\n|$)`) })             // by Export-Csv of Windows PowerShell
	separatorLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i:"?sep=(.)"?)\r?(?:\n|$)`) }) // for Excel
)

// newTable reads the header of CSV. The separator is the one that the text declares, or
// else the first of comma, semicolon and tab with which the header has a column for names.
func newTable(text string) table {
	t := table{}
	if line := typeLine().FindString(text); line != "" {
		text, t.above, t.declared = text[len(line):], t.above+1, true
	}
	separators := ",;\t"
	if line := separatorLine().FindStringSubmatch(text); line != nil {
		text, t.above, t.declared = text[len(line[0]):], t.above+1, true
		separators = line[1]
	}
	for i, comma := range separators {
		candidate := csv.NewReader(strings.NewReader(text))
		candidate.Comma = comma
		candidate.FieldsPerRecord = -1
		header, err := candidate.Read()
		if err != nil {
			header = nil
		}
		if i == 0 || column(header, nameTitles) >= 0 && column(t.header, nameTitles) < 0 {
			t.rows, t.header = candidate, header
		}
	}
	return t
}

// column returns the index of the first column with one of the titles, or -1.
func column(header []string, titles []string) int {
	return slices.IndexFunc(header, func(title string) bool { return isOneOf(titles, title) })
}

func (t table) has(titles []string) bool { return column(t.header, titles) >= 0 }

func (p *parser) csv(text string) {
	if p.refuseLoneCR(text) || strings.TrimSpace(text) == "" {
		return
	}
	t := newTable(text)
	name, password, hash := column(t.header, nameTitles), column(t.header, passwordTitles), column(t.header, hashTitles)
	if name < 0 {
		p.invalid(t.above+1, "", `no CSV header with a column "name", "user", "username" or "login"`)
		return
	}
	line, _ := t.rows.FieldPos(0)
	for _, titles := range [][]string{nameTitles, passwordTitles, hashTitles} {
		if column(t.header[column(t.header, titles)+1:], titles) >= 0 {
			p.invalid(t.above+line, "", "the CSV header has two columns for the %s", titles[0])
			return
		}
	}
	// Whoever writes "name, password" also writes "elton, d0cker".
	t.rows.TrimLeadingSpace = t.rows.Comma != '\t' &&
		slices.ContainsFunc(t.header, func(title string) bool { return strings.HasPrefix(title, " ") })
	for {
		row, err := t.rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			p.invalid(t.above+bad.StartLine, "", "%w", bad.Err)
			continue
		}
		line, _ := t.rows.FieldPos(0)
		line += t.above
		switch {
		case !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }):
		case len(row) <= name:
			p.invalid(line, "", "too few columns")
		case len(row) > len(t.header):
			p.invalid(line, "", "more columns than the header; put a password with a %s in double quotes", commaName(t.rows.Comma))
		default:
			passwordCell, hashCell := cell(row, password), cell(row, hash)
			if password >= 0 && passwordCell == nil && hashCell == nil && !p.options.Generate {
				passwordCell = new(string) // an empty password, as in a list of lines
			}
			p.add(line, unquoteCell(row[name]), passwordCell, hashCell)
		}
	}
}

// QuoteCell returns a name as a cell of CSV has it: with a single quote before it if a
// spreadsheet would take it for a formula. Parse removes the quote.
func QuoteCell(name string) string {
	if isFormula(name) {
		return "'" + name
	}
	return name
}

// unquoteCell undoes QuoteCell.
func unquoteCell(cell string) string {
	if name, ok := strings.CutPrefix(cell, "'"); ok && isFormula(name) {
		return name
	}
	return cell
}

// isFormula reports whether a spreadsheet takes the text for a formula, or would without
// the single quotes before it.
func isFormula(text string) bool {
	text = strings.TrimLeft(text, "'")
	return text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0]))
}

// cell returns a cell of the row, nil if it is empty or missing.
func cell(row []string, column int) *string {
	if column < 0 || column >= len(row) || row[column] == "" {
		return nil
	}
	return &row[column]
}

func commaName(comma rune) string {
	return cmp.Or(map[rune]string{',': "comma", ';': "semicolon", '\t': "tab"}[comma], string(comma))
}
