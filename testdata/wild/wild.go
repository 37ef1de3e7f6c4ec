// Package wild holds htpasswd files as people have them, and whom real servers let in
// by each. README.md says where they come from and what the tables mean.
package wild

import (
	"embed"
	"fmt"
	"iter"
	"net/url"
	"strings"
)

// Files are the htpasswd files, by their names.
//
//go:embed *.htpasswd
var Files embed.FS

//go:embed files.tsv
var files string

//go:embed verdicts.tsv
var verdicts string

// A Verdict says whether a server lets a user in with a password.
type Verdict struct {
	File, Server, Version, User, Password string

	In bool
}

// Verdicts yields what the servers said, in the order of verdicts.tsv.
func Verdicts() iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		for fields := range rows(verdicts, 6) {
			v := Verdict{fields[0], fields[1], fields[2], decode(fields[3]), decode(fields[4]), fields[5] == "in"}
			if !yield(v) {
				return
			}
		}
	}
}

// Origins yields the name of each file, and where such files come from.
func Origins() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for fields := range rows(files, 2) {
			if !yield(fields[0], fields[1]) {
				return
			}
		}
	}
}

// Encode returns a name or a password as verdicts.tsv has it.
func Encode(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func decode(text string) string {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		panic(err)
	}
	return decoded
}

// rows yields the fields of each row of a table but its header.
func rows(table string, columns int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		_, table, _ = strings.Cut(table, "\n")
		for line := range strings.Lines(table) {
			fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(fields) != columns {
				panic("malformed row: " + line)
			}
			if !yield(fields) {
				return
			}
		}
	}
}
