package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A word of a hint means the same to cmd.exe and to PowerShell where that is possible.
func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		`auth\registry.htpasswd`: `auth\registry.htpasswd`,
		`C:\my files\x`:          `"C:\my files\x"`,
		`\\server\share`:         `"\\server\share"`,
		`it's`:                   `"it's"`,
		`labs/**`:                `"labs/**"`,
		`a$b's`:                  `'a$b''s'`,
		``:                       `""`,
	} {
		assert.Equal(t, want, quote(word))
	}
}
