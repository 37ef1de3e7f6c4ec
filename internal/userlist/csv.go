package userlist

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

// column finds a column by one of its titles; -1 if there is none.
func column(header []string, titles []string) int {
	return slices.IndexFunc(header, func(title string) bool { return isOne(titles, strings.TrimSpace(title)) })
}

// skipType leaves out the line that Windows PowerShell's Export-Csv begins with.
func skipType(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("#TYPE")) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

func (p *parser) csv(text []byte) {
	rest := skipType(text)
	skipped := len(text) - len(rest)
	lines := bytes.Count(text[:skipped], []byte{'\n'})
	r := csv.NewReader(bytes.NewReader(rest))
	r.FieldsPerRecord = -1
	header, err := r.Read()
	begin := text[:skipped+int(r.InputOffset())]
	name, password, hash := column(header, nameTitles), column(header, passwordTitles), column(header, hashTitles)
	switch {
	case bytes.Count(begin, []byte("\r")) > bytes.Count(begin, []byte("\r\n")):
		p.problem(lines+1, "%w: "+loneReturn, ErrNoEntry)
		return
	case errors.Is(err, io.EOF):
		return
	case err != nil || name < 0:
		p.problem(lines+1, "%w: no CSV header with a column \"name\"", ErrNoEntry)
		return
	}
	for _, titles := range [][]string{nameTitles, passwordTitles, hashTitles} {
		if column(header[column(header, titles)+1:], titles) >= 0 {
			line, _ := r.FieldPos(0)
			p.problem(lines+line, "%w: the CSV header has two columns for the %s; leave one", ErrNoEntry, titles[0])
			return
		}
	}
	// Who writes "name, password" writes "elton, d0cker".
	r.TrimLeadingSpace = slices.ContainsFunc(header, func(title string) bool { return strings.HasPrefix(title, " ") })
	for {
		record, err := r.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &bad) && bad.Line > bad.StartLine:
			p.problem(lines+bad.StartLine, "%w: %w, which reaches to line %d", ErrNoEntry, bad.Err, lines+bad.Line)
			continue
		case errors.As(err, &bad):
			p.problem(lines+bad.Line, "%w: %w", ErrNoEntry, bad.Err)
			continue
		}
		line, _ := r.FieldPos(0)
		line += lines
		switch {
		case len(record) <= name:
			p.problem(line, "%w: too few columns", ErrNoEntry)
		case len(record) > len(header):
			p.problem(line, "%w: too many columns; a password with a comma stands in double quotes", ErrNoEntry)
		default:
			p.addFields(line, record[name], field(record, password), field(record, hash))
		}
	}
}

// field returns a column of the record, nil if it is missing or empty.
func field(record []string, column int) *string {
	if column < 0 || len(record) <= column || record[column] == "" {
		return nil
	}
	return &record[column]
}
