package registry

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"localhost":                {"", "localhost"},
		"localhost:5000":           {"", "localhost:5000"},
		"localhost:5000/v2/":       {"", "localhost:5000"},
		"[::1]:5000":               {"", "[::1]:5000"},
		"http://localhost:5000":    {"http", "localhost:5000"},
		"HTTPS://Registry.Example": {"https", "Registry.Example"},
		"https://10.0.0.1:443/":    {"https", "10.0.0.1:443"},
	} {
		got, err := ParseAddress(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "https://", "ftp://localhost", "unix:///run/registry", "localhost:", "localhost:port", "localhost:99999", ":5000",
		"::1", "http://[::1", "localhost:5000/labs/hello-world", "https://localhost?x", "https://localhost?", "localhost#x", "a b", "http://http://localhost",
		"..", "http://../", "..:5000", `a\b`, "a%2fb", "b\u00fccher.example", "registry\u202e.example",
	} {
		_, err := ParseAddress(in)
		assert.ErrorIs(t, err, ErrAddress, in)
	}
	for _, in := range []string{
		"https://elton:d0cker@localhost:5000", "elton:d0cker@localhost", "https://elton@localhost", "https://:d0cker@localhost", "https://localhost/@", "@",
		"https://elton:d0c%ker@localhost",
	} {
		_, err := ParseAddress(in)
		require.ErrorIs(t, err, ErrCredentials, in)
		assert.NotContains(t, err.Error(), "d0c")
	}
}
