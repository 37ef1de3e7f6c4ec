package userlist

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// A FormatError says why a text is no list that [Parse] can read, and what to use.
type FormatError string

func (e FormatError) Error() string { return string(e) }

// The reasons for which a whole list is refused.
const (
	ErrWorkbook    FormatError = "it is an Excel workbook or a zip archive; save the list as CSV"
	ErrBinary      FormatError = "it is a binary file; save the list as text: CSV, JSON or lines of name:password"
	ErrBrokenUTF16 FormatError = "it is malformed UTF-16; save the list as UTF-8"
	ErrYAML        FormatError = "it is YAML; use CSV, JSON or lines of name:password"
	ErrAmbiguous   FormatError = "its first line may be a CSV header or a user"
)

// Guess returns the format of a list by the extension of its name, or else by the
// beginning of the text. The error is [ErrAmbiguous] if the first line of a list of names
// is "name" or the like, which may be a CSV header or a user.
func Guess(name, text string) (Format, error) {
	text, err := decode(text)
	if err != nil {
		return "", err
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return CSV, nil
	case ".json", ".jsonl", ".ndjson":
		return JSON, nil
	case ".htpasswd":
		return Lines, nil
	case ".yaml", ".yml":
		return "", ErrYAML
	}
	begin := strings.TrimSpace(text)
	if strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "[") {
		return JSON, nil
	}
	if yamlStart().MatchString(text) {
		return "", ErrYAML
	}
	t := newTable(begin)
	switch {
	case t.has(nameTitles) && (len(t.header) > 1 || t.declared || begin[0] == '"'):
		return CSV, nil
	case t.has(nameTitles) && !strings.Contains(text, ":"):
		return "", ErrAmbiguous
	}
	return Lines, nil
}

// yamlStart matches the first line of YAML that is neither empty nor a comment: a
// document start, a sequence, or a key over an indented value.
var yamlStart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[ \t]*(?:#.*)?\r?\n)*(?:---|%YAML|- |[^\s:]+:[ \t]*\r?\n(?:[ \t]*\r?\n)*(?:[ \t]+|- )\S)`)
})

// hashLike matches the beginning of a hash of any scheme, also if each $ is doubled or
// escaped. Nobody chooses such a password.
var hashLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i:\{[a-z0-9.-]*(?:sha|crypt|md5|plain|pbkdf2|argon2)[a-z0-9.-]*\})|` +
		`\${1,2}(?:1|2[a-zA-Z]?|5|6|7|g?y|md5|apr1|sha1|scrypt|argon2[a-z]*|pbkdf2[a-z0-9-]*|[PH])[$\\]`)
})

// beginsAsHash reports whether value begins with a hash, perhaps after quotes, whitespace,
// a backslash or the mark of a disabled user.
func beginsAsHash(value string) bool {
	at := hashLike().FindStringIndex(value)
	return at != nil && strings.Trim(value[:at[0]], " \t\r\n\"'\\!") == ""
}
