package htpasswd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidateUser(t *testing.T) {
	for _, name := range []string{"elton", "e", "elton stoneman", "王小明", "a#b", "-rf", "$x", "a@b.c", "<tokens>", "a\u200bb", strings.Repeat("x", 255)} {
		require.NoError(t, ValidateUser(name), "%q", name)
	}
	for _, name := range []string{
		"", "a:b", "#a", " a", "a ", "\ta", "a\u00a0", "\u3000a", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\u0085b",
		"a\u2028b", "a\u2029b", "a\x1b[2Jb", "\xff", strings.Repeat("x", 256), "\ufeffa", "a\ufeff", "\u200ba", "a\u200b", "<token>",
	} {
		require.ErrorIs(t, ValidateUser(name), ErrInvalidUser, "%q", name)
	}
}

func TestValidatePassword(t *testing.T) {
	for _, password := range []string{"d0cker", "x", "a b", "王小明", "a\tb", "\x1b", strings.Repeat("x", 72)} {
		require.NoError(t, ValidatePassword([]byte(password)), "%q", password)
	}
	for password, reason := range map[string]string{
		"":                      "it is empty",
		strings.Repeat("x", 73): "it is longer than 72 bytes, and bcrypt would ignore the rest",
		"a\x00b":                "it contains a NUL byte",
		"\xff":                  "it is not UTF-8, and docker would send another one",
		" a":                    "it begins or ends with whitespace, which docker login removes",
		"a\u00a0":               "it begins or ends with whitespace, which docker login removes",
		" ":                     "it begins or ends with whitespace, which docker login removes",
	} {
		require.EqualError(t, ValidatePassword([]byte(password)), "invalid password: "+reason)
	}
}
